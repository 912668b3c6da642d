"""Notes and warnings of scenarios in the language of a page.

The engine writes them in English, for files and programs too.
"""

from datetime import date
from typing import Final

from service.language.formats import dated, percentage
from service.language.known import KnownSentences
from service.language.phrases import gettext, marked
from service.wording import instrument_words, material_words, name_of

_SENTENCES: Final = (
    marked("This scenario changes no month of the forecast."),
    marked("Compared with the alternative that it names (against), not with the forecast."),
    marked(
        "%(act)s, due %(day)s: %(came)s as announced, %(late)s postponed, %(softened)s softened, "
        "%(never)s suspended."
    ),
    marked("No effect of %(act)s is computed: no past control is known by then."),
    marked("%(act)s from %(day)s: estimated from %(count)s past controls."),
    marked("None of them a %(instrument)s."),
    marked("%(share)s of the weight is on one of them, %(act)s (%(material)s)."),
    marked("%(act)s (%(material)s) has the most weight, %(share)s."),
    marked(
        "Of what it stops, %(count)s months until %(share)s of the level before "
        "(%(low)s to %(high)s)."
    ),
    marked(
        "The tariff of %(importer)s starts after %(month)s, the last month forecast, and shows no "
        "effect."
    ),
    marked("%(act)s starts after %(month)s, the last month forecast, and shows no effect."),
    marked(
        "A rate of %(asked)s is above the highest on record, %(highest)s, and is computed as that."
    ),
    marked("A rate of %(asked)s is below zero and is computed as 0%%."),
    marked("The present rate of %(importer)s is not known and counts as 0%%."),
    marked("%(act)s is worded too weakly to count as a control."),
    marked("%(act)s shows in past months; the share assumed to pass is ignored."),
    marked("That %(share)s still pass is assumed, not estimated."),
    marked("Little is known of acts of the kind %(instrument)s; their effect may be larger."),
    marked("%(act)s has no effect without an end (effective_to), as a truce needs one."),
)


def shown(text: str) -> str:
    """Return a note or a warning in the language in use; of an unknown form it stays English."""
    return _KNOWN.shown(text)


def _day(word: str) -> str:
    return dated(date.fromisoformat(word), "day")


def _month(word: str) -> str:
    return dated(date.fromisoformat(f"{word}-01"), "month")


def _months(word: str) -> str:
    most = word.removeprefix("over ")
    return most if most == word else gettext("over %(chance)s", chance=most)


def _percentage(word: str) -> str:
    return percentage(word.removesuffix("%"))


_KNOWN: Final = KnownSentences(
    _SENTENCES,
    {
        "act": (r"\S+", str),
        "day": (r"\d{4}-\d\d-\d\d", _day),
        "month": (r"\d{4}-\d\d", _month),
        **dict.fromkeys(("count", "low", "high"), (r"(?:over )?\d+", _months)),
        "instrument": (r"[a-z_]+", instrument_words),
        "importer": (r"\w+", name_of),
        "material": (r".+?", material_words),
    },
    other=(r"-?[\d.e+]+%", _percentage),
)
