"""The routes of the what-if page and its files; the scenario is in the address."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.errors import NoAnswerError, ScenarioRefusedError, UnknownError
from service.http.replies import reply
from service.http.responses import Answer, answer_of
from service.language.choice import DEFAULT, chosen, in_language
from service.language.phrases import gettext
from service.live.publication import Publication
from service.messages import message_of
from service.queries.history import known_destination
from service.scenarios import (
    ScenarioPool,
    ScenarioResult,
    WorkedScenario,
    comparison_csv,
    scenario_csv,
    scenario_json,
)
from service.state import Current, Scenarios, Shared, State, may_read
from service.web.lever_form import (
    BESIDE,
    LONGEST_QUERY,
    MOST_BESIDE,
    LeverChoices,
    check,
    choices_of,
    form_like,
    form_of,
)
from service.web.scripts import scripted
from service.web.what_if import WhatIfView, result_of, what_if_page
from store.errors import DataError
from store.vocabulary import WORLD

router = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])

Code = Annotated[str, Query(max_length=20)]
Key = Annotated[str, Query(max_length=60)]

YAML: Final = "application/yaml"


@dataclass(frozen=True, slots=True)
class ScenarioQuery:
    """The scenario of an address, and those kept beside it."""

    view: WhatIfView
    text: str
    """YAML; empty without a scenario."""
    beside: tuple[tuple[str, "ScenarioQuery"], ...] = ()
    """Each scenario that is kept, with its query."""


async def scenario_of(
    request: Request, current: Current, shared: Shared, destination: Code = WORLD, worked: Key = ""
) -> ScenarioQuery:
    """Return the scenario of an address."""
    known_destination(current, destination)
    offered = () if shared.scenarios is None else shared.scenarios.what_if.worked
    pairs = request.query_params.multi_items()
    found = _read(pairs, worked, destination, choices_of(current), offered)
    kept = [value[:LONGEST_QUERY] for name, value in pairs if name == BESIDE and value]
    queries = tuple(dict.fromkeys(kept))[:MOST_BESIDE]
    beside = tuple((query, _kept(query, found.view)) for query in queries)
    return replace(found, view=replace(found.view, beside=queries), beside=beside)


def _read(
    pairs: Sequence[tuple[str, str]],
    worked: str,
    destination: str,
    choices: LeverChoices,
    offered: tuple[WorkedScenario, ...],
) -> ScenarioQuery:
    if worked:
        picked = _picked(offered, worked)
        view = WhatIfView(destination, form_like(picked), choices, {}, offered, picked)
        return ScenarioQuery(view, picked.text)
    form = form_of(pairs)
    checked = None if form.is_empty else check(form, choices)
    errors = {} if checked is None else checked.errors
    title = "" if checked is None or errors else checked.title
    view = WhatIfView(destination, form, choices, errors, offered, None, title)
    with in_language(DEFAULT):  # one scenario has one text, whatever the language of the page
        return ScenarioQuery(view, checked.text if checked is not None and title else "")


def _kept(query: str, view: WhatIfView) -> ScenarioQuery:
    pairs = parse_qsl(query)
    worked = dict(pairs).get("worked", "")
    found = _read(pairs, worked, view.destination, view.choices, view.worked)
    _text_of(found)
    return found


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
    key = (current.key, now.date(), scenario.view.query, chosen())
    found: Answer | None = shared.recent_pages.get(key)
    if found is not None:
        return scripted(reply(request, found))
    try:
        answer = await _page(current, shared, scenario)
    except (ScenarioRefusedError, NoAnswerError) as err:
        trouble = message_of(err)
        made = await run_in_threadpool(what_if_page, current, now, scenario.view, trouble=trouble)
        late = isinstance(err, NoAnswerError)
        status = HTTPStatus.SERVICE_UNAVAILABLE if late else HTTPStatus.BAD_REQUEST
        headers = {"Retry-After": "5", **err.headers} if isinstance(err, NoAnswerError) else {}
        return scripted(Response(made.body, status, headers, media_type=made.media))
    if scenario.view.errors:
        return scripted(Response(answer.body, HTTPStatus.BAD_REQUEST, media_type=answer.media))
    shared.recent_pages.keep(key, answer)
    return scripted(reply(request, answer))


async def _page(current: Publication, shared: State, scenario: ScenarioQuery) -> Answer:
    now, view = shared.live.clock(), scenario.view
    asked = [("", scenario)] if scenario.text else []
    asked += scenario.beside
    results = await _answers(current, shared.scenarios, [one.text for _, one in asked])

    def make() -> Answer:
        shown = [
            result_of(current, one.view, result, one.text, query)
            for (query, one), result in zip(asked, results, strict=True)
        ]
        own = shown.pop(0) if scenario.text else None
        return what_if_page(current, now, view, own, beside=shown)

    return await run_in_threadpool(make)


async def _answers(
    current: Publication, pool: ScenarioPool | None, texts: Sequence[str]
) -> list[ScenarioResult]:
    if texts and pool is None:
        raise NoAnswerError("This service computes no scenarios. Use `magnetcast scenario`.")
    return [await pool.answer(current, text.encode()) for text in texts if pool is not None]


async def answer_to(current: Current, pool: Scenarios, scenario: Scenario) -> ScenarioResult:
    """Return the result of the scenario of an address; as ``ScenarioPool.answer``."""
    return await pool.answer(current, _text_of(scenario))


Answered = Annotated[ScenarioResult, Depends(answer_to)]


@router.get("/what-if/answer.csv")
async def csv_route(request: Request, current: Current, result: Answered) -> Response:
    """Return the months of all destinations with and without the scenario as CSV."""
    made = await run_in_threadpool(scenario_csv, result, current.as_of)
    return reply(request, made, _named(f"what_if_{current.as_of:%Y-%m-%d}.csv"))


@router.get("/what-if/side-by-side.csv")
async def comparison_route(
    request: Request, current: Current, pool: Scenarios, scenario: Scenario
) -> Response:
    """Return the months of this scenario and of those kept beside it as one CSV."""
    texts = [scenario.text] if scenario.text else []
    texts += [one.text for _, one in scenario.beside]
    results = await _answers(current, pool, texts)
    made = await run_in_threadpool(comparison_csv, results)
    return reply(request, made, _named(f"what_if_compared_{current.as_of:%Y-%m-%d}.csv"))


@router.get("/what-if/answer.json")
async def json_route(request: Request, current: Current, result: Answered) -> Response:
    """Return the whole result as JSON, like the API."""
    return reply(request, await run_in_threadpool(scenario_json, result, current.as_of))


@router.get("/what-if/scenario.yaml")
async def yaml_route(request: Request, scenario: Scenario) -> Response:
    """Return the scenario as YAML, to be posted or saved."""
    return reply(request, answer_of(_text_of(scenario), YAML), _named("scenario.yaml"))


def _text_of(scenario: ScenarioQuery) -> bytes:
    """Return the scenario."""
    if not scenario.text:
        errors = "; ".join(f"{name}: {text}" for name, text in scenario.view.errors.items())
        raise DataError(
            gettext(
                "No scenario in the address: %(errors)s. Expected the fields of /what-if. Correct "
                "it there.",
                errors=errors.rstrip(".。") or gettext("no field is set"),
            )
        )
    return scenario.text.encode()


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
