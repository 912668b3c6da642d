"""What is asked about diversion, and the answer. Private to ``models.event_study.diversion``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DiversionQuestion:
    """An act on part of the destinations, and the months it may have moved."""

    hit: frozenset[str]
    base_end: int
    """Month number after the last month that knew nothing of it."""
    start: int
    """First month it binds."""
    end: int
    """Month number after the last month asked about."""
    troubled: tuple[int, ...] = ()
    """Months in which an act on everybody is fresh: trials leave them out, and an alert within them
    is unsure."""


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
    months: Places
    tonnes: Floats
    expected: Floats
    low: Floats
    """Band of 80 in 100 of what was expected."""
    high: Floats
    is_told: Flags
    p_value: Floats
    """Of the run a month belongs to, over all destinations and months together."""
    rises: tuple[Rise, ...]
    """Every run as destinations' months are split up, rarest first."""
    hit_tonnes: Floats
    """Per month, of the hit destinations together."""
    hit_expected: Floats
    hit_is_told: Flags
    """Per month, whether all of the hit destinations' tonnes rest on published figures."""
    trials: int
    """Months of the past at which the same search was made."""
    rate: float

    @property
    def alerts(self) -> tuple[Rise, ...]:
        """Return the runs beyond what chance does in ``rate`` of all episodes."""
        return tuple(r for r in self.rises if r.p_value <= self.rate and r.fall > 0 < r.excess)
