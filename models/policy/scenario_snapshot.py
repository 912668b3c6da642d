"""A published forecast and all that is needed to ask it what if."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.analogs import Analog
from features.controls.levers import (
    charged_by,
)
from features.months import month_start
from features.origin import Origin
from sources.files.levers import ScenarioContext
from store.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScenarioSnapshot:
    """A published forecast and all that is needed to ask it what if."""

    as_of: pd.Timestamp
    origin: Origin
    analogs: tuple[Analog, ...]
    published: pd.DataFrame
    """Quantiles and mean of every series and target, by series, then target; coherent."""
    ordinary: pd.DataFrame
    """The same before policies that history does not show are answered."""
    learned: Callable[[Origin, Origin], Floats]
    """Log shift of the trained middle from one origin to another, series x targets."""

    @property
    def context(self) -> ScenarioContext:
        """Return what a scenario may speak of here.

        Raises:
            DataError: No policies are known here, as of a bare panel.
        """
        events, tariffs = self.origin.events, self.origin.tariffs
        if events is None or tariffs is None:
            raise DataError(
                "This forecast knows no policies. Expected policy events and tariffs beside its "
                "figures. Load them, e.g. by `magnetcast ingest bundled`."
            )
        importers = tuple(charged_by(self.origin))
        unknown = month_start(self.origin.cutoff + 1)
        return ScenarioContext(
            self.as_of, events, self.origin.series, importers, felt_before=unknown
        )
