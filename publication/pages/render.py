"""Templates, styles and scripts of the site, and what every page of it has.

Everything in a template is escaped, nothing undefined passes, nothing is loaded from elsewhere. A
template names every address from the root of its language; a finished page has relative ones, so
that it opens from a disk as from a server.
"""

import posixpath
import re
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, pass_context
from markupsafe import Markup

from publication import words
from publication.charts.chart import COLOURS, DARK_COLOURS
from publication.language.formats import Form, dated, percentage, separated
from publication.language.phrases import (
    DEFAULT,
    LANGUAGES,
    TAGS,
    act_words,
    full_stop,
    gap,
    gettext,
    is_shown,
    language,
    marked,
    phrased,
    tag_of,
)
from publication.queries.explanation_sentences import figure_sentence, in_brief, run_sentence
from publication.queries.freshness import freshness_of
from publication.state import Publication
from publication.words import address_key
from store.numbers import as_entered, visible
from store.vocabulary import WORLD

TEMPLATES: Final = Path(__file__).parents[1] / "templates"

STYLES: Final = "static/style.css"
ICON: Final = "static/icon.svg"
LIBRARY: Final = f"static/vega-{version('vl-convert-python')}.js"
"""Script that draws charts; its name has its version, so that browsers may keep it."""

SCRIPTS: Final = ("charts", "levers", "dates")
"""Our own scripts, of ``templates/site``."""

_SHARED: Final = ("static/", "api/", "publications/", "charts/")
"""Folders that all languages share, below the root of the site."""

PAGE: Final = ".html"


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
    words.slug_of,
    figure_sentence,
    run_sentence,
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
        "library": f"/{LIBRARY}", "is_drawn": True,
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


def template_of(name: str) -> Template:
    """Template of the site."""
    return environment().get_template(f"site/{name}")


def script(name: str) -> bytes:
    """Content of one of ``SCRIPTS``."""
    return (TEMPLATES / "site" / f"{name}.js").read_bytes()


def stylesheet() -> str:
    """Styles of all pages."""
    return template_of("style.css.j2").render(colours=COLOURS, dark_colours=DARK_COLOURS)


NAVIGATION: Final = (
    ("/index.html", marked("Overview")),
    ("/what-if.html", marked("What if")),
    ("/stock.html", marked("My stock")),
    ("/track-record.html", marked("Track record")),
    ("/policy.html", marked("Policy")),
    ("/data.html", marked("Data")),
    ("/publications.html", marked("Publications")),
)
"""The pages in the navigation; a new page adds itself here."""

OTHER_GOODS: Final = ("/goods.html", marked("Other goods"))
"""Added where other commodities are published."""

PLANNING: Final = ("/planning.html", marked("Needs and alerts"))
"""Added where a firm has planned (``planning.yaml``)."""


def folder_of(code: str) -> str:
    """Folder of a language below the root of the site; English is the root."""
    return "" if code == DEFAULT else f"{code}/"


def page(
    template: str,
    publication: Publication,
    *,
    read_at: pd.Timestamp,
    path: str,
    base_url: str = "",
    **values: object,
) -> str:
    """Page with its stamp, in the language in use.

    Args:
        template: File below ``templates/site``.
        path: Of the page below the root of its language, such as ``destinations/USA.html``.
        base_url: Where the site will lie; empty if that is not known.
    """
    navigation = [*NAVIGATION]
    if len(publication.published.commodities) > 1:
        navigation.append(OTHER_GOODS)
    if values.get("is_planned"):
        navigation.append(PLANNING)
    key = address_key(publication.commodity)
    return finished(
        template,
        path=path,
        navigation=navigation,
        fresh=freshness_of(
            publication, now=read_at, destination=str(values.get("destination", WORLD))
        ),
        publication=publication,
        goods=publication.commodity_words,
        named_goods=key and publication.commodity_words,
        home=publication.home,
        data=publication.data,
        origin=base_url,
        **values,
    )


def finished(template: str, *, path: str, **values: Any) -> str:  # noqa: ANN401 - of any type
    """Page of a template in the language in use, with relative addresses."""
    code = language()
    context = {
        "named_goods": "", "origin": "", "navigation": NAVIGATION, "page_path": path,
        "code": code, "tag": tag_of(code), "languages": LANGUAGES, "tags": TAGS,
        **values,
    }  # fmt: skip
    whole_path = f"{folder_of(code)}{path}"
    start = posixpath.dirname(whole_path) or "."
    versions = {name: posixpath.relpath(f"{folder_of(name)}{path}", start) for name in LANGUAGES}
    text = template_of(template).render(others_of_page=versions, folder=folder_of(code), **context)
    return relative(with_heads(text), whole_path, folder_of(code))


_ADDRESS: Final = re.compile(r'( (?:href|src|srcset|action|data-[a-z]+)=")/([^"#?]*)')


def relative(text: str, path: str, folder: str) -> str:
    """Text whose addresses from the root of a language are relative to the page.

    Args:
        path: Of the page below the root of the site.
        folder: Of its language, as ``folder_of``.
    """
    start = posixpath.dirname(path) or "."

    def shortened(match: re.Match[str]) -> str:
        place = match[2] if match[2].startswith(_SHARED) else f"{folder}{match[2]}"
        return f"{match[1]}{posixpath.relpath(place or '.', start)}"

    return _ADDRESS.sub(shortened, text)


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


def error_text(status: int, title: str, detail: str) -> str:
    """Page of an error of the service."""
    return finished(
        "error.html.j2", path="error.html", status=status, title=gettext(title), detail=detail
    )
