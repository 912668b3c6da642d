"""Pages that do not follow the newest forecast: one publication by its number, and the API."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import pandas as pd
from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service.errors import UnknownError
from service.http.replies import reply
from service.http.responses import HTML, Answer, Record, answer_of, csv_answer, records
from service.language.phrases import gettext
from service.state import Shared, may_read
from service.web.render import bare_page
from service.wording import file_of, full_words_of, in_reading_order, name_of, query_of
from store.facts.reading import read_publication
from store.publications.integrity import read_publications
from store.vocabulary import FORECAST_COLUMNS

router = APIRouter(include_in_schema=False, dependencies=[Depends(may_read)])

_MOST: Final = 10**9

COLUMNS: Final = ("publication", "as_of", *FORECAST_COLUMNS)

Number = Annotated[int, Path(ge=1, le=_MOST)]


@router.get("/publications/{number}")
async def publication_route(request: Request, shared: Shared, number: Number) -> Response:
    """Show one publication; the address shows the same numbers for good."""
    return reply(request, await run_in_threadpool(publication_page, shared.live.engine, number))


@router.get("/publications/{number}/forecasts.csv")
async def numbers_route(request: Request, shared: Shared, number: Number) -> Response:
    """Return the numbers of one publication, the same bytes for good."""
    rows, _ = await run_in_threadpool(_publication, shared.live.engine, number)
    name = f"{file_of(rows['commodity'].iloc[0])}_publication_{number}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return reply(request, csv_answer(records(rows[list(COLUMNS)]), COLUMNS), headers)


def _publication(engine: Engine, number: int) -> tuple[pd.DataFrame, Record]:
    """Return the rows of a publication and its record."""
    rows = read_publication(engine, number)
    if rows.empty:
        raise UnknownError(
            gettext(
                "No publication %(number)s was published. Expected a number of the track record's "
                "list of published forecasts. See /track-record#published-head.",
                number=number,
            )
        )
    known = read_publications(engine)
    (record,) = known.loc[known["id"] == number].to_dict("records")
    own = rows.sort_values(["destination", "period"], ignore_index=True)
    return own, {str(name): value for name, value in record.items()}


def publication_page(engine: Engine, number: int) -> Answer:
    """Return the page of one publication."""
    rows, record = _publication(engine, number)
    commodity = str(record["commodity"])
    months = {
        str(name): own.set_index("period")[["p10", "p50", "p90"]].to_dict("index")
        for name, own in rows.groupby("destination")
    }
    shown = bare_page(
        "publication.html.j2",
        here=f"/publications/{number}",
        number=number,
        record=record,
        commodity_words=full_words_of(commodity, {}),
        commodity_query=query_of(commodity),
        cutoff=rows["cutoff"].max(),
        periods=sorted(set(rows["period"])),
        lines=[(name_of(name), months[name]) for name in in_reading_order(months)],
    )
    return answer_of(shown.encode(), HTML)


@router.get("/docs")
async def docs_route(request: Request) -> Response:
    """Show what the API answers, for people."""
    document = request.app.openapi()
    shown = bare_page(
        "docs.html.j2", here="/docs", about=document["info"], groups=operations(document)
    )
    return reply(request, answer_of(shown.encode(), HTML))


@router.get("/method")
async def method_route(request: Request, shared: Shared) -> Response:
    """Show how the forecast is made, whose data it uses and whom to ask."""
    shown = bare_page("method.html.j2", here="/method", contact=shared.contact)
    return reply(request, answer_of(shown.encode(), HTML))


def operations(document: Mapping[str, Any]) -> dict[str, list[Record]]:
    """Return the operations of an OpenAPI document by their group, in its order."""
    groups: dict[str, list[Record]] = {}
    for address, methods in document["paths"].items():
        for method, one in methods.items():
            fields = [
                {
                    "name": part["name"],
                    "needed": part.get("required", False),
                    "meaning": part.get("description", ""),
                }
                for part in one.get("parameters", [])
            ]
            groups.setdefault(one["tags"][0], []).append(
                {
                    "method": method.upper(),
                    "address": address,
                    "about": one.get("description", ""),
                    "fields": fields,
                    "has_body": "requestBody" in one,
                }
            )
    return groups
