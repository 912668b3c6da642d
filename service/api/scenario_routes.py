"""Scenarios over the API: the forecast with and without a scenario; nothing is stored."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.forecast_routes import CSV_TOO
from service.api.response_models import Page, ScenarioAnswer
from service.http.replies import PROBLEM, FormQuery, Shown, reply
from service.queries.destination_months import known_destination
from service.scenario_pool import WorkedScenario, scenario_answer
from service.state import Current, Shared, api_router, may_read
from store.schema.scenario import Scenario

_SCENARIO: Final[dict[str, Any]] = Scenario.model_json_schema(
    ref_template="#/components/schemas/{model}"
)
PARTS: Final[Mapping[str, Any]] = _SCENARIO.pop("$defs")
"""Schemas that the scenario refers to, by name."""

_EXAMPLE: Final = {
    "name": "US tariff to 60 percent",
    "tariffs": [{"importer": "USA", "rate_pct": 60, "effective_from": "2027-01-01"}],
}
_CONTENT: Final = {"schema": _SCENARIO, "example": _EXAMPLE}
_BODY: Final = {
    "required": True,
    "description": "Measures and tariff steps, like those that GET returns.",
    "content": {"application/json": _CONTENT, "application/yaml": _CONTENT},
}

router = api_router(may_read, tag="scenarios")

_KINDS: Final = ("application/json", "application/yaml", "application/x-yaml", "text/yaml")
"""Accepted bodies. No form of another site can send one without a preflight request."""

Wanted = Annotated[
    list[str] | None,
    Query(alias="destination", max_length=50, description="Repeat for several; all by default."),
]

PROBLEM_BODY: Final = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


@router.get("/scenarios", response_model=Page[WorkedScenario], responses=CSV_TOO)
def worked(shared: Shared, shown: Shown) -> Response:
    """Example scenarios, ready to be posted."""
    rows = [example.model_dump() for example in shared.scenarios.what_if.worked]
    return shown.reply(rows, tuple(WorkedScenario.model_fields))


@router.post(
    "/scenarios",
    response_model=ScenarioAnswer,
    openapi_extra={"requestBody": _BODY},
    responses={
        200: CSV_TOO[200],
        413: {"description": "The scenario is too large.", **PROBLEM_BODY},
        415: {"description": "The body is neither JSON nor YAML.", **PROBLEM_BODY},
    },
)
async def ask(
    request: Request,
    *,
    current: Current,
    shared: Shared,
    destinations: Wanted = None,
    form: FormQuery = "json",
) -> Response:
    """Forecasts with and without a scenario, and the difference with its own band.

    Nothing is stored, so read access is enough. Scenarios are computed one at a time, equal ones
    once.
    """
    for name in destinations or []:
        known_destination(current, name)
    text = await body_text(request)
    result = await shared.scenarios.answer(current, text)
    answer = await run_in_threadpool(
        scenario_answer, result, current.as_of, destinations, as_csv=form == "csv"
    )
    return reply(request, answer)


async def body_text(request: Request) -> bytes:
    """Body of a request that is JSON or YAML."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type {kind!r} is not accepted. Expected one of {', '.join(_KINDS)}. "
            "Send a scenario like the files in scenarios/ with its content type.",
        )
    return await request.body()
