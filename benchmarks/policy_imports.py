"""US imports with and without the duties announced by then, and how cells are scored.

us_tariff_steps.csv holds each act with the day it was announced, the days it was to bind and the
day an end became known. ``products`` gives the share of a NAICS3 product's trade it names, from
the wording of the act; shares are rough, and none was read off the duty later paid.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from cases import IMPORTS
from numpy.typing import NDArray

from models.evaluation.backtest import scale_rows
from models.evaluation.scores import cell_scores
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET, ModelParameters
from sources.files.covariates import Covariates, read_covariates
from store.months import month_label, month_number, month_start, month_starts

DEFAULT = PANEL_PRESET


@dataclass(frozen=True, slots=True)
class Window:
    """Cells that are scored together."""

    panel: str
    name: str
    cells: pd.DataFrame
    """As ``models.evaluation.scores.cell_scores``; models are without, features, response."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one panel gave."""

    text: str
    """What was done, and which series count as hit."""
    shocks: Sequence[Window]
    calm: Sequence[Window]
    detail: Sequence[Window]


def forecasts_at(
    task: Snapshot, cutoff: int, *, parameters: ModelParameters = DEFAULT
) -> pd.DataFrame:
    """Return the product's forecasts at a cutoff, with and without a response to controls."""
    fitted = PanelForecaster(parameters, baselines=()).fit(task.at(cutoff))
    return fitted.compare()


def scored(task: Snapshot, forecasts: pd.DataFrame, cutoffs: Sequence[int]) -> pd.DataFrame:
    scale = pd.concat([scale_rows(task.series, cut, task.at(cut).tonnes) for cut in cutoffs])
    return cell_scores(forecasts, task.published_months, scale)


Floats = NDArray[np.float64]

STEPS = Path(__file__).resolve().parent / "us_tariff_steps.csv"
LAG = 1
"""Months after the cutoff in which its figures come out: what is announced by then is known."""

ALWAYS = "2000-01-01"
OPEN = pd.Timestamp("2100-01-01")

EU = (
    "Austria", "Belgium", "France", "Germany", "Ireland", "Italy", "Netherlands", "Spain", "Sweden",
)  # fmt: skip
"""Members among the panel's countries."""

WORDINGS = {
    "ALL": "all:1",
    "LIST3": (
        "111:0.9;112:0.9;113:0.9;114:0.9;211:0.9;212:0.9;311:0.8;312:0.8;313:0.9;314:0.2;315:0.1;"
        "316:0.3;321:0.9;322:0.9;323:0.1;324:0.9;325:0.5;326:0.4;327:0.7;331:0.5;332:0.6;333:0.4;"
        "334:0.15;335:0.45;336:0.7;337:0.9;339:0.15"
    ),
    "LIST4A": (
        "111:0.1;112:0.1;311:0.2;314:0.7;315:0.85;316:0.5;323:0.6;325:0.1;326:0.2;327:0.2;331:0.2;"
        "332:0.2;333:0.15;334:0.2;335:0.2;337:0.1;339:0.35"
    ),
    "LIST4B": "314:0.1;315:0.1;316:0.2;326:0.2;327:0.1;332:0.1;333:0.1;334:0.5;335:0.2;339:0.4",
    "LISTS123": (
        "111:0.9;112:0.9;113:0.9;114:0.9;211:0.9;212:0.9;311:0.8;312:0.8;313:0.9;314:0.2;315:0.1;"
        "316:0.3;321:0.9;322:0.9;323:0.1;324:0.9;325:0.6;326:0.5;327:0.7;331:0.5;332:0.65;333:0.8;"
        "334:0.2;335:0.6;336:0.85;337:0.9;339:0.15"
    ),
    "RECIPROCAL": (
        "all:1;113:0;211:0;212:0.2;321:0.2;324:0;325:0.6;331:0.3;334:0.5;336:0.3;910:0.3;980:0;"
        "990:0"
    ),
}
"""Shares of products by the wording that several acts have in common."""


def known_on(cutoff: int) -> pd.Timestamp:
    """Return the last day whose announcements a forecast from a cutoff may use."""
    return month_start(cutoff + LAG + 1) - pd.Timedelta(days=1)


def read_steps() -> pd.DataFrame:
    dates = ["announced_on", "effective_from", "effective_to", "end_known_on"]
    return pd.read_csv(STEPS, parse_dates=dates)


def announced(
    steps: pd.DataFrame, series: Sequence[str], months: NDArray[np.int64], by: pd.Timestamp
) -> Floats:
    """Return the mean extra duty of each series and month in points, as announced by a day.

    Args:
        steps: As ``read_steps``.
        series: Country|NAICS3.
        months: Month numbers.
        by: Last day whose announcements count.
    """
    duty = np.zeros((len(series), len(months)))
    for step in steps.loc[steps["announced_on"] <= by].to_dict("records"):
        end_known = pd.notna(step["end_known_on"]) and step["end_known_on"] <= by
        end = step["effective_to"] if end_known else OPEN
        share = shares_named(str(step["countries"]), str(step["products"]), series)
        force = in_force(step["effective_from"], end, months)
        duty += float(step["points"]) * share[:, None] * force[None, :]
    return duty


def shares_named(countries: str, products: str, series: Sequence[str]) -> Floats:
    names = countries.removeprefix("all but ").removeprefix("all").replace("+", ", ").split(";")
    listed = {one for name in names for one in (EU if name == "EU" else (name,)) if one}
    inverse = countries.startswith("all")
    share = wording(products)
    found = np.zeros(len(series))
    for row, label in enumerate(series):
        country, product = label.split("|")
        if (country in listed) != inverse:
            found[row] = share.get(product, share.get("all", 0.0))
    return found


def wording(products: str) -> dict[str, float]:
    """Return shares by product; later parts of the text win, a word's factor scales its shares."""
    found: dict[str, float] = {}
    for part in products.split(";"):
        name, _, value = part.partition(":")
        if name in WORDINGS:
            factor = float(value or 1.0)
            found |= {key: factor * share for key, share in wording(WORDINGS[name]).items()}
        else:
            found[name] = float(value)
    return found


def in_force(start: pd.Timestamp, end: pd.Timestamp, months: NDArray[np.int64]) -> Floats:
    """Return the part of each month between two days, both included."""
    first, after = (month_starts(months + ahead).to_numpy("datetime64[D]") for ahead in (0, 1))
    low = np.maximum(first, np.datetime64(start.date()))
    high = np.minimum(after, np.datetime64(end.date()) + np.timedelta64(1, "D"))
    days = np.maximum((high - low).astype(float), 0.0)
    return np.asarray(days / (after - first).astype(float))


def vintages(*days: "pd.Series[pd.Timestamp]") -> list[int]:
    """Return the cutoffs from which something new is known, ascending."""
    return sorted({month_number(day) - LAG for column in days for day in column.dropna()})


def told_rows(
    announced_at: Callable[[pd.Timestamp], Floats],
    cutoffs: Sequence[int],
    series: Sequence[str],
    months: NDArray[np.int64],
) -> Iterator[pd.DataFrame]:
    """Yield rows of a covariate file: zeros from the start, then what each announcement changed.

    Args:
        announced_at: Series x months as announced by a day.
        cutoffs: From which something new is known, ascending.
        series: Names.
        months: Month numbers.
    """
    before = np.zeros((len(series), len(months)))
    yield rows_of(before, np.ones_like(before, dtype=bool), series, months, ALWAYS)
    for cutoff in cutoffs:
        now = announced_at(known_on(cutoff))
        yield rows_of(now, now != before, series, months, f"{month_label(cutoff)}-01")
        before = now


def rows_of(
    values: Floats,
    wanted: NDArray[np.bool_],
    series: Sequence[str],
    months: NDArray[np.int64],
    available: str,
) -> pd.DataFrame:
    row, column = np.nonzero(wanted)
    labels = np.array([month_label(int(month)) for month in months], dtype=object)
    return pd.DataFrame(
        {
            "destination": np.array(series, dtype=object)[row],
            "period": labels[column],
            "available_at": available,
            "announced": values[row, column],
        }
    )


def duty_covariates(
    table: pd.DataFrame, horizon: int, folder: Path, steps: pd.DataFrame
) -> Covariates:
    """Return the announced duties of a panel's series, read as `--covariates FILE` is.

    Args:
        table: The panel, series x month numbers.
        horizon: Months after its end to tell of.
        folder: Where the file is written.
        steps: As ``read_steps``.
    """
    months = months_of(table, horizon)
    series = [str(name) for name in table.index]
    result = partial(announced, steps, series, months)
    rows = told_rows(result, vintages(steps["announced_on"], steps["end_known_on"]), series, months)
    return covariates_of(rows, table, folder)


def months_of(table: pd.DataFrame, horizon: int) -> NDArray[np.int64]:
    return np.arange(int(table.columns[0]), int(table.columns[-1]) + horizon + 1)


def covariates_of(rows: Iterable[pd.DataFrame], table: pd.DataFrame, folder: Path) -> Covariates:
    file = folder / f"announced_{len(table)}.csv"
    pd.concat(rows, ignore_index=True).to_csv(file, index=False)
    return read_covariates(file, table=table)


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


def rise_of(task: Snapshot, steps: pd.DataFrame, cutoff: int) -> pd.DataFrame:
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
