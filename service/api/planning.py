"""The planners' desk over the API: needs, alert rules, alerts, overrides and the audit trail.

Whoever writes needs a token that may write; bodies are JSON, which no form of another site sends.
"""

from http import HTTPStatus
from typing import Annotated, Any, Final

import pandas as pd
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from service.api import planning_models as models
from service.api.forecasts import CSV_TOO, moment_of
from service.api.models import Page
from service.api.replies import FormQuery, Paging, listed, reply
from service.http.responses import Record, json_answer
from service.live.state import Chosen, Named, OnDesk, Shared, Writer, may_audit, may_read
from service.planning import actions
from service.queries import desk as queries
from service.queries.needs import NEED_COLUMNS, need_documents, need_of
from store.planning.alert_rules import AlertRule
from store.planning.needs import NeedRow

router = APIRouter(tags=["desk"], dependencies=[Depends(may_read)])
trail = APIRouter(tags=["desk"], dependencies=[Depends(may_audit)])
writing = APIRouter(tags=["desk"])

Part = Annotated[Paging, Depends()]
MOST: Final = 2**31 - 1
Number = Annotated[int, Path(ge=1, le=MOST)]

_TOKEN: Final[dict[str, Any]] = {"openapi_extra": {"security": [{"token": []}]}}
_MADE: Final[dict[str, Any]] = {"status_code": HTTPStatus.CREATED, **_TOKEN}
_GONE: Final[dict[str, Any]] = {"status_code": HTTPStatus.NO_CONTENT, **_TOKEN}


@router.get("/needs", response_model=Page[models.NeedResponse], responses=CSV_TOO)
def needs(
    request: Request, *, current: Chosen, desk: OnDesk, paging: Part, form: FormQuery = None
) -> Response:
    """Return the needs in force beside the newest forecast; CSV without the months."""
    rows = need_documents(current, desk)
    return listed(request, rows, NEED_COLUMNS, paging=paging, form=form)


@router.get("/needs/{number}", response_model=models.NeedResponse)
def need(request: Request, shared: Shared, desk: OnDesk, number: Number) -> Response:
    """Return one need: the chance of a shortfall of each month, and the stock that covers."""
    return reply(request, json_answer(need_of(shared.live.of, desk, number)))


@router.get("/alert-rules", response_model=Page[models.RuleResponse], responses=CSV_TOO)
def alert_rules(
    request: Request, *, named: Named, desk: OnDesk, paging: Part, form: FormQuery = None
) -> Response:
    """Return the alert rules in force, newest first."""
    rows = queries.rules(desk, named)
    return listed(request, rows, queries.RULE_COLUMNS, paging=paging, form=form)


@router.get("/alerts", response_model=Page[models.AlertResponse], responses=CSV_TOO)
def alerts(
    request: Request, *, named: Named, desk: OnDesk, paging: Part, form: FormQuery = None
) -> Response:
    """Return what the rules told of publications, newest first."""
    rows = queries.alerts(desk, named)
    return listed(request, rows, queries.ALERT_COLUMNS, paging=paging, form=form)


@router.get("/overrides", response_model=Page[models.OverrideResponse], responses=CSV_TOO)
def overrides(
    request: Request, *, current: Chosen, desk: OnDesk, paging: Part, form: FormQuery = None
) -> Response:
    """Return every override ever made beside the model's median, newest first."""
    rows = queries.overrides(current, desk)
    return listed(request, rows, queries.OVERRIDE_SHOWN, paging=paging, form=form)


@trail.get("/audit", response_model=Page[models.AuditEntryResponse], responses=CSV_TOO, **_TOKEN)
def audit(request: Request, desk: OnDesk, paging: Part, form: FormQuery = None) -> Response:
    """Return the audit trail, newest first; it always needs a token."""
    return listed(request, queries.audit(desk), queries.AUDIT_COLUMNS, paging=paging, form=form)


@writing.post("/needs", response_model=models.NeedResponse, **_MADE)
def add_need(told: models.NewNeed, *, who: Writer, shared: Shared) -> Record:
    """State a need."""
    current = shared.live.of(told.commodity)
    months = (month_start(told.period_from), month_start(told.period_to))
    made = NeedRow(told.name, told.destination, *months, told.tonnes, current.commodity)
    number = actions.state_need(shared, who, made)
    return need_of(lambda _: current, shared.live.desk, number)


@writing.delete("/needs/{number}", **_GONE)
def end_need(number: Number, *, who: Writer, shared: Shared) -> None:
    """End a need and the alert rules on it; the audit trail keeps what it was."""
    actions.drop_need(shared, who, number)


@writing.post("/alert-rules", response_model=models.CreatedRuleResponse, **_MADE)
def add_rule(told: models.NewRule, *, who: Writer, shared: Shared) -> Record:
    """Make an alert rule; its secret is told this once."""
    asked = {**told.model_dump(), "commodity": told.commodity or ""}
    number, secret = actions.watch(shared, who, AlertRule(**asked))
    made = next(row for row in queries.rules(shared.live.desk) if row["id"] == number)
    return {**made, "secret": secret}


@writing.delete("/alert-rules/{number}", **_GONE)
def end_rule(number: Number, *, who: Writer, shared: Shared) -> None:
    """End an alert rule."""
    actions.unwatch(shared, who, number)


@writing.post("/overrides", response_model=models.OverrideResponse, **_MADE)
def add_override(told: models.NewOverride, *, who: Writer, shared: Shared) -> Record:
    """Put an override beside a published median; earlier ones stay."""
    asked = actions.ExpectedMonth(
        destination=told.destination,
        period=month_start(told.period),
        as_of=moment_of(told.as_of),
        tonnes=told.tonnes,
        reason=told.reason,
        commodity=told.commodity,
    )
    made = actions.expect(shared, who, asked)
    key = (made.destination, f"{made.period:%Y-%m}", f"{made.as_of:%Y-%m-%dT%H:%M:%SZ}")
    rows = queries.overrides(shared.live.of(told.commodity), shared.live.desk)
    return next(r for r in rows if (r["destination"], r["period"], r["as_of"]) == key)


def month_start(text: str) -> pd.Timestamp:
    """Return the first day of a month ``YYYY-MM``."""
    return pd.Timestamp(f"{text}-01")
