"""Seasonal factors of each series, shrunk towards those of its panel."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Flags, Floats, join
from store.months import YEAR

BLOCK: Final = 1024
"""Series processed at a time, which bounds memory and keeps arrays in the processor's cache."""

LEAST_YEARS: Final = 2
"""Years of data that a panel needs for a seasonal profile."""

_HALF_LIFE: Final = 2.5
"""Years after which a ratio has half the weight."""

NOISE_WEIGHT: Final = 1.25
"""Factor on the measured noise of a profile: above one shrinks more."""

_LOWEST: Final = 0.3
"""Smallest seasonal factor: values are divided by it, and a smaller one inflates outliers."""

LEAST_PANEL: Final = 10
"""Series with a complete profile that a panel needs for a common one."""


@dataclass(frozen=True, slots=True)
class SeasonalProfiles:
    """Seasonal profiles of series before shrinkage."""

    profile: Floats
    """Series x months of the year, mean 1."""
    variance: Floats
    """Squared standard error of a profile's months, one number a series."""
    is_whole: Flags
    """Whether each month of the year was measured at least once."""


def season_profiles(values: Floats, panel: Floats | None = None) -> Floats:
    """Seasonal factors, as multiples of the year's mean.

    Ratios to a centred yearly moving average, averaged with more weight on recent years, then
    shrunk towards the panel's profile in proportion to their noise (empirical Bayes). The panel's
    profile comes from all series, so pass the whole panel at once; nothing else depends on the
    other series or on their order.

    Args:
        values: Series x months, NaN where missing; not modified.
        panel: The panel's profile, by ``common_profile``, if these are some of its series.

    Returns:
        Series x months of the year, at least 0.3; column k is for the matrix columns k, k + 12, ...
        Ones for panels under two years. Series without a full year of ratios get the panel's
        profile, which is ones if fewer than ten series have a profile.

    Examples:
        >>> year = np.where(np.arange(12) == 1, 0.5, 1.0)  # February is half of the others
        >>> season_profiles(100 * np.tile(year, (1, 5)))[0, :3].round(2).tolist()
        [1.04, 0.52, 1.04]
    """
    if values.shape[1] < LEAST_YEARS * YEAR or not len(values):
        return np.ones((len(values), YEAR))
    raw = measured_profiles(values)
    return steadied_profiles(raw, panel_profile(raw) if panel is None else panel)


def common_profile(values: Floats) -> Floats:
    """Profile of the panel, towards which ``season_profiles`` shrinks each series."""
    if values.shape[1] < LEAST_YEARS * YEAR or not len(values):
        return np.ones(YEAR)
    return panel_profile(measured_profiles(values))


def measured_profiles(values: Floats) -> SeasonalProfiles:
    """Profile of each series on its own, without shrinkage.

    Args:
        values: Series x months, NaN where missing, at least ``LEAST_YEARS``; not modified.
    """
    places = range(0, max(len(values), 1), BLOCK)
    return join([_profiles_of(*_ratios(values[at : at + BLOCK].T)) for at in places])


def panel_profile(raw: SeasonalProfiles) -> Floats:
    """Mean profile of a panel, weighted by the precision of each series' profile."""
    is_whole = raw.is_whole
    if is_whole.sum() < LEAST_PANEL:
        return np.ones(YEAR)
    variance = raw.variance[is_whole]
    trust = 1.0 / np.maximum(variance + np.median(variance), 1e-12)
    return np.asarray(trust @ raw.profile[is_whole] / trust.sum())


def steadied_profiles(raw: SeasonalProfiles, panel: Floats) -> Floats:
    """Profiles shrunk towards the panel's by the share of noise in their difference.

    Returns:
        Series x months of the year, at least 0.3.
    """
    deviation = raw.profile - panel
    between = (deviation**2).sum(axis=1) / (YEAR - 1)
    noise = NOISE_WEIGHT * raw.variance
    kept_share = np.clip(1.0 - noise / np.maximum(between, 1e-12), 0.0, 1.0)
    return np.maximum(panel + deviation * np.where(raw.is_whole, kept_share, 0.0)[:, None], _LOWEST)


def carried(months: Floats, *, step: int = 1) -> Floats:
    """Months x series, each gap filled with the value ``step`` months before, if any."""
    filled = months.copy()
    for at in np.flatnonzero(np.isnan(months).any(axis=1)):
        if at >= step:
            filled[at] = np.where(np.isnan(filled[at]), filled[at - step], filled[at])
    return filled


def moving_sums(months: Floats, width: int) -> Floats:
    """Sums over all windows of ``width`` rows.

    Each is added up from its own rows, so a huge month leaves no rounding error in later sums.
    """
    if width == 1:
        return months
    half = width // 2
    part = moving_sums(months, half)
    pair = part[:-half] + part[half:]
    return pair if width % 2 == 0 else pair[:-1] + months[width - 1 :]


def _profiles_of(ratio: Floats, usable: Flags) -> SeasonalProfiles:
    """Profiles of series from their ratios (``_ratios``)."""
    years = -(-len(ratio) // YEAR)
    absent = years * YEAR - len(ratio)
    before = ((absent, 0), (0, 0))
    ratios = np.pad(ratio, before).reshape(years, YEAR, -1)
    is_usable = np.pad(usable, before).reshape(ratios.shape)
    # Ages count from the newest ratio of the same calendar month.
    age = np.arange(years)[::-1, None, None]
    parts = _weighted(ratios, is_usable * 0.5 ** (1.0 / _HALF_LIFE * age))
    place = (np.arange(YEAR) + absent - YEAR // 2) % YEAR
    mean, scatter, count = (part[place] for part in parts)
    middle = mean.mean(axis=0)
    is_whole = (count > 0).all(axis=0) & (middle > 0)
    noise = scatter.sum(axis=0) / np.maximum(count.sum(axis=0) - YEAR, 1.0)
    variance = noise / np.maximum(count.mean(axis=0), 1.0)
    return SeasonalProfiles((mean / np.where(is_whole, middle, 1.0)).T, variance, is_whole)


def _ratios(months: Floats) -> tuple[Floats, Flags]:
    """Ratios of months to their centred yearly average, from month seven, and a usable mask.

    The average takes a gap as the last value before it. A ratio depends on no month more than half
    a year after it.

    Args:
        months: Months x series, NaN where missing; not modified.
    """
    filled = carried(months)
    half = YEAR // 2
    sums = moving_sums(filled, YEAR)
    average = (sums[:-1] + sums[1:]) / (2 * YEAR)
    inner = months[half : half + len(average)]
    usable = np.isfinite(inner) & (average > 0)
    ratio = np.divide(inner, average, out=np.zeros_like(average), where=usable)
    return ratio, usable


def _weighted(ratio: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted mean, sum of squared deviations and effective count of each column."""
    total = weight.sum(axis=0)
    some = np.where(total > 0, total, 1.0)
    mean = (weight * ratio).sum(axis=0) / some
    count = total**2 / np.where(total > 0, (weight**2).sum(axis=0), 1.0)
    spread = (weight * (ratio - mean) ** 2).sum(axis=0) / some
    return np.where(total > 0, mean, 1.0), spread * count, count
