"""Causes of a forecast and of its changes, in sentences whose numbers add up."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
import pandas as pd

from models.forecasting.model_names import BASE_MEDIAN, LAST_VALUE, REFERENCE, rule_of
from publication.language.formats import dated, months_between, separated
from publication.language.phrases import gettext, marked
from publication.state import Publication
from publication.tables import KILOGRAMS, Record
from publication.words import MINUS, measure_words, name_of, signed_tonnes
from store.publications.explanations import NewFigure
from store.vocabulary import NOT_REPRODUCED

MAIN: Final = 3
"""Causes in the first sentence."""

MINOR_SHARE: Final = 0.01
"""Causes smaller than this share of the median are added up."""

SMALL_TONNES: Final = 20.0
"""Medians below it are shown with one decimal."""

_LEVELS: Final = {
    "": marked("the average of the last twelve months, estimates included, is %(tonnes)s"),
    BASE_MEDIAN: marked("the statistical extrapolation of past months is %(tonnes)s"),
    REFERENCE: marked("the same month of the year before is %(tonnes)s"),
    LAST_VALUE: marked("the last value is %(tonnes)s"),
}
"""What a forecast starts from, by the rule that makes it."""

_ADJUSTMENT: Final = "adjustment"
_ADJUSTING: Final = {"past_errors", "reconciliation", NOT_REPRODUCED}
"""Technical parts: shown as one, together with the smallest parts."""

CAUSES: Final[dict[str, str]] = {
    "season": marked("seasonal pattern"),
    "momentum": marked("recent months ran above the yearly average"),
    "tariffs": marked("tariffs"),
    "policy": marked("policy events"),
    "world": marked("world market"),
    "experts": marked("statistical extrapolation of past months"),
    "past_mean": marked("long-term trend"),
    "policy_response": marked("export controls and announced tariffs"),
    "past_errors": marked("bias correction from past errors"),
    "reconciliation": marked("reconciling destinations with the world total"),
    NOT_REPRODUCED: marked("no longer reproducible"),
    _ADJUSTMENT: marked("model adjustment"),
}
"""Parts of a forecast in words."""

_BELOW: Final = {CAUSES["momentum"]: marked("recent months ran below the yearly average")}
"""Words of causes whose effect is negative, where they differ."""

CHANGE_CAUSES: Final[dict[str, str]] = {
    "passing_time": marked("later forecast date"),
    "new_actuals": marked("newly published trade figures"),
    "revised_actuals": marked("revised trade figures"),
    "tariffs": marked("new tariffs"),
    "policy": marked("new policy events"),
    "model": marked("newer model"),
    "reconciliation": marked("reconciling destinations with the world total"),
    NOT_REPRODUCED: marked("no longer reproducible"),
}
"""Parts of a change in words."""


def forecast_sentences(
    destination: str, period: str, parts: Mapping[str, float], rule: str = ""
) -> list[str]:
    """Sentences on a median: the median, its main causes, the others.

    The tonnes in ``parts``, by ``CONTRIBUTIONS``, add up to the median, and so do those shown.

    Args:
        rule: Simple rule by which it was forecast (``rule_of``); empty for a model.
    """
    median = sum(parts.values())
    tonnes_by_part = rounded(parts if rule else _folded(parts, median), median)
    head = gettext(
        "%(name)s, %(month)s: %(tonnes)s",
        name=name_of(destination),
        month=_month(period),
        tonnes=_tonnes(sum(tonnes_by_part.values()), median),
    )
    level = _tonnes(tonnes_by_part.pop("level"), median)
    start = gettext(_LEVELS[rule], tonnes=level)
    main, *rest = _causes(tonnes_by_part, CAUSES, median)
    second = _joined([start, main]) if main else start
    return [_sentence(text) for text in (head, second, *rest)]


def _folded(parts: Mapping[str, float], median: float) -> dict[str, float]:
    """Parts of at least ``MINOR_SHARE`` of the median; the rest is the adjustment."""
    main_parts = {
        name: value
        for name, value in parts.items()
        if name == "level" or (name not in _ADJUSTING and abs(value) >= MINOR_SHARE * abs(median))
    }
    return {**main_parts, _ADJUSTMENT: median - sum(main_parts.values())}


def change_sentences(
    destination: str,
    period: str,
    parts: Mapping[str, float],
    *,
    after: float,
    days: tuple[str, str],
) -> list[str]:
    """Sentences on the change of a median: its size, its main causes, the others.

    The tonnes in ``parts``, by ``CHANGES``, add up to the change; ``after`` is the later median, in
    tonnes, and ``days`` are those of the earlier and the later forecast.
    """
    tonnes_by_cause = rounded(parts, after)
    change = sum(tonnes_by_cause.values())
    head = f"{name_of(destination)}, {_month(period)}: {_tonnes(after, after)} as of {days[1]}"
    moved = f"the same as on {days[0]}"
    if change:
        side = "more" if change > 0 else "less"
        moved = f"{_tonnes(abs(change), after)} {side} than on {days[0]}"
    main, *rest = _causes(tonnes_by_cause, CHANGE_CAUSES, after)
    return [_sentence(text) for text in (f"{head}, {moved}", main or "no cause of change", *rest)]


def figure_sentence(figure: NewFigure, destination: str, months: Sequence[str]) -> str:
    """Sentence on a new figure: its value, the earlier forecast, its effect on some medians."""
    expected = gettext("no earlier forecast of it")
    if figure.expected_t is not None:
        amount = _tonnes(figure.expected_t, figure.expected_t)
        expected = gettext("the forecast before expected %(tonnes)s", tonnes=amount)
    day = dated(pd.Timestamp(figure.available_at), "day")
    values = {"figure": _named([figure]), "day": day, "source": figure.source}
    named = gettext("%(figure)s, published %(day)s (%(source)s)", **values)
    if figure.is_revision:
        named = gettext("%(figure)s, revised %(day)s (%(source)s)", **values)
    return _sentence(_joined([named, expected, _effect_of([figure], destination, months)]))


def run_sentence(run: Sequence[NewFigure], destination: str, months: Sequence[str]) -> str:
    """Sentence on neighbouring months together, or on a figure that stands alone."""
    if len(run) == 1:
        return figure_sentence(run[0], destination, months)
    amount = amount_of(run, expected_of(run))
    expected = gettext("the forecast before expected %(tonnes)s", tonnes=amount)
    effect = gettext("together: %(effect)s", effect=_effect_of(run, destination, months))
    return _sentence(_joined([_named(run), expected, effect]))


def in_brief(run: Sequence[NewFigure], destination: str, month: str) -> str:
    """New figures of a run and their effect on one month, in one line."""
    effect = signed_tonnes(moved_by(run, destination, [month]) or 0.0)
    values = {"figure": _named(run), "effect": effect}
    if run[0].expected_t is None:
        return gettext("%(figure)s published: this moved it by %(effect)s\xa0t.", **values)
    return gettext(
        "%(figure)s published, %(expected)s expected: this moved it by %(effect)s\xa0t.",
        expected=amount_of(run, expected_of(run)),
        **values,
    )


def expected_of(run: Sequence[NewFigure]) -> float:
    """Tonnes a month that the forecast before expected of a run of months."""
    return float(np.mean([figure.expected_t or 0.0 for figure in run]))


def published_of(run: Sequence[NewFigure]) -> float:
    """Tonnes a month of a run of months, as published."""
    return float(np.mean([figure.published_t or 0.0 for figure in run]))


def span_of(run: Sequence[NewFigure]) -> str:
    """Months of a run in words."""
    return months_between(pd.Timestamp(run[0].first), pd.Timestamp(run[-1].last))


def amount_of(run: Sequence[NewFigure], tonnes: float) -> str:
    """Tonnes of a month, or a month of several."""
    amount = _tonnes(tonnes, tonnes)
    return amount if len(run) == 1 else gettext("%(tonnes)s a month", tonnes=amount)


def moved_by(run: Sequence[NewFigure], destination: str, months: Sequence[str]) -> float | None:
    """Whole tonnes by which figures moved the sum of some medians; None if not computed.

    Each figure is rounded, so that those of a run add up as they are shown.
    """
    total = 0.0
    for figure in run:
        if (effects := (figure.moved or {}).get(destination)) is None:
            return None
        total += round(sum(effects.get(month, 0.0) for month in months))
    return total


def _named(run: Sequence[NewFigure]) -> str:
    """Figures as published, and their tonnes."""
    figure = run[0]
    if len(run) > 1:
        amount = amount_of(run, published_of(run))
    elif figure.measure == "net_weight_t":
        amount = _tonnes(figure.value, figure.value)
    else:
        value = separated(f"{figure.value:,.10g}").replace("-", MINUS)
        amount = f"{measure_words(figure.measure)} {value}"
        if figure.published_t is not None:
            amount = f"{amount} ({_tonnes(figure.published_t, figure.published_t)})"
    name = name_of(figure.destination)
    return gettext("%(name)s, %(month)s: %(tonnes)s", name=name, month=span_of(run), tonnes=amount)


def _effect_of(run: Sequence[NewFigure], destination: str, months: Sequence[str]) -> str:
    moved = moved_by(run, destination, months)
    if moved is None:
        return gettext("its effect was not computed on its own")
    amount = gettext("%(tonnes)s t", tonnes=signed_tonnes(moved))
    if len(months) == 1:
        return gettext(
            "moved the median of %(month)s by %(tonnes)s", month=_month(months[0]), tonnes=amount
        )
    return gettext("moved the medians of these months by %(tonnes)s in sum", tonnes=amount)


def causes_of_change(parts: Mapping[str, float], median: float) -> str:
    """One or two sentences on the causes of a change, in tonnes with the digits of ``median``."""
    sentences = _causes(rounded(parts, median), CHANGE_CAUSES, median)
    return " ".join(_sentence(text) for text in sentences if text)


def rounded(parts: Mapping[str, float], median: float) -> dict[str, float]:
    """Parts rounded so that they add up to their rounded sum.

    All are rounded down, then those that lost most are raised by one step.
    """
    digits = _digits(median)
    steps = np.array(list(parts.values()), dtype=float) * 10**digits
    down = np.floor(steps)
    missing = round(float(np.round(steps.sum()) - down.sum()))
    down[np.argsort(-(steps - down), kind="stable")[:missing]] += 1.0
    return dict(zip(parts, np.round(down / 10**digits, digits).tolist(), strict=True))


def _causes(parts: Mapping[str, float], words: Mapping[str, str], median: float) -> list[str]:
    order = sorted((name for name in parts if parts[name]), key=lambda name: -abs(parts[name]))
    main, smaller = order[:MAIN], order[MAIN:]
    named = [name for name in smaller if abs(parts[name]) >= MINOR_SHARE * median]
    small = sum(parts[name] for name in smaller if name not in named)

    def effects(names: list[str]) -> list[str]:
        return [_effect(words[name], parts[name], median) for name in names]

    other = words.get(_ADJUSTMENT, _OTHER)
    minor = [*effects(named), *([_effect(other, small, median)] if small else [])]
    rest = _joined(minor)
    if named:
        rest = gettext("smaller effects: %(effects)s", effects=rest)
    return [_joined(effects(main)), *([rest] if minor else [])]


_OTHER: Final = marked("other")


def _joined(parts: Sequence[str]) -> str:
    return gettext("; ").join(parts)


def _effect(cause: str, value: float, median: float) -> str:
    sign = "+" if value > 0 else MINUS
    amount = f"{sign}{_tonnes(abs(value), median)}"
    return gettext("%(cause)s: %(tonnes)s", cause=_cause(cause, value), tonnes=amount)


def _cause(words: str, value: float) -> str:
    return gettext(words if value > 0 else _BELOW.get(words, words))


def _tonnes(value: float, median: float) -> str:
    return gettext("%(tonnes)s t", tonnes=separated(f"{value:,.{_digits(median)}f}"))


def _digits(median: float) -> int:
    return 0 if abs(median) >= SMALL_TONNES else 1


def _sentence(text: str) -> str:
    return gettext("%(sentence)s.", sentence=f"{text[0].upper()}{text[1:]}")


def _month(period: str) -> str:
    return dated(pd.Timestamp(period), "long month")


def explanation(publication: Publication, destination: str) -> Record:
    """Parts of the medians of a destination, and what changed them; tonnes."""
    rows = publication.latest
    months = rows.loc[rows["destination"] == destination].sort_values("period")
    return {
        "months": [_explained(destination, row) for row in months.to_dict("records")],
        "change": _change(publication, destination),
    }


def _change(publication: Publication, destination: str) -> Record | None:
    change = publication.published.explanation
    if change is None or not change.since:
        return None
    figures = [
        {**asdict(figure), "moved": (figure.moved or {}).get(destination)}
        for figure in change.figures
    ]
    causes = change.changes.get(destination, {})
    return {"since": change.since, "causes": causes, "figures": figures}


def _explained(destination: str, row: dict[object, object]) -> Record:
    period, stored, rule = str(row["period"]), row["contributions"], rule_of(str(row["model"]))
    parts: dict[str, float] | None = json.loads(stored) if isinstance(stored, str) else None
    return {
        "period": period,
        "p50": round(float(str(row["p50"])), KILOGRAMS),
        "parts": parts and {name: round(tonnes, KILOGRAMS) for name, tonnes in parts.items()},
        "sentences": forecast_sentences(destination, period, parts, rule) if parts else [],
    }
