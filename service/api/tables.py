"""Lists of the API besides forecasts, paged, as JSON or CSV.

They are built in threads, beside the event loop that serves forecasts.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from service.api import models, table_models
from service.api.forecasts import CSV_TOO, AsOf, Code, moment_of
from service.api.replies import FormQuery, Paging, listed
from service.http.responses import records
from service.live.state import Chosen, Current, Shared
from service.queries import arrivals, commodities, history, ledger, track

router = APIRouter(responses=CSV_TOO)

Part = Annotated[Paging, Depends()]
Words = Annotated[str, Query(max_length=100, description="Words that must all occur.")]
Choice = Annotated[str, Query(max_length=40)]
Month = Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


@router.get(
    "/publications", response_model=models.Page[models.PublicationResponse], tags=["forecasts"]
)
def publications(
    request: Request, current: Chosen, paging: Part, form: FormQuery = None
) -> Response:
    """Return the forecasts published so far, newest first."""
    rows = arrivals.publications(current)
    return listed(request, rows, arrivals.PUBLICATION_COLUMNS, paging=paging, form=form)


@router.get(
    "/commodities", response_model=models.Page[models.CommodityResponse], tags=["forecasts"]
)
def published_commodities(
    request: Request, current: Current, shared: Shared, paging: Part, form: FormQuery = None
) -> Response:
    """Return the commodities with forecasts, the magnets first, each with its newest forecast."""
    rows = commodities.listing(current, shared.live.engine)
    return listed(request, rows, commodities.COMMODITY_COLUMNS, paging=paging, form=form)


@router.get(
    "/history/{destination}",
    response_model=models.Page[table_models.HistoryMonth],
    tags=["history"],
)
def months(
    request: Request,
    *,
    current: Chosen,
    destination: Code,
    paging: Part,
    as_of: AsOf = None,
    form: FormQuery = None,
) -> Response:
    """Return past months as known at a published forecast, oldest first, with their basis."""
    rows = history.months_of(current, destination, as_of=moment_of(as_of))
    return listed(request, rows, history.HISTORY_COLUMNS, paging=paging, form=form)


@router.get("/figures", response_model=models.Page[table_models.FigureResponse], tags=["history"])
def figures(
    request: Request,
    *,
    current: Chosen,
    paging: Part,
    destination: Choice = "",
    period: Month = None,
    form: FormQuery = None,
) -> Response:
    """Return published figures, newest first; revisions of one figure are rows of their own."""
    rows = history.figures(current, destination=destination or None, period=period)
    return listed(request, rows, history.FIGURE_COLUMNS, paging=paging, form=form)


@router.get("/scores", response_model=models.Page[table_models.ScoreResponse], tags=["scores"])
def scores(
    request: Request,
    *,
    current: Chosen,
    paging: Part,
    scope: Choice = "",
    metric: Choice = "",
    form: FormQuery = None,
) -> Response:
    """Return the scores of backtests, the newest first."""
    rows = arrivals.scores(current, scope=scope, metric=metric)
    return listed(request, rows, arrivals.SCORE_COLUMNS, paging=paging, form=form)


@router.get("/track-record", response_model=models.Page[table_models.TrackCell], tags=["scores"])
def track_record(
    request: Request, current: Chosen, paging: Part, form: FormQuery = None
) -> Response:
    """Return all published months with an actual figure, beside it."""
    cells = current.memo.make("cells", lambda: track.cells_of(current))
    return listed(request, records(cells), track.CELL_COLUMNS, paging=paging, form=form)


@router.get("/events", response_model=models.Page[table_models.Event], tags=["policy"])
def events(
    request: Request,
    *,
    current: Current,
    paging: Part,
    q: Words = "",
    destination: Choice = "",
    instrument: Choice = "",
    form: FormQuery = None,
) -> Response:
    """Return policy events, latest announcement first."""
    rows = ledger.events(current, ledger.LedgerQuery(q, destination, instrument))
    return listed(request, rows, ledger.EVENT_COLUMNS, paging=paging, form=form)


@router.get("/tariffs", response_model=models.Page[table_models.Tariff], tags=["policy"])
def tariffs(
    request: Request,
    *,
    current: Current,
    paging: Part,
    q: Words = "",
    importer: Choice = "",
    form: FormQuery = None,
) -> Response:
    """Return tariff steps, latest start first."""
    rows = ledger.tariffs(current, importer=importer, text=q)
    return listed(request, rows, ledger.TARIFF_COLUMNS, paging=paging, form=form)


@router.get("/vintages", response_model=models.Page[table_models.Vintage], tags=["data"])
def vintages(request: Request, current: Current, paging: Part, form: FormQuery = None) -> Response:
    """Return the ingests, newest first."""
    rows = arrivals.vintages(current)
    return listed(request, rows, arrivals.VINTAGE_COLUMNS, paging=paging, form=form)


@router.get(
    "/quarantine", response_model=models.Page[table_models.RefusedFileResponse], tags=["data"]
)
def quarantine(
    request: Request, current: Current, paging: Part, form: FormQuery = None
) -> Response:
    """Return the files that the data checks rejected, newest first, without their rows."""
    rows = arrivals.quarantine(current)
    return listed(request, rows, arrivals.QUARANTINE_COLUMNS, paging=paging, form=form)
