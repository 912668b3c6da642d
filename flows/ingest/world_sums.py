"""Whether the sum of a list of partners is taken as the world's total."""

from dataclasses import replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from flows.ingest.doubts import outside_own_bands
from sources.bundled.notation import COUNTRIES
from sources.checks import FULL_TABLE, TOLERANCE, month_cells
from store.errors import first_few
from store.facts.batch import SUM_NOTE, FileRows
from store.facts.commodities import MEASURE, under_china_code
from store.schema.frames import typed_frame
from store.vocabulary import EU27, EU27_MEMBERS, HS6, WORLD

SMALL_SHARE: Final = 1e-3
"""Share of the sum that its smallest partner has at most, in a list that is complete."""

MISSING_SHARE: Final = 0.01
"""Share of the newest complete list that partners who are not listed had at most."""


def with_world(
    file: FileRows, earlier: pd.DataFrame, engine: Engine | None, *, as_of: pd.Timestamp
) -> FileRows:
    """A file with the world of the months whose partners it lists, and words on what was taken.

    A month without a line of totals is taken if its partners are those that made 99% of the newest
    complete list, small ones are among them, and all series that it implies lie in their own bands
    or, where one is published, their sum is held against the world (``sources.checks``).

    Args:
        earlier: Observations that are known (store contract); not modified.
        engine: Where forecasts are published; None before there is a store.
    """
    rows = file.tables.get("observations", typed_frame([], "observations"))
    totals = rows.loc[rows["destination"].eq(WORLD), "period_from"]
    parts = rows[~rows["destination"].eq(EU27) & ~rows["period_from"].isin(totals)]
    if not file.lists_partners or parts.empty:
        return file
    levels = month_cells(earlier[under_china_code(earlier)])
    levels = levels[levels["measure"].eq(MEASURE)]
    newest = _newest_list(earlier, levels)
    weights = parts[parts["measure"].eq(MEASURE)]
    doubts = {
        pd.Timestamp(str(month)): _doubt(part, newest)
        for month, part in weights.groupby("period_from")
    }
    is_published = levels["destination"].eq(WORLD) & ~levels["note"].str.startswith(SUM_NOTE)
    published = {*levels.loc[is_published, "period_from"]}
    open_months = [m for m, doubt in doubts.items() if not doubt and m not in published]
    complete = weights[weights["period_from"].isin(open_months)]
    members = complete[complete["destination"].isin(EU27_MEMBERS)]
    implied = pd.concat([complete, _sums(complete, WORLD), _sums(members, EU27)])
    for row in outside_own_bands(implied, earlier, engine, as_of=as_of).to_dict("records"):
        doubts[row["period_from"]] = doubts[row["period_from"]] or (
            f"it would make {row['destination']} {row['value']:,.0f} t, outside its own band, "
            f"{row['low']:,.0f} to {row['high']:,.0f} t"
        )
    months = [month for month, doubt in doubts.items() if not doubt]
    partial = "not taken, as the list is partial"
    words = [f"{partial}: {month:%Y-%m}, {doubt}" for month, doubt in doubts.items() if doubt]
    if months:
        before = levels.loc[levels["destination"].eq(WORLD), "period_from"].max()
        newer = "" if max(months) <= before else f"; forecasts start after {max(months):%Y-%m}"
        compared = dict.fromkeys(published, " if it equals the published one")
        named = ", ".join(f"{month:%Y-%m}{compared.get(month, '')}" for month in months)
        words.insert(0, f"taken as the world's total: {named}{newer}")
    worlds = _sums(parts[parts["period_from"].isin(months)], WORLD)
    tables = {**file.tables, "observations": pd.concat([rows, worlds], ignore_index=True)}
    return replace(file, tables=tables, world=tuple(words))


def _newest_list(earlier: pd.DataFrame, levels: pd.DataFrame) -> "pd.Series[float]":
    """Amounts by partner of the newest month whose partners add up to their world, else year."""
    key = ["source", "period_from"]
    worlds = levels.loc[levels["destination"].eq(WORLD), [*key, "value"]]
    parts = levels[~levels["destination"].isin([WORLD, EU27])]
    parts = parts.merge(worlds, on=key, suffixes=("", "_world"))
    lists = parts.groupby(key)["value"]
    gap = (lists.transform("sum") / parts["value_world"] - 1).abs()
    parts = parts[lists.transform("size").ge(FULL_TABLE) & gap.le(TOLERANCE)]
    if parts.empty:
        is_year = earlier["commodity"].eq(HS6) & earlier["destination"].isin(COUNTRIES)
        parts = earlier[is_year & earlier["period_from"].lt(earlier["period_to"])]
    newest = parts[parts["period_from"].eq(parts["period_from"].max())]
    return newest.groupby("destination")["value"].max().sort_values(ascending=False)


def _doubt(part: pd.DataFrame, newest: "pd.Series[float]") -> str:
    """Why a month's partners are not known to be all; empty if they are."""
    least, total = part["value"].min(), part["value"].sum()
    if newest.empty:
        return "no complete list is known to compare it with"
    missing = newest[~newest.index.isin(part["destination"])]
    if (share := missing.sum() / newest.sum()) > MISSING_SHARE:
        return f"it lacks {first_few([*missing.index])}, {share:.0%} of the newest complete list"
    if least > SMALL_SHARE * total:
        return f"it lacks small partners, the least has {least:,.1f} t"
    return ""


def _sums(parts: pd.DataFrame, destination: str) -> pd.DataFrame:
    """The sum of each month and measure as a row of a destination."""
    key = ["period_from", "measure"]
    cells = parts.groupby(key, sort=False)
    sums = cells.agg(value=("value", "sum"), half_width=("half_width", "sum")).reset_index()
    notes = [f"{SUM_NOTE} {count} partners" for count in cells.size()]
    first = parts.drop_duplicates(key).drop(columns=["value", "half_width"])
    rows = first.merge(sums, on=key).assign(destination=destination, note=notes)
    return typed_frame(rows, "observations")
