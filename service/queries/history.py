"""Past months as known at a forecast, and published figures with their revisions."""

import re
from typing import Final

import pandas as pd

from service.errors import UnknownError
from service.http.responses import Record, records
from service.language.phrases import gettext
from service.live.publication import Publication
from service.queries.models import FigureResponse, HistoryMonth, columns_of
from service.wording import name_of, query_of
from store.errors import DataError, first_few


def months_of(
    publication: Publication, destination: str, *, as_of: str | None = None
) -> list[Record]:
    """Return the months of a destination, oldest first, as known at a published forecast.

    Args:
        as_of: Day or moment of a published forecast; the newest if None.

    Returns:
        ``HistoryMonth``; tonnes and standard error in t, kind observed, derived or estimated.
    """
    panel = publication.snapshots[known_moment(publication, as_of)].panel
    own = panel.loc[panel["destination"] == known_destination(publication, destination)]
    named = own.assign(period=own["period"].dt.strftime("%Y-%m"))
    return records(named[columns_of(HistoryMonth)].sort_values("period"))


def figures(
    publication: Publication, *, destination: str | None = None, period: str | None = None
) -> list[Record]:
    """Return the published figures, newest first: a revision is one more row.

    Args:
        destination: Only those about this code (also regions and rankings); None means all.
        period: Only those whose months include this one, ``YYYY-MM``; None means all.
    """
    rows = publication.published.observations
    if destination is not None:
        rows = rows.loc[rows["destination"] == destination]
    if period is not None:
        month = pd.Timestamp(f"{period}-01")
        rows = rows.loc[(rows["period_from"] <= month) & (rows["period_to"] >= month)]
    newest = rows.sort_values("available_at", ascending=False, kind="stable")
    shown = newest[columns_of(FigureResponse)]
    months = {n: shown[n].dt.strftime("%Y-%m") for n in ("period_from", "period_to")}
    return records(shown.assign(**months))


def known_destination(publication: Publication, destination: str) -> str:
    """Return a code that is forecast."""
    if destination not in publication.answers:
        raise UnknownError(
            gettext(
                "No destination %(destination)s in the published forecasts. Expected one of "
                "%(published)s. See /api/v1/forecasts%(query)s.",
                destination=repr(destination),
                published=", ".join(publication.destinations),
                query=_query(publication),
            )
        )
    return destination


MOMENT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
"""A day or a moment, not a word that pandas would read, such as ``now``."""


def known_moment(publication: Publication, as_of: str | None) -> pd.Timestamp:
    """Return the moment of a published forecast: of a bare day the newest, of all if None."""
    if as_of is None:
        return publication.as_of
    asked = pd.to_datetime(as_of, errors="coerce") if re.fullmatch(MOMENT, as_of) else pd.NaT
    if pd.isna(asked):
        raise DataError(
            f"as_of={as_of!r} is not a date. Expected YYYY-MM-DD or a UTC moment, e.g. 2025-04-10. "
            "See /api/v1/publications."
        )
    asked = asked.tz_localize("UTC") if asked.tzinfo is None else asked.tz_convert("UTC")
    meant = [
        moment
        for moment in publication.snapshots
        if (moment if "T" in as_of else moment.normalize()) == asked
    ]
    if not meant:
        form = "%Y-%m-%dT%H:%M:%SZ" if "T" in as_of else "%Y-%m-%d"
        days = list(dict.fromkeys(f"{moment:{form}}" for moment in publication.moments))
        raise UnknownError(
            f"No forecast as of {as_of}. Expected one of those published: "
            f"{first_few(days)}. See /api/v1/publications{_query(publication)}."
        )
    return max(meant)


def _query(publication: Publication) -> str:
    query = query_of(publication.commodity)
    return f"?{query}" if query else ""


def titles(publication: Publication) -> list[tuple[str, str]]:
    """Return code and name of every destination forecast, in reading order."""
    return [(code, name_of(code)) for code in publication.destinations]
