"""The routes of the pages, the same for all commodities; a page is rendered once a day."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import pandas as pd
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import AfterValidator
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute

from service.http.replies import reply
from service.http.responses import CALENDAR, Answer, Record, answer_of, csv_answer, records
from service.language.choice import DEFAULT, chosen, in_language, language
from service.language.phrases import gettext
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.queries.destination_months import known_destination
from service.queries.freshness import data_through
from service.queries.listings import LedgerQuery
from service.request_errors import NothingPublishedError, UnknownError
from service.state import COOKIE, Current, Goods, Planning, Shared, State, may_read
from service.web import chart_routes, forecast_pages, planning_pages, what_if
from service.web.briefing import calendar_of
from service.web.forecast_pages import HOME, destination_page, goods_page
from service.web.planning_pages import form_page
from service.web.record_pages import data_page, policy_page, status_page, track_page
from service.web.render import bare_page, download, scripted, stylesheet
from service.words import file_of, full_words_of, in_reading_order, name_of, query_of
from store.facts.reading import read_publication
from store.publications.basis import estimated_bases
from store.publications.integrity import read_publications
from store.publications.panels import read_panels
from store.vocabulary import FORECAST_COLUMNS, WORLD

pages = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])

_MOST: Final = 10**9

_COLUMNS: Final = ("publication", "as_of", *FORECAST_COLUMNS)

Number = Annotated[int, Path(ge=1, le=_MOST)]


@pages.get("/publications/{number}")
async def publication_route(request: Request, shared: Shared, number: Number) -> Response:
    """Show one publication; the address shows the same numbers for good."""
    return reply(request, await run_in_threadpool(publication_page, shared.live.engine, number))


@pages.get("/publications/{number}/forecasts.csv")
async def numbers_route(request: Request, shared: Shared, number: Number) -> Response:
    """Numbers of one publication, the same bytes for good."""
    rows, _ = await run_in_threadpool(_publication, shared.live.engine, number)
    name = f"{file_of(rows['commodity'].iloc[0])}_publication_{number}.csv"
    return reply(request, csv_answer(records(rows[list(_COLUMNS)]), _COLUMNS), download(name))


def _publication(engine: Engine, number: int) -> tuple[pd.DataFrame, Record]:
    rows = read_publication(engine, number)
    if rows.empty:
        raise UnknownError(
            gettext(
                "There is no publication %(number)s. The list of published forecasts is at "
                "/track-record#published-head.",
                number=number,
            )
        )
    publications = read_publications(engine)
    (record,) = publications.loc[publications["id"] == number].to_dict("records")
    sorted_rows = rows.sort_values(["destination", "period"], ignore_index=True)
    return sorted_rows, {str(name): value for name, value in record.items()}


def _reach(engine: Engine, cutoff: str, record: Record) -> str:
    """Months that the data of a publication reach, in words."""
    panels = read_panels(engine, {record["panel"]})
    bases = (estimated_bases(panel.frame, cutoff) for panel in panels.values())
    return data_through(cutoff, next(bases, {}))


def publication_page(engine: Engine, number: int) -> Answer:
    """Page of one publication, which is cited by its whole address."""
    rows, record = _publication(engine, number)
    commodity = str(record["commodity"])
    months = {
        str(name): group.set_index("period")[["p10", "p50", "p90"]].to_dict("index")
        for name, group in rows.groupby("destination")
    }
    with in_language(DEFAULT):
        english = full_words_of(commodity, {})
    return bare_page(
        "publication.html.j2",
        address=f"/publications/{number}",
        number=number,
        record=record,
        goods_in_english=english,
        commodity_words=full_words_of(commodity, {}),
        commodity_query=query_of(commodity),
        reach=_reach(engine, str(rows["cutoff"].max()), record),
        periods=sorted(set(rows["period"])),
        lines=[(name_of(name), months[name]) for name in in_reading_order(months)],
    )


@pages.get("/docs")
async def docs_route(request: Request) -> Response:
    """Show what the API answers, for people."""
    document = request.app.openapi()
    groups = operations(document)
    page = bare_page("docs.html.j2", address="/docs", about=document["info"], groups=groups)
    return reply(request, page)


@pages.get("/method")
async def method_route(request: Request, shared: Shared) -> Response:
    """Show how the forecast is made, whose data it uses and whom to ask."""
    page = bare_page("method.html.j2", address="/method", contact=shared.rules.contact)
    return reply(request, page)


def operations(document: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Operations of an OpenAPI document by their group, in its order."""
    groups: dict[str, list[Record]] = {}
    for address, methods in document["paths"].items():
        for method, operation in methods.items():
            fields = [
                {
                    "name": parameter["name"],
                    "needed": parameter.get("required", False),
                    "meaning": parameter.get("description", ""),
                }
                for parameter in operation.get("parameters", [])
            ]
            groups.setdefault(operation["tags"][0], []).append(
                {
                    "method": method.upper(),
                    "address": address,
                    "about": operation.get("description", ""),
                    "fields": fields,
                    "has_body": "requestBody" in operation,
                }
            )
    return groups


MOST_PAGES: Final = 1000

COOKIE_S: Final = 31_536_000
COUNTRY_OF_LANGUAGE: Final = {"de": "DEU", "ja": "JPN", "ko": "KOR"}
"""The destination that readers of a language see first; others see the world."""

Code = Annotated[str, Path(max_length=20), AfterValidator(str.upper)]
Digest = Literal["txt", "atom"]
Words = Annotated[str, Query(max_length=100)]
Choice = Annotated[str, Query(max_length=40)]
Country = Annotated[Choice, AfterValidator(str.upper)]


ICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#00507d" d="M2 2h4v6'
    b'a2 2 0 0 0 4 0V2h4v6a6 6 0 0 1-12 0z"/><path fill="#d55e00" d="M2 2h4v3H2zm8 0h4v3h-4z"/>'
    b"</svg>"
)

files = APIRouter(include_in_schema=False)


def page_routes() -> list[BaseRoute]:
    """Routes of the pages; styles and icon need no token."""
    routers = what_if.router, planning_pages.router, chart_routes.files
    return [route for part in (pages, files, chart_routes.pages, *routers) for route in part.routes]


@pages.get("/")
@pages.get("/goods/{commodity}")
async def home_route(
    request: Request, *, goods: Goods, shared: Shared, planning: Planning, country: Country = ""
) -> Response:
    """Show the destination of the reader."""
    destination = _chosen(request, goods, country)
    query = f"country={destination}&" if country else HOME
    page = await _destination(request, goods, shared, planning, destination, home=query)
    return _remembering(page, destination, country)


def _chosen(request: Request, goods: Publication, country: str) -> str:
    """Destination requested, else the one chosen before, else that of the language."""
    if country:
        return known_destination(goods, country)
    usual = (request.cookies.get(COOKIE, ""), COUNTRY_OF_LANGUAGE.get(language(), ""), WORLD)
    return next((code for code in usual if code in goods.destinations), goods.destinations[0])


def _remembering(page: Response, destination: str, country: str) -> Response:
    page.headers.add_vary_header("Cookie")
    if country:
        page.set_cookie(COOKIE, destination, max_age=COOKIE_S, httponly=True, samesite="lax")
    return page


@pages.get("/goods")
async def goods_list_route(request: Request, current: Current, shared: Shared) -> Response:
    """Show the other commodities."""
    return await _page(request, shared, current, "goods", goods_page, shared.live.engine)


@pages.get("/destinations/{destination}")
@pages.get("/goods/{commodity}/destinations/{destination}")
async def destination_route(
    request: Request, *, goods: Goods, shared: Shared, planning: Planning, destination: Code
) -> Response:
    """Show one destination."""
    known_destination(goods, destination)
    return await _destination(request, goods, shared, planning, destination)


async def _destination(
    request: Request,
    goods: Publication,
    shared: State,
    planning: PlanningState,
    destination: str,
    *,
    home: str = "",
) -> Response:
    # One page more for each write on this destination, and no more.
    needs, rivals = planning.rows.needs, planning.rivals_of(goods.commodity, destination)
    planned = needs.loc[needs["destination"].eq(destination)]
    written = (len(planned), int(planned["ended_at"].notna().sum()), *rivals["id"].nlargest(1))
    key = ("destination", destination, written, home)
    make = partial(destination_page, home=home)
    page = await _page(request, shared, goods, key, make, planning, destination)
    return scripted(form_page(page))


@pages.get("/destinations/{destination}/dates.ics")
@pages.get("/goods/{commodity}/destinations/{destination}/dates.ics")
async def dates_route(
    request: Request, *, goods: Goods, shared: Shared, destination: Code
) -> Response:
    """Dates that matter to a destination as a calendar to subscribe to."""
    known_destination(goods, destination)
    body = await run_in_threadpool(calendar_of, goods, destination, shared.live.clock())
    return reply(request, answer_of(body, CALENDAR))


@pages.get("/destinations/{destination}/digest.{form}")
@pages.get("/goods/{commodity}/destinations/{destination}/digest.{form}")
async def digest_route(
    request: Request, *, goods: Goods, shared: Shared, destination: Code, form: Digest
) -> Response:
    """Answer for a destination as text to be sent by mail, or as a feed of it."""
    known_destination(goods, destination)
    key = ("digest", destination, form)
    return await _page(request, shared, goods, key, forecast_pages.digest, destination, form)


@pages.get("/track-record")
@pages.get("/goods/{commodity}/track-record")
async def track_route(
    request: Request, *, goods: Goods, shared: Shared, planning: Planning, country: Country = ""
) -> Response:
    """Show the track record, with the panels of the reader's destination."""
    destination = _chosen(request, goods, country)
    key = ("track", destination, len(planning.rows.rivals))
    page = await _page(request, shared, goods, key, track_page, planning, destination)
    return _remembering(scripted(page), destination, country)


@pages.get("/data")
async def data_route(request: Request, current: Current, shared: Shared) -> Response:
    """Show ingested files and figures."""
    return await _page(request, shared, current, "data", data_page)


@pages.get("/status")
async def status_route(request: Request, shared: Shared) -> Response:
    """Show the system status, also without a forecast."""
    try:
        current = shared.live.publication
    except NothingPublishedError:
        current = None
    health = await shared.health.newest()
    return reply(
        request, await run_in_threadpool(status_page, health, current, shared.live.clock())
    )


@pages.get("/policy")
async def policy_route(
    request: Request,
    *,
    current: Current,
    shared: Shared,
    q: Words = "",
    destination: Choice = "",
    instrument: Choice = "",
    page: Annotated[int, Query(ge=1, le=MOST_PAGES)] = 1,
) -> Response:
    """Show the policy ledger."""
    search, read_at = LedgerQuery(q, destination, instrument), shared.live.clock()
    if search == LedgerQuery() and page == 1:  # only the page without a search is cached
        return await _page(request, shared, current, "policy", policy_page, search, page)
    return reply(request, await run_in_threadpool(policy_page, current, read_at, search, page))


@pages.get("/destinations/{destination}/forecast.xlsx")
@pages.get("/goods/{commodity}/destinations/{destination}/forecast.xlsx")
async def workbook_route(
    request: Request, goods: Goods, planning: Planning, destination: Code
) -> Response:
    """Forecast and the history of one destination as a spreadsheet."""
    body = await run_in_threadpool(forecast_pages.workbook, goods, destination, planning)
    name = f"{file_of(goods.commodity)}_{destination}_{goods.as_of:%Y-%m-%d}.xlsx"
    return reply(request, answer_of(body, forecast_pages.XLSX), download(name))


@files.get("/static/style.css")
async def style_route(request: Request) -> Response:
    """Styles."""
    return reply(request, stylesheet())


@files.get("/static/icon.svg")
async def icon_route(request: Request) -> Response:
    """Icon."""
    return reply(request, answer_of(ICON, "image/svg+xml"))


@files.get("/robots.txt")
async def robots_route() -> Response:
    """Ask search engines to stay away."""
    return Response("User-agent: *\nDisallow: /\n", HTTPStatus.OK, media_type="text/plain")


async def _page(
    request: Request,
    shared: State,
    current: Publication,
    key: object,
    make: Callable[..., Answer],
    *arguments: object,
) -> Response:
    """Page of a publication that ``make`` renders, cached by publication, day and language."""
    read_at = shared.live.clock()
    cache_key = ("page", key, read_at.date(), chosen())
    answer: Answer | None = current.memo.get(cache_key)
    if answer is None:
        render = partial(make, current, read_at, *arguments)
        answer = await run_in_threadpool(current.memo.make, cache_key, render)
    return reply(request, answer)
