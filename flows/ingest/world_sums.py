"""Whether the sum of a list of partners is taken as the world's total."""

from dataclasses import replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from models.forecasting.plausibility import outside_bands
from sources.checks import SIZE_T, STEADY_MONTHS, month_cells
from store.errors import counted, first_few
from store.facts.batch import FileRows
from store.facts.commodities import MEASURE, under_china_code
from store.facts.reading import read_bands, read_observations
from store.schema.frames import typed_frame
from store.vocabulary import COMMODITY, DESTINATIONS, EU27, WORLD

SUM_NOTE: Final = "sum of"
"""Begins the note of a world that is the sum of its partners."""

FULL_LIST: Final = 20
"""Partners in a month from which a list may be complete."""

SMALL_SHARE: Final = 1e-3
"""Share of the sum that its smallest partner has at most, in a list that is complete."""


def with_world(file: FileRows, engine: Engine | None, *, as_of: pd.Timestamp) -> FileRows:
    """A file with the world of the months whose partners it lists, and words on what was taken.

    A month is taken that has 20 partners, small ones among them and all that always had trade, and
    whose sum lies in the band of the world's own forecast; not one with a line of totals.
    """
    rows = file.tables.get("observations", typed_frame([], "observations"))
    totals = rows.loc[rows["destination"].eq(WORLD), "period_from"]
    parts = rows[~rows["destination"].eq(EU27) & ~rows["period_from"].isin(totals)]
    if not file.lists_partners or parts.empty:
        return file
    stored = typed_frame([], "observations")
    bands = pd.DataFrame(columns=["destination", "period", "p05", "p50", "p95"], dtype="float64")
    if engine is not None:
        periods = parts["period_from"].dt.date.unique().tolist()
        stored = month_cells(read_observations(engine, as_of=as_of, commodity=COMMODITY))
        bands = read_bands(engine, as_of=as_of, periods=periods)
    levels = stored[under_china_code(stored) & stored["measure"].eq(MEASURE)]
    history = levels.groupby("destination")["value"].agg(["size", "min"])
    steady = {*history.index[history["size"].ge(STEADY_MONTHS) & history["min"].ge(SIZE_T)]}
    weights = parts[parts["measure"].eq(MEASURE)].groupby("period_from")
    doubts = {
        pd.Timestamp(str(month)): _doubt(part, steady.intersection(DESTINATIONS))
        for month, part in weights
    }
    sums = weights["value"].sum().rename("value").reset_index().assign(destination=WORLD)
    for row in outside_bands(sums, bands).to_dict("records"):
        doubts[row["period_from"]] = doubts[row["period_from"]] or (
            f"{row['value']:,.0f} t lie outside the band of the world's own forecast, "
            f"{row['low']:,.0f} to {row['high']:,.0f} t"
        )
    complete = [month for month, doubt in doubts.items() if not doubt]
    words = [f"not taken: {month:%Y-%m}, {doubt}" for month, doubt in doubts.items() if doubt]
    if complete:
        before = levels.loc[levels["destination"].eq(WORLD), "period_from"].max()
        newer = "" if max(complete) <= before else f"; forecasts start after {max(complete):%Y-%m}"
        months = ", ".join(f"{month:%Y-%m}" for month in complete)
        words.insert(0, f"taken as the world's total: {months}{newer}")
    worlds = _worlds(parts[parts["period_from"].isin(complete)])
    tables = {**file.tables, "observations": pd.concat([rows, worlds], ignore_index=True)}
    return replace(file, tables=tables, world=tuple(words))


def _doubt(part: pd.DataFrame, steady: set[str]) -> str:
    """Why a month's partners are not known to be all; empty if they are."""
    least, total = part["value"].min(), part["value"].sum()
    if len(part) < FULL_LIST:
        return f"it has {counted(len(part), 'partner')}"
    if missing := steady.difference(part["destination"]):
        return f"it lacks {first_few(sorted(missing))}, which always had trade"
    if least > SMALL_SHARE * total:
        return f"it lacks small partners, the least has {least:,.1f} t"
    return ""


def _worlds(parts: pd.DataFrame) -> pd.DataFrame:
    """The sum of each month and measure as a row of the world."""
    key = ["period_from", "measure"]
    cells = parts.groupby(key, sort=False)
    sums = cells.agg(value=("value", "sum"), half_width=("half_width", "sum")).reset_index()
    notes = [f"{SUM_NOTE} {count} partners" for count in cells.size()]
    first = parts.drop_duplicates(key).drop(columns=["value", "half_width"])
    worlds = first.merge(sums, on=key).assign(destination=WORLD, note=notes)
    return typed_frame(worlds, "observations")
