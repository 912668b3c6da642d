"""Who took what a hit destination lost: rises beyond expectation, with a stated false-alarm rate.

The destinations that an act does not hit are a composition of their own: each is held against the
total of the others, so neither the fall of the hit one nor a shock to all moves it. What was to be
expected comes from months before the act alone, and how far is far from the same search at every
earlier month. See docs/adr/0014-diversion.md.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.months import month_label
from models.event_study.diversion_answer import LastWindow
from models.event_study.diversion_found import Diversion, DiversionQuestion, Rise
from models.event_study.diversion_placebo import LEAST_BLOCKS, Placebo
from models.event_study.diversion_windows import (
    BEFORE,
    Case,
    case_of,
    foreseen,
    hit_expected_of,
)
from models.event_study.rises import RunScores, runs_of
from models.event_study.trade_flows import TradeFlows
from models.policy.past_errors import learn_errors
from store.errors import DataError

__all__ = ["Diversion", "DiversionQuestion", "Rise", "find_diversion", "kept_of_path"]

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

FEWEST_OTHERS: Final = 3
"""Destinations not hit without which nobody can be held against the others."""


def find_diversion(
    flows: TradeFlows, question: DiversionQuestion, *, rate: float = 0.05
) -> Diversion:
    """Return which destinations rose beyond expectation while others were hit.

    A destination is alerted where the rarest of its runs of one to six months is rarer than all but
    ``rate`` of the rarest runs, over all destinations and months, that the same search finds after
    months of the past. So, where nothing is diverted, an episode has an alert at most that often.

    Args:
        flows: Tonnes as known at one moment; not modified. Order of destinations is of no matter.
        question: Whom the act hits, from when, and which months are asked about.
        rate: Share of episodes without diversion that may have an alert all the same.

    Returns:
        Expectations, p-values and runs of the destinations not hit.

    Raises:
        DataError: Too few destinations are left, no month is known, or the past is too short for
            this rate.
    """
    _check(flows, question, rate)
    order = sorted(range(len(flows.names)), key=flows.names.__getitem__)
    others = [row for row in order if flows.names[row] not in question.hit]
    hit = flows.tonnes[[row for row in order if flows.names[row] in question.hit]].sum(axis=0)
    origins = _origins(flows, question)
    case = case_of(flows, others, hit, origins, question)
    past = learn_errors(case.window.error, case.window.is_told, origins)
    runs = runs_of(case.window, past)
    trials = _trials(flows, question, case, runs)
    usual = Placebo.of(runs.rarest()[:-1][trials], case.column.shape[1])
    _check_trials(usual, question)
    fall = hit_expected_of(flows, others, hit, question), hit[case.column[-1]]
    return LastWindow(flows, tuple(others), question, case, runs, usual, rate).answer(*fall)


def kept_of_path(
    flows: TradeFlows, *, base_end: int, start: int, end: int
) -> list[tuple[str, float]]:
    """Return which part of its own path each destination kept, the least first.

    Args:
        flows: Tonnes as known at one moment.
        base_end: Month number after the last month that knew nothing of an act.
        start: First month it binds.
        end: Month number after the last month to tell of.

    Returns:
        Destinations with a path; empty where no such month is known.
    """
    base = base_end - flows.first
    if not (base > 0 and start < end <= flows.cutoff + 1):
        return []
    _, path = foreseen(flows.tonnes, flows.stderr, np.array([base]), end - base_end, base)
    expected = path[:, 0, start - base_end :].sum(axis=1)
    came = flows.tonnes[:, start - flows.first : end - flows.first].sum(axis=1)
    kept = [
        (name, float(tonnes / due))
        for name, tonnes, due in zip(flows.names, came, expected, strict=True)
        if due > 0 and np.isfinite(tonnes / due)
    ]
    return sorted(kept, key=lambda one: one[1])


def check_rate(rate: float) -> None:
    """Refuse a false-alarm rate that is none.

    Raises:
        DataError: It does not lie between 0 and 1.
    """
    if not 0 < rate < 1:
        raise DataError(
            f"--rate {rate:g} is no share of episodes. Expected a number between 0 and 1, e.g. "
            "0.05. Correct it."
        )


def _check(flows: TradeFlows, question: DiversionQuestion, rate: float) -> None:
    check_rate(rate)
    left = [name for name in flows.names if name not in question.hit]
    if len(left) < FEWEST_OTHERS:
        raise DataError(
            f"The act leaves {len(left)} of {len(flows.names)} destinations unhit. Expected at "
            f"least {FEWEST_OTHERS}, so that one can be held against the others: there is nothing "
            "to divert to. Take an act on fewer destinations."
        )
    if not question.start < question.end <= flows.cutoff + 1:
        raise DataError(
            f"Nothing is known of {month_label(question.start)} yet: the last month known is "
            f"{month_label(flows.cutoff)}. Expected a month since the act binds. Take a later "
            "--as-of."
        )


def _check_trials(usual: Placebo, question: DiversionQuestion) -> None:
    if usual.blocks < LEAST_BLOCKS:
        months = question.end - question.start
        raise DataError(
            f"Before {month_label(question.base_end)} the search over {months} months can be tried "
            f"out at {len(usual.logs)} months only. Expected at least "
            f"{int(np.ceil((LEAST_BLOCKS - 1) * months)) + 1}, without which no false-alarm rate "
            "can be promised: the history is too short. Load more months, or take an earlier "
            "--as-of, so that fewer months are asked about."
        )


def _origins(flows: TradeFlows, question: DiversionQuestion) -> Places:
    """Return the columns of months taken as if an act had come then, last its own."""
    base = question.base_end - flows.first
    reach = question.end - question.base_end
    return np.array([*range(BEFORE, base - reach + 1), base])


def _trials(flows: TradeFlows, question: DiversionQuestion, case: Case, runs: RunScores) -> Flags:
    """Return which months of the past are like the question: calm for all, with figures told."""
    troubled = np.isin(case.column[:-1] + flows.first, np.array(question.troubled, dtype=np.int64))
    return np.asarray(~troubled.any(axis=1) & (runs.told[:-1] > 0))
