"""The routes of the what-if page and its files; the scenario is in the address."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.errors import NoAnswerError, ScenarioRefusedError, UnknownError
from service.http.replies import reply
from service.http.responses import Answer, answer_of
from service.live.publication import Publication
from service.queries.history import known_destination
from service.scenarios.scenario_schema import (
    ScenarioResult,
    WorkedScenario,
    scenario_csv,
    scenario_json,
)
from service.state import Current, Scenarios, Shared, State, may_read
from service.web.lever_checks import check
from service.web.levers import choices_of, form_like, form_of
from service.web.what_if import WhatIfView, result_of, what_if_page
from store.errors import DataError
from store.vocabulary import WORLD

router = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])

Code = Annotated[str, Query(max_length=20)]
Key = Annotated[str, Query(max_length=60)]

YAML: Final = "application/yaml"


@dataclass(frozen=True, slots=True)
class ScenarioQuery:
    """The scenario of an address."""

    view: WhatIfView
    text: str
    """YAML; empty without a scenario."""


async def scenario_of(
    request: Request, current: Current, shared: Shared, destination: Code = WORLD, worked: Key = ""
) -> ScenarioQuery:
    """Return the scenario of an address.

    Raises:
        UnknownError: The destination or example scenario does not exist.
    """
    known_destination(current, destination)
    offered = () if shared.scenarios is None else shared.scenarios.what_if.worked
    choices = choices_of(current)
    if worked:
        picked = _picked(offered, worked)
        form = form_like(picked)
        view = WhatIfView(destination, form, choices, {}, offered, picked)
        return ScenarioQuery(view, picked.text)
    form = form_of(request.query_params.multi_items())
    checked = None if form.is_empty else check(form, choices)
    errors = {} if checked is None else checked.errors
    text = "" if checked is None or errors else checked.text
    return ScenarioQuery(WhatIfView(destination, form, choices, errors, offered, None), text)


def _picked(offered: tuple[WorkedScenario, ...], key: str) -> WorkedScenario:
    for one in offered:
        if one.key == key:
            return one
    raise UnknownError(
        f"No example scenario {key!r}. Expected one of {', '.join(one.key for one in offered)}. "
        "See /api/v1/scenarios."
    )


Scenario = Annotated[ScenarioQuery, Depends(scenario_of)]


@router.get("/what-if")
async def what_if_route(
    request: Request, current: Current, shared: Shared, scenario: Scenario
) -> Response:
    """Show a scenario, or the form to define one."""
    now = shared.live.clock()
    key = (current.key, now.date(), scenario.view.query)
    found: Answer | None = shared.scenario_pages.get(key)
    if found is not None:
        return reply(request, found)
    try:
        answer = await _page(request, current, shared, scenario)
    except (ScenarioRefusedError, NoAnswerError) as err:
        made = await run_in_threadpool(what_if_page, current, now, scenario.view, None, str(err))
        late = isinstance(err, NoAnswerError)
        status = HTTPStatus.SERVICE_UNAVAILABLE if late else HTTPStatus.BAD_REQUEST
        headers = {"Retry-After": "5", **err.headers} if isinstance(err, NoAnswerError) else {}
        return Response(made.body, status, headers, media_type=made.media)
    if scenario.view.errors:
        return Response(answer.body, HTTPStatus.BAD_REQUEST, media_type=answer.media)
    shared.scenario_pages.keep(key, answer)
    return reply(request, answer)


async def _page(
    request: Request, current: Publication, shared: State, scenario: ScenarioQuery
) -> Answer:
    """Return the page, with the result if there is a scenario."""
    now, view = shared.live.clock(), scenario.view
    if not scenario.text:
        return await run_in_threadpool(what_if_page, current, now, view)
    if shared.scenarios is None:
        raise NoAnswerError("This service computes no scenarios. Use `magnetcast scenario`.")
    result = await shared.scenarios.answer(
        current, scenario.text.encode(), first=True, is_gone=request.is_disconnected
    )

    def make() -> Answer:
        return what_if_page(current, now, view, result_of(current, view, result, scenario.text))

    return await run_in_threadpool(make)


async def answer_to(
    request: Request, current: Current, queue: Scenarios, scenario: Scenario
) -> ScenarioResult:
    """Return the result of the scenario of an address; as ``ScenarioQueue.answer``."""
    text = _text_of(scenario)
    return await queue.answer(current, text, first=True, is_gone=request.is_disconnected)


Answered = Annotated[ScenarioResult, Depends(answer_to)]


@router.get("/what-if/answer.csv")
async def csv_route(request: Request, current: Current, result: Answered) -> Response:
    """Return the months of all destinations with and without the scenario as CSV."""
    made = await run_in_threadpool(scenario_csv, result, current.as_of)
    return reply(request, made, _named(f"what_if_{current.as_of:%Y-%m-%d}.csv"))


@router.get("/what-if/answer.json")
async def json_route(request: Request, current: Current, result: Answered) -> Response:
    """Return the whole result as JSON, like the API."""
    return reply(request, await run_in_threadpool(scenario_json, result, current.as_of))


@router.get("/what-if/scenario.yaml")
async def yaml_route(request: Request, scenario: Scenario) -> Response:
    """Return the scenario as YAML, to be posted or saved."""
    return reply(request, answer_of(_text_of(scenario), YAML), _named("scenario.yaml"))


def _text_of(scenario: ScenarioQuery) -> bytes:
    """Return the scenario.

    Raises:
        DataError: There is none, or the form has errors.
    """
    if not scenario.text:
        errors = "; ".join(f"{name}: {text}" for name, text in scenario.view.errors.items())
        raise DataError(
            f"No scenario in the address: {errors.rstrip('.') or 'no field is set'}. Expected the "
            "fields of /what-if. Correct it there."
        )
    return scenario.text.encode()


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
