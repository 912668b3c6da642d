"""The text of a customs download, whatever its encoding, and its lines, broken ones included."""

import codecs
import csv
from typing import Final

from sources.files.csv_table import records
from store.errors import DataError

ENCODINGS: Final = ("utf-8", "gb18030")
"""Tried in turn; nearly any bytes are valid GB18030, so the headings decide."""

BAD_CHARACTER: Final = "\ufffd"
"""Stands for bytes that are no text."""

MOST_BAD: Final = 0.02
"""Share of characters that may be broken in a file that is read at all."""


def decoded(name: str, content: bytes) -> str:
    """Decode by the byte order mark or zero bytes, or by the first encoding that fits.

    Raises:
        DataError: it is no text of a known encoding.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        ends_low = content[1::2].count(0) >= content[::2].count(0)
        return content.decode("utf-16-le" if ends_low else "utf-16-be", errors="replace")
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    texts = [content.decode(encoding, errors="replace") for encoding in ENCODINGS]
    text = min(texts, key=lambda text: text.count(BAD_CHARACTER))
    if text.count(BAD_CHARACTER) <= len(text) * MOST_BAD:
        return text
    raise DataError(
        f"{name} is neither UTF-8 nor GB18030. Expected a CSV download of China's customs. "
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
