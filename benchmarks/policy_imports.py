"""US imports with and without the duties announced by then."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from announced import announced, duty_covariates, known_on, read_steps
from cases import IMPORTS
from policy_cells import Found, Window, forecasts_at, scored

from features.months import month_label, month_number
from models.forecasting.panel_forecaster import PanelSnapshot

PANEL = "US imports"
SPANS = {"2018-19": ("2018-01", "2019-12", 1), "2025": ("2025-01", "2025-08", 1)}
CALM_SPANS = {"2016-17": ("2016-06", "2017-12", 6), "2021-24": ("2021-06", "2024-12", 6)}
"""First and last cutoff, months between two; of ``SPANS`` only cutoffs at which a series is hit."""

RISE = 5.0
"""Points by which a duty newly announced must rise in a month to forecast, to hit a series."""

NO_RISE = 1.0

TEXT = """
**US imports by country and product.** The covariate is the extra duty on each series in each month,
as announced (us_tariff_steps.csv; shares of products from the wording of the acts, rough, from
general knowledge, none from the duty paid later). A series is hit at a cutoff if what was announced
in the month after it raises its duty by 5 points or more in some month to forecast. Acts that were
put off or dropped (Mexico 2019, Canada and Mexico in February 2025) count as announced. No choice
was made by these figures. In 2025 gold and medicines rushed in before
duties that then spared them; they weigh heavily in WAPE, less in MASE.
"""


def import_cells(folder: Path, scratch: Path) -> Found:
    """Replay US imports with and without announced duties."""
    task = IMPORTS.task(folder)
    steps = read_steps()
    covariates = duty_covariates(task.table, task.horizon, scratch, steps)
    informed = replace(task, covariates=covariates)
    shaken = [
        cutoff
        for cutoff in cutoffs_of([*SPANS.values()])
        if (rise_of(task, steps, cutoff)["rise"] >= RISE).any()
    ]
    cutoffs = [*shaken, *cutoffs_of([*CALM_SPANS.values()])]
    forecasts = pd.concat(
        [
            forecasts_at(one, cutoff).assign(model=model)
            for cutoff in cutoffs
            for one, model in ((task, "without"), (informed, "features"))
        ],
        ignore_index=True,
    )
    cells = scored(task, forecasts, cutoffs)
    rises = pd.concat([rise_of(task, steps, cutoff) for cutoff in cutoffs])
    return Found(TEXT, *windows_of(cells.merge(rises, on=["cutoff", "destination"])))


def cutoffs_of(spans: Sequence[tuple[str, str, int]]) -> list[int]:
    return [
        cutoff
        for first, last, step in spans
        for cutoff in range(month_number(first), month_number(last) + 1, step)
    ]


def rise_of(task: PanelSnapshot, steps: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    """Return by how much the last month of news raises each series' duty in months to forecast."""
    series = [str(name) for name in task.table.index]
    ahead = cutoff + 1 + np.arange(task.horizon)
    now, before = (announced(steps, series, ahead, known_on(at)) for at in (cutoff, cutoff - 1))
    rise = (now - before).max(axis=1)
    return pd.DataFrame({"destination": series, "cutoff": month_label(cutoff), "rise": rise})


def windows_of(cells: pd.DataFrame) -> tuple[list[Window], list[Window], list[Window]]:
    hit = cells.loc[cells["rise"] >= RISE]
    spared = cells.loc[cells["rise"] < NO_RISE]
    shocks, calm = [], []
    for name, (first, last, _) in SPANS.items():
        inside = hit.loc[hit["cutoff"].between(first, last)]
        chinese = inside["destination"].str.startswith("China|")
        shocks.append(Window(PANEL, f"{name}, hit", inside))
        shocks.append(Window(PANEL, f"{name}, hit, from China", inside.loc[chinese]))
        others = spared.loc[spared["cutoff"].between(first, last)]
        calm.append(Window(PANEL, f"{name}, the same origins, not hit", others))
    calm += [
        Window(PANEL, f"{name}, all", cells.loc[cells["cutoff"].between(first, last)])
        for name, (first, last, _) in CALM_SPANS.items()
    ]
    detail = [
        Window(PANEL, f"announced in {news_month(str(cutoff))}, {count:,} series", part)
        for cutoff, part in hit.groupby("cutoff")
        for count in [part["destination"].nunique()]
    ]
    return shocks, calm, detail


def news_month(cutoff: str) -> str:
    return month_label(month_number(cutoff) + 1)
