"""What to train: every choice of the model in one frozen, printable place."""

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Choices of the magnets' model.

    Source: docs/adr/0002-direct-global-model.md, docs/adr/0006-combination-for-magnets.md.
    """

    rounds: int = 80
    learning_rate: float = 0.05
    leaves: int = 4
    least_rows: int = 100
    """Rows in a leaf, at least."""
    l2: float = 5.0
    feature_share: float = 0.5
    bins: int = 63
    smoothing: float = 0.08
    """Width in log units within which the quantile loss is rounded off."""
    half_life_months: float = 48.0
    """Age at which a past origin counts half."""
    cell_noise: float = 0.25
    """Spread of the log ratio that remains where a cell is known exactly; sets how fast uncertain
    cells lose weight."""
    stderr_limit: float = 0.5
    """Cells less certain than this (log units) train nothing."""
    trees_prior: float = 1.0
    """Weight of the trees before any error is known; the experts have the rest."""
    trust: float = 0.25
    """How far measured weights of trees and experts count against the prior."""
    calibration_half_life_months: float = 12.0
    """Age at which an earlier error counts half, for weights and bands."""
    calibration_prior: float = 12.0
    """Worth of the default residuals, in forecasts."""
    floor_spread: float = 0.05
    seed: int = 20250404
    threads: int = 1
    """One is fastest for the few thousand rows of the magnets, and gives the same bits on any
    machine."""

    @property
    def choices(self) -> dict[str, int | float]:
        """Return every choice by name."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Return a short fingerprint of all choices."""
        text = json.dumps(self.choices, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]
