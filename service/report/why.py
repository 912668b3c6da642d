"""Why a forecast is what it is and what changed it, in sentences whose numbers add up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from service.wording.names import name_of
from store.vocabulary import CHANGES, CONTRIBUTIONS, NOT_REPRODUCED

MAIN: Final = 3
"""Causes told in one sentence."""

WORTH: Final = 0.01
"""Causes smaller than this share of the median are told together, unless they are the main ones."""

SMALL_TONNES: Final = 20.0
"""Below it tenths of a tonne are told."""

CAUSES: Final[dict[str, str]] = {
    "season": "the season",
    "momentum": "its own recent course",
    "tariffs": "tariffs",
    "policy": "policy as past months took it",
    "world": "the world market",
    "experts": "plain extrapolation of its history",
    "past_mean": "the usual drift of past years",
    "past_errors": "the shift from past errors",
    "policy_response": "the answer to controls and coming tariffs",
    "reconciliation": "making destinations and world agree",
    NOT_REPRODUCED: "what can no longer be reproduced",
}
"""Parts of a forecast in words."""

CHANGE_CAUSES: Final[dict[str, str]] = {
    "passing_time": "the passing of time",
    "new_actuals": "newly published trade",
    "revised_actuals": "trade told again",
    "tariffs": "new tariffs",
    "policy": "new policy",
    "model": "the newer model",
    "reconciliation": CAUSES["reconciliation"],
    NOT_REPRODUCED: CAUSES[NOT_REPRODUCED],
}
"""Parts of a change in words."""

PLURAL: Final = frozenset({"tariffs", "new tariffs"})

if set(CAUSES) != {*CONTRIBUTIONS, NOT_REPRODUCED} - {"level"} or set(CHANGE_CAUSES) != {*CHANGES}:
    raise RuntimeError("service.report.why and store.vocabulary disagree; word the missing part.")


@dataclass(frozen=True, slots=True)
class _Style:
    """How tonnes of one median are told."""

    median: float

    @property
    def digits(self) -> int:
        """Return the decimals told."""
        return 0 if abs(self.median) >= SMALL_TONNES else 1

    def tonnes(self, value: float) -> str:
        """Return a number of tonnes in words."""
        return f"{value:,.{self.digits}f} t"

    def clause(self, cause: str, value: float) -> str:
        """Return what a cause does."""
        verb = "adds" if value > 0 else "takes"
        if cause in PLURAL:
            verb = verb.removesuffix("s")
        return f"{cause} {verb} {self.tonnes(abs(value))}"


def forecast_sentences(destination: str, period: str, parts: Mapping[str, float]) -> list[str]:
    """Return why a median is what it is: what it is, its main causes, the others.

    Args:
        destination: Code.
        period: ``YYYY-MM``.
        parts: Tonnes by ``CONTRIBUTIONS`` and perhaps ``not_reproduced``; they add up to the
            median. The numbers told are rounded so that they add up too.
    """
    style = _Style(sum(parts.values()))
    told = _rounded(parts, style.digits)
    head = f"{name_of(destination)}, {_month(period)}: {style.tonnes(sum(told.values()))}"
    level = style.tonnes(told.pop("level"))
    start = f"the last twelve known months alone would give {level} a month"
    main, *rest = _causes(told, CAUSES, style)
    return [_sentence(text) for text in (head, f"{start}; {main}" if main else start, *rest)]


def change_sentences(
    destination: str,
    period: str,
    parts: Mapping[str, float],
    *,
    after: float,
    days: tuple[str, str],
) -> list[str]:
    """Return what changed a median: by how much, the main causes, the others.

    Args:
        destination: Code.
        period: ``YYYY-MM``.
        parts: Tonnes by ``CHANGES``; they add up to the change and are told as such.
        after: The later median, in tonnes.
        days: Of the earlier and the later forecast, ``YYYY-MM-DD``.
    """
    style = _Style(after)
    told = _rounded(parts, style.digits)
    change = sum(told.values())
    where = f"{name_of(destination)}, {_month(period)}: {style.tonnes(after)} as of {days[1]}"
    moved = f"the same as on {days[0]}"
    if change:
        moved = f"{style.tonnes(abs(change))} {'more' if change > 0 else 'less'} than on {days[0]}"
    main, *rest = _causes(told, CHANGE_CAUSES, style)
    return [_sentence(text) for text in (f"{where}, {moved}", main or "nothing moved it", *rest)]


def _rounded(parts: Mapping[str, float], digits: int) -> dict[str, float]:
    """Return parts rounded so that they add up to their rounded sum.

    All are rounded down, then those that lost most are raised by one step.
    """
    steps = np.array(list(parts.values()), dtype=float) * 10**digits
    down = np.floor(steps)
    missing = round(float(np.round(steps.sum()) - down.sum()))
    down[np.argsort(-(steps - down), kind="stable")[:missing]] += 1.0
    return dict(zip(parts, np.round(down / 10**digits, digits).tolist(), strict=True))


def _causes(told: Mapping[str, float], words: Mapping[str, str], style: _Style) -> list[str]:
    """Return one sentence on the main causes and one on the others; none of what is nothing."""
    order = sorted((name for name in told if told[name]), key=lambda name: -abs(told[name]))
    main, others = order[:MAIN], order[MAIN:]
    named = [name for name in others if abs(told[name]) >= WORTH * style.median][:MAIN]
    small = sum(told[name] for name in others if name not in named)
    clauses = [style.clause(words[name], told[name]) for name in named]
    if small:
        clauses.append(style.clause("the rest", small))
    first = _joined([style.clause(words[name], told[name]) for name in main])
    besides = "besides, " if named else ""
    return [first, *([f"{besides}{_joined(clauses)}"] if clauses else [])]


def _joined(causes: list[str]) -> str:
    if len(causes) < 2:  # noqa: PLR2004 - nothing to join
        return "".join(causes)
    return f"{', '.join(causes[:-1])} and {causes[-1]}"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _month(period: str) -> str:
    return f"{pd.Timestamp(period):%B %Y}"
