"""Rows of tables: they name and describe the columns of pages and files."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field


class ResponseModel(BaseModel):
    """A response with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


def columns_of(row: type[ResponseModel]) -> list[str]:
    """Columns of a list, in the order of its documented row."""
    return list(row.model_fields)


class PublicationResponse(ResponseModel):
    """A published forecast, the newest of its moment; its rows are never changed."""

    publication: int = Field(description="Its number.")
    as_of: datetime
    published_at: datetime | None = Field(
        description="When it was published, or its run ended; missing where neither is recorded."
    )
    afterwards: bool = Field(
        description="Published more than a week after as_of, with a method that may be newer."
    )
    cutoff: str = Field(description="Last month of the world; that of each stands in destinations.")
    first_period: str
    last_period: str
    destinations: int
    models: str
    statuses: str
    data_vintage: str


class CommodityResponse(ResponseModel):
    """A commodity with published forecasts, and the newest of them."""

    commodity: str
    label: str = Field(description="Empty where none is known.")
    as_of: datetime
    cutoff: str = Field(description="Last month of the world; that of each stands in destinations.")
    first_period: str
    last_period: str
    months: int
    destinations: int
    status: str


class HistoryMonth(ResponseModel):
    """One past month as known at a published forecast."""

    destination: str
    period: str
    tonnes: float
    stderr_t: float = Field(description="Standard error in t.")
    kind: str = Field(description="observed, derived or estimated")
    available_at: datetime


class BasisResponse(ResponseModel):
    """To which month a destination is published, and how its last twelve months are known.

    The twelve months end with the cutoff, the last month that a figure of the world covers.
    """

    published_to: str | None = Field(
        description="Last month published; missing where none ever was."
    )
    published_share: float = Field(description="Share of the twelve months that were published.")
    derived_share: float = Field(description="Share that follows from other figures.")
    estimated_share: float
    estimate_error: float | None = Field(
        description="Half of the 80% range of an estimated month as a share of it."
    )


class DestinationResponse(BasisResponse):
    """A destination or sum that is forecast."""

    destination: str
    name: str


class FigureResponse(ResponseModel):
    """One published figure; a revision is one more row."""

    destination: str
    measure: str
    period_from: str
    period_to: str
    value: float
    unit: str
    half_width: float = Field(description="Half of the rounding step.")
    kind: str
    available_at: datetime
    source: str
    source_url: str
    usable: bool
    vintage: int | None = Field(description="Ingest that added it.")


class SumResponse(ResponseModel):
    """Some months of destinations taken together, from joint simulated paths; tonnes."""

    what: str
    first: str
    last: str
    past_months: int = Field(
        description="Months of it up to the cutoff, and later ones that are published."
    )
    published_months: int = Field(description="Of these, those whose figure is published.")
    p05: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    year_before: float | None
    chance_below: float | None = Field(
        description="Chance to stay below the year before; 0.05 means at most, 0.95 at least that."
    )


class ScoreResponse(ResponseModel):
    """One score of a backtest."""

    as_of: datetime
    model: str
    scope: str = Field(description="A destination, or ALL.")
    horizon_from: int
    horizon_to: int
    metric: str
    value: float
    cells: int


class TrackCell(ResponseModel):
    """A published month beside the actual figure; tonnes."""

    as_of: datetime
    destination: str
    period: date
    horizon: int
    lead: int = Field(
        description="Months from that of the forecast; at 0 and below it was already over."
    )
    model: str
    status: str
    p05: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float
    p95: float
    tonnes: float
    seasonal_naive: float | None
    last_value: float | None
    error: float
    inside80: bool
    pinball: float
    frozen_ahead: bool = Field(
        description="Published, with a digest, before the figure; others are not part of the track "
        "record."
    )


class TrackScoreResponse(ResponseModel):
    """Errors of forecasts as they were published, as shares of actual tonnes."""

    frozen_ahead: bool = Field(
        description="Published before the figure; others are not part of the track record."
    )
    lead: str = Field(description="Months from that of the forecast, or over.")
    cells: int
    inside: int = Field(description="Months inside the 80% band.")
    wape: float | None
    bias: float | None = Field(description="Sum of medians over sum of tonnes, less 1.")
    seasonal_naive: float | None
    last_value: float | None
    pinball: float | None


class Event(ResponseModel):
    """The newest version of a policy event."""

    event_id: str
    announced_on: date
    effective_from: date | None
    effective_to: date | None
    suspended_from: date | None
    suspended_to: date | None
    issuer: str
    instrument: str
    direction: str
    severity: int
    destinations: str
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

    importer: str
    origin: str
    component: str
    product_scope: str
    rate_pct: float | None
    announced_on: date | None
    effective_from: date
    effective_to: date | None
    legal_reference: str
    source_url: str
    confidence: str
    note: str
    available_at: datetime


class Vintage(ResponseModel):
    """One ingest of one file."""

    id: int
    ingested_at: datetime | None
    source: str
    file_name: str
    asked: str
    rows: int
    period_from: date | None
    period_to: date | None
    actor: str
    sha256: str


class RefusedFileResponse(ResponseModel):
    """A file that the data checks rejected."""

    id: int
    quarantined_at: datetime
    source: str
    file_name: str
    asked: str
    reasons: str
    actor: str
    released_at: datetime | None
    released_by: str
