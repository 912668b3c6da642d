"""What was known at a moment, as the service is handed it.

The features' own point-in-time views and evidence panel make it; the service makes none itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from store.publications.published import Published

Floats = NDArray[np.float64]

PathsOf = Callable[[Floats, float], Floats]
"""Returns draws x months of tonnes from the published quantiles of months in a row (months x
``QUANTILES``) and from the share of a miss that the next month repeats."""


@dataclass(frozen=True, slots=True)
class PolicyLedger:
    """Policy as known at one moment: the newest version of each event and tariff step."""

    events: pd.DataFrame
    tariffs: pd.DataFrame


@dataclass(frozen=True, slots=True)
class KnownState:
    """The trade and the policy as known at one moment; nothing in here is modified."""

    as_of: pd.Timestamp
    cutoff: str
    """Last month the evidence knows, ``YYYY-MM``."""
    panel: pd.DataFrame
    """``PANEL_COLUMNS``."""
    suspicious: pd.DataFrame
    """``statement, residual_t, z, source_url``, worst first."""
    ledger: PolicyLedger


@dataclass(frozen=True, slots=True)
class ExplanationInputs:
    """How the service learns what was known; pure functions of published rows."""

    stand_of: Callable[[Published, pd.Timestamp], KnownState]
    ledger_of: Callable[[Published, pd.Timestamp], PolicyLedger]
    meanings: Mapping[str, str]
    """What a driver's name means, in words."""
    paths_of: PathsOf
