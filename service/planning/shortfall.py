"""Shortfalls of a need along simulated paths of exports."""

import numpy as np

from service.live.explanation_inputs import Floats


def largest_gap(paths: Floats, tonnes: float) -> Floats:
    """Return the largest cumulative shortfall of each path, in tonnes.

    A surplus month refills the stock, but never above its starting level.

    Args:
        paths: Paths x months in tonnes, the first month first.
        tonnes: The need of each month.
    """
    gap = np.zeros(len(paths))
    largest = gap
    for arrived in paths.T:
        gap = np.maximum(gap + tonnes - arrived, 0.0)
        largest = np.maximum(largest, gap)
    return np.asarray(largest)


def buffer_for(paths: Floats, tonnes: float, cover: float) -> float:
    """Return the smallest stock that covers a share ``cover`` of the paths, in tonnes.

    Args:
        paths: As ``largest_gap``; without months there is no shortfall.
        tonnes: The need of each month.
        cover: 0 to 1.
    """
    return float(np.quantile(largest_gap(paths, tonnes), cover, method="inverted_cdf"))


def any_short(paths: Floats, tonnes: float) -> float:
    """Return the share of paths with at least one month below the need."""
    return float((paths < tonnes).any(axis=1).mean())
