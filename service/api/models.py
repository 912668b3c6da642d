"""Responses of the API as documented; tests validate every response against them."""

from datetime import date, datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class ResponseModel(BaseModel):
    """A response with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Page(ResponseModel, Generic[Item]):
    """One page of a list; the Link header leads to the others."""

    total: int = Field(examples=[143])
    limit: int = Field(examples=[100])
    offset: int = Field(examples=[0])
    items: list[Item]


class Driver(ResponseModel):
    """One of the three main drivers of a month."""

    name: str = Field(examples=["policy_response"])
    meaning: str = Field(examples=["the effect of a control that no month has shown yet"])
    tonnes: float = Field(
        description="Change in the median when the driver is removed.", examples=[-44.6]
    )


class ForecastOverride(ResponseModel):
    """The newest override of a month."""

    tonnes: float = Field(examples=[450.0])
    author: str = Field(examples=["planning desk"])
    reason: str = Field(examples=["Two licences were granted on 3 Dec"])
    available_at: datetime


class ForecastMonth(ResponseModel):
    """One month; quantiles that were not requested are missing."""

    period: str = Field(examples=["2026-12"])
    horizon: int = Field(description="Months after the cutoff.", examples=[5])
    p05: float | None = Field(None, description="t", examples=[165.1])
    p10: float | None = Field(None, description="t", examples=[220.7])
    p25: float | None = Field(None, description="t", examples=[352.9])
    p50: float | None = Field(None, description="t", examples=[512.6])
    p75: float | None = Field(None, description="t", examples=[633.8])
    p90: float | None = Field(None, description="t", examples=[750.4])
    p95: float | None = Field(None, description="t", examples=[835.9])
    mean: float = Field(description="t", examples=[498.2])
    status: str = Field(examples=["champion"])
    drivers: list[Driver]
    override: ForecastOverride | None = Field(None, description="Missing where there is none.")


class ForecastResponse(ResponseModel):
    """The published forecast of one destination."""

    destination: str = Field(examples=["USA"])
    name: str = Field(examples=["United States"])
    commodity: str = Field(examples=["85051110"])
    unit: str = Field(examples=["t"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    cutoff: str = Field(description="Last month known.", examples=["2026-07"])
    model: str = Field(examples=["magnetcast-ce73e51d-897354e0-20261124"])
    status: str = Field(examples=["champion"])
    reason: str = Field(
        description="Why a fallback was used; empty for the champion.",
        examples=["champion magnetcast-ce73e51d: the files of the model are missing"],
    )
    data_vintage: str = Field(examples=["897354e071c474eb"])
    band_hit_rate: float | None = Field(
        description="Coverage of the 80 % band in the backtest.", examples=[0.6065]
    )
    months: list[ForecastMonth]


class PublicationResponse(ResponseModel):
    """A published forecast; its rows are never changed."""

    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    published_at: datetime | None = Field(
        description="When the run that published it ended; missing where none is recorded."
    )
    afterwards: bool = Field(
        description="Published more than a week after as_of, with a method that may be newer."
    )
    cutoff: str = Field(examples=["2026-07"])
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
    cutoff: str = Field(examples=["2026-07"])
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


class WorkedScenarioResponse(ResponseModel):
    """An example scenario."""

    key: str = Field(examples=["us-tariff-60"])
    name: str = Field(examples=["US tariff to 60 percent"])
    description: str
    text: str = Field(description="YAML, ready to be posted.")


class ScenarioMonth(ResponseModel):
    """One month of one destination with and without a scenario, in tonnes."""

    destination: str = Field(examples=["USA"])
    period: str = Field(examples=["2027-02"])
    base_p05: float = Field(examples=[98.1])
    base_p10: float = Field(examples=[150.2])
    base_p25: float = Field(examples=[260.4])
    base_p50: float = Field(description="As published.", examples=[384.3])
    base_p75: float = Field(examples=[492.6])
    base_p90: float = Field(examples=[601.3])
    base_p95: float = Field(examples=[680.0])
    base_mean: float = Field(examples=[379.9])
    scenario_p05: float = Field(examples=[61.5])
    scenario_p10: float = Field(examples=[93.8])
    scenario_p25: float = Field(examples=[164.2])
    scenario_p50: float = Field(examples=[262.7])
    scenario_p75: float = Field(examples=[354.9])
    scenario_p90: float = Field(examples=[450.1])
    scenario_p95: float = Field(examples=[521.4])
    scenario_mean: float = Field(examples=[268.8])
    difference_p10: float = Field(description="From paired draws.", examples=[-228.6])
    difference_p50: float = Field(examples=[-118.7])
    difference_p90: float = Field(examples=[-44.9])
    warning: str = Field(description="Caveat on the result; empty if there is none.")


class ScenarioAnswer(ResponseModel):
    """A forecast with and without a scenario."""

    name: str = Field(examples=["US tariff to 60 percent"])
    description: str
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    unit: str = Field(examples=["t"])
    notes: list[str] = Field(description="What the result is based on.")
    warnings: list[str] = Field(description="Where the scenario goes beyond the historical record.")
    months: list[ScenarioMonth]


class ExplainedMonth(ResponseModel):
    """Why one published median is what it is."""

    period: str = Field(examples=["2026-12"])
    p50: float = Field(description="t", examples=[512.6])
    parts: dict[str, float] | None = Field(
        description="Tonnes that add up to the median; missing where none were published.",
        examples=[{"level": 480.2, "season": 22.1, "tariffs": -9.7, "experts": 20.0}],
    )
    sentences: list[str]


class Explanation(ResponseModel):
    """Why the published forecast of one destination is what it is."""

    destination: str = Field(examples=["USA"])
    name: str = Field(examples=["United States"])
    unit: str = Field(examples=["t"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    months: list[ExplainedMonth]


class HealthResponse(ResponseModel):
    """Whether the process is alive."""

    status: str = Field(examples=["ok"])


class Ready(ResponseModel):
    """Whether there is a forecast to show, and how fresh it is."""

    status: str = Field(examples=["ready"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    cutoff: str = Field(examples=["2026-07"])
    next_release: date = Field(examples=["2026-12-20"])
    notices: list[str]
    trouble: str = Field(description="Why the newest state is not shown; empty if it is shown.")


class AlarmResponse(ResponseModel):
    """An active alarm."""

    alarm: str = Field(description="Its section in docs/operations.md.", examples=["late-data"])
    broken: bool = Field(description="Whether the service is unreliable meanwhile.")
    words: str
    remedy: list[str] = Field(description="What to do, in paragraphs.")


class Status(ResponseModel):
    """Health of the installation, as `magnetcast status` reports it."""

    at: datetime = Field(description="When this was checked; at most once a minute.")
    code: int = Field(ge=0, le=2, description="0 fine, 1 stale or degraded, 2 broken.")
    headline: str = Field(examples=["magnetcast is fine."])
    lines: list[str] = Field(examples=[["The forecast stands at 2026-11-24 00:00 UTC."]])
    alarms: list[AlarmResponse]


class Problem(ResponseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:magnetcast:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No destination 'XXX' in the published forecasts. ..."])
    instance: str = Field(examples=["/api/v1/forecasts/XXX"])
