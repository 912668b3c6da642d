"""China's graphite and gallium with and without the licence duties announced by then."""

from dataclasses import replace
from pathlib import Path

import page
import pandas as pd
from announced import control_covariates
from cases import GRAPHITE
from policy_cells import Found, Window, forecasts_at, scored
from policy_imports import cutoffs_of

from features.controls.controls import INSTRUMENTS
from models.forecasting.forecaster import MODEL, UNANSWERED
from models.forecasting.panel_snapshot import PanelSnapshot
from models.policy.policy_response import PanelResponse
from sources.bundled.all_tables import load_bundled
from sources.files.controls import PanelControl, read_controls

PANEL = "graphite, gallium"
CONTROLS = Path(__file__).resolve().parent / "graphite_controls.csv"
SPANS = (("2019-12", "2022-12", 6), ("2023-03", "2024-11", 1))

GRAPHITE_NATURAL, GRAPHITE_ARTIFICIAL, GALLIUM = "250410", "380110", "811292"
SHOCKS = {
    "graphite (announced 2023-10-20), natural, first origin": (
        GRAPHITE_NATURAL, "2023-09", "2023-09", "2024-03",
    ),
    "graphite, natural, last origin before it binds (2023-12-01)": (
        GRAPHITE_NATURAL, "2023-11", "2023-11", "2024-05",
    ),
    "graphite, natural, all origins to 2024-03": (
        GRAPHITE_NATURAL, "2023-09", "2024-03", "2024-05",
    ),
    "graphite, artificial (narrow wording), all origins to 2024-03": (
        GRAPHITE_ARTIFICIAL, "2023-09", "2024-03", "2024-05",
    ),
    "gallium (announced 2023-07-03, with indium and others), first origin": (
        GALLIUM, "2023-06", "2023-06", "2023-12",
    ),
    "gallium, all origins to 2023-12": (GALLIUM, "2023-06", "2023-12", "2024-01"),
}  # fmt: skip
"""Product, first and last cutoff, last month counted."""

CALM = {
    "all, origins 2019-12 to 2022-12": ("", "2019-12", "2022-12"),
    "all, origins 2023-03 to 2023-05": ("", "2023-03", "2023-05"),
    "natural graphite, origins 2024-04 on": (GRAPHITE_NATURAL, "2024-04", "2024-11"),
}

TEXT = """
**Graphite and gallium by partner.** The controls are graphite_controls.csv, with shares of trade
from their wording; features are the share under licence in each month, as announced, and the
response is that of `magnetcast backtest --panel --controls`. It is silent on gallium: no control on
another mineral had been felt by July 2023. It is silent too where the wording covers less than half
of a product (artificial graphite; 811292, which holds indium and others). What was shipped in haste
before a control bound (natural graphite in November 2023) nobody here foresees.
"""


def licence_cells(folder: Path, scratch: Path) -> Found:
    """Replay the panel without policy, with features and with the response."""
    task = GRAPHITE.task(folder)
    names = [str(name) for name in task.table.index]
    controls = read_controls(CONTROLS, names, instruments=INSTRUMENTS)
    cutoffs = cutoffs_of(SPANS)
    result = replace(
        task, covariates=control_covariates(task.table, task.horizon, scratch, controls)
    )
    ways = {UNANSWERED: "without", MODEL: "response"}
    parts = []
    for cutoff in cutoffs:
        both = forecasts_at(answering(task, controls), cutoff)
        parts.append(both.assign(model=both["model"].map(ways)))
        parts.append(forecasts_at(result, cutoff).assign(model="features"))
    cells = scored(task, pd.concat(parts, ignore_index=True), cutoffs)
    month = cells["period"].dt.strftime("%Y-%m")
    return Found(TEXT, *windows_of(cells.assign(month=month)))


def answering(task: PanelSnapshot, controls: tuple[PanelControl, ...]) -> PanelSnapshot:
    """Return the task with the answer to controls, as `--controls FILE` makes it."""
    bundled = load_bundled(page.DATA)
    frames = (bundled.frame(name) for name in ("analog_events", "observations"))
    return replace(task, response=PanelResponse(controls, *frames))


def windows_of(cells: pd.DataFrame) -> tuple[list[Window], list[Window], list[Window]]:
    shocks = [
        Window(PANEL, name, part_of(cells, product, first, last, until))
        for name, (product, first, last, until) in SHOCKS.items()
    ]
    calm = [
        Window(PANEL, name, part_of(cells, product, first, last))
        for name, (product, first, last) in CALM.items()
    ]
    natural = part_of(cells, GRAPHITE_NATURAL, "2023-09", "2024-11")
    detail = [
        Window(PANEL, f"graphite, natural, cutoff {cutoff}", part)
        for cutoff, part in natural.groupby("cutoff")
    ]
    return shocks, calm, detail


def part_of(
    cells: pd.DataFrame, product: str, first: str, last: str, until: str = "9999-12"
) -> pd.DataFrame:
    inside = cells["cutoff"].between(first, last) & (cells["month"] <= until)
    return cells.loc[inside & cells["destination"].str.endswith(product)]
