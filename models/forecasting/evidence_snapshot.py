"""What was known of the magnets at one moment, and at which past moments a backtest stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.analogs import Analog
from features.months import month_starts
from features.origin import Origin
from features.panel.history import FIRST_TRAINING, EvidenceHistory, release_moments
from store.errors import DataError
from store.vocabulary import COMMODITY

WARM_UP_FROM: Final = "2023-06-25"
"""First origin whose errors calibrate the bands; the year before the first scored origin."""

FIRST_REPLAY: Final = "2019-12-25"
"""First origin with half a year of origins before it to train on."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSnapshot:
    """The evidence panel at one moment, with the past that a model is trained on."""

    history: EvidenceHistory = field(repr=False)
    as_of: pd.Timestamp

    @property
    def name(self) -> str:
        """Return the commodity."""
        return COMMODITY

    @property
    def origin(self) -> Origin:
        """Return figures, events and tariffs as known at the moment."""
        return self.history.origin(self.as_of)

    @property
    def past(self) -> Sequence[Origin]:
        """Return one origin a month before the moment, each as known then, oldest first."""
        return self.history.past(self.as_of)

    @property
    def analogs(self) -> tuple[Analog, ...]:
        """Return controls on other minerals as known at the moment."""
        return self.history.analogs(self.as_of)

    @property
    def series(self) -> tuple[str, ...]:
        """Return destinations and aggregates."""
        return self.origin.series

    @property
    def cutoff(self) -> int:
        """Return the last month known, as a month number."""
        return self.origin.cutoff

    @property
    def tonnes(self) -> NDArray[np.float64]:
        """Return series x months up to the cutoff, estimates among them."""
        return self.origin.tonnes

    def published_levels(self) -> pd.DataFrame:
        """Return destination, period, tonnes of the months with a published level."""
        now = self.origin
        row, column = np.nonzero(now.is_observed)
        return pd.DataFrame(
            {
                "destination": np.array(now.series, dtype=object)[row],
                "period": month_starts(now.first + column),
                "tonnes": now.tonnes[row, column],
            }
        )


def past_moments(as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the origins of a backtest at ``as_of``: from mid-2023, or the two years before.

    Raises:
        DataError: There is no origin before ``as_of``.
    """
    start = min(pd.Timestamp(WARM_UP_FROM, tz="UTC"), as_of - pd.DateOffset(years=2))
    start = max(start, pd.Timestamp(FIRST_REPLAY, tz="UTC"))
    moments = release_moments(f"{start:%Y-%m-%d}", as_of)
    if not moments:
        raise DataError(
            f"as_of={as_of:%Y-%m-%d} has no past to learn from. "
            f"Expected a day after {FIRST_REPLAY}, "
            "because detail by destination was first published in mid-2019. Take a later --as-of."
        )
    return moments


def training_moments(as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the past origins that a model trained at ``as_of`` learns from."""
    return release_moments(FIRST_TRAINING, as_of)
