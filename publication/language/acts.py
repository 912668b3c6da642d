"""Summaries of policy acts and example scenarios, kept in English, in the language in use."""

import csv
import io
from collections.abc import Iterator
from typing import Final

import yaml

from publication.language.phrases import Sentence, full_stop, gettext, marked, translated

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
