"""How the months of a year differ in each series, steadied by the panel it belongs to."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from store.arrays import Flags, Floats, join
from store.months import YEAR

BLOCK: Final = 1024
"""Series worked on at a time: bounds memory, and keeps the arrays near the processor."""

LEAST_YEARS: Final = 2
"""Years a panel must have before any profile is read from it."""

_HALF_LIFE: Final = 2.5
"""Years after which a ratio counts half."""

NOISE_WEIGHT: Final = 1.25
"""Caution of the shrinkage: how many times its measured noise a profile is held to have."""

_LOWEST: Final = 0.3
"""Least factor of a month: values are divided by it, and a smaller one would blow up a stray."""

LEAST_PANEL: Final = 10
"""Series with a profile of their own that a panel needs before it has a profile for all."""


@dataclass(frozen=True, slots=True)
class SeasonalProfiles:
    """Profiles of series as measured, before they are steadied."""

    profile: Floats
    """Series x months of the year, mean 1."""
    variance: Floats
    """Squared standard error of a profile's months, one number a series."""
    is_whole: Flags
    """Whether each month of the year was measured at least once."""


def season_profiles(values: Floats, panel: Floats | None = None) -> Floats:
    """Return what each month of the year is, as a multiple of the year's middle.

    Ratios to a centred year's moving average, averaged with recent years counting more, then drawn
    towards the panel's own profile: the more, the noisier a series is beside how much its profile
    stands out (empirical Bayes). All series together make the panel's profile, so pass the whole
    panel at once; nothing else depends on the other series or on their order.

    Args:
        values: Series x months, NaN where missing; not modified.
        panel: The panel's own profile, by ``common_profile``, where these are some of its series.

    Returns:
        Series x months of the year, at least 0.3; column k is for the matrix columns k, k + 12, ...
        All ones for panels under two years. Series without a whole year of ratios get the panel's
        profile, which is ones where fewer than ten series have one.
    """
    if values.shape[1] < LEAST_YEARS * YEAR or not len(values):
        return np.ones((len(values), YEAR))
    raw = measured_profiles(values)
    return steadied_profiles(raw, panel_profile(raw) if panel is None else panel)


def common_profile(values: Floats) -> Floats:
    """Return the panel's own profile, as ``season_profiles`` draws its series towards."""
    if values.shape[1] < LEAST_YEARS * YEAR or not len(values):
        return np.ones(YEAR)
    return panel_profile(measured_profiles(values))


def measured_profiles(values: Floats) -> SeasonalProfiles:
    """Return what each series shows on its own, without regard to the others.

    Args:
        values: Series x months, NaN where missing, at least ``LEAST_YEARS``; not modified.
    """
    places = range(0, max(len(values), 1), BLOCK)
    return join([_profiles_of(*_ratios(values[at : at + BLOCK].T)) for at in places])


def panel_profile(raw: SeasonalProfiles) -> Floats:
    """Return the profile of a panel, given those of all its series: calm ones count for more."""
    whole = raw.is_whole
    if whole.sum() < LEAST_PANEL:
        return np.ones(YEAR)
    variance = raw.variance[whole]
    trust = 1.0 / np.maximum(variance + np.median(variance), 1e-12)
    return np.asarray(trust @ raw.profile[whole] / trust.sum())


def steadied_profiles(raw: SeasonalProfiles, panel: Floats) -> Floats:
    """Return profiles drawn towards the panel's as far as noise explains their difference.

    Returns:
        Series x months of the year, at least 0.3.
    """
    apart = raw.profile - panel
    between = (apart**2).sum(axis=1) / (YEAR - 1)
    noise = NOISE_WEIGHT * raw.variance
    kept = np.clip(1.0 - noise / np.maximum(between, 1e-12), 0.0, 1.0)
    return np.maximum(panel + apart * np.where(raw.is_whole, kept, 0.0)[:, None], _LOWEST)


def carried(months: Floats, *, step: int = 1) -> Floats:
    """Return months x series with each gap filled from ``step`` months before, if that is known."""
    filled = months.copy()
    for at in np.flatnonzero(np.isnan(months).any(axis=1)):
        if at >= step:
            filled[at] = np.where(np.isnan(filled[at]), filled[at - step], filled[at])
    return filled


def moving_sums(months: Floats, width: int) -> Floats:
    """Return sums over ``width`` consecutive rows, one row for each place the window fits in.

    Each is added up from its own rows: a huge month leaves no rounding behind in later sums.
    """
    if width == 1:
        return months
    half = width // 2
    part = moving_sums(months, half)
    pair = part[:-half] + part[half:]
    return pair if width % 2 == 0 else pair[:-1] + months[width - 1 :]


def _profiles_of(ratio: Floats, usable: Flags) -> SeasonalProfiles:
    """Return the profiles that the ratios of some series, by ``_ratios``, add up to."""
    mean, scatter, count = np.empty((3, YEAR, ratio.shape[1]))
    for place in range(YEAR):
        own = slice((place - YEAR // 2) % YEAR, None, YEAR)
        # By themselves: how old the newest ratio is makes no difference to any of them.
        age = np.arange(len(ratio[own]))[::-1, None]
        mean[place], scatter[place], count[place] = _weighted(
            ratio[own], usable[own] * 0.5 ** (1.0 / _HALF_LIFE * age)
        )
    middle = mean.mean(axis=0)
    is_whole = (count > 0).all(axis=0) & (middle > 0)
    noise = scatter.sum(axis=0) / np.maximum(count.sum(axis=0) - YEAR, 1.0)
    variance = noise / np.maximum(count.mean(axis=0), 1.0)
    return SeasonalProfiles((mean / np.where(is_whole, middle, 1.0)).T, variance, is_whole)


def _ratios(months: Floats) -> tuple[Floats, Flags]:
    """Return months over their centred yearly average from half a year on, and which count.

    Gaps inside a series count in the average as the last value before them. No ratio changes with
    months later than half a year after it.

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
    """Return weighted mean, scatter (squares added up) and effective count of each column."""
    total = weight.sum(axis=0)
    some = np.where(total > 0, total, 1.0)
    mean = (weight * ratio).sum(axis=0) / some
    count = total**2 / np.where(total > 0, (weight**2).sum(axis=0), 1.0)
    spread = (weight * (ratio - mean) ** 2).sum(axis=0) / some
    return np.where(total > 0, mean, 1.0), spread * count, count
