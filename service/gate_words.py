"""Why a forecast is held for review, which the gate keeps in English, in the language in use."""

import re
from datetime import date
from typing import Final

from service.language.formats import dated, listed, percentage, separated
from service.language.known import KnownSentences
from service.language.phrases import gettext, marked
from service.wording import MINUS, name_of

_MOVE: Final = re.compile(r"(\w+) ([\d,]+) to ([\d,]+) t \(([+-](?:\d+|inf))%\)")

_SENTENCES: Final = (
    marked("The next %(months)s months move by more than %(limit)s%%: %(moves)s."),
    marked(
        "%(destination)s: absurd median %(tonnes)s t in %(month)s, the largest of %(years)s years "
        "is %(most)s t."
    ),
    marked(
        "%(destination)s: absurd median %(tonnes)s t in %(month)s, the smallest of %(years)s years "
        "is %(least)s t."
    ),
)


def held_words(reason: str) -> str:
    """Return why a forecast is held; a reason of an unknown form stays English."""
    return _KNOWN.shown(reason)


def _month(word: str) -> str:
    return dated(date.fromisoformat(f"{word}-01"), "month")


def _moves(text: str) -> str:
    return listed(
        [
            gettext(
                "%(destination)s %(before)s to %(after)s t (%(change)s)",
                destination=name_of(code),
                before=separated(before),
                after=separated(after),
                change=percentage(change.replace("inf", "\N{INFINITY}")).replace("-", MINUS),
            )
            for code, before, after, change in _MOVE.findall(text)
        ]
    )


_KNOWN: Final = KnownSentences(
    _SENTENCES,
    {
        "destination": (r"\w+", name_of),
        "month": (r"\d{4}-\d\d", _month),
        "moves": (rf"{_MOVE.pattern}(?:, {_MOVE.pattern})*", _moves),
    },
    other=(r"[\d.,]*\d", separated),
)
