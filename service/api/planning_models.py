"""What the API's documentation says of the planners' desk: what it takes and what it answers."""

from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.api.models import ResponseModel
from store.planning.alert_rules import Watched
from store.planning.audit import LONGEST_NAME, LONGEST_REASON
from store.schema.frame_schemas import MONTH_PATTERN
from store.vocabulary import COMMODITY

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Code = Annotated[str, StringConstraints(max_length=20)]
Goods = Annotated[str, StringConstraints(max_length=100)]

OF_WHAT: Final = "What it is of; see /api/v1/commodities."


class PlanningRequest(BaseModel):
    """A body that has these fields and no others."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NewNeed(PlanningRequest):
    """What is needed each month."""

    name: Name = Field(examples=["Motor plant Stuttgart"])
    commodity: Goods = Field(COMMODITY, description=OF_WHAT, examples=[COMMODITY])
    destination: Code = Field(examples=["DEU"])
    period_from: Month = Field(examples=["2026-12"])
    period_to: Month = Field(examples=["2027-06"])
    tonnes: float = Field(gt=0, description="Tonnes a month.", examples=[800.0])


class NewRule(PlanningRequest):
    """What is to be told of a new publication."""

    name: Name = Field(examples=["Stuttgart runs short"])
    measure: Watched = Field(
        description="shortfall of a need, or below_last_year or median of a destination.",
        examples=["shortfall"],
    )
    points: float = Field(
        gt=0, description="Percentage points; of a median percent.", examples=[10.0]
    )
    need_id: int | None = Field(None, description="For shortfall.", examples=[1])
    commodity: Goods | None = Field(
        None,
        description="For the others, 85051110 if left out; of a shortfall it is the need's.",
        examples=[None],
    )
    destination: Code = Field("", description="For the others.", examples=[""])
    url: str = Field(
        "", max_length=500, description="Webhook; empty: the feed alone.", examples=[""]
    )


class NewOverride(PlanningRequest):
    """What is expected instead of a published median, and why."""

    commodity: Goods = Field(COMMODITY, description=OF_WHAT, examples=[COMMODITY])
    destination: Code = Field(examples=["USA"])
    period: Month = Field(examples=["2026-12"])
    as_of: str | None = Field(
        None, max_length=40, description="Publication; the newest if left out."
    )
    tonnes: float = Field(ge=0, examples=[450.0])
    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, examples=["Two licences were granted on 3 Dec"]
    )


class NeedMonth(ResponseModel):
    """One month of a need."""

    period: str = Field(examples=["2026-12"])
    past: bool = Field(description="Over at the forecast's moment, but not yet published.")
    p10: float = Field(examples=[420.0])
    p50: float = Field(examples=[610.0])
    p90: float = Field(examples=[850.0])
    chance_of_shortfall: float = Field(
        description="That less arrives than is needed; 0.05 means that or less, 0.95 that or more.",
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
        description="That at least one month still ahead falls short, from joint paths.",
        examples=[0.71],
    )
    buffer_90_t: float | None = Field(
        description="Stock that lasts along 90 % of the paths.", examples=[640.0]
    )
    buffer_95_t: float | None = Field(examples=[870.0])
    first_month: str | None = Field(description="First month the buffers are for.")
    last_month: str | None = Field(description="Last month the buffers are for.")
    carry_over: float = Field(
        description="Share of a miss that the next month repeats.", examples=[0.68]
    )
    carry_over_source: str
    as_of: datetime
    destination_name: str = Field(examples=["Germany"])
    months: list[NeedMonth]


class RuleResponse(ResponseModel):
    """An alert rule in force."""

    id: int = Field(examples=[1])
    name: str
    measure: str = Field(examples=["shortfall"])
    need_id: int | None
    commodity: str = Field(examples=[COMMODITY])
    destination: str = Field(examples=["DEU"])
    points: float = Field(examples=[10.0])
    webhook: str = Field(description="Host alone: an address may carry a key of its receiver.")
    since: datetime | None = Field(description="It speaks of publications after this one.")
    author: str
    created_at: datetime


class CreatedRuleResponse(RuleResponse):
    """A rule as it was made."""

    secret: str = Field(
        description="Signs its messages (Standard Webhooks); told this once, empty without url."
    )


class AlertResponse(ResponseModel):
    """What a rule told of a publication."""

    rule_id: int
    rule: str
    commodity: str = Field(examples=[COMMODITY])
    as_of: datetime
    against: datetime = Field(description="The publication before.")
    period: date = Field(description="First day of the month that moved most.")
    before: float
    after: float
    message: str
    evaluated_at: datetime
    attempts: int
    delivered_at: datetime | None
    trouble: str = Field(description="Why the webhook did not take it; empty if it did.")


class OverrideResponse(ResponseModel):
    """What somebody expects beside a published median."""

    commodity: str = Field(examples=[COMMODITY])
    destination: str = Field(examples=["USA"])
    period: str = Field(examples=["2026-12"])
    as_of: datetime
    tonnes: float = Field(examples=[450.0])
    author: str
    reason: str
    available_at: datetime
    p50: float | None = Field(description="The model's median.", examples=[512.6])
    counts: bool = Field(description="The newest of its month and publication.")
    came: float | None = Field(description="Tonnes that came, once observed.")
    scored: bool = Field(description="Made before the month came out, and the newest then.")


class AuditEntryResponse(ResponseModel):
    """One row of the audit trail."""

    id: int
    at: datetime
    token_id: int | None
    actor: str
    action: str = Field(examples=["create"])
    object: str = Field(examples=["need 1"])
    before: str = Field(description="JSON, empty if there was nothing.")
    after: str = Field(description="JSON, empty if nothing is told.")
