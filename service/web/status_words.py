"""The lines of the system status in the language of a page; alarms stay English."""

from datetime import date
from typing import Final

from service.language.formats import dated, separated
from service.language.known import KnownSentences
from service.language.phrases import gettext, marked

_SENTENCES: Final = (
    marked("Figures of %(month)s were due on %(day)s; the newest known are of %(newest)s."),
    marked("The next, of %(month)s, are due on %(day)s."),
    marked("The newest forecast is as of %(day)s %(time)s UTC."),
    marked("The last run began %(day)s %(time)s UTC: %(state)s."),
    marked("Champion: none."),
    marked("Champion: version %(number)s, %(model)s."),
    marked("The champion cannot forecast; the next run falls back to other models."),
    marked(
        "Quarantine: %(files)s files wait. Suspicious statements: %(figures)s. Free disk: "
        "%(size)s GB."
    ),
    marked("Last backup: never."),
    marked("Last backup: %(day)s %(time)s UTC."),
)


def line_words(line: str) -> str:
    """Return a line in the language in use; one of an unknown form stays English."""
    return _KNOWN.shown(line)


def _day(word: str) -> str:
    return dated(date.fromisoformat(word), "day")


def _month(word: str) -> str:
    if word == "none":
        return gettext("none")
    return dated(date.fromisoformat(f"{word}-01"), "month")


_KNOWN: Final = KnownSentences(
    _SENTENCES,
    {
        "month": (r"\d{4}-\d\d", _month),
        "newest": (r"\d{4}-\d\d|none", _month),
        "day": (r"\d{4}-\d\d-\d\d", _day),
        "time": (r"\d\d:\d\d", str),
        "model": (r"\S+?", str),
        "state": (r"finished|failed|running", gettext),
    },
    other=(r"[\d.]+", separated),
)
