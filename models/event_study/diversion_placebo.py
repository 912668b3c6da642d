"""How rare a finding is beside what the same search finds at months without an act.

Private to ``models.event_study.diversion``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BODY: Final = 0.5
"""Part of the trials that is read as it is; of the rarer half the tail is drawn on."""

LEAST_BLOCKS: Final = 4.0
"""Windows of the past without a month in common that a tail needs."""


@dataclass(frozen=True, slots=True)
class Placebo:
    """The distribution of the rarest finding of a window in which nothing happened."""

    logs: Floats
    """Minus the logs of the trials' surprises, increasing."""
    blocks: float
    """How many windows without a month in common the trials are worth."""

    @classmethod
    def of(cls, surprise: Floats, months: int) -> "Placebo":
        """Return the distribution of trials at successive months.

        Args:
            surprise: Of each trial, 0 to 1.
            months: Of one window: so many successive trials share months and count as one.
        """
        logs = np.sort(-np.log(np.maximum(surprise, 1e-300)))
        return cls(logs, (len(logs) + months - 1) / months)

    def p_value(self, surprise: Floats) -> Floats:
        """Return how often a window without an act has a finding as rare.

        Beyond the middle the logs are taken as exponential, with the spread that the trials have
        about their number of blocks: so a rate holds although they are few (a Lomax predictive).
        """
        asked = -np.log(np.maximum(surprise, 1e-300))
        count = len(self.logs)
        body = (1.0 + count - np.searchsorted(self.logs, asked)) / (1.0 + count)
        bend = float(np.quantile(self.logs, BODY))
        above = self.logs[self.logs > bend]
        mean = max(float((above - bend).mean()) if len(above) else 0.0, 1e-9)
        worth = (1.0 - BODY) * self.blocks
        excess = np.maximum(asked - bend, 0.0) / mean
        tail = (1.0 - BODY) * (1.0 + excess / worth) ** (-worth)
        return np.where(asked > bend, tail, body)
