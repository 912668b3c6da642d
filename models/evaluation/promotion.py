"""The promotion gate: rules on a challenger's forecasts of months that the champion forecast too.

Public: :func:`judge`, :class:`Challenge`, :class:`PromotionDecision`.
Source: docs/adr/0019-champion-and-challenger.md.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Final, Literal

import pandas as pd

from models.evaluation.compare import CHALLENGER, CHAMPION, WORSE, differences, rule_losses
from models.evaluation.scores import lead_groups
from models.monitoring import binomial_limits

_BAND: Final = 0.8
"""Nominal coverage of the band between p10 and p90."""

Verdict = Literal["held", "broken", "waived", "not compared"]
"""A waived rule has a reason; one not compared leaves the decision to a person."""

NO_CHAMPION: Final = "no champion can forecast"
SAME_PARAMETERS: Final = "same parameters as the champion"
AGAINST_RULES: Final = "loss against simple rules"

FEWEST_ORIGINS: Final = 12
"""Paired origins needed to tell new parameters from the champion's."""

_MARGIN: Final = 0.05
"""Largest excess of a refit's scaled quantile loss, as a share of the champion's, which chance
explains. New parameters have to be better."""

_PART_MARGIN: Final = 0.15
"""The same for the worst destination and the worst group of leads."""

_FEWEST_CELLS: Final = 12
"""Cells that a destination or a group of leads needs to be judged."""

_CALIBRATED: Final = 0.99
"""Probability that chance leaves a calibrated band within its limits."""

_YEAR: Final = 12
"""Scored months from which these shares are required too."""

_COVERED: Final = (0.65, 0.95)
"""Least and largest share of months that an 80% band may cover."""

_LEAD_COVERED: Final = 0.55
"""Least share at any lead. The band of months already over may be wide: figures fix them later."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Scored cells of a challenger and of the champion it is compared with."""

    cells: pd.DataFrame
    """As ``compare.paired_cells``; model is ``challenger`` or ``champion``."""
    challenger_cells: pd.DataFrame
    """All cells of the challenger's backtest."""
    is_first: bool
    """Whether no champion can forecast, as before the first."""
    is_refit: bool
    """Whether it has the champion's parameters, fitted to other months."""
    is_older: bool
    """Whether it was trained at an earlier moment than the champion."""
    rolled_back: str = ""
    """Reason why a version like it was rolled back; empty if none was."""
    best: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``cells`` with the best champion of the last year instead, so that margins do not add up."""
    fewest: int = FEWEST_ORIGINS
    """Expected number of paired origins."""
    rule_losses: pd.DataFrame = field(default_factory=partial(rule_losses, pd.DataFrame()))
    """Of the challenger's backtest, as ``compare.rule_losses``."""


@dataclass(frozen=True, slots=True)
class PromotionRule:
    """A rule of the gate and its verdict."""

    rule: str
    measured: str
    expected: str
    verdict: Verdict
    reason: str = ""
    """Of a rule waived or not compared."""


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """The verdicts of all rules."""

    rules: tuple[PromotionRule, ...]
    better_rule: str = ""
    """Simple rule of least loss that beats the challenger beyond chance; empty if none does."""

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
        """Rules with their verdict."""
        return tuple(rule for rule in self.rules if rule.verdict == verdict)

    @property
    def reasons(self) -> str:
        wording = [
            f"{rule.rule}: {rule.measured}, expected {rule.expected}" for rule in self.broken
        ]
        wording += [f"{rule.rule}: not compared, {rule.reason}" for rule in self.of("not compared")]
        return "; ".join(wording)

    @property
    def summary(self) -> str:
        held = self.of("held")
        if len(held) == len(self.rules):
            return "all rules held"
        parts = [f"held: {', '.join(rule.rule for rule in held)}"]
        for verdict in ("broken", "not compared", "waived"):
            by_reason: dict[str, list[str]] = {}
            for rule in self.of(verdict):
                by_reason.setdefault(rule.reason or rule.measured, []).append(rule.rule)
            named = [f"{', '.join(rules)} ({reason})" for reason, rules in by_reason.items()]
            parts += [f"{verdict}: {', '.join(named)}"] if named else []
        return "; ".join(parts)

    @property
    def table(self) -> pd.DataFrame:
        return pd.DataFrame([asdict(rule) for rule in self.rules])

    def __str__(self) -> str:
        """The table, whole."""
        return self.table.to_string(index=False, justify="left")


def judge(trial: Challenge) -> PromotionDecision:
    """Verdict of each rule; the challenger may publish if ``is_passed``."""
    back = trial.rolled_back
    rules = [
        _rule("is newer", "older" if trial.is_older else "newer", "newer", not trial.is_older),
        _rule("was not rolled back", back or "no", "no", not back),
    ]
    if trial.is_refit:  # the backtest refits the parameters at every origin
        rules.append(PromotionRule("same parameters", "fitted again", "the champion's", "held"))
    rules += [_origins(trial), *_simple_rules(trial), _loss(trial)]
    if trial.is_refit and len(trial.best):
        against_best = replace(trial, cells=trial.best)
        rules.append(_loss(against_best, "loss against the best champion of a year"))
    rules += [_worst(trial, "destination"), _worst(trial, "lead"), _calibration(trial)]
    beaten_by = trial.rule_losses.loc[trial.rule_losses["verdict"] == WORSE, "baseline"]
    return PromotionDecision(tuple(rules), "".join(beaten_by.head(1)))


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
    """Rule if the champion has no forecast of the challenger's cells."""
    measured = "no month scored for both"
    if waived := _no_need(trial):
        return PromotionRule(name, measured, expected, "waived", waived)
    reason = "no backtest of the champion covers the scored months"
    return PromotionRule(name, measured, expected, "not compared", reason)


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
    """Rule on loss: a margin for a refit, for new parameters a 95% bound below zero."""
    expected = f"at most {_MARGIN:+.0%}" if trial.is_refit else "95% below +0.0%"
    if trial.cells.empty:
        return _nothing_to_compare(trial, name, expected)
    table = differences(trial.cells, CHALLENGER, [CHAMPION])
    row = table.set_index("metric").loc["sql"]
    numbers = row[["difference", "p95", "score", "baseline_score"]].to_numpy(dtype=float)
    challenger_loss, champion_loss = numbers[2:].tolist()
    ratio, high = (numbers[:2] / numbers[3]).tolist()
    wording = (
        f"{ratio:+.1%}, with 95% below {high:+.1%}, {row['verdict']} "
        f"({challenger_loss:.3f} against {champion_loss:.3f})"
    )
    return _rule(name, wording, expected, ratio <= _MARGIN if trial.is_refit else high < 0)


def _simple_rules(trial: Challenge) -> Iterator[PromotionRule]:
    """Yield the rule on the best simple rule; a first model is not spared."""
    for row in trial.rule_losses.head(1).to_dict("records"):
        ratio, low = (row[name] / row["baseline_score"] for name in ("difference", "p05"))
        wording = (
            f"{row['score']:.3f} against {row['baseline_score']:.3f} of {row['baseline']} "
            f"({ratio:+.1%}, with 95% above {low:+.1%}, {row['verdict']})"
        )
        yield _rule(AGAINST_RULES, wording, "not worse beyond chance", row["verdict"] != WORSE)


def _worst(trial: Challenge, part: Literal["destination", "lead"]) -> PromotionRule:
    """Rule on the loss of the worst destination or group of leads with enough cells."""
    name, expected = f"worst {part}", f"at most {_PART_MARGIN:+.0%}"
    if trial.cells.empty:
        return _nothing_to_compare(trial, name, expected)
    parts = trial.cells["destination"] if part == "destination" else lead_groups(trial.cells)
    groups = trial.cells.groupby(["model", parts], observed=True)["scaled_quantile_loss"]
    mean = {name: groups.mean()[name] for name in (CHALLENGER, CHAMPION)}
    count = groups.count()[CHALLENGER]
    ratio = (mean[CHALLENGER] / mean[CHAMPION] - 1.0).where(count >= _FEWEST_CELLS)
    ratio = ratio.mask(mean[CHALLENGER] == mean[CHAMPION], 0.0).dropna()
    if ratio.empty:
        reason = f"none has {_FEWEST_CELLS} scored months"
        return PromotionRule(name, "not judged", expected, "waived", reason)
    worst = ratio.idxmax()
    return _rule(name, f"{worst} {ratio.max():+.1%}", expected, bool(ratio.max() <= _PART_MARGIN))


def _calibration(trial: Challenge) -> PromotionRule:
    """Rule on coverage, of all and by lead; the bias by lead stands beside it."""
    name, cells = "80% band", trial.challenger_cells
    waived = NO_CHAMPION if trial.is_first else ""
    if cells.empty:
        return _rule(name, "no month scored", "months to score", False, waived=waived)  # noqa: FBT003
    months = int(cells["period"].nunique())
    low, high = binomial_limits(months, _BAND, level=1.0 - _CALIBRATED)
    if months >= _YEAR:
        low, high = max(low, _COVERED[0]), min(high, _COVERED[1])
    share = float(cells["is_covered"].mean())
    leads = cells.groupby(lead_groups(cells), observed=True).agg(
        share=("is_covered", "mean"), months=("period", "nunique"),
        tonnes=("tonnes", "sum"), medians=("p50", "sum"),
    )  # fmt: skip
    is_narrow = leads["months"].ge(_YEAR) & leads["share"].lt(_LEAD_COVERED)
    by_lead = ", ".join(
        f"{lead} {row.share:.0%} (bias {row.medians / row.tonnes - 1.0:+.0%})"
        for lead, row in leads.iterrows()
    )
    return _rule(
        name,
        f"covered {share:.0%} of {months} months; by lead {by_lead}",
        f"{low:.0%} to {high:.0%}, at each lead {_LEAD_COVERED:.0%}",
        low <= share <= high and not is_narrow.any(),
        waived=waived,
    )
