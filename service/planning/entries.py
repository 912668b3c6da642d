"""Needs, alert rules, alerts and overrides: their documents, and how planners write them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, Final, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from service.http.responses import Record, records
from service.live.live_publication import LivePublication, PlanningState
from service.live.publication import Publication
from service.queries.listings import newest_first
from service.queries.row_models import ResponseModel, columns_of
from service.queries.track import TRUTH
from service.request_errors import NothingPublishedError
from store.errors import DataError
from store.messages import message
from store.planning.audit import LONGEST_NAME, LONGEST_REASON, Actor
from store.planning.planning_rows import AlertRule, OverrideRow, Watched, add_override, add_rule
from store.vocabulary import COMMODITY, MONTH_PATTERN

Month = Annotated[str, StringConstraints(pattern=MONTH_PATTERN)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME)]
Code = Annotated[str, StringConstraints(max_length=20)]
CommodityCode = Annotated[str, StringConstraints(max_length=100)]

COMMODITY_HELP: Final = "Commodity; see /api/v1/commodities."


class PlanningRequest(BaseModel):
    """A body that has these fields and no others."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NewNeed(PlanningRequest):
    """A need in tonnes a month."""

    name: Name = Field(examples=["Motor plant Stuttgart"])
    commodity: CommodityCode = Field(COMMODITY, description=COMMODITY_HELP, examples=[COMMODITY])
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
    commodity: CommodityCode | None = Field(
        None,
        description="For the other measures, 85051110 by default; for a shortfall the need has it.",
        examples=[None],
    )
    destination: Code = Field("", description="For the other measures.", examples=[""])


class NewOverride(PlanningRequest):
    """An estimate beside a published median, and its reason."""

    commodity: CommodityCode = Field(COMMODITY, description=COMMODITY_HELP, examples=[COMMODITY])
    destination: Code = Field(examples=["USA"])
    period: Month = Field(examples=["2026-12"])
    as_of: str | None = Field(
        None,
        max_length=40,
        description="Day or moment: the newest forecast as of then or earlier; by default of all.",
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
        description="Chance that the need is not met in full; 0.05 means at most, 0.95 at least.",
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


_KEY: Final = ["destination", "period", "as_of"]


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


def override_cells(publication: Publication, planning: PlanningState) -> pd.DataFrame:
    """Every override of a commodity beside median and actual: ``OverrideResponse``.

    Of each month and publication the newest, the last written, counts. The newest of those made
    before the month's figure was published is scored. Newest first; ``period`` is the first day of
    the month.
    """
    rows = planning.overrides_of(publication.commodity)
    medians = publication.published.forecasts
    medians = medians.assign(period=pd.to_datetime(medians["period"]))[[*_KEY, "p50"]]
    panel = publication.snapshot.panel
    truth = panel.loc[panel["kind"] == TRUTH].rename(
        columns={"tonnes": "actual", "available_at": "out_at"}
    )
    # Microseconds as in the store: a merge needs equal types.
    cells = rows.astype({"as_of": medians["as_of"].dtype, "period": medians["period"].dtype})
    cells = cells.merge(medians, on=_KEY, how="left", validate="many_to_one")
    cells = cells.merge(
        truth[["destination", "period", "actual", "out_at"]],
        on=["destination", "period"], how="left", validate="many_to_one",
    )  # fmt: skip
    in_time = cells["out_at"].notna() & (cells["available_at"] < cells["out_at"])
    newest = ~cells.duplicated(_KEY, keep="last")
    last_in_time = cells.loc[in_time].drop_duplicates(_KEY, keep="last").index
    marked = cells.assign(counts=newest, scored=cells.index.isin(last_in_time))
    return marked[columns_of(OverrideResponse)].iloc[::-1].reset_index(drop=True)


def overrides(publication: Publication, planning: PlanningState) -> list[Record]:
    """Overrides of a commodity, newest first."""
    cells = override_cells(publication, planning)
    return records(cells.assign(period=cells["period"].dt.strftime("%Y-%m")))


def value_added(publication: Publication, planning: PlanningState) -> dict[str, float] | None:
    """Value added by overrides, None if none is scored yet.

    Returns:
        ``cells``; ``override`` and ``model``, absolute errors as a share of actual tonnes;
        ``better``, the share of months in which the override was closer; ``value_added``, 1 minus
        the ratio of the two errors, above 0 where overriding helped.
    """
    cells = override_cells(publication, planning)
    scored = cells.loc[cells["scored"] & cells["p50"].notna()]
    actual = float(scored["actual"].sum())
    if scored.empty or actual <= 0:
        return None
    errors = scored[["tonnes", "p50"]].sub(scored["actual"], axis=0).abs()
    override, model = (errors.sum() / actual).astype(float)
    return {
        "cells": len(scored),
        "override": override,
        "model": model,
        "better": float((errors["tonnes"] < errors["p50"]).mean()),
        "value_added": 1 - override / model if model > 0 else float("nan"),
    }


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


def record_override(live: LivePublication, actor: Actor, override: OverrideRow) -> None:
    """Record an override of a month that is not yet published."""
    panel = live.of(override.commodity).snapshot.panel
    is_month = panel["destination"].eq(override.destination) & panel["period"].eq(override.period)
    if (panel.loc[is_month, "kind"] == TRUTH).any():
        raise DataError(
            message(
                "An override of %(destination)s in %(month)s, whose figure is already published. "
                "Expected a month that is not yet known. Choose a later one.",
                destination=override.destination,
                month=f"{override.period:%Y-%m}",
            )
        )
    write(live, add_override, override, actor=actor)
