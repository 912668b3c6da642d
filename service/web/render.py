"""Templates, styles and scripts of the site, and what every page of it has.

Everything in a template is escaped, nothing undefined passes, nothing is loaded from elsewhere.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import pandas as pd
from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, pass_context
from markupsafe import Markup
from starlette.responses import Response

from service import words
from service.charts.chart import COLOURS, DARK_COLOURS
from service.http.limits import CSP
from service.http.replies import reply
from service.http.responses import HTML, ORIGIN, Answer, answer_of
from service.language.acts import act_words
from service.language.addresses import keep_language
from service.language.choice import LANGUAGES, TAGS, chosen
from service.language.formats import Form, dated, percentage, separated
from service.language.phrases import full_stop, gap, gettext, is_shown, marked, phrased
from service.live.publication import Publication
from service.queries.explanation_sentences import figure_sentence, in_brief
from service.queries.freshness import freshness_of
from service.web.page_charts import still_at
from service.words import address_key, file_of, home_of, query_of
from store.numbers import as_entered, visible

TEMPLATES: Final = Path(__file__).parents[1] / "templates"


def web_address(text: object) -> str:
    """Http(s) address unchanged, and nothing for any other text."""
    address = text if isinstance(text, str) else ""
    try:
        is_web = urlsplit(address).scheme in {"http", "https"}
    except ValueError:  # as for http://[::1
        is_web = False
    return address if is_web else ""


def _dated(moment: object, *, form: Form) -> str:
    """Format a day or month, from a date or ISO text; a dash where there is none."""
    if moment is None or pd.isna(moment):  # type: ignore[call-overload]
        return words.MISSING
    return dated(pd.Timestamp(moment), form)  # type: ignore[arg-type]


def english_mark(text: str) -> Markup:
    """``lang`` attribute of an element whose text is English on a page of another language."""
    return Markup("" if is_shown(text) else ' lang="en"')  # noqa: S704


_FILTERS: Final = (
    words.tonnes,
    words.signed_tonnes,
    words.percent,
    words.signed_percent,
    words.number,
    web_address,
    english_mark,
    act_words,
    words.chance_words,
    words.name_of,
    words.scope_name,
    words.model_words,
    words.code_words,
    percentage,
    words.coverage_words,
    words.lead_words,
    words.measure_words,
    words.statement_words,
    words.months_in_words,
    words.material_words,
    figure_sentence,
    in_brief,
)


@cache
def environment() -> Environment:
    """Template environment: everything escaped, nothing undefined passes."""
    site = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
        extensions=["jinja2.ext.i18n"],
    )
    site.policies["ext.i18n.trimmed"] = True
    site.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension
    site.globals |= {
        "stop": full_stop, "gap": gap, "_": _gettext, "gettext": _gettext, "ngettext": _ngettext,
        "charts_script": CHARTS_ADDRESS, "library": LIBRARY_ADDRESS, "origin": ORIGIN,
        "saved": False, "still": still_at,
    }  # fmt: skip
    site.filters.update({filter_.__name__: filter_ for filter_ in _FILTERS})
    # Of a constant, too, in the language of each reader: a filter of the context is not folded.
    site.filters["separated"] = pass_context(lambda _, digits: separated(digits))
    site.filters["as_entered"] = lambda value: separated(as_entered(value))
    for form in get_args(Form):
        site.filters[form.replace(" ", "_")] = partial(_dated, form=form)
    return site


def _visible(value: object) -> object:
    """Write hidden characters of a text out: a note could turn what stands beside it around."""
    return visible(value) if type(value) is str and not value.isascii() else value


def _gettext(sentence: str, /, **values: object) -> Markup:
    """Sentence of a catalogue, whose markup is ours, with its values escaped."""
    return phrased(Markup, sentence, **_shown(values))


def _ngettext(singular: str, plural: str, n: int, /, **values: object) -> Markup:
    return phrased(Markup, singular, plural, n, **_shown(values))


def _shown(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _visible(value) for name, value in values.items()}


LIBRARY_ADDRESS: Final = f"/static/vega-{version('vl-convert-python')}.js"
"""Of the script that draws charts; it names its version, so that browsers may keep it."""

JAVASCRIPT: Final = "text/javascript; charset=utf-8"
FOR_GOOD: Final = "public, max-age=31536000, immutable"

SCRIPTED_CSP: Final = CSP.replace("script-src 'none'", "script-src 'self'; connect-src 'self'")
"""Of a page with a script: those of this service alone, none inline, no eval."""


@cache
def script_address(name: str) -> str:
    """Address of a script; it changes with the file, so that it may be kept."""
    digest = hashlib.sha256(script(name)).hexdigest()
    return f"/static/{name}-{digest[:12]}.js"


def kept_for_good(request: Request, answer: Answer) -> Response:
    """Response that browsers may cache forever."""
    return reply(request, answer, {"Cache-Control": FOR_GOOD})


def scripted(answer: Response, policy: str = SCRIPTED_CSP) -> Response:
    """Let a page run the scripts of this service."""
    answer.headers["Content-Security-Policy"] = policy
    return answer


def script(name: str) -> bytes:
    """Content of a script."""
    return (TEMPLATES / "site" / f"{name}.js").read_bytes()


CHARTS_ADDRESS: Final = script_address("charts")
"""Of our script, which draws the charts that come into view."""


_TABLE: Final = re.compile(r'<table class="cards">.*?</table>', re.DOTALL)
_ROW: Final = re.compile(r"<tr\b.*?</tr>", re.DOTALL)
_HEAD: Final = re.compile(r'<th scope="col"[^>]*>(.*?)</th>', re.DOTALL)
_CELL: Final = re.compile(r"<(?:td|th)\b")
_TAG: Final = re.compile(r"<[^>]*>")


def with_heads(page: str) -> str:
    """Page whose tables of class ``cards`` have each cell's column in ``data-head``."""
    return _TABLE.sub(lambda table: _named(table[0]), page)


def _named(table: str) -> str:
    heads = [_TAG.sub(" ", head).strip().replace('"', "&quot;") for head in _HEAD.findall(table)]

    def named(row: re.Match[str]) -> str:
        remaining = iter(heads)
        return _CELL.sub(lambda cell: f'{cell[0]} data-head="{next(remaining, "")}"', row[0])

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
    template: str,
    publication: Publication,
    *,
    read_at: pd.Timestamp,
    address: str,
    **values: object,
) -> Answer:
    """Page with its stamp.

    Args:
        template: File below ``templates/site``.
    """
    has_others = len(publication.published.commodities) > 1
    return _rendered(
        template,
        page_address=address,
        navigation=(*NAVIGATION, OTHERS) if has_others else NAVIGATION,
        **_about(publication, read_at),
        **values,
    )


def block_of(template: str, block: str, publication: Publication, **values: object) -> Markup:
    """One block of a page.

    Args:
        values: ``saved`` is true for a reader without the service; ``still`` returns the picture
            of a chart as an address, None draws none.
    """
    page = template_of(template)
    context = page.new_context({**_about(publication, publication.as_of), **values})
    return Markup(with_heads("".join(page.blocks[block](context))))  # noqa: S704 - of our templates


def _about(publication: Publication, read_at: pd.Timestamp) -> dict[str, object]:
    commodity = publication.commodity
    key = address_key(commodity)
    return {
        "fresh": freshness_of(publication, now=read_at),
        "publication": publication,
        "goods": publication.commodity_words,
        "named_goods": key and publication.commodity_words,
        "commodity_field": key and _FIELD.format(key),
        "home": home_of(commodity),
        "query": query_of(commodity),
        "file": file_of(commodity),
    }


_FIELD: Final = Markup('<input type="hidden" name="commodity" value="{}">')
"""Commodity that a form is about; no form on the magnets has it."""


def bare_page(template: str, *, address: str = "", **values: object) -> Answer:
    """Page that needs no publication."""
    return _rendered(
        template, page_address=address, navigation=NAVIGATION, named_goods="", query="", **values
    )


def download(name: str) -> dict[str, str]:
    """Headers by which a browser saves an answer under a name."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


_LINKED: Final = re.compile(r'<a href="(/[^"]*)"[^>]*>(.*?)</a>')


def as_text(page: str) -> str:
    """Paragraphs of a page as plain text, the address of a link behind its words."""
    linked = _LINKED.sub(
        lambda link: link[2] if link[2].startswith(ORIGIN) else f"{link[2]} ({ORIGIN}{link[1]})",
        page,
    )
    lines = (Markup(part).striptags() for part in re.split("</p>|</h1>", linked))  # noqa: S704 - our own page
    return "".join(f"{line}\n\n" for line in lines if line)


@cache
def stylesheet() -> Answer:
    """Styles of all pages."""
    body = template_of("style.css.j2").render(colours=COLOURS, dark_colours=DARK_COLOURS)
    return answer_of(body.encode(), CSS)


def compile_templates() -> None:
    """Compile the templates of the pages, so that no first reader waits for it."""
    for name in environment().list_templates(extensions=["j2"]):
        if name.startswith(_SITE):
            environment().get_template(name)


def _rendered(template: str, **values: Any) -> Answer:  # noqa: ANN401 - values of any type
    choice = chosen()
    text = template_of(template).render(
        page_language=choice, languages=LANGUAGES, tags=TAGS, **values
    )
    return answer_of(keep_language(with_heads(text), choice).encode(), HTML)


def template_of(name: str) -> Template:
    """Template of the site."""
    return environment().get_template(f"{_SITE}{name}")


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


def error_page(status: int, title: str, detail: str, query: str) -> str:
    """Page of an error; ``kept`` are the fields that a switch of the language keeps."""
    page = bare_page(
        "error.html.j2",
        status=status,
        title=gettext(title),
        detail=detail,
        is_waiting=status == HTTPStatus.SERVICE_UNAVAILABLE,
        kept=query,
    )
    return page.body.decode()
