"""Whether a challenger may publish: rules on evidence from forecasts both made of the same months.

Public: :func:`judge`, :class:`Challenge`, :class:`PromotionDecision`.
Source: docs/adr/0019-champion-and-challenger.md.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Final, Literal

import pandas as pd

from models.evaluation.compare import CHALLENGER, CHAMPION, differences
from models.monitoring import binomial_limits

_BAND: Final = 0.8
"""What the band between p10 and p90 promises."""

Verdict = Literal["held", "broken", "waived", "not compared"]
"""A waived rule has a reason; one that could not be compared leaves the decision to a person."""

NO_CHAMPION: Final = "there is no champion yet"
SAME_PARAMETERS: Final = "same parameters as the champion"


FEWEST_ORIGINS: Final = 12
"""Paired origins, at least, before new parameters are distinguishable from the champion's."""

_MARGIN: Final = 0.05
"""By how much the scaled quantile loss of a refit may be higher, as a share of the champion's:
months differ that much by chance. New parameters have to be better."""

_DESTINATION_MARGIN: Final = 0.15
"""The same for the worst destination."""

_FEWEST_CELLS: Final = 12
"""Cells below which a destination is too thin to be held against a model."""

_CALIBRATED: Final = 0.99
"""Probability that a calibrated band passes."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is known of a challenger and of the champion it is compared with."""

    cells: pd.DataFrame
    """As ``compare.paired_cells``; model is ``challenger`` or ``champion``."""
    challenger_cells: pd.DataFrame
    """All cells of the challenger's backtest, horizons as scored."""
    is_first: bool
    """There is no champion yet."""
    is_refit: bool
    """With the champion's parameters, from other months."""
    is_older: bool
    """Trained at an earlier moment than the champion."""
    rolled_back: str = ""
    """Why one like it was taken back; empty if none was."""
    best: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Cells as above with the best champion of the year before, so that margins do not add up."""
    fewest: int = FEWEST_ORIGINS
    """Paired origins that are expected."""


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """One rule and what became of it."""

    rule: str
    measured: str
    expected: str
    verdict: Verdict
    reason: str = ""
    """Why it was waived or not compared."""


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """All rules of a trial."""

    rules: tuple[PromotionRule, ...]

    @property
    def is_passed(self) -> bool:
        return not self.broken and self.is_compared

    @property
    def is_compared(self) -> bool:
        return not self.of("not compared")

    @property
    def broken(self) -> tuple[PromotionRule, ...]:
        return self.of("broken")

    def of(self, verdict: Verdict) -> tuple[PromotionRule, ...]:
        """Return the rules with a verdict."""
        return tuple(rule for rule in self.rules if rule.verdict == verdict)

    @property
    def reasons(self) -> str:
        wording = [f"{one.rule}: {one.measured}, expected {one.expected}" for one in self.broken]
        wording += [f"{one.rule}: not compared, {one.reason}" for one in self.of("not compared")]
        return "; ".join(wording)

    @property
    def summary(self) -> str:
        held = self.of("held")
        if len(held) == len(self.rules):
            return "all rules held"
        parts = [f"held: {', '.join(one.rule for one in held)}"]
        for verdict in ("broken", "not compared", "waived"):
            by_reason: dict[str, list[str]] = {}
            for one in self.of(verdict):
                by_reason.setdefault(one.reason or one.measured, []).append(one.rule)
            named = [f"{', '.join(rules)} ({why})" for why, rules in by_reason.items()]
            parts += [f"{verdict}: {', '.join(named)}"] if named else []
        return "; ".join(parts)

    @property
    def table(self) -> pd.DataFrame:
        return pd.DataFrame([asdict(rule) for rule in self.rules])


def judge(trial: Challenge) -> PromotionDecision:
    """Return what becomes of each rule; ``is_passed`` tells whether the challenger may publish."""
    back = trial.rolled_back
    rules = [
        _rule("is newer", "older" if trial.is_older else "newer", "newer", not trial.is_older),
        _rule("was not rolled back", back or "no", "no", not back),
    ]
    if trial.is_refit:  # the backtest refits the parameters at every origin
        rules.append(PromotionRule("same parameters", "fitted again", "the champion's", "held"))
    rules += [_origins(trial), _loss(trial)]
    if trial.is_refit and len(trial.best):
        against_best = replace(trial, cells=trial.best)
        rules.append(_loss(against_best, "loss against the best champion of a year"))
    return PromotionDecision((*rules, _destinations(trial), _calibration(trial)))


def _rule(
    name: str,
    measured: str,
    expected: str,
    is_held: bool,  # noqa: FBT001 - the verdict
    *,
    waived: str = "",
) -> PromotionRule:
    if waived:
        return PromotionRule(name, measured, expected, "waived", waived)
    return PromotionRule(name, measured, expected, "held" if is_held else "broken")


def _nothing_to_compare(trial: Challenge, name: str, expected: str) -> PromotionRule:
    """Return the rule where the champion has no forecast of the challenger's cells."""
    measured = "no month scored for both"
    if waived := _no_need(trial):
        return PromotionRule(name, measured, expected, "waived", waived)
    why = "no backtest of the champion covers the scored months"
    return PromotionRule(name, measured, expected, "not compared", why)


def _no_need(trial: Challenge) -> str:
    return NO_CHAMPION if trial.is_first else SAME_PARAMETERS if trial.is_refit else ""


def _origins(trial: Challenge) -> PromotionRule:
    name, expected = "paired origins", f"at least {trial.fewest}"
    if trial.cells.empty:
        return _nothing_to_compare(trial, name, expected)
    count = trial.cells["cutoff"].nunique()
    is_held = count >= trial.fewest
    return _rule(name, str(count), expected, is_held, waived=_no_need(trial))


def _loss(trial: Challenge, name: str = "loss against the champion") -> PromotionRule:
    """Hold a refit to the margin, new parameters to a difference that is surely below zero."""
    expected = f"at most {_MARGIN:+.0%}" if trial.is_refit else "95% below +0.0%"
    if trial.cells.empty:
        return _nothing_to_compare(trial, name, expected)
    table = differences(trial.cells, CHALLENGER, [CHAMPION])
    row = table.set_index("metric").loc["sql"]
    numbers = row[["difference", "p95", "score", "baseline_score"]].to_numpy(dtype=float)
    own, theirs = numbers[2:].tolist()
    ratio, high = (numbers[:2] / numbers[3]).tolist()
    wording = (
        f"{ratio:+.1%}, with 95% below {high:+.1%}, {row['verdict']} "
        f"({own:.3f} against {theirs:.3f})"
    )
    return _rule(name, wording, expected, ratio <= _MARGIN if trial.is_refit else high < 0)


def _destinations(trial: Challenge) -> PromotionRule:
    name, expected = "worst destination", f"at most {_DESTINATION_MARGIN:+.0%}"
    if trial.cells.empty:
        return _nothing_to_compare(trial, name, expected)
    groups = trial.cells.groupby(["model", "destination"])["scaled_quantile_loss"]
    mean = {name: groups.mean()[name] for name in (CHALLENGER, CHAMPION)}
    count = groups.count()[CHALLENGER]
    ratio = (mean[CHALLENGER] / mean[CHAMPION] - 1.0).where(count >= _FEWEST_CELLS)
    ratio = ratio.mask(mean[CHALLENGER] == mean[CHAMPION], 0.0).dropna()
    if ratio.empty:
        why = f"none has {_FEWEST_CELLS} scored months"
        return PromotionRule(name, "not judged", expected, "waived", why)
    worst = str(ratio.idxmax())
    wording = f"{worst} {ratio[worst]:+.1%}"
    return _rule(name, wording, expected, bool(ratio[worst] <= _DESTINATION_MARGIN))


def _calibration(trial: Challenge) -> PromotionRule:
    name = "80% band"
    waived = NO_CHAMPION if trial.is_first else ""
    if trial.challenger_cells.empty:
        return _rule(name, "no month scored", "months to score", False, waived=waived)  # noqa: FBT003
    months = int(trial.challenger_cells["period"].nunique())
    low, high = binomial_limits(months, _BAND, level=1.0 - _CALIBRATED)
    share = float(trial.challenger_cells["is_covered"].mean())
    wording = f"held {share:.0%} of {months} months"
    expected = f"{low:.0%} to {high:.0%}"
    return _rule(name, wording, expected, low <= share <= high, waived=waived)
