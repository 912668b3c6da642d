"""Requests and responses of planning in the API."""

from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.queries.models import ResponseModel
from store.planning.audit import LONGEST_NAME, LONGEST_REASON
from store.planning.entries import Watched
from store.schema.frame_schemas import MONTH_PATTERN
from store.vocabulary import COMMODITY

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Code = Annotated[str, StringConstraints(max_length=20)]
Goods = Annotated[str, StringConstraints(max_length=100)]

COMMODITY_HELP: Final = "Commodity; see /api/v1/commodities."


class PlanningRequest(BaseModel):
    """A body that has these fields and no others."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NewNeed(PlanningRequest):
    """A need in tonnes a month."""

    name: Name = Field(examples=["Motor plant Stuttgart"])
    commodity: Goods = Field(COMMODITY, description=COMMODITY_HELP, examples=[COMMODITY])
    destination: Code = Field(examples=["DEU"])
    period_from: Month = Field(examples=["2026-12"])
    period_to: Month = Field(examples=["2027-06"])
    tonnes: float = Field(gt=0, strict=True, description="Tonnes a month.", examples=[800.0])


class NewRule(PlanningRequest):
    """A new alert rule."""

    name: Name = Field(examples=["Stuttgart runs short"])
    measure: Watched = Field(
        description="shortfall of a need, or below_last_year or median of a destination.",
        examples=["shortfall"],
    )
    points: float = Field(
        gt=0,
        strict=True,
        description="Threshold in percentage points; in percent for a median.",
        examples=[10.0],
    )
    need_id: int | None = Field(None, description="For shortfall.", examples=[1])
    commodity: Goods | None = Field(
        None,
        description="For the other measures, 85051110 by default; for a shortfall the need has it.",
        examples=[None],
    )
    destination: Code = Field("", description="For the other measures.", examples=[""])


class NewOverride(PlanningRequest):
    """An estimate beside a published median, and its reason."""

    commodity: Goods = Field(COMMODITY, description=COMMODITY_HELP, examples=[COMMODITY])
    destination: Code = Field(examples=["USA"])
    period: Month = Field(examples=["2026-12"])
    as_of: str | None = Field(
        None, max_length=40, description="Publication; the newest by default."
    )
    tonnes: float = Field(ge=0, strict=True, examples=[450.0])
    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, examples=["Two licences were granted on 3 Dec"]
    )


class NeedMonth(ResponseModel):
    """One month of a need."""

    period: str = Field(examples=["2026-12"])
    past: bool = Field(description="Ended before the forecast was made, but not yet published.")
    p10: float = Field(examples=[420.0])
    p50: float = Field(examples=[610.0])
    p90: float = Field(examples=[850.0])
    chance_of_shortfall: float = Field(
        description="Chance that exports are below the need; 0.05 means at most, 0.95 at least.",
        examples=[0.42],
    )


class NeedResponse(ResponseModel):
    """A need beside the newest forecast; tonnes and shares."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["Motor plant Stuttgart"])
    commodity: str = Field(examples=[COMMODITY])
    destination: str = Field(examples=["DEU"])
    period_from: str = Field(examples=["2026-12"])
    period_to: str = Field(examples=["2027-06"])
    tonnes: float = Field(examples=[800.0])
    author: str = Field(examples=["planning desk"])
    created_at: datetime
    chance_any_month: float | None = Field(
        description="Chance of a shortfall in at least one future month, from joint paths.",
        examples=[0.71],
    )
    buffer_90_t: float | None = Field(
        description="Safety stock that covers 90% of simulated futures.", examples=[640.0]
    )
    buffer_95_t: float | None = Field(examples=[870.0])
    first_month: str | None = Field(description="First month of the safety stocks.")
    last_month: str | None = Field(description="Last month of the safety stocks.")
    carry_over: float = Field(
        description="Share of one month's error that carries into the next.", examples=[0.68]
    )
    carry_over_source: str
    as_of: datetime
    destination_name: str = Field(examples=["Germany"])
    months: list[NeedMonth]


class RuleResponse(ResponseModel):
    """An active alert rule."""

    id: int = Field(examples=[1])
    name: str
    measure: str = Field(examples=["shortfall"])
    need_id: int | None
    commodity: str = Field(examples=[COMMODITY])
    destination: str = Field(examples=["DEU"])
    points: float = Field(examples=[10.0])
    since: datetime | None = Field(description="It applies to publications after this one.")
    author: str
    created_at: datetime


class AlertResponse(ResponseModel):
    """An alert of a rule about a publication."""

    rule_id: int
    rule: str
    commodity: str = Field(examples=[COMMODITY])
    as_of: datetime
    against: datetime = Field(description="The previous publication.")
    period: date = Field(description="First day of the month that moved most.")
    before: float
    after: float
    message: str
    evaluated_at: datetime
    attempts: int
    delivered_at: datetime | None
    trouble: str = Field(description="Why a webhook did not accept it; empty if all did.")


class OverrideResponse(ResponseModel):
    """An estimate beside a published median."""

    commodity: str = Field(examples=[COMMODITY])
    destination: str = Field(examples=["USA"])
    period: str = Field(examples=["2026-12"])
    as_of: datetime
    tonnes: float = Field(examples=[450.0])
    author: str
    reason: str
    available_at: datetime
    p50: float | None = Field(description="The model's median.", examples=[512.6])
    counts: bool = Field(description="Whether it is the newest of its month and publication.")
    actual: float | None = Field(description="Actual tonnes, once observed.")
    scored: bool = Field(description="Whether it was the newest before the figure was published.")


class AuditEntryResponse(ResponseModel):
    """One row of the audit trail."""

    id: int
    at: datetime
    token_id: int | None
    actor: str
    action: str = Field(examples=["create"])
    object: str = Field(examples=["need 1"])
    before: str = Field(description="JSON, empty for a new object.")
    after: str = Field(description="JSON, empty for a removed object.")
