"""Past months as known at a forecast, and published figures with their revisions."""

import pandas as pd

from service.http.responses import Record, records
from service.language.phrases import gettext
from service.live.publication import Publication
from service.queries.models import FigureResponse, HistoryMonth, columns_of
from service.request_errors import UnknownError
from service.words import in_reading_order, name_of, query_of
from store.asof import until


def months_of(publication: Publication, destination: str, *, moment: pd.Timestamp) -> list[Record]:
    """Return the months of a destination, oldest first, as known at a published forecast.

    Args:
        moment: Of a published forecast.

    Returns:
        ``HistoryMonth``; tonnes and standard error in t, kind observed, derived or estimated.
    """
    known_destination(publication, destination)
    panel = publication.snapshots[moment].panel
    if moment != publication.as_of:  # kept for the newest alone: moments are many
        return _months(panel, destination)
    return publication.memo.make(("months", destination), lambda: _months(panel, destination))


def _months(panel: pd.DataFrame, destination: str) -> list[Record]:
    own = panel.loc[panel["destination"] == destination]
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


def known_destination(
    publication: Publication, destination: str, moment: pd.Timestamp | None = None
) -> str:
    """Return a code that is forecast, or was at the moment of a published forecast."""
    names = publication.destinations
    if moment not in {None, publication.as_of}:
        names = in_reading_order(publication.forecasts_at(moment)["destination"])
    if destination not in names:
        raise UnknownError(
            gettext(
                "No destination %(destination)s in the published forecasts. Expected one of "
                "%(published)s. See /api/v1/forecasts%(query)s.",
                destination=repr(destination),
                published=", ".join(names),
                query=_query(publication),
            )
        )
    return destination


def known_moment(publication: Publication, as_of: str | None, *, now: pd.Timestamp) -> pd.Timestamp:
    """Return the moment of the newest forecast as of a moment or earlier; of all if None."""
    if as_of is None:
        return publication.as_of
    limit, moments = until(as_of, now=now), publication.moments
    if found := [moment for moment in moments if moment <= limit]:
        return found[0]
    raise UnknownError(
        f"No forecast is as of {as_of} or earlier. Expected {moments[-1]:%Y-%m-%d} or later, the "
        f"first. See /api/v1/publications{_query(publication)}."
    )


def _query(publication: Publication) -> str:
    query = query_of(publication.commodity)
    return f"?{query}" if query else ""


def titles(publication: Publication) -> list[tuple[str, str]]:
    """Return code and name of every destination forecast, in reading order."""
    return [(code, name_of(code)) for code in publication.destinations]
