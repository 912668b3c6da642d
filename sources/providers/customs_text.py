"""The text of a customs download, whatever its encoding, and its lines, broken ones included."""

import csv
from contextlib import suppress
from typing import Final

from sources.files.csv_table import records
from sources.files.encodings import KNOWN, encoding_of, likely_encodings
from store.errors import DataError

BAD_CHARACTER: Final = "\ufffd"
"""Stands for bytes that are no text."""

MOST_BAD: Final = 0.02
"""Share of characters that may be broken in a file that is read at all."""


def decoded(name: str, content: bytes) -> tuple[str, str]:
    """Return the text and its encoding; a few broken bytes do not spoil it.

    Raises:
        DataError: it is no text of a known encoding.
    """
    with suppress(UnicodeError):
        encoding = encoding_of(lambda: [content])
        return content.decode(encoding).removeprefix("\ufeff"), encoding
    texts = [(content.decode(one, errors="replace"), one) for one in likely_encodings(content)]
    text, encoding = min(texts, key=lambda found: found[0].count(BAD_CHARACTER))
    if text.count(BAD_CHARACTER) <= len(text) * MOST_BAD:
        return text, encoding
    raise DataError(
        f"{name} is neither {KNOWN}. Expected a CSV download of China's customs. "
        "Download it anew, or save it as UTF-8; nothing was taken over."
    )


def csv_lines(text: str) -> list[tuple[int, list[str] | str]]:
    """Return the records with the line each starts on; why it is broken instead of its cells."""
    first = text[: text.find("\n")] if "\n" in text else text
    mark = "\t" if first.count("\t") > first.count(",") else ","
    try:
        found = list(records("", text, mark=mark, remedy=""))
    except DataError:  # a quote is not closed; the customs write no line breaks within cells
        numbered = enumerate(text.splitlines(), start=1)
        return [(number, _broken(line) or _cells(line, mark)) for number, line in numbered]
    return [(number, _broken("".join(cells)) or cells) for number, cells in found]


def _broken(line: str) -> str:
    return "holds bytes that are no text" if BAD_CHARACTER in line else ""


def _cells(line: str, mark: str) -> list[str] | str:
    try:
        return next(csv.reader([line], delimiter=mark, strict=True), [])
    except csv.Error as err:
        return f"is no CSV: {err}"
