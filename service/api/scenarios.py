"""Scenarios over the API: the forecast with and without a scenario; nothing is stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Final

import yaml
from fastapi import HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.api.forecasts import CSV_TOO
from service.api.models import Page, ScenarioAnswer
from service.api.models import WorkedScenarioResponse as WorkedModel
from service.http.replies import PROBLEM, FormQuery, Shown, reply, wants_csv
from service.http.responses import Answer
from service.queries.history import known_destination
from service.scenarios import WorkedScenario, scenario_csv, scenario_json
from service.state import Current, Scenarios, api_router, may_read
from store.schema.scenario import ScenarioText

_SCENARIO: Final[dict[str, Any]] = ScenarioText.model_json_schema(
    ref_template="#/components/schemas/{model}"
)
PARTS: Final[Mapping[str, Any]] = _SCENARIO.pop("$defs")
"""Schemas that the scenario refers to, by name."""

router = api_router(may_read, tag="scenarios")

_KINDS: Final = ("application/json", "application/yaml", "application/x-yaml", "text/yaml")
"""Accepted bodies. No form of another site can send one without a preflight request."""

WORKED_COLUMNS: Final = ("key", "name", "description", "text")

Wanted = Annotated[
    list[str] | None,
    Query(alias="destination", max_length=50, description="Repeat for several; all by default."),
]

_PROBLEM: Final = {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}


@router.get("/scenarios", response_model=Page[WorkedModel], responses=CSV_TOO)
def worked(pool: Scenarios, shown: Shown) -> Response:
    """Return example scenarios, ready to be posted."""
    rows = [asdict(one) for one in pool.what_if.worked]
    return shown.reply(rows, WORKED_COLUMNS)


@router.post(
    "/scenarios",
    response_model=ScenarioAnswer,
    responses={
        200: CSV_TOO[200],
        413: {"description": "The scenario is too large.", **_PROBLEM},
        415: {"description": "The body is neither JSON nor YAML.", **_PROBLEM},
    },
)
async def ask(
    request: Request,
    *,
    current: Current,
    pool: Scenarios,
    destinations: Wanted = None,
    form: FormQuery = None,
) -> Response:
    """Return forecasts with and without a scenario, and the difference with its own band.

    Nothing is stored, so read access is enough. Scenarios are computed one at a time, equal ones
    once.
    """
    for name in destinations or []:
        known_destination(current, name)
    text = await body_text(request)
    result = await pool.answer(current, text)
    make = scenario_csv if wants_csv(request, form) else scenario_json
    answer: Answer = await run_in_threadpool(make, result, current.as_of, destinations)
    return reply(request, answer)


async def body_text(request: Request) -> bytes:
    """Return the body of a request that is JSON or YAML."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KINDS:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type {kind!r} is not accepted. Expected one of {', '.join(_KINDS)}. "
            "Send a scenario like the files in scenarios/ with its content type.",
        )
    return await request.body()


def body_of(worked: Sequence[WorkedScenario]) -> dict[str, Any]:
    """Return the documentation of the body, with example scenarios."""
    # JSON has no dates: they are texts.
    examples = {
        one.key: {
            "summary": one.name,
            "value": json.loads(json.dumps(yaml.safe_load(one.text), default=str)),
        }
        for one in worked
    }
    content = {"schema": _SCENARIO, "examples": examples}
    return {
        "required": True,
        "description": "Measures and tariff steps, like the files in scenarios/.",
        "content": {"application/json": content, "application/yaml": content},
    }
