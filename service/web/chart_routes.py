"""The charts' addresses: description, pictures, rows, and a page to embed; the scripts for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.charts.chart import Chart
from service.charts.drawer import Drawer
from service.charts.stills import WIDTH
from service.http.replies import reply
from service.http.responses import Answer, answer_of, csv_answer
from service.language.choice import in_language, language
from service.language.phrases import gettext
from service.live.live_publication import PlanningState
from service.live.publication import Publication
from service.queries.destination_months import known_destination
from service.request_errors import UnknownError
from service.state import Goods, Planning, Shared, may_read
from service.web.page_charts import CHART_KINDS, chart_of, page_chart
from service.web.render import (
    JAVASCRIPT,
    LIBRARY_ADDRESS,
    SCRIPTED_CSP,
    bare_page,
    kept_for_good,
    script,
    script_address,
    scripted,
)
from service.words import file_of, home_of, name_of

_EMBEDDED_CSP: Final = SCRIPTED_CSP.replace("frame-ancestors 'none'", "frame-ancestors *")
_MEDIA: Final = {"svg": "image/svg+xml", "png": "image/png"}
pages = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])
files = APIRouter(include_in_schema=False)

Kind = Annotated[str, Path(max_length=30)]
Code = Annotated[str, Path(max_length=20)]
Form = Literal["json", "svg", "png", "csv"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is wanted."""

    width: Annotated[int, Query(ge=280, le=1600)] = WIDTH
    themed: bool = False
    """For a page, light or dark; else for paper."""


Looked = Annotated[Look, Depends()]


@pages.get("/charts/{kind}/{destination}.{form}")
@pages.get("/goods/{commodity}/charts/{kind}/{destination}.{form}")
async def chart_route(
    request: Request,
    *,
    goods: Goods,
    shared: Shared,
    planning: Planning,
    kind: Kind,
    destination: Code,
    form: Form,
    look: Looked,
) -> Response:
    """Chart: for a browser to draw, as a picture, or its rows."""
    answer = await run_in_threadpool(
        in_form, lambda: _chart(goods, kind, destination, planning), form, shared.drawer, look
    )
    name = f"{file_of(goods.commodity)}_{kind}_{destination}_{goods.as_of:%Y-%m-%d}.{form}"
    return reply(request, answer, {"Content-Disposition": f'inline; filename="{name}"'})


def in_form(make: Callable[[], Chart], form: Form, drawer: Drawer, look: Look) -> Answer:
    """Chart in one of its forms; a PNG is English where no font has another language."""
    if form == "csv":
        rows = make().rows
        return csv_answer(rows, list(rows[0]) if rows else [])
    if form == "json":
        return answer_of(make().document.encode(), "application/json")
    code = drawer.language_of_png(language()) if form == "png" else language()
    with in_language(code):
        picture = drawer.picture(make(), form, look.width, is_themed=look.themed)
        return answer_of(picture, _MEDIA[form])


@pages.get("/embed/charts/{kind}/{destination}")
@pages.get("/embed/goods/{commodity}/charts/{kind}/{destination}")
async def embed_route(request: Request, *, goods: Goods, kind: Kind, destination: Code) -> Response:
    """Chart as a page that others may frame."""

    def make() -> Answer:
        _chart(goods, kind, destination)  # refuses an unknown chart
        return bare_page(
            "embed.html.j2",
            chart=page_chart(goods, kind, destination),
            name=name_of(destination),
            home=f"{home_of(goods.commodity)}/destinations/{destination}",
        )

    answer = reply(request, await run_in_threadpool(make))
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return scripted(answer, _EMBEDDED_CSP)


@files.get(LIBRARY_ADDRESS)
async def library_route(request: Request, shared: Shared) -> Response:
    """Vega's script."""
    library = await run_in_threadpool(shared.drawer.library)
    return kept_for_good(request, answer_of(library, JAVASCRIPT))


@files.get("/static/{name}-{digest}.js")
async def script_route(request: Request, name: Literal["charts", "levers"]) -> Response:
    """Script of the site; 404 if the digest in the address is not that of its content."""
    if not request.url.path.endswith(script_address(name)):
        raise HTTPException(404)
    return kept_for_good(request, answer_of(script(name), JAVASCRIPT))


def _chart(
    publication: Publication, kind: str, destination: str, planning: PlanningState | None = None
) -> Chart:
    known_destination(publication, destination)
    chart = chart_of(publication, kind, destination, planning) if kind in CHART_KINDS else None
    if chart is None:
        raise UnknownError(
            gettext(
                "No chart %(kind)s of %(name)s. Expected one of %(kinds)s with something to draw. "
                "Follow a link of a page.",
                kind=kind,
                name=name_of(destination),
                kinds=", ".join(CHART_KINDS),
            )
        )
    return chart
