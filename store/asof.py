"""Point-in-time views: what was knowable at a forecast origin."""

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from store.errors import DataError, LeakError
from store.schema.database_tables import cell_of, observations, policy_events, tariff_steps

OBSERVATION_KEY: Final = cell_of(observations)
EVENT_KEY: Final = cell_of(policy_events)
TARIFF_KEY: Final = cell_of(tariff_steps)

MOMENT: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
)
"""A day or a moment, not a word that pandas would read, such as ``now`` or ``2026Q1``."""


def until(text: str, *, now: pd.Timestamp, name: str = "as_of") -> pd.Timestamp:
    """The moment up to which rows count as known; the one reading of an as-of.

    A bare day counts whole, and today until now; a moment is UTC unless it says otherwise.

    Examples:
        >>> today = pd.Timestamp("2026-01-01", tz="UTC")
        >>> until("2025-04-10", now=today)
        Timestamp('2025-04-10 23:59:59+0000', tz='UTC')
        >>> until("2025-04-10T09:00Z", now=today)
        Timestamp('2025-04-10 09:00:00+0000', tz='UTC')
    """
    stamp = pd.to_datetime(text, errors="coerce") if re.fullmatch(MOMENT, text) else pd.NaT
    if pd.isna(stamp) or stamp.year <= 1:  # pandas reads years that no store can hold
        raise DataError(
            f"{name} {text!r} is no date. Expected YYYY-MM-DD or a UTC moment such as "
            "2025-04-10T09:00Z. Correct it."
        )
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    stamp = stamp.floor("s")
    if stamp > now:
        raise DataError(
            f"{name} {text} lies in the future. Expected {now:%Y-%m-%dT%H:%M}Z or earlier, "
            "because nobody knows yet what will be published by then."
        )
    is_day = len(text) == len("2025-04-10")
    return min(stamp + pd.Timedelta(hours=24, seconds=-1), now) if is_day else stamp


def require_time_zone(as_of: pd.Timestamp) -> None:
    """Refuse a moment that cannot be compared safely."""
    if as_of.tzinfo is None:
        raise LeakError(
            f"as_of={as_of} has no time zone. Expected a UTC moment, e.g. "
            "pd.Timestamp('2025-04-10', tz='UTC'). Localise it first."
        )


def known_at(rows: pd.DataFrame, *, key: Sequence[str], as_of: pd.Timestamp) -> pd.DataFrame:
    """The newest version of each row that was known at ``as_of``.

    The only as-of filter of rows in memory: training, backtest, replay and live prediction all use
    it. Reading the store ``as_of`` only limits what is loaded.

    Args:
        rows: One row per version of a fact, with a UTC ``available_at`` column. Any order; not
            modified.
        key: Columns that identify a fact regardless of its version.
        as_of: The forecast origin as a UTC moment; a fact of that very moment is known.

    Returns:
        One row per key, sorted by key; empty if nothing was known.

    Raises:
        LeakError: ``as_of`` has no time zone, so it cannot be compared safely.

    Examples:
        >>> may, june, july = pd.date_range("2025-05-01", periods=3, freq="MS", tz="UTC")
        >>> rows = pd.DataFrame({"period": "2025-03", "t": [580, 585], "available_at": [may, july]})
        >>> known_at(rows, key=["period"], as_of=june)["t"].tolist()
        [580]
        >>> known_at(rows, key=["period"], as_of=july)["t"].tolist()
        [585]
    """
    require_time_zone(as_of)
    names = list(key)
    available = rows.loc[rows["available_at"] <= as_of]
    newest = available.sort_values([*names, "available_at"], kind="stable").drop_duplicates(
        names, keep="last"
    )
    return newest.reset_index(drop=True)
