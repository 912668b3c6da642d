"""The sentence of decision below the headline: the month against the usual, and a recorded need."""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from service.http.responses import Record
from service.language.formats import dated, percentage
from service.language.phrases import gettext, in_a_row, marked
from service.live.publication import Publication
from service.queries.destination_months import MonthRow, normal_month
from service.queries.needs import cover_of, met_at
from service.words import chance_below, chance_words, tonnes
from store.numbers import as_entered
from store.vocabulary import QUANTILE_COLUMNS

_USUAL: Final = {
    1: marked("%(share)s above the usual %(usual)s\xa0t"),
    -1: marked("%(share)s below the usual %(usual)s\xa0t"),
    0: marked("at the usual %(usual)s\xa0t"),
}
_YEAR: Final = {
    1: marked("%(share)s above the year before"),
    -1: marked("%(share)s below the year before"),
    0: marked("at the level of the year before"),
}


def decision_of(
    publication: Publication, destination: str, month: MonthRow | None, needs: Iterable[Record] = ()
) -> str:
    """What the next month is against the usual, and what it means for the needs that hold then.

    Args:
        needs: Rows of active needs of the destination.
    """
    usual = normal_month(publication, destination)
    if month is None or not usual > 0:
        return ""
    values = {"month": dated(pd.Timestamp(month.period), "long month")}
    clause = _against(_USUAL, month.p50 / usual - 1, usual=tonnes(usual))
    if not month.year_ago > 0:
        first = gettext("%(month)s is %(usual)s.", usual=clause, **values)
    else:
        year = _against(_YEAR, month.p50 / month.year_ago - 1)
        if month.is_year_ago_estimated:
            year = gettext("%(clause)s (an estimate)", clause=year)
        first = gettext("%(month)s is %(usual)s and %(year)s.", usual=clause, year=year, **values)
    held = [
        need for need in needs if need["period_from"][:7] <= month.period <= need["period_to"][:7]
    ]
    return in_a_row(first, *(_of_need(publication, need, month) for need in held[:_MOST]))


_MOST: Final = 3
"""Needs that the first page speaks of."""


def _against(words: dict[int, str], change: float, **values: object) -> str:
    percent = round(100 * change)
    sign = (percent > 0) - (percent < 0)
    return gettext(words[sign], share=percentage(f"{abs(percent)}"), **values)


def _of_need(publication: Publication, need: Record, month: MonthRow) -> str:
    rows = publication.latest
    row = rows.loc[rows["destination"].eq(need["destination"]) & rows["period"].eq(month.period)]
    quantiles = row[list(QUANTILE_COLUMNS)].to_numpy(float)[0]
    values = {
        "need": need["name"],
        "chance": chance_words(chance_below(quantiles.tolist(), met_at(publication, need))),
        "month": dated(pd.Timestamp(month.period), "long month"),
    }
    if not need["stock"]:
        return gettext(
            "%(need)s: chance of getting less than you need in %(month)s: %(chance)s; no stock is "
            "recorded.",
            **values,
        )
    cover = cover_of(need)
    return gettext(
        "%(need)s: chance of getting less than you need in %(month)s: %(chance)s; if nothing "
        "arrives, %(stock)s\xa0t of stock reach until %(reach)s, so order by %(order)s.",
        stock=as_entered(need["stock"]),
        reach=dated(cover.reach_on, "day"),
        order=dated(cover.order_by, "day"),
        **values,
    )
