"""Why a forecast is what it is and what changed it, in sentences whose numbers add up."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from service.names import name_of
from store.vocabulary import CHANGES, CONTRIBUTIONS, NOT_REPRODUCED

MAIN: Final = 3
"""Causes told first."""

SMALL_TONNES: Final = 20.0
"""Below it tenths of a tonne are told."""

CAUSES: Final[dict[str, str]] = {
    "season": "the season",
    "momentum": "its own recent course",
    "tariffs": "the tariff picture",
    "policy": "the policy picture",
    "world": "the world market",
    "experts": "plain extrapolation of its history",
    "past_mean": "the usual drift of past years",
    "past_errors": "the shift from past errors",
    "policy_response": "the answer to export controls",
    "reconciliation": "fitting the destinations to their sums",
    NOT_REPRODUCED: "what can no longer be reproduced",
}
"""Parts of a forecast in words."""

CHANGE_CAUSES: Final[dict[str, str]] = {
    "passing_time": "the passing of time",
    "new_actuals": "newly published trade",
    "revised_actuals": "trade told again",
    "tariffs": "new tariff news",
    "policy": "new policy news",
    "model": "the newer model",
    "reconciliation": CAUSES["reconciliation"],
    NOT_REPRODUCED: CAUSES[NOT_REPRODUCED],
}
"""Parts of a change in words."""

if set(CAUSES) != {*CONTRIBUTIONS, NOT_REPRODUCED} - {"level"} or set(CHANGE_CAUSES) != {*CHANGES}:
    raise RuntimeError("service.why and store.vocabulary disagree; word the missing part.")


def forecast_sentences(
    destination: str, period: str, parts: Mapping[str, float]
) -> tuple[str, ...]:
    """Return why a median is what it is: what it is, its main causes, the others.

    Args:
        destination: Code.
        period: ``YYYY-MM``.
        parts: Tonnes by ``CONTRIBUTIONS`` and perhaps ``not_reproduced``; they add up to the
            median. Told numbers are rounded so that they add up too.
    """
    told, digits = _rounded(parts)
    head = f"{name_of(destination)}, {_month(period)}: {_tonnes(_total(told), digits)} t."
    level = f"{_tonnes(told.pop('level'), digits)} t"
    causes = _clauses(told, CAUSES, digits)
    start = f"The last twelve known months alone would give {level} a month"
    return (head, _sentence([start, _joined(causes[:MAIN])]), *_rest(causes[MAIN:], "Besides, "))


def change_sentences(
    destination: str,
    period: str,
    parts: Mapping[str, float],
    *,
    after: float,
    days: tuple[str, str],
) -> tuple[str, ...]:
    """Return what changed a median: by how much, the main causes, the others.

    Args:
        destination: Code.
        period: ``YYYY-MM``.
        parts: Tonnes by ``CHANGES``; they add up to the change.
        after: The later median, in tonnes.
        days: Of the earlier and the later forecast, ``YYYY-MM-DD``.
    """
    told, digits = _rounded(parts, size=after)
    change = _total(told)
    where = f"{name_of(destination)}, {_month(period)}: {_tonnes(after, digits)} t as of {days[1]}"
    if round(change, digits) == 0:
        moved = f"the same as on {days[0]}"
    else:
        amount = f"{_tonnes(abs(change), digits)} t {'more' if change > 0 else 'less'}"
        moved = f"{amount} than on {days[0]}"
    causes = _clauses(told, CHANGE_CAUSES, digits)
    main = _sentence([_joined(causes[:MAIN])]) if causes else "Nothing moved it."
    return (f"{where}, {moved}.", main, *_rest(causes[MAIN:], "Besides, "))


def _rounded(
    parts: Mapping[str, float], *, size: float | None = None
) -> tuple[dict[str, float], int]:
    """Return parts rounded so that they add up to their rounded sum, and the digits kept.

    Those nearest to the next step are moved by one step.
    """
    values = np.array(list(parts.values()), dtype=float)
    digits = 0 if abs(values.sum() if size is None else size) >= SMALL_TONNES else 1
    steps = values * 10**digits
    down = np.floor(steps)
    missing = round(float(np.round(steps.sum()) - down.sum()))
    up = np.argsort(-(steps - down), kind="stable")[:missing]
    down[up] += 1.0
    return dict(zip(parts, (down / 10**digits).tolist(), strict=True)), digits


def _total(parts: Mapping[str, float]) -> float:
    return float(sum(parts.values()))


def _clauses(told: Mapping[str, float], words: Mapping[str, str], digits: int) -> list[str]:
    """Word the parts that are not nothing, largest first."""
    order = sorted(told, key=lambda name: -abs(told[name]))
    return [
        f"{words[name]} {'adds' if told[name] > 0 else 'takes'} "
        f"{_tonnes(abs(told[name]), digits)} t"
        for name in order
        if told[name]
    ]


def _rest(causes: list[str], start: str) -> tuple[str, ...]:
    return (_sentence([start + _joined(causes)]),) if causes else ()


def _joined(causes: list[str]) -> str:
    if len(causes) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(causes)
    return f"{', '.join(causes[:-1])} and {causes[-1]}"


def _sentence(halves: list[str]) -> str:
    text = "; ".join(half for half in halves if half)
    return f"{text[0].upper()}{text[1:]}."


def _tonnes(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def _month(period: str) -> str:
    return f"{pd.Timestamp(period):%B %Y}"
