"""Policy as it was announced, by month and series: covariates without hindsight.

us_tariff_steps.csv holds each act with the day it was announced, the days it was to bind and the
day an end became known. ``products`` gives the share of a NAICS3 product's trade it names, from
the wording of the act; shares are rough, and none was read off the duty later paid.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.months import month_label, month_number, month_start, month_starts
from sources.files.covariates import Covariates
from sources.files.covariates_file import read_covariates

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
    """Return the acts, dates as timestamps."""
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
    """Return what share of each series an act names."""
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
