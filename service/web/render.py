"""Templates and forms of the site, and what every page of it has."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

import pandas as pd
from fastapi import Depends, Request
from jinja2 import Environment, Template
from markupsafe import Markup

from service.charts.chart import COLOURS, DARK_COLOURS
from service.http.responses import HTML, ORIGIN, Answer, answer_of
from service.language.addresses import keep_language
from service.language.choice import DEFAULT, LANGUAGES, TAGS, chosen, language
from service.language.formats import decimal_sign, separated
from service.language.phrases import gettext, is_shown, marked
from service.live.publication import Publication
from service.queries.freshness import freshness_of
from service.templating import environment
from service.web.drawn import Drawn, still_at
from service.web.scripts import CHARTS_ADDRESS, LIBRARY_ADDRESS
from service.wording import file_of, home_of, query_of
from store.errors import DataError
from store.numbers import as_entered, plain_number
from store.vocabulary import MONTH_PATTERN

_TABLE: Final = re.compile(r'<table class="cards">.*?</table>', re.DOTALL)
_ROW: Final = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_HEAD: Final = re.compile(r'<th scope="col"[^>]*>(.*?)</th>', re.DOTALL)
_CELL: Final = re.compile(r"<(?:td|th)\b")
_TAG: Final = re.compile(r"<[^>]*>")


def with_heads(page: str) -> str:
    """Return a page whose tables of class ``cards`` have each cell's column in ``data-head``."""
    return _TABLE.sub(lambda found: _named(found[0]), page)


def _named(table: str) -> str:
    heads = [_TAG.sub(" ", head).strip().replace('"', "&quot;") for head in _HEAD.findall(table)]

    def named(row: re.Match[str]) -> str:
        left = iter(heads)
        return _CELL.sub(lambda cell: f'{cell[0]} data-head="{next(left, "")}"', row[0])

    head, body = table.split("<tbody>", 1)
    return f"{head}<tbody>{_ROW.sub(named, body)}"


_SITE: Final = "site/"
CSS: Final = "text/css; charset=utf-8"

NAVIGATION: Final = (
    ("/", marked("Overview")),
    ("/what-if", marked("What if")),
    ("/needs", marked("Needs and alerts")),
    ("/track-record", marked("Track record")),
    ("/policy", marked("Policy")),
    ("/data", marked("Data")),
)
"""The pages in the navigation; a new page adds itself here."""

OTHERS: Final = ("/goods", marked("Other goods"))
"""Added where other commodities are published."""


def page(
    template: str, publication: Publication, *, now: pd.Timestamp, here: str, **values: object
) -> Answer:
    """Return a page with its stamp.

    Args:
        template: File below ``templates/site``.
    """
    others = len(publication.published.commodities) > 1
    shown = _rendered(
        template,
        here=here,
        navigation=(*NAVIGATION, OTHERS) if others else NAVIGATION,
        **_about(publication, now),
        **values,
    )
    return answer_of(shown.encode(), HTML)


def main_part(
    template: str,
    publication: Publication,
    still: Callable[[Drawn, int], str] | None,
    **values: object,
) -> str:
    """Return what a page says of a publication, to be read without the service.

    Args:
        still: Returns the picture of a chart as an address; None draws none.
    """
    page = template_of(template)
    about = _about(publication, publication.as_of)
    context = page.new_context({"saved": True, "still": still, **about, **values})
    return with_heads("".join(page.blocks["main"](context)))


def _about(publication: Publication, now: pd.Timestamp) -> dict[str, object]:
    commodity = publication.commodity
    return {
        "fresh": freshness_of(publication, now=now),
        "publication": publication,
        "goods": publication.goods,
        "is_magnets": publication.is_magnets,
        "home": home_of(commodity),
        "query": query_of(commodity),
        "file": file_of(commodity),
    }


def bare_page(template: str, *, here: str = "", **values: object) -> str:
    """Return a page that needs no publication."""
    return _rendered(
        template, here=here, navigation=NAVIGATION, is_magnets=True, query="", **values
    )


_LINKED: Final = re.compile(r'<a href="(/[^"]*)"[^>]*>(.*?)</a>')


def as_text(page: str) -> str:
    """Return the paragraphs of a page as plain text, the address of a link behind its words."""
    linked = _LINKED.sub(lambda link: _spelled(*link.groups()), page)
    lines = (Markup(part).striptags() for part in re.split("</p>|</h1>", linked))  # noqa: S704 - our own page
    return "".join(f"{line}\n\n" for line in lines if line)


def _spelled(address: str, words: str) -> str:
    return words if words.startswith(ORIGIN) else f"{words} ({ORIGIN}{address})"


@cache
def stylesheet() -> Answer:
    """Return the styles of all pages."""
    body = template_of("style.css.j2").render(colours=COLOURS, dark_colours=DARK_COLOURS)
    return answer_of(body.encode(), CSS)


def compile_templates() -> None:
    """Compile the templates of the pages, so that no first reader waits for it."""
    for name in _templates().list_templates(extensions=["j2"]):
        if name.startswith(_SITE):
            _templates().get_template(name)


def _rendered(template: str, **values: Any) -> str:  # noqa: ANN401 - values of any type
    choice = chosen()
    text = template_of(template).render(
        page_language=choice, languages=LANGUAGES, tags=TAGS, **values
    )
    return keep_language(with_heads(text), choice)


def template_of(name: str) -> Template:
    """Return a template of the site."""
    return _templates().get_template(f"{_SITE}{name}")


@cache
def _templates() -> Environment:
    made = environment()
    made.filters["as_entered"] = _as_entered
    made.globals |= {
        "charts_script": CHARTS_ADDRESS,
        "library": LIBRARY_ADDRESS,
        "origin": ORIGIN,
        "saved": False,
        "still": still_at,
    }
    return made


def _as_entered(value: float) -> str:
    return separated(as_entered(value))


MOST_FIELDS: Final = 20
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class FormErrors:
    """A form that was not accepted."""

    form: str
    """Which form of the page."""
    fields: Mapping[str, str]
    """As typed."""
    message: str

    @property
    def is_translated(self) -> bool:
        return is_shown(self.message)


async def form_of(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; each occurs once."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except (UnicodeDecodeError, ValueError) as err:
        raise DataError(
            f"The form cannot be read ({err}). Expected {FORM}. Send it again."
        ) from err
    if kind != FORM:
        raise DataError(f"The body is {kind!r}. Expected {FORM}. Programs use /api/v1.")
    return dict(fields)


Fields = Annotated[Mapping[str, str], Depends(form_of)]


def text_in(fields: Mapping[str, str], name: str) -> str:
    """Return a field of a form."""
    if name not in fields:
        raise DataError(f"The form has no field {name!r}. Expected one. Use the form of the page.")
    return fields[name].strip()


def number_in(fields: Mapping[str, str], name: str) -> float:
    """Return a field that is a number."""
    text = text_in(fields, name)
    try:
        return float(plain_number(text, decimal=decimal_sign()))
    except ValueError as err:
        if language() != DEFAULT:
            raise DataError(
                gettext(
                    "“%(text)s” is not a plain number. Write it as %(example)s.",
                    text=text[:40],
                    example=separated("1,000.5"),
                )
            ) from err
        raise DataError(f'{name.capitalize()}: "{text[:40]}" is not {err}.') from err


def month_in(fields: Mapping[str, str], name: str) -> pd.Timestamp:
    """Return a field that is a month, as its first day."""
    text = text_in(fields, name)
    if not re.fullmatch(MONTH_PATTERN, text):
        raise DataError(
            gettext(
                '"%(text)s" is not a month. Write %(name)s as YYYY-MM, e.g. 2026-12.',
                text=text[:40],
                name=name,
            )
        )
    return pd.Timestamp(text)


def error_page(status: int, title: str, detail: str, kept: str) -> str:
    """Return the page of an error; ``kept`` are the fields that a switch of the language keeps."""
    return bare_page(
        "error.html.j2",
        status=status,
        title=gettext(title),
        detail=detail,
        is_waiting=status == HTTPStatus.SERVICE_UNAVAILABLE,
        kept=kept,
    )
