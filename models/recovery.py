"""How long until most of the trade before a control is back: the licence-lag recovery curve."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.response import OwnMonths, Response

Floats = NDArray[np.float64]

BACK: Final = 0.8
"""Share of the level before from which trade counts as back."""

LONGEST: Final = 36
"""Months looked ahead."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """Months from the day a control binds until trade is back; infinite beyond ``LONGEST``."""

    p10: float
    p50: float
    p90: float
    share: float
    """Of the level before."""
    chance_not: float
    """Probability that it takes longer than ``LONGEST`` months."""

    @property
    def words(self) -> str:
        """Say it in one clause."""
        low, middle, high = (
            f"{value:.0f}" if np.isfinite(value) else f"over {LONGEST}"
            for value in (self.p10, self.p50, self.p90)
        )
        return f"{middle} months until {self.share:.0%} of the level before ({low} to {high})"


def recovery_of(
    response: Response, *, instrument: str, own: OwnMonths | None = None, share: float = BACK
) -> Recovery:
    """Return when the curve of a control first comes back to a share after its lowest month.

    Args:
        response: Curves given the analogs.
        instrument: Of the control.
        own: Months already seen of it; those that were back are counted as they were.
        share: Of the level before, 0 to 1.
    """
    age = np.arange(LONGEST, dtype=np.float64) + 0.5
    curve = response.level(age, instrument=instrument, own=own)
    lowest = curve.argmin(axis=1)
    back = (curve >= share) & (np.arange(LONGEST)[None, :] >= lowest[:, None])
    never_down = (curve >= share).all(axis=1)
    months = np.where(back.any(axis=1), age[back.argmax(axis=1)], np.inf)
    months[never_down] = 0.0
    p10, p50, p90 = (float(np.quantile(months, q, method="lower")) for q in (0.1, 0.5, 0.9))
    return Recovery(p10, p50, p90, share, float(np.isinf(months).mean()))
