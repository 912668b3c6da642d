"""Messages as data: an English sentence with placeholders and its values, rendered at the end."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Union

from store.errors import SHOWN

Value = Union[str, int, "Message", tuple["Value", ...]]
"""A text is written plainly: ISO days (2026-01-31) and months (2026-01), 1,234.5 and 12%."""

SENTENCES: Final = "%(sentences)s"
"""Key of several messages, one after the other."""


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence of the catalogues, ``%(name)s`` for each value; as text it is English."""

    key: str
    values: Mapping[str, Value]

    def __str__(self) -> str:
        return self.key % {name: _english(name, value) for name, value in self.values.items()}

    def __hash__(self) -> int:
        """Equal messages read alike."""
        return hash(str(self))


def message(key: str, /, **values: Value) -> Message:
    """A message; ``make catalogues`` finds its English sentence here.

    Args:
        key: As for gettext: ``%`` is written ``%%``, placeholders ``%(name)s``.
    """
    return Message(key, values)


def sentences(*messages: Message) -> Message:
    """One message of several sentences."""
    return Message(SENTENCES, {"sentences": messages})


def few(items: Sequence[str]) -> Value:
    """The first items, as ``store.errors.first_few`` joins them."""
    if len(items) <= SHOWN:
        return tuple(items)
    return message("%(few)s, ... (%(count)s in all)", few=tuple(items[:SHOWN]), count=len(items))


def to_json(text: Message | str) -> str:
    """JSON that ``from_json`` reads."""
    return json.dumps(_plain(text), ensure_ascii=False)


def from_json(text: str) -> Message | str:
    """Message from JSON, or the text itself if it is not one."""
    try:
        data = json.loads(text)
    except ValueError:
        return text
    stored: Message | str = data if isinstance(data, str) else _value(data)
    return stored


def _english(name: str, value: Value) -> str:
    """A value as text; a message within a sentence has no stop of its own."""
    if isinstance(value, tuple):
        return (" " if name == "sentences" else "; ").join(_english(name, part) for part in value)
    is_clause = isinstance(value, Message) and name != "sentences"
    return str(value).rstrip(".") if is_clause else str(value)


def _plain(value: Value) -> object:
    if isinstance(value, Message):
        return {"key": value.key, "values": {n: _plain(part) for n, part in value.values.items()}}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _value(data: Any) -> Any:  # noqa: ANN401 - as JSON was read
    if isinstance(data, dict):
        return Message(data["key"], {name: _value(part) for name, part in data["values"].items()})
    return tuple(map(_value, data)) if isinstance(data, list) else data
