"""Planning over the API: needs, alert rules, alerts, forecasts by others, the audit trail.

Writing needs a token with write access; bodies are JSON, which no form of another site sends.
"""

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Path, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.forecast_routes import CSV_TOO
from service.api.response_models import Page
from service.api.scenario_routes import PROBLEM_BODY
from service.http.replies import Shown, reply
from service.http.responses import Record, json_answer
from service.planning import entries, rivals
from service.planning.firm import PARAMETERS, FirmAnswer, firm_answer, question_in
from service.queries.needs import need_documents, need_of
from service.queries.row_models import columns_of
from service.state import Chosen, Named, Planning, Shared, Writer, api_router, may_audit, may_read
from store.planning import planning_rows as stored
from store.planning.planning_rows import MOST_RIVALS

router = api_router(may_read, tag="planning")
trail = api_router(may_audit, tag="planning")
writing = api_router(tag="planning")

LARGEST_NUMBER: Final = 2**31 - 1
Number = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]

_TOKEN: Final[dict[str, Any]] = {"openapi_extra": {"security": [{"token": []}]}}
_MADE: Final[dict[str, Any]] = {"status_code": HTTPStatus.CREATED, **_TOKEN}
_FILE: Final[dict[str, Any]] = {
    "security": [{"token": []}],
    "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}},
}
_TOO_LARGE: Final[dict[int | str, dict[str, Any]]] = {
    413: {"description": "The body is too large.", **PROBLEM_BODY}
}
_GONE: Final[dict[str, Any]] = {"status_code": HTTPStatus.NO_CONTENT, **_TOKEN}


@router.get("/needs", response_model=Page[entries.NeedResponse], responses=CSV_TOO)
def needs(current: Chosen, shared: Shared, planning: Planning, shown: Shown) -> Response:
    """Active needs beside the newest forecast; CSV without the months."""
    columns = [
        n for n in columns_of(entries.NeedResponse) if n not in {"destination_name", "months"}
    ]
    return shown.reply(need_documents(current, planning, shared.live.clock()), columns)


@router.get("/stock-outlook", response_model=FirmAnswer, openapi_extra={"parameters": PARAMETERS})
async def outlook(
    request: Request, *, current: Chosen, shared: Shared, what_if: bool = False
) -> FirmAnswer:
    """When a firm's stock runs out, and its safety stock; nothing is stored."""
    question = question_in(request.query_params)
    pool = shared.scenarios if what_if else None
    return await firm_answer(
        current, question, pool, now=shared.live.clock(), shipping=shared.live.shipping
    )


@router.get("/needs/{number}", response_model=entries.NeedResponse)
def need(request: Request, shared: Shared, planning: Planning, number: Number) -> Response:
    """One need: the chance of a shortfall in each month, and the safety stock."""
    return reply(request, json_answer(need_of(shared.live, planning, number)))


@router.get("/alert-rules", response_model=Page[entries.RuleResponse], responses=CSV_TOO)
def alert_rules(named: Named, planning: Planning, shown: Shown) -> Response:
    """Active alert rules, newest first."""
    return shown.reply(entries.rules(planning, named), columns_of(entries.RuleResponse))


@router.get("/alerts", response_model=Page[entries.AlertResponse], responses=CSV_TOO)
def alerts(named: Named, planning: Planning, shown: Shown) -> Response:
    """Alerts, newest first."""
    return shown.reply(entries.alerts(planning, named), columns_of(entries.AlertResponse))


@router.get("/rival-forecasts", response_model=Page[rivals.RivalResponse], responses=CSV_TOO)
def rival_forecasts(current: Chosen, planning: Planning, shown: Shown) -> Response:
    """Forecasts by others beside ours of the same day, newest first."""
    return shown.reply(rivals.rivals(current, planning), columns_of(rivals.RivalResponse))


@router.get("/rival-scores", response_model=Page[rivals.RivalScore], responses=CSV_TOO)
def scores_of_rivals(current: Chosen, planning: Planning, shown: Shown) -> Response:
    """How forecasts by others did beside ours over the same months, by name and lead."""
    return shown.reply(rivals.rival_scores(current, planning), columns_of(rivals.RivalScore))


@trail.get("/audit", response_model=Page[entries.AuditEntryResponse], responses=CSV_TOO, **_TOKEN)
def audit(planning: Planning, shown: Shown) -> Response:
    """Audit trail, newest first; it always needs a token."""
    answer = shown.reply(entries.audit(planning), columns_of(entries.AuditEntryResponse))
    answer.headers["Cache-Control"] = "no-store"
    return answer


@writing.post("/needs", response_model=entries.NeedResponse, **_MADE)
def add_need(body: entries.NewNeed, *, actor: Writer, shared: Shared) -> Record:
    """Record a need."""
    number = entries.write(shared.live, stored.add_need, body.row, actor=actor)
    return need_of(shared.live, shared.live.planning, number)


@writing.delete("/needs/{number}", **_GONE)
def end_need(number: Number, *, actor: Writer, shared: Shared) -> None:
    """End a need and the alert rules on it; the audit trail keeps what it was."""
    entries.write(shared.live, stored.end_need, number, actor=actor)


@writing.post("/needs/{number}/restore", **_GONE)
def restore_need(number: Number, *, actor: Writer, shared: Shared) -> None:
    """Take back the end of a need and of the alert rules that ended with it."""
    entries.write(shared.live, stored.restore_need, number, actor=actor)


@writing.post("/alert-rules", response_model=entries.RuleResponse, **_MADE)
def add_rule(body: entries.NewRule, *, actor: Writer, shared: Shared) -> Record:
    """Create an alert rule."""
    number = entries.create_rule(shared.live, actor, body.row)
    return next(row for row in entries.rules(shared.live.planning) if row["id"] == number)


@writing.delete("/alert-rules/{number}", **_GONE)
def end_rule(number: Number, *, actor: Writer, shared: Shared) -> None:
    """End an alert rule."""
    entries.write(shared.live, stored.end_rule, number, actor=actor)


@writing.post("/rival-forecasts", responses=_TOO_LARGE, **_MADE)
def add_rivals(
    body: Annotated[list[rivals.NewRival], Field(max_length=MOST_RIVALS)],
    *,
    actor: Writer,
    shared: Shared,
) -> dict[str, int]:
    """Record forecasts by others, all or none; earlier ones stay."""
    rivals.record_rivals(shared.live, actor, body)
    return {"recorded": len(body)}


@writing.post(
    "/rival-forecasts/file",
    openapi_extra=_FILE,
    status_code=HTTPStatus.CREATED,
    responses=_TOO_LARGE,
)
async def add_rivals_of_file(request: Request, *, actor: Writer, shared: Shared) -> dict[str, int]:
    """Record the forecasts by others of a CSV file, all or none."""
    rows = rivals.rows_of_file(await request.body())
    await run_in_threadpool(rivals.record_rivals, shared.live, actor, rows)
    return {"recorded": len(rows)}
