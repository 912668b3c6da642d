"""Which language a page is in."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, get_args

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
