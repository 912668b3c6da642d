"""Responses of the API as documented; tests validate every response against them."""

from datetime import date, datetime
from typing import Generic, Literal, TypeVar

from pydantic import Field

from service.queries.row_models import BasisResponse, ResponseModel

Item = TypeVar("Item")


class Page(ResponseModel, Generic[Item]):
    """One page of a list."""

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


class ForecastRival(ResponseModel):
    """Somebody else's newest forecast of a month."""

    name: str = Field(examples=["Example Bank"])
    source: str
    made_on: date
    tonnes: float = Field(examples=[450.0])


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
    rivals: list[ForecastRival] | None = Field(
        None, description="Forecasts by others; missing where there is none."
    )


class CoverageResponse(ResponseModel):
    """Coverage of the 80% band of a destination, for one group of months ahead."""

    horizon_from: int = Field(
        description="Months from that of the forecast; up to 0 already over.", examples=[4]
    )
    horizon_to: int = Field(examples=[6])
    share: float | None = Field(examples=[0.7857])
    forecasts: int = Field(
        description="Scored forecasts; fewer than 20 tell little.", examples=[42]
    )
    pooled_share: float | None = Field(description="Over all destinations.", examples=[0.7824])
    pooled_forecasts: int = Field(examples=[193])
    words: str = Field(description="As the pages quote it.", examples=["33 of 42 (79%)"])


class ForecastResponse(ResponseModel):
    """The published forecast of one destination."""

    destination: str = Field(examples=["USA"])
    name: str = Field(examples=["United States"])
    commodity: str = Field(examples=["85051110"])
    unit: str = Field(examples=["t"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    cutoff: str = Field(
        description="Last month of the world; that of the destination is in basis.",
        examples=["2026-07"],
    )
    model: str = Field(examples=["magnetcast-ce73e51d-897354e0-20261124"])
    status: str = Field(examples=["champion"])
    reason: str = Field(
        description="Why a fallback was used; empty for the champion.",
        examples=["champion magnetcast-ce73e51d: the files of the model are missing"],
    )
    data_vintage: str = Field(examples=["897354e071c474eb"])
    freshness: Literal["current", "stale", "superseded"] = Field(
        description="Stale from the day after a release was due that is not loaded; superseded if "
        "there is a newer forecast, and then without ages.",
        examples=["stale"],
    )
    missing_since: date | None = Field(
        description="When the first release that is not loaded was due.", examples=["2026-09-20"]
    )
    data_to: date | None = Field(
        description="When the newest figure loaded was published.", examples=["2026-08-31"]
    )
    policy_to: date | None = Field(
        description="When the newest act in the data was announced.", examples=["2026-10-08"]
    )
    data_age_days: int | None = Field(description="Days since then.", examples=[81])
    policy_age_days: int | None = Field(examples=[43])
    basis: BasisResponse | None = Field(
        description="How past months are known; missing where they are not stored.",
        examples=[{"published_to": "2025-12", "published_share": 0.3333, "derived_share": 0.0,
                   "estimated_share": 0.6667, "estimate_error": 0.264}],
    )  # fmt: skip
    coverage: list[CoverageResponse] = Field(
        description="Coverage of the 80% band in the backtest; empty without one.", examples=[[]]
    )
    months: list[ForecastMonth]


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
    difference_mean: float = Field(
        description="Scenario less published, of the means.", examples=[-118.7]
    )
    difference_p90: float = Field(examples=[-44.9])
    certain_mean: float = Field(
        description="If all its acts with a probability above 0 come.", examples=[210.4]
    )
    never_mean: float = Field(
        description="If none of lower probability than 1 does.", examples=[379.9]
    )
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


class NewFigureResponse(ResponseModel):
    """A figure that became known since the publication before."""

    destination: str = Field(examples=["USA"])
    first: str = Field(description="First month that it is about.", examples=["2026-08"])
    last: str = Field(examples=["2026-08"])
    measure: str = Field(examples=["net_weight_t"])
    value: float = Field(description="In the unit of the measure.", examples=[622.0])
    available_at: datetime
    source: str = Field(examples=["Example News"])
    source_url: str = Field(examples=["https://example.org/june"])
    is_revision: bool = Field(description="Whether another value was known before.")
    expected_t: float | None = Field(
        description="Median of the publication before; missing where it forecast no such month.",
        examples=[640.2],
    )
    published_t: float | None = Field(
        description="Tonnes of the month; missing where it is an estimate still, or several months."
    )
    moved: dict[str, float] | None = Field(
        description="By how many tonnes it moved the median of each month of the destination asked "
        "for; missing where that was not computed on its own.",
        examples=[{"2026-12": 12.5}],
    )


class ChangeResponse(ResponseModel):
    """What changed the medians of a destination since the publication before."""

    since: int = Field(description="The publication before.", examples=[11])
    causes: dict[str, dict[str, float]] = Field(
        description="Tonnes by month and cause, which add up to the change.",
        examples=[{"2026-12": {"new_actuals": 12.5, "passing_time": -2.0}}],
    )
    figures: list[NewFigureResponse] = Field(description="In the order in which they became known.")


class Explanation(ResponseModel):
    """Why the published forecast of one destination is what it is."""

    destination: str = Field(examples=["USA"])
    name: str = Field(examples=["United States"])
    unit: str = Field(examples=["t"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    months: list[ExplainedMonth]
    change: ChangeResponse | None = Field(
        description="Of the newest publication; missing for others, and where it was not computed."
    )


class Ready(ResponseModel):
    """Whether there is a forecast to show, and how fresh it is."""

    status: str = Field(examples=["ready"])
    as_of: datetime = Field(examples=["2026-11-24T00:00:00Z"])
    cutoff: str = Field(
        description="Last month of the world; /destinations has that of each.", examples=["2026-07"]
    )
    next_release: date = Field(examples=["2026-12-20"])
    notices: list[str]
    trouble: str = Field(description="Why the newest state is not shown; empty if it is shown.")


class AlarmResponse(ResponseModel):
    """An active alarm."""

    alarm: str = Field(description="Its section in docs/operations.md.", examples=["late-data"])
    broken: bool = Field(description="Whether the service is unreliable meanwhile.")
    words: str


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
