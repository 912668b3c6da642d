"""What knowledge of policy is worth: the same models with and without it, after shocks and in calm.

MAGNETCAST_PANELS names the panels' folder (see cases.py); without it only the magnets are measured,
and nothing is written. Writes policy_value.md.
"""

import argparse
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import page
import pandas as pd
from cases import VARIABLE, panels_folder
from magnets import BUNDLED
from policy_imports import Found, Window, import_cells

from features.evidence_history import EvidenceHistory
from features.origin import Origin
from flows.cli.options import moment
from models.evaluation.backtest import backtest_evidence
from models.evaluation.compare import differences
from models.forecasting.model_names import MODEL, UNANSWERED
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET, ModelParameters
from sources.bundled.all_tables import load_bundled
from store.vocabulary import AGGREGATES, WORLD

PANEL = "magnets"
HORIZON = 6
SUMS = {WORLD, *AGGREGATES}
SCOPES = (WORLD, "USA", "destinations")
SHOCKS = {
    "licence duty of 2025-04-04": ("2025-04-04", "2025-04", "2025-09", SCOPES),
    "controls of 2025-10-09": ("2025-10-09", "2025-10", "2026-03", SCOPES),
    "US duties of 2025-02-01": ("2025-02-01", "2025-02", "2025-03", ("USA",)),
    "ban for Japan of 2026-01-06": ("2026-01-06", "2026-01", "2026-06", ("JPN",)),
}
"""Day of announcement, first and last month counted, and what was hit. The duties' months end
before the licence duty, which hit the USA as well."""

CALM = {
    "origins 2024-06 to 2025-01, months to 2025-01": ("2024-06", "2025-01", "2024-01", "2025-01"),
    "origins from 2026-04 on": ("2026-04", "2026-12", "2026-04", "2026-12"),
}
"""First and last origin, first and last month."""

TEXT = """
**Magnets.** `models.evaluation.backtest.replay` at the 25th of each month; scored only where a
level was published, so few cells are. Without: the same model with no event and no tariff in any
origin, past ones too. The row *destinations* holds all but the sums. How the response fares is not
blind: it was made knowing of April 2025, though no month of magnets after it was fitted to.
"""


class Blind(EvidenceHistory):
    """The past without policy: no event, no tariff and no analog is known at any origin."""

    def origin(self, moment: pd.Timestamp) -> Origin:
        """Return the origin at a moment with nothing but trade in it; made once."""
        if moment not in self._origins:
            self._origins[moment] = replace(super().origin(moment), events=None, tariffs=None)
        return self._origins[moment]


def magnet_cells(as_of: str, parameters: ModelParameters) -> Found:
    batch = load_bundled(page.DATA)
    frames = [batch.frame(name) for name in BUNDLED]
    answer = moment(as_of)
    seeing = backtest_evidence(EvidenceHistory(*frames), answer, parameters=parameters).cells
    blind = backtest_evidence(Blind(*frames[:3]), answer, parameters=parameters).cells
    ways = {UNANSWERED: "features", MODEL: "response"}
    result = seeing.loc[seeing["model"].isin(ways)]
    cells = pd.concat(
        [
            result.assign(model=result["model"].map(ways)),
            blind.loc[blind["model"] == UNANSWERED].assign(model="without"),
        ],
        ignore_index=True,
    )
    cells = cells.loc[cells["horizon"].between(1, HORIZON)]
    month = cells["period"].dt.strftime("%Y-%m")
    return Found(TEXT, *windows_of(cells.assign(month=month)))


def windows_of(cells: pd.DataFrame) -> tuple[list[Window], list[Window], list[Window]]:
    shocks, detail = [], []
    for name, (day, first, last, scopes) in SHOCKS.items():
        after = cells["as_of"] > moment(day)
        part = cells.loc[after & cells["month"].between(first, last)]
        for scope in scopes:
            hit = scope_of(part, scope)
            shocks.append(Window(PANEL, f"{name}, {scope}, all origins", hit))
            firsts = hit.loc[hit["as_of"] == part["as_of"].min()]
            shocks.append(Window(PANEL, f"{name}, {scope}, first origin", firsts))
            if scope in {WORLD, "USA"}:
                detail += [
                    Window(PANEL, f"{name}, {scope}, origin {one:%Y-%m-%d}", rows)
                    for one, rows in hit.groupby("as_of")
                ]
    origin = cells["as_of"].dt.strftime("%Y-%m")
    calm = [
        Window(PANEL, f"{name}, {scope}", scope_of(cells.loc[inside], scope))
        for name, (start, end, first, last) in CALM.items()
        for inside in [origin.between(start, end) & cells["month"].between(first, last)]
        for scope in SCOPES
    ]
    return shocks, calm, detail


def scope_of(cells: pd.DataFrame, scope: str) -> pd.DataFrame:
    own = ~cells["destination"].isin(SUMS) if scope == "destinations" else None
    return cells.loc[cells["destination"].eq(scope) if own is None else own]


AIM = 0.85
WITHOUT = "without"
WAYS = ("features", "response")

INTRODUCTION = """
Forecasts one to six months ahead, as they could have been made: at each origin the model is trained
on what lay up to it, and policy is what was announced by its last month's release. *without*
knows no policy; *with features* has it as features or covariates; *with response* also answers
controls observed in no, or few, months from other materials under Chinese controls. Error is
WAPE; a ratio is to *without*, its interval the 5 and 95 percent of resampled origins and series
(`models.evaluation.compare`; "-" where there is nothing to resample). The aim is a ratio of 0.85 or
less on what a shock hit, and 1 in calm months.
"""
OUT_TEXT = """
Left out. In rows that say *first origin*, and in all of US imports, the last month trained on is
before the announcement scored: nothing of the shock, nor of later ones, is in training or among the
analogs. Later origins of a shock have its own months up to their cutoff, no more.
"""

WORDS = """
In words: answering a control observed in no month meets the aim (magnets in
April 2025). Features and covariates alone miss it wherever a shock was the first of its kind:
nothing in the past taught what they mean. Once one control lay in the past they help (the world in
October 2025), and duties announced ahead gain a little on US imports in 2025, after those of
2018-19, and nothing then. The answer costs where what was announced did not come (the controls of
October 2025). Calm months lose nothing; the months after a control do.
"""


def compared(window: Window, way: str) -> dict[str, str]:
    """Return how one way of knowing did in a window, beside knowing nothing."""
    result = {"panel": window.panel, "months": window.name, "with": way}
    table = differences(window.cells, way, [WITHOUT]).set_index("metric")
    row, scaled = table.loc["wape"], table.loc["mase"]
    base = row["baseline_score"]
    if row["cells"] == 0:
        return {}
    ends = [1.0 + row[end] / base for end in ("p05", "p95")]
    interval = "-" if pd.isna(row["p05"]) else f"{ends[0]:.2f} to {ends[1]:.2f}"
    covered = window.cells.groupby("model")["is_covered"].mean()
    return {
        **result,
        "WAPE without": f"{base:.1%}",
        "WAPE with": f"{row['score']:.1%}",
        "ratio": f"{row['score'] / base:.3f}",
        "5% to 95%": interval,
        "MASE ratio": f"{scaled['score'] / scaled['baseline_score']:.3f}",
        "80% band held": f"{covered[WITHOUT]:.0%}, with {covered[way]:.0%}",
        "cells": f"{row['cells']:,}",
    }


def rows_of(windows: Sequence[Window]) -> pd.DataFrame:
    rows = [
        compared(window, way)
        for window in windows
        for way in WAYS
        if way in set(window.cells["model"])
    ]
    return pd.DataFrame([row for row in rows if row])


def with_aim(table: pd.DataFrame) -> pd.DataFrame:
    met = table["ratio"].astype(float) <= AIM
    return table.assign(aim=met.map({True: "met", False: "**missed**"}))


def lines_of(found: Sequence[Found]) -> list[str]:
    shocks = rows_of([window for one in found for window in one.shocks])
    calm = rows_of([window for one in found for window in one.calm])
    detail = rows_of([window for one in found for window in one.detail])
    texts = [page.prose(one.text) for one in found]
    return [
        *(line for text in texts for line in text),
        *page.prose(OUT_TEXT),
        *page.prose(WORDS),
        "",
        "## The six months after a shock, on what it hit",
        *page.table(with_aim(shocks)),
        "## Calm months, and series no shock hit",
        *page.table(calm),
        "## By announcement and origin",
        *page.table(detail),
    ]


def measured(as_of: str, folder: Path | None) -> list[Found]:
    """Return what each panel gave, each measured in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="magnetcast-") as name,
        ProcessPoolExecutor(3, mp_context=context) as pool,
    ):
        runs = [pool.submit(magnet_cells, as_of, MAGNETS_PRESET)]
        if folder is not None:
            runs.append(pool.submit(import_cells, folder, Path(name)))
        return [run.result() for run in runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-11-24", help="day the magnets are scored at (UTC)")
    chosen = parser.parse_args()
    folder = panels_folder()
    parameters = PANEL_PRESET
    found = measured(chosen.as_of, folder)
    facts = (
        f"Data: the bundled facts as known on {chosen.as_of}, the panels named below, "
        "us_tariff_steps.csv. "
        f"Parameters: {MAGNETS_PRESET.digest} (magnets), {parameters.digest} (engine)."
    )
    head = page.heading(
        "Does policy knowledge pay?", f"{VARIABLE}=FOLDER make bench-policy-value", facts
    )
    lines = [*head, *page.prose(INTRODUCTION), *lines_of(found)]
    if folder is None:
        print("\n".join(lines))
        return
    page.write("policy_value.md", lines)


if __name__ == "__main__":
    main()
