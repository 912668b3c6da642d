"""Notes on the figures of a full partner table in the language in use.

Those who read tables write them in English, for the terminal too.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from service.language.formats import dated, listed, separated
from service.language.known import KnownSentences
from service.language.phrases import gettext, marked
from service.wording import name_of

_SENTENCES: Final = (
    marked("months not listed in full, taken as missing: %(months)s"),
    marked("%(month)s: late, so missing and not zero: %(names)s"),
    marked("%(count)s cells have a value and no weight, taken as missing"),
    marked("stated total below the partners, which are kept: %(months)s"),
    marked(
        "%(count)s of the %(past)s past tables that were replayed are today's, cut short, for "
        "nothing tells what was known then: later revisions are in the scores and hit rates, never "
        "in a forecast."
    ),
)


def note_words(note: str) -> str:
    """Return a note in the language in use; one of an unknown form stays English."""
    return _KNOWN.shown(note)


def _month(word: str) -> str:
    return dated(date.fromisoformat(f"{word}-01"), "month")


def _each(write: Callable[[str], str]) -> Callable[[str], str]:
    """Return what writes a list as ``store.errors.first_few`` joins one."""

    def written(words: str) -> str:
        shown, _, more = words.partition("; ... (")
        parts = [write(word) for word in shown.split("; ")]
        count = more.removesuffix(" in all)")
        if not count:
            return listed(parts)
        return gettext("%(few)s, ... (%(count)s in all)", few=", ".join(parts), count=count)

    return written


_ONE_MONTH: Final = r"\d{4}-\d\d"
_MORE: Final = r"(?:; \.\.\. \(\d+ in all\))?"

_KNOWN: Final = KnownSentences(
    _SENTENCES,
    {
        "month": (_ONE_MONTH, _month),
        "months": (rf"{_ONE_MONTH}(?:; {_ONE_MONTH})*{_MORE}", _each(_month)),
        "names": (rf"[^\s;]+(?:; [^\s;.]+)*{_MORE}", _each(name_of)),
    },
    other=(r"\d+", separated),
)
