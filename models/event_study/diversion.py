"""Who took what a hit destination lost: rises beyond expectation, with a stated false-alarm rate.

The destinations that an act does not hit are a composition of their own: each is held against the
total of the others, so neither the fall of the hit one nor a shock to all moves it. What was to be
expected comes from months before the act alone, and how far is far from the same search at every
earlier month. See docs/adr/0014-diversion.md.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.months import month_label
from models.event_study.diversion_paths import (
    BEFORE,
    Case,
    DiversionQuestion,
    TradeFlows,
    case_of,
    foreseen,
    hit_expected_of,
)
from models.event_study.rises import LEAST_BLOCKS, Placebo, RunScores, learn_errors, runs_of
from store.arrays import Flags, Floats, Ints
from store.errors import DataError


@dataclass(frozen=True, slots=True)
class Rise:
    """One run of months in which a destination got more than expected."""

    destination: str
    first: int
    last: int
    excess: float
    """Tonnes more than expected, with ``low`` and ``high`` as the band of 80 in 100."""
    low: float
    high: float
    fall: float
    """Tonnes that the hit destinations missed in these months."""
    p_value: float
    is_troubled: bool

    @property
    def share(self) -> float:
        """Return which part of the fall it is, NaN where nothing fell."""
        return self.excess / self.fall if self.fall > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class Diversion:
    """The answer; arrays are destinations not hit (by name) x months asked about."""

    names: tuple[str, ...]
    months: Ints
    tonnes: Floats
    expected: Floats
    low: Floats
    """Band of 80 in 100 of what was expected."""
    high: Floats
    is_published: Flags
    p_value: Floats
    """Of the run a month belongs to, over all destinations and months together."""
    rises: tuple[Rise, ...]
    """Every run as destinations' months are split up, rarest first."""
    hit_tonnes: Floats
    """Per month, of the hit destinations together."""
    hit_expected: Floats
    hit_is_published: Flags
    """Per month, whether all of the hit destinations' tonnes rest on published figures."""
    trials: int
    """Months of the past at which the same search was made."""
    rate: float

    @property
    def alerts(self) -> tuple[Rise, ...]:
        """Return the runs beyond what chance does in ``rate`` of all episodes."""
        return tuple(r for r in self.rises if r.p_value <= self.rate and r.fall > 0 < r.excess)


BAND: Final = 1.2816
"""Standard deviations on either side of a band of 80 in 100."""


@dataclass(frozen=True, slots=True)
class LastWindow:
    """The question's own window among all."""

    flows: TradeFlows
    others: tuple[int, ...]
    question: DiversionQuestion
    case: Case
    runs: RunScores
    usual: Placebo
    rate: float

    def answer(self, hit_expected: Floats, hit: Floats) -> Diversion:
        """Split each destination's months into runs, the rarest first."""
        columns = self.case.column[-1]
        surprise = self.runs.surprise()[:, :, -1]
        p_value = self.usual.p_value(surprise)
        months = np.ones((len(self.others), len(columns)))
        rises = []
        for row in range(len(self.others)):
            for place, p in self._joined(self._runs_of(row), p_value[:, row]):
                span = slice(*self.runs.spans[place])
                months[row, span] = p
                fall = float((hit_expected - hit)[span].sum())
                rises.append(self._rise(row, place, fall, p))
        expected = self.case.expected[:, -1]
        single = [self.runs.spans.index((at, at + 1)) for at in range(len(columns))]
        width = np.exp(BAND * self.runs.spread[single, :, -1].T)
        return Diversion(
            names=tuple(self.flows.names[row] for row in self.others),
            months=columns + self.flows.first,
            tonnes=self.flows.tonnes[list(self.others)][:, columns],
            expected=expected,
            low=expected / width,
            high=expected * width,
            is_published=self.case.window.is_published[:, -1],
            p_value=months,
            rises=tuple(sorted(rises, key=lambda rise: (rise.p_value, -rise.excess))),
            hit_tonnes=hit,
            hit_expected=hit_expected,
            hit_is_published=np.logical_and.reduce(
                np.delete(self.flows.is_published, self.others, axis=0)[:, columns], axis=0
            ),
            trials=len(self.usual.logs),
            rate=self.rate,
        )

    def _runs_of(self, row: int) -> list[int]:
        """Return the runs of a destination that do not overlap, taken best first."""
        score = self.runs.score[:, row, -1]
        taken: list[int] = []
        for place in np.argsort(-score, kind="stable"):
            start, end = self.runs.spans[place]
            free = all(
                end <= self.runs.spans[other][0] or start >= self.runs.spans[other][1]
                for other in taken
            )
            if free and np.isfinite(score[place]):
                taken.append(int(place))
        return taken

    def _joined(self, places: list[int], p_value: Floats) -> list[tuple[int, float]]:
        """Return runs and their p-values, those to be alerted that follow one another as one.

        The larger p-value is that of both.
        """
        spans = self.runs.spans
        joined: list[tuple[int, float]] = []
        for place in sorted(places, key=spans.__getitem__):
            one, p = place, float(p_value[place])
            if joined:
                (start, end), before = spans[joined[-1][0]], joined[-1][1]
                both = (start, spans[place][1])
                if end == spans[place][0] and max(p, before) <= self.rate and both in spans:
                    one, p = spans.index(both), max(p, before)
                    joined.pop()
            joined.append((one, p))
        return joined

    def _rise(self, row: int, place: int, fall: float, p_value: float) -> Rise:
        span = slice(*self.runs.spans[place])
        months = self.case.column[-1][span] + self.flows.first
        came = self.flows.tonnes[self.others[row], self.case.column[-1][span]]
        known = np.isfinite(came)
        expected = float(self.case.expected[row, -1, span][known].sum())
        total = float(came[known].sum())
        width = float(np.exp(BAND * self.runs.spread[place, row, -1]))
        return Rise(
            destination=self.flows.names[self.others[row]],
            first=int(months[0]),
            last=int(months[-1]),
            excess=total - expected,
            low=total - expected * width,
            high=total - expected / width,
            fall=fall,
            p_value=p_value,
            is_troubled=bool(np.isin(months, self.question.troubled).any()),
        )


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
    base, reach = question.base_end - flows.first, question.end - question.base_end
    # Columns of months taken as if an act had come then, last its own.
    origins = np.array([*range(BEFORE, base - reach + 1), base])
    case = case_of(flows, others, hit, origins, question)
    past = learn_errors(case.window.error, case.window.is_published, origins)
    runs = runs_of(case.window, past)
    troubled = np.isin(case.column[:-1] + flows.first, np.array(question.troubled, dtype=np.int64))
    trials = ~troubled.any(axis=1) & (runs.known[:-1] > 0)  # calm for all, with known figures
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
