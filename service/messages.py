"""Messages of all parts of the system in the language in use."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from service.language.choice import DEFAULT, language
from service.language.formats import dated, percentage, separated
from service.language.phrases import Sentence, gettext, translated
from service.wording import (
    code_words,
    material_words,
    model_words,
    name_of,
)
from store.messages import Message, Value

_NAMES: Final[Mapping[str, Callable[[str], str]]] = {
    "destination": name_of,
    "names": name_of,
    "few": name_of,
    "importer": name_of,
    "instrument": code_words,
    "material": material_words,
    "state": code_words,
    "model_status": model_words,
    "goods": translated,
}
"""Placeholders that hold a code, and what names it."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH: Final = re.compile(r"\d{4}-\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[\d.,]*\d%?", re.ASCII)


def rendered(text: Message | str) -> str:
    """Return a message in the language in use; a text that is none stays as it is."""
    if not isinstance(text, Message):
        return text
    if language() == DEFAULT:
        return Sentence(text)
    return gettext(text.key, **{name: _word(name, one) for name, one in text.values.items()})


def as_clause(sentence: str) -> str:
    """Return a sentence as a part of another: without the stop at its end."""
    return sentence.rstrip(".。")


def message_of(err: Exception) -> str:
    """Return what an error says, in the language in use as far as it can be."""
    said = err.args[0] if err.args else None
    return rendered(said) if isinstance(said, Message | str) else str(err)


def _word(name: str, value: Value) -> str:
    """Return a value as the language writes it: by the name of its placeholder, else its form."""
    if isinstance(value, tuple):
        parts = [_word(name, one) for one in value]
        return " ".join(parts) if name == "sentences" else gettext("; ").join(parts)
    if isinstance(value, Message):
        return rendered(value) if name == "sentences" else as_clause(rendered(value))
    return _NAMES[name](str(value)) if name in _NAMES else _written(str(value))


def _written(text: str) -> str:
    """Return a day, a month or a number as the language writes it; other texts as they are."""
    if _DAY.fullmatch(text):
        return dated(date.fromisoformat(text), "day")
    if _MONTH.fullmatch(text):
        return dated(date.fromisoformat(f"{text}-01"), "month")
    if _NUMBER.fullmatch(text):
        return percentage(text[:-1]) if text.endswith("%") else separated(text)
    return text
