"""What a need is short of, along paths of what may arrive."""

import numpy as np

from service.live.explanation_inputs import Floats


def largest_gap(paths: Floats, tonnes: float) -> Floats:
    """Return the stock each path draws down at most, in tonnes.

    Each month takes ``tonnes`` from the stock and brings what arrives; what arrives beyond the need
    fills the stock up to where it began, and no further.

    Args:
        paths: Paths x months of tonnes that arrive, the first month first.
        tonnes: What each month needs.
    """
    gap = np.zeros(len(paths))
    largest = gap
    for arrived in paths.T:
        gap = np.maximum(gap + tonnes - arrived, 0.0)
        largest = np.maximum(largest, gap)
    return np.asarray(largest)


def buffer_for(paths: Floats, tonnes: float, cover: float) -> float:
    """Return the smallest stock that lasts along a share ``cover`` of the paths, in tonnes.

    Args:
        paths: As ``largest_gap``; with no month nothing is drawn down.
        tonnes: What each month needs.
        cover: 0 to 1.
    """
    return float(np.quantile(largest_gap(paths, tonnes), cover, method="inverted_cdf"))


def any_short(paths: Floats, tonnes: float) -> float:
    """Return the share of paths with at least one month below the need."""
    return float((paths < tonnes).any(axis=1).mean())
