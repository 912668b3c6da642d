"""Rows of the table ``covariates`` from monthly numbers."""

from typing import Final

import pandas as pd

from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE

COLUMNS: Final = ("name", "period", "value", "unit", "available_at", "source", "source_url")


def covariates(parts: list[pd.DataFrame], *, source: str, source_url: str) -> pd.DataFrame:
    """Join series to typed rows of ``covariates``, ordered by name and month.

    Args:
        parts: frames of ``name, period, value, unit, available_at``; a missing value makes no row.
        source: the source's id.
        source_url: address without key and range.
    """
    filled = [kept for part in parts if len(kept := part.dropna(subset="value"))]
    rows = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(COLUMNS))
    rows = rows.assign(source=source, source_url=source_url)[list(COLUMNS)]
    texts = dict.fromkeys(("name", "unit", "source", "source_url"), "str")
    typed = rows.astype(
        {**texts, "value": "float64", "period": DATE_DTYPE, "available_at": MOMENT_DTYPE}
    )
    return typed.sort_values(["name", "period"], ignore_index=True)
