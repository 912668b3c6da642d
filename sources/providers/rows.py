"""Answers of providers as checked tables, and typed rows of what they hold."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from sources.files.panel import MISSING_MARKS
from store.errors import SourceError, first_few, shown
from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE, typed_frame
from store.vocabulary import ORIGIN, UNITS

USUAL_LAG: Final = "dated by the usual lag"
"""Note of a row whose provider does not publish a release date."""

ORDER: Final = ("commodity", "measure", "destination", "period_from")


def usual_moment(months: pd.Series, *, lag_days: int, now: pd.Timestamp) -> pd.Series:
    """Return when figures of months become known, by the usual lag but never after ``now``.

    Args:
        months: first days.
        lag_days: days after the month's end.
    """
    ends = months + pd.offsets.MonthEnd(0) + pd.Timedelta(days=lag_days)
    return not_after(ends.dt.tz_localize("UTC"), now)


def not_after(moments: pd.Series, now: pd.Timestamp) -> pd.Series:
    """Return the moments, none later than ``now``."""
    limit = now.tz_convert("UTC")
    return moments.where(moments <= limit, limit).astype(MOMENT_DTYPE)


def observations(parts: Sequence[pd.DataFrame], *, source: str, source_url: str) -> pd.DataFrame:
    """Join measurements to typed rows of ``observations``, in one order.

    Args:
        parts: frames of ``commodity, destination, measure, period, value, half_width,
            available_at`` and perhaps ``note``; ``period`` is the month's first day; a missing
            value makes no row.
        source_url: address without key and without parameters that vary between requests.
    """
    if not (filled := [kept for part in parts if len(kept := part.dropna(subset="value"))]):
        return typed_frame([], "observations")
    rows = pd.concat(filled, ignore_index=True)
    note = rows["note"].fillna("") if "note" in rows else ""
    rows = rows.assign(
        origin=ORIGIN,
        period_from=rows["period"],
        period_to=rows["period"],
        unit=rows["measure"].map(UNITS),
        kind="reported",
        usable=True,
        source=source,
        source_url=source_url,
        note=note,
    )
    return typed_frame(rows, "observations").sort_values(list(ORDER), ignore_index=True)


def records_in(answer: object, name: str, *, provider: str, url: str) -> list[Mapping[str, object]]:
    """Return the list of records an answer keeps under ``name``."""
    held = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(held, list) and all(isinstance(record, Mapping) for record in held):
        return held
    has = sorted(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
    raise SourceError(
        f"{provider} answers without a list of records {name!r}, at {url}; it has {has}. Expected "
        "the documented shape. See whether the provider has changed it; nothing was taken over."
    )


def table_of(
    records: Sequence[Mapping[str, object]], needed: Sequence[str], *, provider: str, url: str
) -> pd.DataFrame:
    """Return records as a table of the columns needed."""
    if not records:
        return pd.DataFrame(columns=list(needed))
    frame = pd.DataFrame.from_records(list(records))
    refuse_missing(frame, needed, provider=provider, url=url)
    return frame


def left_out(broken: int) -> tuple[str, ...]:
    """Return the note on what ``readable`` left out; none if that is nothing."""
    return (f"{broken} rows whose numbers cannot be read: left out",) if broken else ()


def refuse_missing(frame: pd.DataFrame, needed: Sequence[str], *, provider: str, url: str) -> None:
    """Refuse a table that lacks a column."""
    if missing := [name for name in needed if name not in frame.columns]:
        raise missing_columns(missing, list(frame.columns), provider=provider, url=url)


def missing_columns(
    missing: Sequence[str], has: Sequence[str], *, provider: str, url: str
) -> SourceError:
    """Return an error for an answer without some columns."""
    return SourceError(
        f"{provider} answers without {first_few(missing)}, at {url}; it has "
        f"{', '.join(map(str, has[:40]))}. Expected the documented columns. See whether the "
        "provider has renamed them; nothing was taken over."
    )


_MISSING: Final = frozenset({"", ".", ":", *MISSING_MARKS})
"""What providers write where there is no number, in lower case."""


def readable(
    frame: pd.DataFrame, names: Sequence[str], *, provider: str, url: str
) -> tuple[pd.DataFrame, int]:
    """Return the rows whose numbers can be read, as floats, and how many others there are.

    A cell without a number is NaN; one that is filled with anything else breaks its row alone.
    """
    read, broken = frame.copy(), pd.Series(data=False, index=frame.index)
    for name in names:
        cells = frame[name]
        is_missing = cells.isna() | cells.astype("str").str.strip().str.lower().isin(_MISSING)
        values = pd.to_numeric(cells.mask(is_missing), errors="coerce").astype("float64")
        wrong = ~np.isfinite(values) & ~is_missing
        if 2 * wrong.sum() > len(frame):
            raise SourceError(
                f"{provider} answers with {name!r} that is no number "
                f"({shown(str(cells[wrong].iloc[0]))!r}), at {url}. Expected numbers or nothing. "
                "See whether the provider has changed the column; nothing was taken over."
            )
        read[name], broken = values, broken | wrong
    return read[~broken], int(broken.sum())


_COLUMNS: Final = ("source", "item_key", "title", "url", "published_on", "payload")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One item."""

    item_key: str
    """Identifies the item within its source; each item is proposed only once."""
    title: str
    url: str
    published_on: pd.Timestamp | None
    payload: Mapping[str, object]
    """Details for the ledger's row."""


def proposals(items: Sequence[Proposal], *, source: str, now: pd.Timestamp) -> pd.DataFrame:
    """Return typed rows of ``proposals``, ordered by key; what is shown ahead of its day waits."""
    today = now.tz_convert("UTC").tz_localize(None)
    rows = [
        (
            source,
            item.item_key,
            item.title,
            item.url,
            item.published_on,
            json.dumps(item.payload, ensure_ascii=False, sort_keys=True),
        )
        for item in sorted(items, key=lambda item: item.item_key)
        if item.published_on is None or item.published_on <= today
    ]
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    texts = dict.fromkeys(("source", "item_key", "title", "url", "payload"), "str")
    return frame.astype({**texts, "published_on": DATE_DTYPE})
