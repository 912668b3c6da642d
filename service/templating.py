"""Templates of the pages: everything escaped, nothing undefined passes, nothing to load."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, get_args
from urllib.parse import urlsplit

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service import wording
from service.language.acts import act_words
from service.language.formats import Form, dated, percentage, separated
from service.language.phrases import full_stop, is_shown, translated, translated_many
from store.numbers import visible

TEMPLATES: Final = Path(__file__).parent / "templates"


def web_address(text: object) -> str:
    """Return an http(s) address unchanged, and nothing for any other text."""
    address = text if isinstance(text, str) else ""
    try:
        is_web = urlsplit(address).scheme in {"http", "https"}
    except ValueError:  # as for http://[::1
        is_web = False
    return address if is_web else ""


def _dated(moment: object, *, form: Form) -> str:
    """Format a day or month, from a date or ISO text; a dash where there is none."""
    if moment is None or pd.isna(moment):  # type: ignore[call-overload]
        return wording.MISSING
    return dated(pd.Timestamp(moment), form)  # type: ignore[arg-type]


def english_mark(text: str) -> Markup:
    """Return the attribute of an element whose text is not in the page's language but English."""
    return Markup("" if is_shown(text) else ' lang="en"')  # noqa: S704


_FILTERS: Final = (
    wording.tonnes,
    wording.signed_tonnes,
    wording.percent,
    wording.signed_percent,
    wording.number,
    web_address,
    english_mark,
    act_words,
    wording.chance_words,
    wording.name_of,
    wording.scope_name,
    wording.model_words,
    wording.code_words,
    separated,
    percentage,
    wording.coverage_words,
    wording.measure_words,
    wording.statement_words,
    wording.months_in_words,
)


def environment() -> Environment:
    """Return the template environment: everything escaped, nothing undefined passes."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension
    made.globals |= {"stop": full_stop, "_": _gettext, "gettext": _gettext, "ngettext": _ngettext}
    made.filters.update({filter_.__name__: filter_ for filter_ in _FILTERS})
    for form in get_args(Form):
        made.filters[form.replace(" ", "_")] = partial(_dated, form=form)
    return made


def _visible(value: object) -> object:
    """Write hidden characters of a text out: a note could turn what stands beside it around."""
    return visible(value) if type(value) is str and not value.isascii() else value


def _gettext(sentence: str, /, **values: object) -> Markup:
    """Return a sentence of a catalogue, whose markup is ours, with its values escaped."""
    return Markup(translated(sentence)) % _shown(values)  # noqa: S704


def _ngettext(one: str, many: str, n: int, /, **values: object) -> Markup:
    return Markup(translated_many(one, many, n)) % _shown({"n": n, **values})  # noqa: S704


def _shown(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _visible(value) for name, value in values.items()}
