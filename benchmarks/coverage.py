"""How often the 80% bands held: months and three-month sums, by destination and lead.

Writes coverage.md: the magnets replayed as ``magnets.py`` does, and the panels of MAGNETCAST_PANELS
as ``accuracy.py`` does. Figures are those of ``models.evaluation.scores``, which pages, API and
README quote.
"""

import argparse
from collections.abc import Iterator

import page
import pandas as pd
from cases import GRAPHITE, IMPORTS, Case, panels_folder
from magnets import BUNDLED

from features.evidence_history import EvidenceHistory
from flows.cli.options import moment
from models.evaluation.backtest import backtest_evidence, backtest_panel
from models.evaluation.scores import (
    FEWEST,
    LEAD_GROUPS,
    Coverage,
    coverage_of,
    coverage_scores,
    error_copula,
    group_label,
    origin_column,
    sum_cells,
)
from models.executor import Executor
from models.forecasting.joint_paths import ErrorCopula
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET
from publication.words import in_reading_order
from sources.bundled.all_tables import load_bundled
from store.vocabulary import ALL

MISS = 2.0 / 0.2
"""What a tonne outside an 80% band costs in the interval score (Gneiting and Raftery, 2007)."""

SHOCK = pd.Timestamp("2025-04-01", tz="UTC")

INTRODUCTION = """
An entry is the share of forecasts whose month (or three months together) lay within p10 and
p90, of how many, and the mean interval score: the width of the band and ten times what lies outside
it, in units of the mean absolute difference to the year before. Lower is better, so that a wide
band does not win. Leads count from the month of the forecast, three months by the last; of a panel
they are its months ahead. Magnets are scored only where a level was published. The band of three
months comes from joint paths; the share of an error that carries into the next month is measured on
the origins before each one, never on later ones.
"""
PANELS_TEXT = """
All series together, cutoffs and horizon as in accuracy.md. The aim for three months together is 76
to 84%.
"""


def scored_sums(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the sums of each origin, drawn with the carry that was known at it."""
    origin = origin_column(cells)
    parts = []
    for at, part in cells.groupby(origin):
        cutoff = pd.Timestamp(f"{part['cutoff'].iloc[0]}-01")
        known = cells.loc[(cells[origin] < at) & (pd.to_datetime(cells["period"]) <= cutoff)]
        copula = error_copula(known) if len(known) else ErrorCopula()
        parts.append(sum_cells(part, copula.carry))
    return pd.concat(parts, ignore_index=True)


def interval_score(cells: pd.DataFrame) -> "pd.Series[float]":
    below = (cells["p10"] - cells["tonnes"]).clip(lower=0.0)
    above = (cells["tonnes"] - cells["p90"]).clip(lower=0.0)
    width = cells["p90"] - cells["p10"]
    return (width + MISS * (below + above)) / cells["scale"].where(cells["scale"] > 0)


def entry(group: Coverage, cells: pd.DataFrame) -> str:
    own = cells.loc[cells["lead"].between(group.lead_from, group.lead_to)]
    if own.empty:
        return "-"
    score = f"{interval_score(own).mean():.2f}"
    return f"{group.share:.0%} of {group.forecasts}; {score}{'' if group.is_judged else ' (few)'}"


def rows_of(cells: pd.DataFrame, scopes: list[str]) -> Iterator[dict[str, str]]:
    """Yield one row a scope with an entry for each group of leads."""
    scores = coverage_scores(cells)
    for scope in scopes:
        own = cells if scope == ALL else cells.loc[cells["destination"] == scope]
        found = {(c.lead_from, c.lead_to): c for c in coverage_of(scores, scope, "")}
        result = {
            f"lead {group_label(first, last)}": entry(found[first, last], own)
            for first, last in LEAD_GROUPS
            if (first, last) in found
        }
        yield {"destination": scope, **result}


def magnets(as_of: pd.Timestamp) -> pd.DataFrame:
    batch = load_bundled(page.DATA)
    history = EvidenceHistory(*(batch.frame(name) for name in BUNDLED))
    found = backtest_evidence(
        history, as_of, parameters=MAGNETS_PRESET, executor=Executor(page.track)
    )
    return found.cells.loc[found.cells["model"] == MODEL]


def magnet_lines(cells: pd.DataFrame) -> list[str]:
    scopes = [ALL, *in_reading_order(cells["destination"])]
    lines = ["", f"## Magnets (fewer than {FEWEST}: few, not to be judged)"]
    sums = scored_sums(cells)
    for what, part in (("Single months", cells), ("Three months together", sums)):
        lines += ["", f"### {what}", *page.table(pd.DataFrame(rows_of(part, scopes)).fillna("-"))]
    lines += ["", "### By time of the origin, all destinations"]
    eras = {"before April 2025": cells["as_of"] < SHOCK, "since": cells["as_of"] >= SHOCK}
    table = [{"origins": era, **next(rows_of(cells.loc[own], [ALL]))} for era, own in eras.items()]
    return [*lines, *page.table(pd.DataFrame(table).drop(columns="destination").fillna("-"))]


def panel_rows(case: Case) -> Iterator[dict[str, str]]:
    folder = panels_folder()
    if folder is None:
        return
    found = backtest_panel(PanelForecaster(PANEL_PRESET), case.task(folder), case.months)
    cells = found.cells.loc[(found.cells["model"] == MODEL) & (found.cells["scale"] > 0)]
    for what, part in (("single months", cells), ("three months together", scored_sums(cells))):
        [row] = rows_of(part, [ALL])
        total = f"{part['is_covered'].mean():.1%} of {len(part):,}"
        below, above = part["tonnes"] < part["p10"], part["tonnes"] > part["p90"]
        sides = f"{below.mean():.1%}, {above.mean():.1%}"
        yield {
            "panel": case.panel,
            "what": what,
            "all": total,
            "below p10, above p90": sides,
            **row,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-12-01", help="day whose facts are known (UTC)")
    chosen = parser.parse_args()
    lines = page.heading(
        "How often the 80% bands held",
        f"MAGNETCAST_PANELS=FOLDER python benchmarks/coverage.py --as-of {chosen.as_of}",
        f"Data: the bundled facts as known on {chosen.as_of}, and the panels named below.",
    )
    lines += page.prose(INTRODUCTION)
    lines += magnet_lines(magnets(moment(chosen.as_of)))
    panels = pd.DataFrame([row for case in (GRAPHITE, IMPORTS) for row in panel_rows(case)])
    if len(panels):
        lines += ["", "## Other panels", *page.prose(PANELS_TEXT)]
        lines += page.table(panels.drop(columns="destination").fillna("-"))
    page.write("coverage.md", lines)


if __name__ == "__main__":
    main()
