"""Which language a page is in: the address, else what the browser prefers, else English."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, get_args

from store.vocabulary import Language

LANGUAGES: Final = {
    "en": "English",
    "de": "Deutsch",
    "ja": "日本語",
    "ko": "한국어",
    "zh": "简体中文",
}
"""Each language by its code in the address, as its readers call it."""

if set(LANGUAGES) != set(get_args(Language)):
    raise RuntimeError("LANGUAGES and store.vocabulary disagree; add the missing language.")

DEFAULT: Final = "en"
TAGS: Final = {"zh": "zh-Hans"}
"""Language tags (BCP 47) that say more than the code."""

_TRADITIONAL: Final = ("zh-hant", "zh-tw", "zh-hk", "zh-mo")
"""Readers of these get the next language that they accept."""


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """The language of one page."""

    language: str = DEFAULT
    named: str = ""
    """The language that the address names, which links keep; empty where it names none."""

    @property
    def tag(self) -> str:
        return TAGS.get(self.language, self.language)


_CHOICE: ContextVar[LanguageChoice] = ContextVar("language", default=LanguageChoice())  # noqa: B039 - is frozen


def chosen() -> LanguageChoice:
    """Choice of this request, or English outside of one."""
    return _CHOICE.get()


def language() -> str:
    """Code of the language in use."""
    return _CHOICE.get().language


def choose(choice: LanguageChoice) -> None:
    """Use a language for the rest of this request."""
    _CHOICE.set(choice)


@contextmanager
def in_language(code: str) -> Iterator[None]:
    """Use a language within a block."""
    before = _CHOICE.set(LanguageChoice(code))
    try:
        yield
    finally:
        _CHOICE.reset(before)


def choice_for(named: str, accepted: str) -> LanguageChoice:
    """Choice for an address and an ``Accept-Language`` header.

    Args:
        named: The language in the address; one that is not offered counts as none.
    """
    if named in LANGUAGES:
        return LanguageChoice(named, named)
    return LanguageChoice(next(_offered(accepted), DEFAULT))


def _offered(accepted: str) -> Iterator[str]:
    """Offered languages of a header, the most wanted first."""
    wanted = []
    for part in accepted.lower().split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.strip()))
        except ValueError:
            continue
    for order, tag in sorted(wanted, key=lambda entry: entry[0]):
        code = tag.partition("-")[0]
        if order < 0 and code in LANGUAGES and not tag.startswith(_TRADITIONAL):
            yield code
