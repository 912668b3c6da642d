"""The what-if page, its files and routes: both forecasts, the difference, the levers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlencode

import pandas as pd
from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.charts.chart import Chart
from service.charts.fan import fan_of
from service.charts.scenario_chart import Pair, difference_chart, paired_chart
from service.errors import NoAnswerError, ScenarioRefusedError, UnknownError
from service.http.replies import refusal, reply
from service.http.responses import Answer
from service.language.acts import act_words
from service.language.choice import DEFAULT, chosen, in_language
from service.language.formats import dated, listed, percentage, separated
from service.language.phrases import gettext
from service.live.publication import Publication
from service.messages import message_of, rendered
from service.queries.history import known_destination
from service.scenarios import (
    SIDES,
    ScenarioPool,
    ScenarioResult,
    WorkedScenario,
    scenario_csv,
)
from service.state import Current, Scenarios, Shared, State, may_read
from service.web.charts import Form, Looked, in_form
from service.web.drawn import Drawn
from service.web.lever_form import (
    BESIDE,
    LICENCE_KINDS,
    LONGEST_QUERY,
    MOST_BESIDE,
    LeverChoices,
    LeverForm,
    check,
    choices_of,
    form_like,
    form_of,
)
from service.web.render import page
from service.web.scripts import script_address, scripted
from service.wording import in_reading_order, name_of, signed_percent, tonnes
from store.errors import DataError
from store.messages import Message
from store.numbers import plain_number
from store.vocabulary import QUANTILE_COLUMNS, WORLD

_ADDRESS: Final = "/what-if"
SCRIPT_ADDRESS: Final = script_address("levers")
"""Of the script that moves the sliders and renews the result."""


@dataclass(frozen=True, slots=True)
class WhatIfView:
    """The scenario to show, and for which destination."""

    destination: str
    form: LeverForm
    choices: LeverChoices
    errors: dict[str, str]
    worked: tuple[WorkedScenario, ...]
    picked: WorkedScenario | None
    """The example scenario that is shown, if any."""
    title: str = ""
    """Of a scenario of the form, in words."""
    beside: tuple[str, ...] = ()
    """Queries of the results kept for comparison."""

    @property
    def own_query(self) -> str:
        if self.picked is not None:
            return urlencode({"worked": self.picked.key})
        return self.form.query()

    @property
    def query(self) -> str:
        return self.query_with(self.beside)

    @property
    def keeping(self) -> str:
        if self.own_query in self.beside or len(self.beside) == MOST_BESIDE:
            return ""
        return self.query_with((*self.beside, self.own_query))

    def without(self, kept: str) -> str:
        """Return the query of the same page without a kept result."""
        return self.query_with(tuple(one for one in self.beside if one != kept))

    @property
    def cleared(self) -> str:
        return replace(self, picked=None, form=LeverForm({})).query

    def of_preset(self, worked: WorkedScenario) -> str:
        """Return the query of an example scenario beside the results that are kept."""
        return replace(self, picked=worked).query

    def query_with(self, beside: tuple[str, ...]) -> str:
        """Return the query of the same scenario beside some results."""
        own = urlencode([("destination", self.destination), *((BESIDE, one) for one in beside)])
        return f"{own}&{self.own_query}".rstrip("&")


@dataclass(frozen=True, slots=True)
class DestinationEffect:
    """Effect of a scenario on one destination over the months it changes; means in tonnes."""

    destination: str
    base: float
    scenario: float

    @property
    def difference(self) -> float:
        return self.scenario - self.base

    @property
    def change(self) -> float:
        return self.scenario / self.base - 1 if self.base > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Result:
    """What the page shows of a result."""

    answer: ScenarioResult
    title: str
    text: str
    """The scenario as YAML."""
    headline: str
    span: str
    effects: tuple[DestinationEffect, ...]
    rows: list[dict[str, object]]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    """Sentences, for the destination shown."""
    pair: Pair
    base_label: str
    """Name of the base: the publication and its day."""
    query: str
    """Of the address that has its charts."""

    @property
    def label(self) -> str:
        return gettext(
            "Chart. %(headline)s The table below has the numbers.", headline=self.headline
        )

    @property
    def charts(self) -> list[Drawn]:
        return [Drawn(f"{_ADDRESS}/charts/{kind}", self.label, kind, self.query) for kind in CHARTS]


CHARTS: Final[Mapping[str, Callable[[Pair, str], Chart]]] = {
    "paired": paired_chart,
    "difference": difference_chart,
}
"""Charts of a result, as their addresses name them."""


def what_if_page(
    publication: Publication,
    now: pd.Timestamp,
    view: WhatIfView,
    result: Result | None = None,
    *,
    trouble: str = "",
    beside: Sequence[Result] = (),
) -> Answer:
    """Return the page; ``trouble`` explains why there is no result, ``beside`` are those kept."""
    return page(
        "what_if.html.j2",
        publication,
        now=now,
        here=_ADDRESS,
        view=view,
        name=name_of(view.destination),
        result=result,
        trouble=trouble,
        beside=beside,
        kept=f"{view.query}&",
        unchanged=None if result or trouble or view.errors else unchanged(publication, view),
        script=SCRIPT_ADDRESS,
        importers=[(code, _with_rate(code, view.choices)) for code in view.choices.importers],
        laws=_laws_of(view),
        other=_other_of(view),
        places=[(code, name_of(code)) for code in view.choices.destinations],
        licence_kinds=[(kind, gettext(words)) for kind, words in LICENCE_KINDS.items()],
    )


def _note_words(note: Message, choices: LeverChoices) -> str:
    """Return a note in which a known act is called what it is about."""
    events, given = choices.context.events, dict(note.values)
    own = events.loc[events["event_id"] == given.get("act"), "summary"]
    if len(own):
        given["act"] = act_words(str(own.iloc[0])).rstrip(".。")
    return rendered(Message(note.key, given))


def _with_rate(importer: str, choices: LeverChoices) -> str:
    rate = choices.rate_of(importer)
    return name_of(importer) if rate is None else f"{name_of(importer)}, {_percent(rate)}"


def _percent(rate: float) -> str:
    return percentage(separated(f"{rate:g}"))


def _laws_of(view: WhatIfView) -> str:
    """Say what the importer of the form charges, law by law."""
    importer = view.form.texts.get("tariff_importer") or next(iter(view.choices.importers), "")
    rate = view.choices.rate_of(importer)
    if rate is None:
        return gettext("The present rate of %(name)s is not known.", name=name_of(importer))
    laws = [
        gettext(
            "%(rate)s %(law)s (since %(day)s)",
            rate=_percent(one.percent), law=one.law, day=dated(one.since, "day"),
        )
        for one in view.choices.rates[importer]
        if one.percent
    ]  # fmt: skip
    return gettext(
        "In force in %(name)s on %(day)s: %(rate)s. %(laws)s",
        name=name_of(importer),
        day=dated(view.choices.context.day, "day"),
        rate=_percent(rate),
        laws=listed(laws),
    ).rstrip()


def _other_of(view: WhatIfView) -> dict[str, str]:
    """Return what the empty one of new rate and points would be, by its field."""
    texts = view.form.texts
    now = view.choices.rate_of(texts.get("tariff_importer", ""))
    try:
        typed = {name: float(plain_number(texts[name])) for name in _PAIR if texts.get(name)}
    except ValueError:
        return {}
    if now is None or len(typed) != 1:
        return {}
    if "tariff_rate" in typed:
        return {"tariff_points": separated(f"{typed['tariff_rate'] - now:+g}")}
    return {"tariff_rate": separated(f"{max(now + typed['tariff_points'], 0.0):g}")}


_PAIR: Final = ("tariff_rate", "tariff_points")


def result_of(
    publication: Publication, view: WhatIfView, answer: ScenarioResult, text: str, query: str = ""
) -> Result:
    """Return what the page shows of a result for the destination chosen."""
    table = answer.table.assign(period=pd.to_datetime(answer.table["period"]))
    own = table.loc[table["destination"] == view.destination].reset_index(drop=True)
    ahead = table.loc[table["period"] >= view.choices.context.day.replace(day=1)]
    effects = _effects(ahead)
    span = _span(ahead["period"].min(), ahead["period"].max())
    effect = next((one for one in effects if one.destination == view.destination), None)
    headline = _headline(view.destination, effect, span)
    fan = fan_of(publication, view.destination)
    base_label = gettext("Published %(day)s", day=dated(publication.as_of, "day"))
    return Result(
        answer=answer,
        title=view.title or act_words(answer.name),
        text=text,
        headline=headline,
        span=span,
        effects=effects,
        rows=[{str(key): value for key, value in row.items()} for row in own.to_dict("records")],
        notes=tuple(_note_words(note, view.choices) for note in answer.notes),
        warnings=tuple(map(rendered, answer.warnings.get(view.destination, ()))),
        pair=Pair(fan, own, base_label),
        base_label=base_label,
        query=(query and f"destination={view.destination}&{query}") or view.query_with(()),
    )


def unchanged(publication: Publication, view: WhatIfView) -> Result:
    """Return the published forecast as the result of a scenario that changes nothing."""
    rows = publication.latest
    table = rows[["destination", "period"]].assign(
        **{f"{side}_{name}": rows[name] for side in SIDES for name in (*QUANTILE_COLUMNS, "mean")},
        **dict.fromkeys(("difference_p10", "difference_mean", "difference_p90"), 0.0),
        warning="",
    )
    return result_of(publication, view, ScenarioResult("", "", table, (), {}), "")


def _span(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return gettext(
        "%(first)s to %(last)s", first=dated(first, "long month"), last=dated(last, "long month")
    )


def _effects(ahead: pd.DataFrame) -> tuple[DestinationEffect, ...]:
    """Return the effects on the world and on all affected destinations, over all months ahead."""
    sums = ahead.groupby("destination")[["base_mean", "scenario_mean"]].sum().to_dict("index")
    touched = {*ahead.loc[ahead["scenario_mean"].ne(ahead["base_mean"]), "destination"]}
    return tuple(
        DestinationEffect(name, sums[name]["base_mean"], sums[name]["scenario_mean"])
        for name in in_reading_order(map(str, sums))
        if touched and name in touched | {WORLD}
    )


def _headline(destination: str, effect: DestinationEffect | None, span: str) -> str:
    if effect is None or effect.difference == 0:
        return gettext("%(name)s: no change in any month.", name=name_of(destination))
    return gettext(
        "%(name)s, %(months)s: %(scenario)s\N{NO-BREAK SPACE}t in total instead of "
        "%(base)s\N{NO-BREAK SPACE}t, %(change)s (mean).",
        name=name_of(destination),
        months=span,
        scenario=tonnes(effect.scenario),
        base=tonnes(effect.base),
        change=signed_percent(effect.change),
    )


router = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])

Code = Annotated[str, Query(max_length=20)]
Key = Annotated[str, Query(max_length=60)]


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
        return scripted(refusal(request, made, status, headers))
    if scenario.view.errors:
        return scripted(refusal(request, answer, HTTPStatus.BAD_REQUEST))
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


@router.get("/what-if/charts/{kind}.{form}")
async def chart_route(
    request: Request,
    *,
    current: Current,
    shared: Shared,
    scenario: Scenario,
    kind: Literal["paired", "difference"],
    form: Form,
    look: Looked,
) -> Response:
    """Return a chart of the scenario of an address; of none, of the published forecast."""
    texts = [scenario.text] if scenario.text else []
    answers = await _answers(current, shared.scenarios, texts)

    def make() -> Chart:
        shown = (
            result_of(current, scenario.view, answers[0], scenario.text)
            if answers
            else unchanged(current, scenario.view)
        )
        return CHARTS[kind](shown.pair, shown.label)

    made = await run_in_threadpool(in_form, make, form, shared.drawer, look)
    return reply(request, made, _named(f"what_if_{kind}.{form}"))


def _text_of(scenario: ScenarioQuery) -> bytes:
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
