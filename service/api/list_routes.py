"""Lists of the API besides forecasts, paged, as JSON or CSV.

They are built in threads, beside the event loop that serves forecasts.
"""

from dataclasses import asdict, fields
from typing import Annotated

import pandas as pd
from fastapi import Query
from pydantic import AfterValidator
from starlette.responses import Response

from service.api.forecast_routes import CSV_TOO, Code, Month
from service.api.response_models import Page
from service.http.replies import Shown
from service.http.responses import records
from service.queries import destination_months, freshness, listings, track
from service.queries.destination_months import sums_of
from service.queries.row_models import (
    CommodityResponse,
    DestinationResponse,
    Event,
    FigureResponse,
    HistoryMonth,
    PublicationResponse,
    RefusedFileResponse,
    ScoreResponse,
    SumResponse,
    Tariff,
    TrackCell,
    TrackScoreResponse,
    Vintage,
    columns_of,
)
from service.state import Chosen, Current, Moment, Shared, api_router, may_read
from store.publications.basis import BASIS_COLUMNS
from store.publications.explanations import Precedent, StoredExplanation

router = api_router(may_read, responses=CSV_TOO)

Words = Annotated[str, Query(max_length=100, description="Words that must all occur.")]
Choice = Annotated[str, Query(max_length=40)]
Place = Annotated[str, AfterValidator(str.upper)]


@router.get("/publications", response_model=Page[PublicationResponse], tags=["forecasts"])
def publications(current: Chosen, shown: Shown) -> Response:
    """Forecasts published so far, newest first."""
    return shown.reply(listings.publications(current), columns_of(PublicationResponse))


@router.get("/commodities", response_model=Page[CommodityResponse], tags=["forecasts"])
def published_commodities(current: Current, shared: Shared, shown: Shown) -> Response:
    """Commodities with forecasts, the magnets first, each with its newest forecast."""
    rows = listings.listing(current, shared.live.engine)
    return shown.reply(rows, columns_of(CommodityResponse))


@router.get("/destinations", response_model=Page[DestinationResponse], tags=["forecasts"])
def destinations(*, current: Chosen, shown: Shown, moment: Moment) -> Response:
    """Destinations forecast, each with its last published month."""
    rows = freshness.destinations(current, moment=moment)
    return shown.reply(rows, ("destination", "name", *BASIS_COLUMNS))


@router.get("/history/{destination}", response_model=Page[HistoryMonth], tags=["history"])
def months(*, current: Chosen, destination: Code, shown: Shown, moment: Moment) -> Response:
    """Past months as known at a published forecast, oldest first, with their basis."""
    rows = destination_months.months_of(current, destination, moment=moment)
    return shown.reply(rows, columns_of(HistoryMonth))


@router.get("/figures", response_model=Page[FigureResponse], tags=["history"])
def figures(
    *,
    current: Chosen,
    shown: Shown,
    destination: Annotated[Choice, Place] = "",
    period: Month = None,
) -> Response:
    """Published figures, newest first; revisions of one figure are rows of their own."""
    rows = listings.figures(current, destination=destination or None, period=period)
    return shown.reply(rows, columns_of(FigureResponse))


@router.get("/sums", response_model=Page[SumResponse], tags=["forecasts"])
def sums(
    *,
    current: Chosen,
    shown: Shown,
    destination: Annotated[
        list[Place], Query(description="Taken together; repeat for several.", max_length=20)
    ],
) -> Response:
    """Quarters, the year and the next twelve months of destinations taken together."""
    rows = [total.record for total in sums_of(current, destination)]
    return shown.reply(rows, columns_of(SumResponse))


@router.get("/scores", response_model=Page[ScoreResponse], tags=["scores"])
def scores(*, current: Chosen, shown: Shown, scope: Choice = "", metric: Choice = "") -> Response:
    """Scores of backtests, the newest first."""
    rows = listings.scores(current, scope=scope, metric=metric)
    return shown.reply(rows, columns_of(ScoreResponse))


@router.get("/track-record", response_model=Page[TrackCell], tags=["scores"])
def track_record(current: Chosen, shown: Shown) -> Response:
    """Published forecasts of all months that have an actual figure, beside it."""
    rows = current.memo.make("track record", lambda: records(track.cells_of(current)))
    return shown.reply(rows, columns_of(TrackCell))


@router.get("/track-record/scores", response_model=Page[TrackScoreResponse], tags=["scores"])
def track_record_scores(current: Chosen, shown: Shown) -> Response:
    """Scores by lead of forecasts as they were published; no backtest is in them."""
    parts = zip((True, False), track.live_and_later(track.cells_of(current)), strict=True)
    scores = [
        {"frozen_ahead": is_ahead, "lead": score.label, **asdict(score)}
        for is_ahead, cells in parts
        for score in track.by_lead(cells)
    ]
    rows = records(pd.DataFrame(scores, columns=columns_of(TrackScoreResponse)))
    return shown.reply(rows, columns_of(TrackScoreResponse))


@router.get("/events", response_model=Page[Event], tags=["policy"])
def events(
    *,
    current: Current,
    shown: Shown,
    q: Words = "",
    destination: Choice = "",
    instrument: Choice = "",
) -> Response:
    """Policy events, latest announcement first."""
    rows = listings.events(current, listings.LedgerQuery(q, destination, instrument))
    return shown.reply(rows, columns_of(Event))


@router.get("/tariffs", response_model=Page[Tariff], tags=["policy"])
def tariffs(*, current: Current, shown: Shown, q: Words = "", importer: Choice = "") -> Response:
    """Tariff steps, latest start first."""
    rows = listings.tariffs(current, importer=importer, text=q)
    return shown.reply(rows, columns_of(Tariff))


@router.get("/precedents", response_model=Page[Precedent], tags=["policy"])
def precedents(current: Current, shown: Shown) -> Response:
    """Past controls behind the policy response: shares retained by month since the first day."""
    explained = current.published.explanation or StoredExplanation()
    rows = [asdict(past) for past in explained.precedents]
    return shown.reply(rows, [field.name for field in fields(Precedent)])


@router.get("/vintages", response_model=Page[Vintage], tags=["data"])
def vintages(current: Current, shown: Shown) -> Response:
    """Ingests, newest first."""
    return shown.reply(
        listings.newest_first(current.published.vintages, Vintage), columns_of(Vintage)
    )


@router.get("/quarantine", response_model=Page[RefusedFileResponse], tags=["data"])
def quarantine(current: Current, shown: Shown) -> Response:
    """Files that the data checks rejected, newest first, without their rows."""
    rows = listings.newest_first(current.published.quarantine, RefusedFileResponse)
    return shown.reply(rows, columns_of(RefusedFileResponse))
