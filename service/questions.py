"""The answers that no file has: what-if, the stock question, scenarios by POST."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from publication.feeds import atom
from publication.language.phrases import DEFAULT, LANGUAGES, gettext, in_language
from publication.pages.destination_pages import first_country
from publication.pages.render import error_text, folder_of, page
from publication.queries.destination_months import known_destination, titles
from publication.state import NothingPublishedError, Publication, UnknownError, newest_publications
from publication.tables import Record, json_text
from publication.words import message_of
from service.lever_form import context_of
from service.scenario_pool import NoAnswerError, ScenarioEngine, ScenarioPool, scenario_answer
from service.stock import firm_answer, question_in
from service.what_if import (
    PUBLICATION,
    Result,
    WhatIfView,
    result_of,
    scenario_in,
    view_of,
    what_if_page,
)
from store.database import Mark
from store.errors import DataError, StoreError
from store.publications.publication_rows import read_mark
from store.schema.scenario import scenario_of

_BODIES: Final = ("application/json", "application/yaml", "application/x-yaml", "text/yaml")
"""Of a scenario. No form of another site can send one without a preflight request."""

_MEDIA: Final = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
}


class Questions:
    """The newest publications, and what computes scenarios on them."""

    def __init__(
        self,
        engine: Engine,
        what_if: ScenarioEngine,
        *,
        meanings: Mapping[str, str],
        clock: Callable[[], pd.Timestamp],
        max_body_bytes: int,
    ) -> None:
        self._engine = engine
        self._meanings = meanings
        self._state: tuple[Mark, object] | None = None
        self._publications: list[Publication] = []
        self._max_body_bytes = max_body_bytes
        self.clock = clock
        self.pool = ScenarioPool(what_if)

    def publication(self, commodity: str = "") -> Publication:
        """Newest publication of a commodity, of the first one if not named."""
        state = (read_mark(self._engine), self.clock().date())
        if state != self._state:
            self._publications = newest_publications(
                self._engine, meanings=self._meanings, now=self.clock()
            )
            self._state = state
        codes = [publication.commodity for publication in self._publications]
        if commodity and commodity not in codes:
            raise UnknownError(
                f"No forecasts of commodity {commodity!r}. Expected one of {', '.join(codes)}."
            )
        return self._publications[codes.index(commodity) if commodity else 0]

    async def body_of(self, request: Request) -> bytes:
        """Scenario in the body of a request."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _BODIES:
            raise DataError(
                f"Content-Type {kind!r} is not accepted. Expected one of {', '.join(_BODIES)}. "
                "Send a scenario like the files in scenarios/ with its content type."
            )
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_body_bytes:
                raise DataError(
                    f"The body has more than {self._max_body_bytes} bytes. Expected a smaller one. "
                    "Send less, or raise MAGNETCAST_MAX_BODY_BYTES."
                )
        return bytes(body)


Handler = Callable[[Questions, Request], Any]


async def what_if(questions: Questions, request: Request) -> Response:
    """Page of a scenario, or the form to define one."""
    publication = await run_in_threadpool(questions.publication)
    view = view_of(publication, request.query_params.multi_items())
    shared_from = request.query_params.get(PUBLICATION, "")
    number = shared_from if shared_from.isdecimal() else ""

    def shown(result: Result | None = None, **about: Any) -> str:  # noqa: ANN401 - of the page
        examples = questions.pool.engine.examples
        return what_if_page(
            publication,
            questions.clock(),
            view,
            result,
            examples=examples,
            shared_from=number,
            **about,
        )

    try:
        results = await _results(questions, publication, view)
    except (DataError, NoAnswerError) as err:
        status = _status_of(err)
        text = await run_in_threadpool(shown, trouble=message_of(err))
        return _answer(text, "html", status, getattr(err, "headers", None))
    result = results.pop(0) if view.form.scenario else None
    text = await run_in_threadpool(shown, result, beside=results)
    return _answer(text, "html", HTTPStatus.BAD_REQUEST if view.form.errors else HTTPStatus.OK)


async def _results(
    questions: Questions, publication: Publication, view: WhatIfView
) -> list[Result]:
    """Results of the form of a view, if it is sound, and of those beside it."""
    return [
        await run_in_threadpool(
            result_of, publication, form, view.destination,
            await questions.pool.answer(publication, form.scenario),
        )
        for form in (view.form, *view.beside)
        if form.scenario
    ]  # fmt: skip


async def what_if_table(questions: Questions, request: Request) -> Response:
    """Months of all destinations with and without a scenario as CSV."""
    publication = await run_in_threadpool(questions.publication)
    view = view_of(publication, request.query_params.multi_items())
    result = await questions.pool.answer(publication, scenario_in(view.form))
    return _answer(scenario_answer(result, publication.as_of, as_csv=True), "csv")


async def scenarios(questions: Questions, request: Request) -> Response:
    """Forecasts with and without a scenario in the body; ``destination`` and ``format`` choose."""
    publication = await run_in_threadpool(questions.publication)
    names = request.query_params.getlist("destination") or None
    for name in names or ():
        known_destination(publication, name)
    body, context = await questions.body_of(request), context_of(publication)
    scenario = await run_in_threadpool(questions.pool.engine.read, body, context)
    result = await questions.pool.answer(publication, scenario)
    is_csv = request.query_params.get("format") == "csv"
    text = await run_in_threadpool(scenario_answer, result, publication.as_of, names, as_csv=is_csv)
    return _answer(text, "csv" if is_csv else "json")


async def stock(questions: Questions, request: Request) -> Response:
    """Stock question as a page, as JSON, or as a feed whose entry changes with the answer."""
    fields = {name: text for name, text in request.query_params.items() if text}
    publication = await run_in_threadpool(questions.publication, fields.pop("commodity", ""))
    form = request.url.path.rpartition(".")[2] if "." in request.url.path else "html"
    firm, trouble, status = None, "", HTTPStatus.OK
    if "tonnes" in fields:
        try:
            firm = await _firm(questions, publication, fields)
        except (DataError, NoAnswerError) as err:
            if form != "html":
                raise
            trouble, status = message_of(err), _status_of(err)
    if form == "html":
        text = await run_in_threadpool(_stock_page, questions, publication, fields, firm, trouble)
        return _answer(text, "html", status)
    if firm is None:
        raise DataError("The question has no tonnes. Expected destination, tonnes and stock.")
    if form == "json":
        return _answer(json_text(firm), "json")
    return _answer(_stock_feed(publication, request, firm), "atom")


async def _firm(
    questions: Questions, publication: Publication, fields: Mapping[str, str]
) -> Record:
    question = question_in({"destination": first_country(publication), **fields})
    results = []
    if "what_if" in fields:
        context = context_of(publication)
        for example in questions.pool.engine.examples:
            scenario = scenario_of(example.model_dump(exclude_unset=True), context)
            results.append((example.name, await questions.pool.answer(publication, scenario)))
    return await run_in_threadpool(
        firm_answer, publication, question, results, now=questions.clock()
    )


def _stock_page(
    questions: Questions,
    publication: Publication,
    fields: Mapping[str, str],
    firm: Record | None,
    trouble: str,
) -> str:
    return page(
        "stock.html.j2",
        publication,
        read_at=questions.clock(),
        path="stock.html",
        firm=firm,
        trouble=trouble,
        asked=fields,
        picked=fields.get("destination") or first_country(publication),
        destinations=titles(publication),
        first=f"{questions.clock():%Y-%m}",
    )


def _stock_feed(publication: Publication, request: Request, firm: Record) -> str:
    """Feed of one's own question: a new entry where the publication or the answer is another."""
    headline = gettext(
        "%(name)s: chance that the stock runs out %(chance)s",
        name=firm["destination_name"],
        chance=f"{firm['chance_out']:.0%}",
    )
    content = json_text({n: v for n, v in firm.items() if n not in {"months", "what_if"}})
    name = f"urn:magnetcast:stock:{publication.number}:{firm['chance_out']}:{firm['order_by']}"
    address = str(request.url).replace("stock.atom", "stock.html")
    entry = (publication.as_of, address, {"id": name, "title": headline, "content": content})
    return atom(f"urn:magnetcast:stock:{request.url.query}", headline, [entry])


def _answer(
    text: str,
    form: str,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(text, status, headers, media_type=_MEDIA[form])


def _status_of(err: Exception) -> HTTPStatus:
    if isinstance(err, NoAnswerError | NothingPublishedError | StoreError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.NOT_FOUND if isinstance(err, UnknownError) else HTTPStatus.BAD_REQUEST


def questions_app(questions: Questions) -> Starlette:
    """App of the questions, in each language."""

    def route(path: str, handler: Handler, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            first = request.url.path.split("/")[1]
            with in_language(first if first in LANGUAGES else DEFAULT):
                try:
                    response: Response = await handler(questions, request)
                except (DataError, StoreError) as err:
                    return _refused(err, path)
                return response

        return Route(path, endpoint, methods=[method])

    pages = {"what-if": what_if, "what-if.html": what_if, "what-if.csv": what_if_table}
    pages |= dict.fromkeys(("stock", "stock.html", "stock.json", "stock.atom"), stock)
    return Starlette(
        routes=[
            route("/api/v1/scenarios", scenarios, "POST"),
            *(
                route(f"/{folder_of(code)}{name}", handler)
                for code in LANGUAGES
                for name, handler in pages.items()
            ),
        ]
    )


def _refused(err: Exception, path: str) -> Response:
    status, detail = _status_of(err), message_of(err)
    if path.endswith(("what-if", "stock", ".html")):
        return _answer(error_text(int(status), status.phrase, detail), "html", status)
    about = {"title": status.phrase, "status": int(status), "detail": detail, "instance": path}
    return Response(
        json_text(about),
        status,
        getattr(err, "headers", None),
        media_type="application/problem+json",
    )
