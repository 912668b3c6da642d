"""Needs, alert rules and alerts: their documents, and how planners write them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Final, TypeVar

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from service.http.responses import Record, records
from service.live.live_publication import LivePublication, PlanningState
from service.queries.listings import newest_first
from service.queries.row_models import ResponseModel, columns_of
from service.request_errors import NothingPublishedError
from store.errors import shown
from store.messages import message
from store.planning.audit import LONGEST_NAME, Actor
from store.planning.planning_rows import LONGEST_LEAD_DAYS, AlertRule, NeedRow, Watched, add_rule
from store.schema.scenario import WrongFieldError
from store.vocabulary import COMMODITY, MONTH_PATTERN

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Code = Annotated[str, StringConstraints(max_length=20)]
CommodityCode = Annotated[str, StringConstraints(max_length=100)]

COMMODITY_HELP: Final = "Commodity; see /api/v1/commodities."


class PlanningRequest(BaseModel):
    """A body that has these fields and no others."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _whole(value: object) -> object:
    """Number as it is; a text, a truth value or a fraction is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        raise WrongFieldError(
            message("%(value)s is not a whole number. Write it as 45.", value=shown(repr(value)))
        )
    return value


Days = Annotated[int, BeforeValidator(_whole)]


class NewNeed(PlanningRequest):
    """A need in tonnes a month."""

    name: Name = Field(examples=["Motor plant Stuttgart"])
    commodity: CommodityCode = Field(COMMODITY, description=COMMODITY_HELP, examples=[COMMODITY])
    destination: Code = Field(examples=["DEU"])
    period_from: Month = Field(examples=["2026-12"])
    period_to: Month = Field(examples=["2027-06"])
    tonnes: float = Field(gt=0, strict=True, description="Tonnes a month.", examples=[800.0])
    stock: float = Field(0.0, ge=0, strict=True, description="Tonnes held.", examples=[24.0])
    lead_days: Days = Field(
        0,
        ge=0,
        le=LONGEST_LEAD_DAYS,
        description="From order to clearance in China.",
        examples=[45],
    )

    @property
    def row(self) -> NeedRow:
        months = {n: pd.Timestamp(getattr(self, n)) for n in ("period_from", "period_to")}
        return NeedRow(**{**self.model_dump(), **months})


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
    commodity: CommodityCode | None = Field(
        None,
        description="For the other measures, 85051110 by default; for a shortfall the need has it.",
        examples=[None],
    )
    destination: Code = Field("", description="For the other measures.", examples=[""])

    @property
    def row(self) -> AlertRule:
        return AlertRule(**{**self.model_dump(), "commodity": self.commodity or ""})


class NeedMonth(ResponseModel):
    """One month of a need."""

    period: str = Field(examples=["2026-12"])
    past: bool = Field(description="Ended before the forecast was made, but not yet published.")
    p10: float = Field(examples=[420.0])
    p50: float = Field(examples=[610.0])
    p90: float = Field(examples=[850.0])
    chance_of_shortfall: float = Field(
        description="Chance that the need is not met in full in this month; 0.05 means at most, "
        "0.95 at least.",
        examples=[0.42],
    )
    chance_out: float | None = Field(
        description="Chance that shortfalls exceed the stock by its end, as alerts watch it; "
        "missing for past months.",
        examples=[0.29],
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
    stock: float = Field(description="Tonnes held when it was recorded.", examples=[24.0])
    lead_days: int = Field(description="From order to clearance in China.", examples=[45])
    author: str = Field(examples=["planning team"])
    created_at: datetime
    met_in_full_at_t: float = Field(
        description="Exports to the destination from which the need is met in full: the larger of "
        "the need and a normal month.",
        examples=[1157.0],
    )
    chance_any_month: float | None = Field(
        description="Chance of a shortfall in at least one future month, from joint paths.",
        examples=[0.71],
    )
    chance_out: float | None = Field(
        description="Chance that shortfalls exceed the stock by the last month.", examples=[0.29]
    )
    transit_days: int = Field(description="From clearance to arrival, at most.", examples=[45])
    reach_on: date = Field(description="First day without stock if nothing arrives.")
    order_by: date = Field(description="Last day to order so that it arrives by then.")
    arrives_on: date = Field(description="Latest arrival of what is ordered today.")
    days_late: int = Field(description="Days since the last day to order; 0 until then.")
    buffer_90_t: float | None = Field(
        description="Safety stock that covers 90% of simulated futures, at least the need from "
        "order to clearance.",
        examples=[640.0],
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


def rules(planning: PlanningState, commodity: str | None = None) -> list[Record]:
    """Active alert rules of one commodity, or of all if None, newest first."""
    return newest_first(_of(planning.rules, commodity), RuleResponse)


def alerts(planning: PlanningState, commodity: str | None = None) -> list[Record]:
    """Alerts, newest first; evaluations without an alert are left out.

    For one commodity, or for all if None.
    """
    fired = planning.rows.alerts.loc[planning.rows.alerts["fired"]]
    rule = planning.rows.rules.set_index("id")
    columns = {"rule": rule["name"], "commodity": rule["commodity"]}
    rows = fired.assign(**{n: fired["rule_id"].map(v).astype("str") for n, v in columns.items()})
    rows = _of(rows, commodity).sort_values(["as_of", "rule_id"], ascending=[False, True])
    return records(rows[columns_of(AlertResponse)])


def audit(planning: PlanningState) -> list[Record]:
    """Audit trail, newest first."""
    return newest_first(planning.rows.audit, AuditEntryResponse)


def _of(rows: pd.DataFrame, commodity: str | None) -> pd.DataFrame:
    return rows if commodity is None else rows.loc[rows["commodity"] == commodity]


_Result = TypeVar("_Result")


def write(
    live: LivePublication,
    function: Callable[..., _Result],
    *args: object,
    actor: Actor,
    **options: object,
) -> _Result:
    """Write by a function of ``store.planning.planning_rows``, and show the rows at once."""
    result = function(live.engine, *args, actor=actor, at=live.clock(), **options)
    live.refresh_planning()
    return result


def create_rule(live: LivePublication, actor: Actor, rule: AlertRule) -> int:
    """Record an alert rule and return its number; as ``store.planning.planning_rows.add_rule``."""
    needs = live.planning.needs
    of_need = needs.loc[needs["id"].isin([rule.need_id]), "commodity"]
    newest = None
    with suppress(NothingPublishedError):
        newest = live.of(rule.commodity or next(iter(of_need), COMMODITY)).as_of.to_pydatetime()
    return write(live, add_rule, rule, actor=actor, since=newest)
