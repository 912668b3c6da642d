"""Rows of lists as documented; they name the columns of pages, JSON and CSV."""

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

    publication: int = Field(description="Its number.", examples=[2])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    published_at: datetime | None = Field(
        description="When it was published, or its run ended; missing where neither is recorded."
    )
    afterwards: bool = Field(
        description="Published more than a week after as_of, with a method that may be newer."
    )
    cutoff: str = Field(
        description="Last month of the world; /destinations has that of each.", examples=["2026-07"]
    )
    first_period: str = Field(examples=["2026-08"])
    last_period: str = Field(examples=["2027-10"])
    destinations: int = Field(examples=[12])
    models: str = Field(examples=["magnetcast-ce73e51d-897354e0-20261124"])
    statuses: str = Field(examples=["champion"])
    data_vintage: str = Field(examples=["897354e071c474eb"])


class CommodityResponse(ResponseModel):
    """A commodity with published forecasts, and the newest of them."""

    commodity: str = Field(examples=["85051110"])
    label: str = Field(description="Empty where none is known.", examples=["rare-earth magnets"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    cutoff: str = Field(
        description="Last month of the world; /destinations has that of each.", examples=["2026-07"]
    )
    first_period: str = Field(examples=["2026-08"])
    last_period: str = Field(examples=["2027-10"])
    months: int = Field(examples=[15])
    destinations: int = Field(examples=[12])
    status: str = Field(examples=["champion"])


class HistoryMonth(ResponseModel):
    """One past month as known at a published forecast."""

    destination: str = Field(examples=["USA"])
    period: str = Field(examples=["2025-05"])
    tonnes: float = Field(examples=[46.0])
    stderr_t: float = Field(description="Standard error in t.", examples=[0.3])
    kind: str = Field(description="observed, derived or estimated", examples=["observed"])
    available_at: datetime = Field(examples=["2025-06-20T00:00:00Z"])


class BasisResponse(ResponseModel):
    """To which month a destination is published, and how its last twelve months are known.

    The twelve months end with the cutoff, the last month that a figure of the world covers.
    """

    published_to: str | None = Field(
        description="Last month published; missing where none ever was.", examples=["2025-12"]
    )
    published_share: float = Field(
        description="Share of the twelve months that were published.", examples=[0.3333]
    )
    derived_share: float = Field(
        description="Share that follows from other figures.", examples=[0.0]
    )
    estimated_share: float = Field(examples=[0.6667])
    estimate_error: float | None = Field(
        description="Half of the 80% range of an estimated month as a share of it.",
        examples=[0.264],
    )


class DestinationResponse(BasisResponse):
    """A destination or sum that is forecast."""

    destination: str = Field(examples=["DEU"])
    name: str = Field(examples=["Germany"])


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


class SumResponse(ResponseModel):
    """Some months of destinations taken together, from joint simulated paths; tonnes."""

    what: str = Field(examples=["Quarter 1 of 2027"])
    first: str = Field(examples=["2027-01"])
    last: str = Field(examples=["2027-03"])
    past_months: int = Field(
        description="Months of it up to the cutoff, and later ones that are published.",
        examples=[0],
    )
    published_months: int = Field(
        description="Of these, those whose figure is published.", examples=[0]
    )
    p05: float = Field(examples=[900.0])
    p10: float = Field(examples=[1010.0])
    p25: float = Field(examples=[1240.0])
    p50: float = Field(examples=[1490.0])
    p75: float = Field(examples=[1710.0])
    p90: float = Field(examples=[1950.0])
    p95: float = Field(examples=[2120.0])
    year_before: float | None = Field(examples=[1530.0])
    chance_below: float | None = Field(
        description="Chance to stay below the year before; 0.05 means at most, 0.95 at least that.",
        examples=[0.55],
    )


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
    lead: int = Field(
        description="Months from that of the forecast; at 0 and below it was already over.",
        examples=[2],
    )
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


class TrackScoreResponse(ResponseModel):
    """Errors of forecasts as they were published, as shares of actual tonnes."""

    frozen_ahead: bool = Field(
        description="Published before the figure; others are not part of the track record.",
        examples=[True],
    )
    lead: str = Field(description="Months from that of the forecast, or over.", examples=["1-3"])
    cells: int = Field(examples=[42])
    inside: int = Field(description="Months inside the 80% band.", examples=[34])
    wape: float | None = Field(examples=[0.19])
    bias: float | None = Field(
        description="Sum of medians over sum of tonnes, less 1.", examples=[0.02]
    )
    seasonal_naive: float | None = Field(examples=[0.21])
    last_value: float | None = Field(examples=[0.32])
    pinball: float | None = Field(examples=[0.12])


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
    products: str = Field(examples=["HS 85051110"])
    summary: str = Field(examples=["China requires licences for seven rare earths."])
    legal_reference: str = Field(examples=["MOFCOM Announcement No. 18 of 2025"])
    source_urls: str = Field(description="Joined by ';'.")
    confidence: str = Field(examples=["high"])
    evidence: str = Field(examples=["primary"])
    note: str = Field(examples=[""])
    available_at: datetime = Field(examples=["2025-04-04T00:00:00Z"])


class Tariff(ResponseModel):
    """The newest version of a tariff step."""

    importer: str = Field(examples=["USA"])
    origin: str = Field(examples=["CHN"])
    component: str = Field(examples=["IEEPA_reciprocal"])
    product_scope: str = Field(examples=["HS 8505.11"])
    rate_pct: float | None = Field(examples=[10.0])
    announced_on: date | None
    effective_from: date = Field(examples=["2025-04-05"])
    effective_to: date | None
    legal_reference: str = Field(examples=["Executive Order 14257"])
    source_url: str = Field(examples=["https://example.org/act"])
    confidence: str = Field(examples=["high"])
    note: str = Field(examples=[""])
    available_at: datetime = Field(examples=["2025-04-04T00:00:00Z"])


class Vintage(ResponseModel):
    """One ingest of one file."""

    id: int = Field(examples=[2])
    ingested_at: datetime | None = Field(examples=["2026-11-24T03:00:00Z"])
    source: str = Field(examples=["published_figures"])
    file_name: str = Field(examples=["published_figures.csv"])
    asked: str = Field(examples=["exports of 850511, reported by China, 2026-05..2026-06"])
    rows: int = Field(examples=[754])
    period_from: date | None = Field(examples=["2016-01-01"])
    period_to: date | None = Field(examples=["2026-07-01"])
    actor: str = Field(examples=["planner"])
    sha256: str = Field(examples=["9f86d081884c7d65"])


class RefusedFileResponse(ResponseModel):
    """A file that the data checks rejected."""

    id: int = Field(examples=[1])
    quarantined_at: datetime = Field(examples=["2026-11-24T03:00:00Z"])
    source: str = Field(examples=["customs_download"])
    file_name: str = Field(examples=["85051110_2026-10.csv"])
    asked: str = Field(examples=["exports of 85051110, 2026-10"])
    reasons: str = Field(examples=["USA 2026-10: 6,120 t, expected 450 to 910 t"])
    actor: str = Field(examples=["planner"])
    released_at: datetime | None = Field(examples=[None])
    released_by: str = Field(examples=[""])
