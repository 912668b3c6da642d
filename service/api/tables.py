"""Lists of the API besides forecasts, paged, as JSON or CSV, with their documented rows.

They are built in threads, beside the event loop that serves forecasts.
"""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from starlette.responses import Response

from service.api.forecasts import CSV_TOO, AsOf, Code, moment_of
from service.api.models import CommodityResponse, Page, PublicationResponse, ResponseModel
from service.http.replies import FormQuery, Paging, listed
from service.http.responses import records
from service.queries import history, tables, track
from service.state import Chosen, Current, Shared


class HistoryMonth(ResponseModel):
    """One past month as known at a published forecast."""

    destination: str = Field(examples=["USA"])
    period: str = Field(examples=["2025-05"])
    tonnes: float = Field(examples=[46.0])
    stderr_t: float = Field(description="Standard error in t.", examples=[0.3])
    kind: str = Field(description="observed, derived or estimated", examples=["observed"])
    available_at: datetime = Field(examples=["2025-06-20T00:00:00Z"])


class FigureResponse(ResponseModel):
    """One published figure; a revision is one more row."""

    destination: str = Field(examples=["USA"])
    measure: str = Field(examples=["net_weight_t"])
    period_from: str = Field(examples=["2025-05"])
    period_to: str = Field(examples=["2025-05"])
    value: float = Field(examples=[46.0])
    unit: str = Field(examples=["t"])
    half_width: float = Field(description="Half of the rounding step.", examples=[0.5])
    kind: str = Field(examples=["reported"])
    available_at: datetime = Field(examples=["2025-06-20T00:00:00Z"])
    source: str = Field(examples=["Example News"])
    source_url: str = Field(examples=["https://example.org/june"])
    usable: bool = Field(examples=[True])
    vintage: int | None = Field(description="Ingest that added it.", examples=[2])


class ScoreResponse(ResponseModel):
    """One score of a backtest."""

    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    model: str = Field(examples=["seasonal_naive"])
    scope: str = Field(description="A destination, or ALL.", examples=["WLD"])
    horizon_from: int = Field(examples=[1])
    horizon_to: int = Field(examples=[6])
    metric: str = Field(examples=["wape"])
    value: float = Field(examples=[0.2338])
    cells: int = Field(examples=[79])


class TrackCell(ResponseModel):
    """A published month beside the actual figure; tonnes."""

    as_of: datetime = Field(examples=["2025-08-25T00:00:00Z"])
    destination: str = Field(examples=["USA"])
    period: date = Field(examples=["2025-10-01"])
    horizon: int = Field(examples=[3])
    model: str = Field(examples=["magnetcast-ce73e51d-ef2beea2-20250825"])
    status: str = Field(examples=["champion"])
    p05: float = Field(examples=[310.0])
    p10: float = Field(examples=[352.0])
    p25: float = Field(examples=[441.0])
    p50: float = Field(examples=[548.0])
    p75: float = Field(examples=[640.0])
    p90: float = Field(examples=[735.0])
    p95: float = Field(examples=[802.0])
    tonnes: float = Field(examples=[656.0])
    seasonal_naive: float | None = Field(examples=[612.0])
    last_value: float | None = Field(examples=[619.0])
    error: float = Field(examples=[-108.0])
    inside80: bool = Field(examples=[True])
    pinball: float = Field(examples=[61.2])
    frozen_ahead: bool = Field(
        description="Published, with a digest, before the figure; others are not part of the track "
        "record.",
        examples=[True],
    )


class Event(ResponseModel):
    """The newest version of a policy event."""

    event_id: str = Field(examples=["2025-04-cn-no18-seven-ree"])
    announced_on: date = Field(examples=["2025-04-04"])
    effective_from: date | None = Field(examples=["2025-04-04"])
    effective_to: date | None
    suspended_from: date | None
    suspended_to: date | None
    issuer: str = Field(examples=["CN-MOFCOM"])
    instrument: str = Field(examples=["export_control"])
    direction: str = Field(examples=["restrictive"])
    severity: int = Field(examples=[3])
    destinations: str = Field(examples=["WLD"])
    products: str
    summary: str
    legal_reference: str
    source_urls: str = Field(description="Joined by ';'.")
    confidence: str
    evidence: str
    note: str
    available_at: datetime


class Tariff(ResponseModel):
    """The newest version of a tariff step."""

    importer: str = Field(examples=["USA"])
    origin: str = Field(examples=["CHN"])
    component: str = Field(examples=["IEEPA_reciprocal"])
    product_scope: str
    rate_pct: float | None = Field(examples=[10.0])
    announced_on: date | None
    effective_from: date = Field(examples=["2025-04-05"])
    effective_to: date | None
    legal_reference: str
    source_url: str
    confidence: str
    note: str
    available_at: datetime


class Vintage(ResponseModel):
    """One ingest of one file."""

    id: int = Field(examples=[2])
    ingested_at: datetime | None
    source: str = Field(examples=["published_figures"])
    file_name: str = Field(examples=["published_figures.csv"])
    rows: int = Field(examples=[754])
    period_from: date | None
    period_to: date | None
    first_available_at: datetime | None
    last_available_at: datetime | None
    actor: str
    sha256: str


class RefusedFileResponse(ResponseModel):
    """A file that the data checks rejected."""

    id: int
    quarantined_at: datetime
    source: str
    file_name: str
    reasons: str
    actor: str
    released_at: datetime | None
    released_by: str
    note: str


router = APIRouter(responses=CSV_TOO)

Part = Annotated[Paging, Depends()]
Words = Annotated[str, Query(max_length=100, description="Words that must all occur.")]
Choice = Annotated[str, Query(max_length=40)]
Month = Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="YYYY-MM")]


@router.get("/publications", response_model=Page[PublicationResponse], tags=["forecasts"])
def publications(
    request: Request, current: Chosen, paging: Part, form: FormQuery = None
) -> Response:
    """Return the forecasts published so far, newest first."""
    rows = tables.publications(current)
    return listed(request, rows, tables.PUBLICATION_COLUMNS, paging=paging, form=form)


@router.get("/commodities", response_model=Page[CommodityResponse], tags=["forecasts"])
def published_commodities(
    request: Request, current: Current, shared: Shared, paging: Part, form: FormQuery = None
) -> Response:
    """Return the commodities with forecasts, the magnets first, each with its newest forecast."""
    rows = tables.listing(current, shared.live.engine)
    return listed(request, rows, tables.COMMODITY_COLUMNS, paging=paging, form=form)


@router.get(
    "/history/{destination}",
    response_model=Page[HistoryMonth],
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


@router.get("/figures", response_model=Page[FigureResponse], tags=["history"])
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


@router.get("/scores", response_model=Page[ScoreResponse], tags=["scores"])
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
    rows = tables.scores(current, scope=scope, metric=metric)
    return listed(request, rows, tables.SCORE_COLUMNS, paging=paging, form=form)


@router.get("/track-record", response_model=Page[TrackCell], tags=["scores"])
def track_record(
    request: Request, current: Chosen, paging: Part, form: FormQuery = None
) -> Response:
    """Return all published months with an actual figure, beside it."""
    cells = current.memo.make("cells", lambda: track.cells_of(current))
    return listed(request, records(cells), track.CELL_COLUMNS, paging=paging, form=form)


@router.get("/events", response_model=Page[Event], tags=["policy"])
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
    rows = tables.events(current, tables.LedgerQuery(q, destination, instrument))
    return listed(request, rows, tables.EVENT_COLUMNS, paging=paging, form=form)


@router.get("/tariffs", response_model=Page[Tariff], tags=["policy"])
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
    rows = tables.tariffs(current, importer=importer, text=q)
    return listed(request, rows, tables.TARIFF_COLUMNS, paging=paging, form=form)


@router.get("/vintages", response_model=Page[Vintage], tags=["data"])
def vintages(request: Request, current: Current, paging: Part, form: FormQuery = None) -> Response:
    """Return the ingests, newest first."""
    rows = tables.vintages(current)
    return listed(request, rows, tables.VINTAGE_COLUMNS, paging=paging, form=form)


@router.get("/quarantine", response_model=Page[RefusedFileResponse], tags=["data"])
def quarantine(
    request: Request, current: Current, paging: Part, form: FormQuery = None
) -> Response:
    """Return the files that the data checks rejected, newest first, without their rows."""
    rows = tables.quarantine(current)
    return listed(request, rows, tables.QUARANTINE_COLUMNS, paging=paging, form=form)
