"""What was found of diversion, as a table and in sentences."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from features.controls.episodes import Episode
from features.months import month_label
from models.event_study.diversion import Diversion, Rise

COLUMNS: Final = (
    "event_id", "hit", "destination", "period", "tonnes", "expected_tonnes", "excess_tonnes",
    "excess_p10", "excess_p90", "p_value", "alert", "share_of_fall",
)  # fmt: skip
"""Of the table; ``excess_p10`` and ``excess_p90`` are its band of 80 in 100, ``share_of_fall`` is
of that month's fall and empty where nothing fell."""

LEAST_P: Final = 0.001
"""P-values below it cannot be distinguished: the past is too short."""

SOME: Final = 5
"""Destinations named before a sentence only counts the rest."""


def diversion_table(episode: Episode, found: Diversion) -> pd.DataFrame:
    """Return one row a destination not hit and month: ``COLUMNS``, by destination and period.

    ``alert`` is yes, no, or unsure where it would be one but an act on everybody is fresh.
    """
    rows, months = found.tonnes.shape
    fall = found.hit_expected - found.hit_tonnes
    excess = found.tonnes - found.expected
    share = np.where(fall > 0, excess / np.where(fall > 0, fall, 1.0), np.nan)
    return pd.DataFrame(
        {
            "event_id": episode.event_id,
            "hit": ";".join(sorted(episode.hit)),
            "destination": np.repeat(found.names, months),
            "period": np.tile([month_label(int(month)) for month in found.months], rows),
            "tonnes": found.tonnes.ravel().round(3),
            "expected_tonnes": found.expected.ravel().round(3),
            "excess_tonnes": excess.ravel().round(3),
            "excess_p10": (found.tonnes - found.high).ravel().round(3),
            "excess_p90": (found.tonnes - found.low).ravel().round(3),
            "p_value": found.p_value.ravel().round(4),
            "alert": _alert_column(found).ravel(),
            "share_of_fall": share.ravel().round(4),
        },
        columns=list(COLUMNS),
    )


def _alert_column(found: Diversion) -> "np.ndarray[tuple[int, ...], np.dtype[np.object_]]":
    alert = np.full(found.tonnes.shape, "no", dtype=object)
    for rise in found.alerts:
        inside = (found.months >= rise.first) & (found.months <= rise.last)
        alert[found.names.index(rise.destination), inside] = "unsure" if rise.is_troubled else "yes"
    return alert


def sentences(episode: Episode, found: Diversion) -> list[str]:
    """Return the sentences on one episode for planners, one line each."""
    hit = named(episode.hit)
    more = len(episode.others)
    also = f" (and {more} more {'acts' if more > 1 else 'act'})" if more else ""
    fall = float((found.hit_expected - found.hit_tonnes).sum())
    lines = [
        f"{episode.event_id}{also}: {hit} got {found.hit_tonnes.sum():,.0f} t in "
        f"{_months(int(found.months[0]), int(found.months[-1]))}, "
        f"{found.hit_expected.sum():,.0f} t was to be expected: "
        + (f"a fall of {fall:,.0f} t." if fall > 0 else "no fall, so nothing to divert.")
    ]
    if not found.hit_is_published.any():
        lines.append(
            f"  no figure of {hit} itself was published in these months: its fall is an estimate."
        )
    lines += [_alert(rise, hit) for rise in found.alerts]
    if len(found.alerts) > 1:
        lines.append(_together(found.alerts, fall))
    if not found.alerts:
        lines.append(_no_alert(found))
    if silent := [
        n
        for n, published in zip(found.names, found.is_published, strict=True)
        if not published.any()
    ]:
        lines.append(
            f"  no figure was published of {named(silent)} in these months; what is only estimated "
            "never makes an alert."
        )
    return lines


def _alert(rise: Rise, hit: str) -> str:
    word = "unsure" if rise.is_troubled else "alert"
    line = (
        f"  {word}: {rise.destination} took {rise.excess:,.0f} t ({rise.low:,.0f} to "
        f"{rise.high:,.0f}) more than expected in {_months(rise.first, rise.last)} while {hit} "
        f"fell by {rise.fall:,.0f} t: {rise.share:.0%} of it ({_p(rise)})."
    )
    if rise.share > 1:
        line += " That is more than the fall: something else moved it too."
    if rise.is_troubled:
        line += (
            " An act on everybody began in or just before these months: the rise may only tell how "
            "unequally it hit, and the stated rate does not hold."
        )
    return line


def _p(rise: Rise) -> str:
    return "p below 0.001" if rise.p_value < LEAST_P else f"p {rise.p_value:.3f}"


def _together(rises: Sequence[Rise], fall: float) -> str:
    excess = sum(rise.excess for rise in rises)
    width = float(np.hypot.reduce([(rise.high - rise.low) / 2.0 for rise in rises]))
    return (
        f"  together {excess:,.0f} t ({excess - width:,.0f} to {excess + width:,.0f}), "
        f"{excess / fall:.0%} of the whole fall."
        if fall > 0
        else f"  together {excess:,.0f} t ({excess - width:,.0f} to {excess + width:,.0f})."
    )


def _no_alert(found: Diversion) -> str:
    sentence = (
        f"  no alert at {found.rate:.0%} false alarms an episode ({found.trials} months tried as "
        "if an act had come)"
    )
    if not found.rises:
        return f"{sentence}; nobody with published figures rose above expectation."
    best = found.rises[0]
    return (
        f"{sentence}; the rarest rise is {best.destination} in {_months(best.first, best.last)}, "
        f"{best.excess:+,.0f} t (p {best.p_value:.2f})."
    )


def named(names: Iterable[str]) -> str:
    """Return sorted names in a row, five at most, and how many more."""
    found = sorted(names)
    more = f" and {len(found) - SOME} more" if len(found) > SOME else ""
    return ", ".join(found[:SOME]) + more


def _months(first: int, last: int) -> str:
    return month_label(first) if first == last else f"{month_label(first)}..{month_label(last)}"
