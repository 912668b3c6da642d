"""What the engine does, in one frozen place. Found by ``magnetcast train --tune N``."""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Choices of the engine. Source: docs/adr/0005-panel-engine.md."""

    pairs: int = 8_000
    """Pairs of series and past origin to train on, at most."""
    most_series: int = 6_000
    """Series that past origins look at, at most: more are not worth their time."""
    rows: int = 10_000
    """Cells of those pairs that a fit sees, at most."""
    step: int = 2
    """Months between past origins."""
    span: int = 60
    """Months back to the earliest past origin, besides the horizon."""
    least_history: int = 14
    """Months of the panel that a past origin needs behind it."""
    half_life: float = 60.0
    """Age at which a past origin counts half, in months."""
    ridge: float = 1000.0
    """Worth of the belief that the experts' middle needs no correction, in rows."""
    rounds: int = 40
    learning_rate: float = 0.1
    leaves: int = 15
    least_rows: int = 100
    l2: float = 1.0
    feature_share: float = 0.4
    row_share: float = 0.7
    bins: int = 63
    trial_months: int = 12
    """Months of the validation window, which sets weights and bands; at least the horizon."""
    trust: float = 0.5
    """How far measured weights count against equal ones."""
    band_prior: float = 300.0
    """Worth of the heads' own quantiles, in cells of the validation window."""
    band_half_life: float = 12.0
    """Age at which a cell of the window counts half for the bands, in months."""
    band_growth: float = 0.2
    """How much wider than the window asks bands are a whole window ahead, nearer months in step:
    far months are seen from few of its origins, which overlap and share their shocks."""
    other_groups: float = 0.3
    """What a cell of another group of volatility counts."""
    adaption: float = 0.05
    """How far one month's misses move the level of the bands (ACI's gamma)."""
    seed: int = 20250404
    threads: int = 2
    """Workers; the numbers are the same with any number of them."""

    def validation_length(self, horizon: int) -> int:
        """Return the months of the validation window."""
        return max(self.trial_months, horizon)

    @property
    def choices(self) -> dict[str, int | float]:
        """Return every choice by name."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Return a short fingerprint of all choices but the threads."""
        counted = {name: value for name, value in self.choices.items() if name != "threads"}
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:8]
