"""How far the evidence panel is from published months that it was not shown.

Every reported monthly level is left out in turn, with all levels of the same destination and month,
and the panel is solved again from the others. Writes evidence.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import page
import pandas as pd
from threadpoolctl import threadpool_limits

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS
from features.panel.statements import (
    CellBlock,
    Statement,
    hs6_values,
    is_cell_level,
    last_evidence_month,
    members_of,
    read_statements,
    value_statements,
)
from features.panel.system import WIDTH, LinearSystem, PanelPrior, Solution, build_system, solve
from flows.cli.options import moment
from sources.bundled.all_tables import load_bundled
from store.asof import OBSERVATION_KEY, known_at
from store.months import last_complete_month, month_label, month_number
from store.vocabulary import COMMODITY, DESTINATIONS, HISTORY_START

BAND = 1.2816
"""Standard deviations on either side of an 80 percent band."""

AIMS = {"WLD": ("<= 0.5%", "72-88%")}
OTHERS = "others"
SOLVES = 5
NAMES = {members_of(name): name for name in PANEL_DESTINATIONS}


INTRODUCTION = """
Each reported monthly level is left out in turn, together with every other usable level of that
destination and month (another outlet's too), and the panel is solved again from what remains,
from scratch, as the product does it (begun at the full solution it would stop too near to it and
look better than it is). Compared are the panel and the median of what was left out. The band is the
estimate times exp(+-1.2816 s), with s from the panel's standard error and the figure's own
rounding. Sums that are no row of the panel (the world without the USA) are not left out. How the
prior was chosen: [prior.md](prior.md).
"""
WORST_TEXT = """
Months that the panel without their own figure misses by most, in standard deviations.
"""
SUSPICIOUS_TEXT = """
Figures more than five scales from the panel. A scale is mostly the figure's rounding, often a few
hundredths of a percent, so a real disagreement is far away at once; the weight is what the
Student-t reweighting leaves of it.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """The statements known at one moment and the months they are about."""

    statements: list[Statement]
    first: int
    last: int


def known_statements(observations: pd.DataFrame, as_of: pd.Timestamp) -> Known:
    """Return the statements the product's panel rests on at a moment."""
    known_rows = known_at(observations, key=OBSERVATION_KEY, as_of=as_of)
    figures = known_rows.loc[known_rows["commodity"] == COMMODITY].reset_index(drop=True)
    first = month_number(HISTORY_START)
    last = min(last_evidence_month(figures), last_complete_month(as_of))
    values = value_statements(hs6_values(known_rows), first=first, last=last)
    return Known(read_statements(figures, first=first, last=last) + values, first, last)


def published_months(statements: Sequence[Statement]) -> dict[CellBlock, list[int]]:
    """Return the statements that give each published month of a row of the panel."""
    months: dict[CellBlock, list[int]] = {}
    for i, statement in enumerate(statements):
        cells = statement.above
        if cells is not None and is_cell_level(statement) and cells.destinations in NAMES:
            months.setdefault(cells, []).append(i)
    return months


def leave_out(known: Known, prior: PanelPrior) -> pd.DataFrame:
    """Return one row a published month: truth, estimate, relative error, and error in scales."""
    system = build_system(known.statements, first=known.first, last=known.last, prior=prior)
    rows = [
        left_out(known, system, cells, places)
        for cells, places in published_months(known.statements).items()
    ]
    return pd.DataFrame(rows)


def left_out(
    known: Known, system: LinearSystem, cells: CellBlock, places: list[int]
) -> dict[str, object]:
    """Return the row of one month, solved from scratch without its statements."""
    scale, firm_scale = system.scale.copy(), system.firm_scale.copy()
    scale[places] = firm_scale[places] = np.inf
    without = replace(system, scale=scale, firm_scale=firm_scale)
    estimate, stderr = total_of(solve(without), cells, known.first)
    hidden = [known.statements[i] for i in places]
    truth = float(np.median([np.exp(s.target) for s in hidden]))
    name = NAMES[cells.destinations]
    return {
        "group": name if name in {"WLD", "USA"} else OTHERS, "destination": name,
        "month": month_label(cells.start), "truth": truth, "estimate": estimate,
        "error": abs(estimate / truth - 1.0),
        "z": abs(np.log(estimate / truth)) / np.hypot(stderr, max(s.scale for s in hidden)),
    }  # fmt: skip


def total_of(solution: Solution, cells: CellBlock, first: int) -> tuple[float, float]:
    """Return tonnes and log standard error of a sum of cells of one month."""
    row = (cells.start - first) * WIDTH
    inside = [row + DESTINATIONS.index(name) for name in cells.destinations]
    tonnes = np.exp(solution.log_cells[inside])
    share = tonnes / tonnes.sum()
    variance = share @ solution.covariance[np.ix_(inside, inside)] @ share
    return float(tonnes.sum()), float(np.sqrt(variance))


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Return error and coverage for world, USA and the others, then for each of the others."""
    each = results.loc[results["group"] == OTHERS]
    parts = [(name, results.loc[results["group"] == name]) for name in ("WLD", "USA", OTHERS)]
    parts += [(f"of these {name}", part) for name, part in each.groupby("destination")]
    return pd.DataFrame([{"destination": name, **figures_of(part)} for name, part in parts])


def figures_of(part: pd.DataFrame) -> dict[str, float]:
    return {
        "months": len(part),
        "median": float(part["error"].median()),
        "p90": float(part["error"].quantile(0.9)),
        "coverage": float((part["z"] <= BAND).mean()),
    }


def summary_text(results: pd.DataFrame) -> pd.DataFrame:
    rows = summary(results)
    aims = [AIMS.get(name, ("", "")) for name in rows["destination"]]
    return pd.DataFrame(
        {
            "left out": rows["destination"],
            "months": rows["months"],
            "median error": rows["median"].map("{:.2%}".format),
            "90th percentile": rows["p90"].map("{:.1%}".format),
            "within the 80% band": rows["coverage"].map("{:.0%}".format),
            "aim: median error": [aim[0] for aim in aims],
            "aim: coverage": [aim[1] for aim in aims],
        }
    )


def worst_text(results: pd.DataFrame, count: int = 8) -> pd.DataFrame:
    worst = results.sort_values("z", ascending=False).head(count)
    return pd.DataFrame(
        {
            "left out": worst["destination"] + " " + worst["month"],
            "published t": worst["truth"].map("{:,.1f}".format),
            "panel without it t": worst["estimate"].map("{:,.1f}".format),
            "distance in standard deviations": worst["z"].map("{:.1f}".format),
        }
    )


def solve_seconds(observations: pd.DataFrame, as_of: pd.Timestamp) -> float:
    """Return the median time of the whole panel, from figures to cells."""
    taken = page.seconds_of(lambda: evidence_panel(observations, as_of=as_of), SOLVES)
    return float(np.median(taken))


def suspicious_text(observations: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    found = evidence_panel(observations, as_of=as_of).suspicious
    return pd.DataFrame(
        {
            "figure": found["statement"],
            "beyond the rest t": found["residual_t"].map("{:+,.0f}".format),
            "distance in scales": found["z"].map("{:+.0f}".format),
            "weight left": found["weight"].map("{:.4f}".format),
            "source": found["source_url"],
        }
    )


def page_lines(known: Known, observations: pd.DataFrame, as_of: pd.Timestamp) -> list[str]:
    results = leave_out(known, PanelPrior())
    months = f"{month_label(known.first)} to {month_label(known.last)}"
    solved = f"""
        One whole panel, from figures to cells, takes {solve_seconds(observations, as_of):.2f} s
        (median of {SOLVES}, one BLAS thread as in the product; aim: <= 1 s). It rests on
        {len(known.statements)} statements about {months}.
    """
    return [
        *page.prose(INTRODUCTION),
        *page.table(summary_text(results)),
        *page.prose(solved),
        "",
        "## Furthest off",
        *page.prose(WORST_TEXT),
        *page.table(worst_text(results)),
        "## Suspicious figures",
        *page.prose(SUSPICIOUS_TEXT),
        *page.table(suspicious_text(observations, as_of)),
    ]


def measure(observations: pd.DataFrame, as_of: pd.Timestamp, *, day: str) -> None:
    """Write evidence.md."""
    command = f"python benchmarks/evidence.py --as-of {day}"
    known = known_statements(observations, as_of)
    lines = page.heading("Evidence panel: published months left out", command, data_text(day))
    page.write("evidence.md", [*lines, *page_lines(known, observations, as_of)])


def data_text(day: str) -> str:
    return f"Data: the bundled figures as known on {day}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-12-01", help="day whose facts are known (UTC)")
    chosen = parser.parse_args()
    observations = load_bundled(page.DATA).frame("observations")
    with threadpool_limits(limits=1, user_api="blas"):  # as in the product
        measure(observations, moment(chosen.as_of), day=chosen.as_of)


if __name__ == "__main__":
    main()
