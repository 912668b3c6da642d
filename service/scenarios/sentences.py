"""Notes and warnings of scenarios in the language of a page.

The engine writes them in English, for files and programs too; here each is known by its form.
"""

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Final

from service.data_words import instrument_words, material_words
from service.language.choice import DEFAULT, language
from service.language.formats import dated, percentage
from service.language.phrases import Sentence, gettext, marked
from service.wording import name_of

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
"""The engine's sentences; it joins some by a comma or a semicolon."""

_LOOKS: Final = {
    "act": r"\S+",
    "day": r"\d{4}-\d\d-\d\d",
    "month": r"\d{4}-\d\d",
    **dict.fromkeys(("count", "low", "high"), r"(?:over )?\d+"),
    "instrument": r"[a-z_]+",
    "importer": r"\w+",
    "material": r".+?",
}
"""What placeholders look like; the others are percentages."""

_PERCENTAGE: Final = r"-?[\d.e+]+%"


def shown(text: str) -> str:
    """Return a note or a warning in the language in use; of an unknown form it stays English."""
    if language() == DEFAULT:
        return text
    found, rest = list[str](), text
    while rest:
        begun = [(one, hit) for one, form in _forms() if (hit := form.match(rest))]
        if not begun:
            return text
        sentence, hit = begun[0]
        found.append(
            gettext(
                sentence, **{name: _value(name, word) for name, word in hit.groupdict().items()}
            )
        )
        rest = rest[hit.end() :]
    return Sentence(" ".join(found))


@cache
def _forms() -> list[tuple[str, re.Pattern[str]]]:
    return [(sentence, _form(sentence)) for sentence in _SENTENCES]


def _form(sentence: str) -> re.Pattern[str]:
    """Return what a sentence looks like at the beginning of a text, with what follows it."""
    parts = re.split(r"%\((\w+)\)s", sentence.rstrip(".").replace("%%", "%"))
    parts[::2] = map(re.escape, parts[::2])
    parts[1::2] = [f"(?P<{name}>{_LOOKS.get(name, _PERCENTAGE)})" for name in parts[1::2]]
    return re.compile("".join(parts) + r"(?:[.,;] |\.?$)", re.IGNORECASE)


def _value(name: str, word: str) -> str:
    """Return what stands for a placeholder as the language in use writes it."""
    if name in {"day", "month"}:
        return dated(date.fromisoformat(f"{word}-01"[:10]), "day" if name == "day" else "month")
    if name in {"count", "low", "high"}:
        most = word.removeprefix("over ")
        return most if most == word else gettext("over %(chance)s", chance=most)
    return _WORDS.get(name, _percentage)(word)


def _percentage(word: str) -> str:
    return percentage(word.removesuffix("%"))


_WORDS: Final[dict[str, Callable[[str], str]]] = {
    "act": str,
    "instrument": instrument_words,
    "importer": name_of,
    "material": material_words,
}
