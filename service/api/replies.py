"""Responses of the API: entity tags, paged lists with links, JSON or CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from service.http.responses import Answer, Record, csv_answer, json_answer

MOST_ROWS: Final = 1000
USUAL_ROWS: Final = 100

Form = Literal["json", "csv"]

FormQuery = Annotated[
    Form | None,
    Query(alias="format", description="json or csv; by default what the Accept header prefers."),
]


@dataclass(frozen=True, slots=True)
class Paging:
    """The requested part of a list."""

    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="Maximum number of rows.")] = (
        USUAL_ROWS
    )
    offset: Annotated[int, Query(ge=0, description="Rows to skip.")] = 0


def reply(request: Request, answer: Answer, headers: dict[str, str] | None = None) -> Response:
    """Return an answer, or 304 where the client has it already."""
    headers = {"ETag": answer.etag, "Vary": "Accept, Authorization", **(headers or {})}
    if answer.etag in tags_of(request):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(answer.body, headers=headers, media_type=answer.media)


def listed(
    request: Request,
    rows: Sequence[Record],
    columns: Sequence[str],
    *,
    paging: Paging,
    form: Form | None,
) -> Response:
    """Return one page of a list with links to the others.

    CSV has the same page; its number of all rows is in the header ``X-Total-Count``.
    """
    part = rows[paging.offset : paging.offset + paging.limit]
    headers = {"X-Total-Count": str(len(rows))}
    if links := _links(request, paging, len(rows)):
        headers["Link"] = links
    if wants_csv(request, form):
        return reply(request, csv_answer(part, columns), headers)
    about = {"total": len(rows), "limit": paging.limit, "offset": paging.offset}
    return reply(request, json_answer({**about, "items": part}), headers)


def wants_csv(request: Request, form: Form | None) -> bool:
    """Tell whether CSV is requested, by ``format`` or by the Accept header."""
    if form is not None:
        return form == "csv"
    weights = dict(_accepted(request.headers.get("accept", "*/*")))
    csv = weights.get("text/csv", 0.0)
    return csv > max(weights.get("application/json", 0.0), weights.get("*/*", 0.0) - 1e-9)


def _accepted(header: str) -> list[tuple[str, float]]:
    """Read an Accept header: media types with their weights."""
    found = []
    for part in header.split(","):
        media, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            found.append((media.lower(), float(weight)))
        except ValueError:
            continue
    return found


def tags_of(request: Request) -> set[str]:
    """Return the entity tags that the client has already."""
    header = request.headers.get("if-none-match", "")
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}


def _links(request: Request, paging: Paging, total: int) -> str:
    """Return the Link header: first, previous, next and last page where they exist."""
    last = max(0, (total - 1) // paging.limit * paging.limit)
    places: dict[str, int] = {}
    if paging.offset > 0:
        places |= {"first": 0, "prev": max(0, paging.offset - paging.limit)}
    if paging.offset + paging.limit < total:
        places |= {"next": paging.offset + paging.limit, "last": last}
    kept = [(n, v) for n, v in request.query_params.multi_items() if n not in {"limit", "offset"}]
    return ", ".join(
        f"<{request.url.path}?{urlencode([*kept, ('limit', paging.limit), ('offset', place)])}>; "
        f'rel="{name}"'
        for name, place in places.items()
    )
