"""Panels of quarters and weeks."""

from typing import Final

import numpy as np
import pandas as pd

PERIODS: Final = {
    "quarter ends": ("QE", 4, 40),
    "quarter starts": ("QS", 4, 40),
    "Mondays": ("W-MON", 52, 200),
    "Sundays": ("W-SUN", 52, 200),
}
"""pandas' frequency, periods of a year and of history, by name."""


def make_panel(
    freq: str, year: int, count: int, *, series: int = 12, seed: int = 5
) -> pd.DataFrame:
    """Build ``unique_id, ds, y`` of seasonal series with some noise."""
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2015-01-01", periods=count, freq=freq)
    season = 1.0 + 0.4 * np.sin(2 * np.pi * np.arange(count) / year)
    parts = [
        pd.DataFrame(
            {
                "unique_id": f"s{place:02d}",
                "ds": dates,
                "y": 100.0 * (place + 1) * season * rng.lognormal(0.0, 0.05, count),
            }
        )
        for place in range(series)
    ]
    return pd.concat(parts, ignore_index=True)
