"""Which language a page is in, and sentences in it from the catalogues of gettext.

So are summaries of policy acts and example scenarios, which are kept in English.
"""

import csv
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final, TypeVar, get_args

import yaml
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from store.vocabulary import Language

LANGUAGES: Final = {
    "en": "English",
    "de": "Deutsch",
    "ja": "日本語",
    "ko": "한국어",
    "zh": "简体中文",
}
"""Each language by its code in addresses, as its readers call it."""

if set(LANGUAGES) != set(get_args(Language)):
    raise RuntimeError("LANGUAGES and store.vocabulary disagree; add the missing language.")

DEFAULT: Final = "en"
TAGS: Final = {"zh": "zh-Hans"}
"""Language tags (BCP 47) that say more than the code."""

_LANGUAGE: ContextVar[str] = ContextVar("language", default=DEFAULT)


def language() -> str:
    """Code of the language in use, English by default."""
    return _LANGUAGE.get()


def tag_of(code: str) -> str:
    """Language tag of a code."""
    return TAGS.get(code, code)


@contextmanager
def in_language(code: str) -> Iterator[None]:
    """Use a language within a block."""
    before = _LANGUAGE.set(code)
    try:
        yield
    finally:
        _LANGUAGE.reset(before)


_LOG: Final = logging.getLogger("magnetcast.service")
_Text = TypeVar("_Text", bound=str)

CATALOGUES: Final = Path(__file__).parent / "catalogues"


class Sentence(str):
    """A sentence in the language in use, as no other text is."""

    __slots__ = ()


def gettext(sentence: str, /, **values: object) -> str:
    """English sentence in the language in use.

    Args:
        sentence: As in the catalogues; ``%`` is written ``%%``, placeholders ``%(name)s``.
    """
    return phrased(Sentence, sentence, **values)


def ngettext(singular: str, plural: str, n: int, /, **values: object) -> str:
    """Sentence for a number of things; ``n`` is a placeholder of it."""
    return phrased(Sentence, singular, plural, n, **values)


def phrased(
    form: type[_Text], sentence: str, plural: str = "", n: int = 1, /, **values: object
) -> _Text:
    """A sentence in the language in use with its values, as text or as markup.

    A translation that cannot be formatted is logged; the sentence is then English.
    """
    if plural:
        translation, values = translated_many(sentence, plural, n), {"n": n, **values}
    else:
        translation = translated(sentence)
    try:
        return form(form(translation) % values)
    except (KeyError, TypeError, ValueError):
        english = plural if plural and n != 1 else sentence
        _LOG.exception("Translation of %r into %r has wrong placeholders", english, language())
        return form(form(english) % values)


def translated(sentence: str) -> str:
    """Sentence in the language in use, its placeholders open."""
    return translations_of(language()).gettext(sentence)


def translated_many(singular: str, plural: str, n: int) -> str:
    """Sentence for a number of things, its placeholders open."""
    return translations_of(language()).ngettext(singular, plural, n)


def is_shown(text: str) -> bool:
    """Whether a text is in the language in use."""
    return language() == DEFAULT or isinstance(text, Sentence)


def gap() -> str:
    """Space between two sentences in the language in use."""
    return "" if language() in {"ja", "zh"} else " "


def in_a_row(*sentences: str) -> str:
    """Sentences after each other."""
    return gap().join(filter(None, sentences))


def full_stop() -> str:
    """Full stop of the language in use."""
    return "。" if language() in {"ja", "zh"} else "."


def marked(sentence: str) -> str:
    """Sentence unchanged, marked for extraction; ``gettext`` translates it later."""
    return sentence


@cache
def translations_of(code: str) -> NullTranslations:
    """Catalogue of a language, read once; English needs none."""
    if code == DEFAULT:
        return NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue_of(code))
    compiled.seek(0)
    return GNUTranslations(compiled)


def catalogue_of(code: str) -> Catalog:
    """Read the catalogue of a language."""
    with (CATALOGUES / f"{code}.po").open("rb") as opened:
        return read_po(opened, locale=LOCALES.get(code, code), abort_invalid=True)


def untranslated(code: str) -> list[str]:
    """Sentences of a catalogue that have no translation yet: pages show them in English."""
    texts = {
        message.id if isinstance(message.id, str) else message.id[0]: message.string or ""
        for message in catalogue_of(code)
    }
    return [
        text
        for text, strings in texts.items()
        if text and not all([strings] if isinstance(strings, str) else strings)
    ]


LOCALES: Final = {"zh": "zh_Hans"}
"""Locales of CLDR that have another name than the code."""


_PENDING: Final = {
    "SCHEDULED: ": marked("SCHEDULED: %(act)s"),
    "PENDING: ": marked("PENDING: %(act)s"),
}
"""How a summary of what is yet to come begins."""


def act_words(summary: str) -> str:
    """Summary in the language in use; one that the catalogue has not stays English.

    Names and descriptions of example scenarios are looked up alike.
    """
    name = catalogued(summary)
    if not name or translated(name) == name:
        return summary
    words = gettext(name)
    if summary.endswith("."):
        words += full_stop()
    prefixed = next((form for start, form in _PENDING.items() if summary.startswith(start)), None)
    return gettext(prefixed, act=words) if prefixed else Sentence(words)


def catalogued(summary: str) -> str:
    """Summary as the catalogues have it: bare, a percent sign written twice."""
    for start in _PENDING:
        summary = summary.removeprefix(start)
    return f"{summary[:1].upper()}{summary[1:]}".rstrip(".").replace("%", "%%")


def summaries(
    fileobj: io.BufferedReader,
    *_: object,
    options: object = None,  # noqa: ARG001 - as Babel calls it
) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    """Summaries of the bundled ledger for the catalogues: an extractor of Babel."""
    rows = csv.DictReader(io.StringIO(fileobj.read().decode(), newline=""))
    for line, row in enumerate(rows, start=2):
        yield line, "marked", catalogued(row["summary"]), ()


def examples(
    fileobj: io.BufferedReader,
    *_: object,
    options: object = None,  # noqa: ARG001 - as Babel calls it
) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    """Name and description of an example scenario; other files have none. For Babel."""
    top = yaml.safe_load(fileobj)
    for name in ("name", "description") if "description" in top else ():
        yield 1, "marked", catalogued(top[name]), ()
