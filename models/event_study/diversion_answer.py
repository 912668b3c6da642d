"""The window asked about, split into runs. Private to ``models.event_study.diversion``."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.event_study.diversion_found import Diversion, DiversionQuestion, Rise
from models.event_study.diversion_placebo import Placebo
from models.event_study.diversion_windows import Case
from models.event_study.rises import RunScores
from models.event_study.trade_flows import TradeFlows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

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
            is_told=self.case.window.is_told[:, -1],
            p_value=months,
            rises=tuple(sorted(rises, key=lambda rise: (rise.p_value, -rise.excess))),
            hit_tonnes=hit,
            hit_expected=hit_expected,
            hit_is_told=self._hit_is_told(columns),
            trials=len(self.usual.logs),
            rate=self.rate,
        )

    def _hit_is_told(self, columns: Places) -> Flags:
        is_published = np.delete(self.flows.is_told, self.others, axis=0)[:, columns]
        return np.asarray(is_published.all(axis=0), dtype=np.bool_)

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
