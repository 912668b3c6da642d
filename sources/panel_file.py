"""Panels from outside: one series a destination, one row a month.

They come in CSV, gzipped CSV or Parquet.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from store.errors import DataError, first_few
from store.schemas import MONTH_PATTERN

COLUMNS: Final = ("destination", "period", "tonnes")

FIRST_DATA_LINE: Final = 2


def read_panel(path: Path) -> pd.DataFrame:
    """Return a panel as a dense table.

    Args:
        path: File with ``destination, period (YYYY-MM), tonnes``; further columns are ignored.

    Returns:
        One row a series (index: destination, sorted), one column a month, as consecutive month
        numbers (year * 12 + month - 1); NaN where the file has no row.

    Raises:
        DataError: The file cannot be read, lacks a column or has bad rows; names file, rows, column
            and values.
    """
    rows = _read(path)
    missing = [name for name in COLUMNS if name not in rows.columns]
    if missing:
        raise DataError(
            f"Panel {path} has no column {', '.join(missing)}. Expected {', '.join(COLUMNS)}. "
            f"It has {', '.join(map(str, rows.columns[:8]))}. Rename or add the column."
        )
    if rows.empty:
        raise DataError(
            f"Panel {path} has no rows. Expected at least two years of months a series. Fill it."
        )
    bad = _bad_rows(rows)
    if bad:
        raise DataError(
            f"Panel {path} has {len(bad)} bad rows: {first_few(bad)}. Expected a series name, a "
            "month as YYYY-MM and one number of at least 0 a series and month. Correct or remove "
            "those rows; nothing was used."
        )
    return _dense(rows)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError as err:
        raise DataError(
            f"Panel {path} does not exist. Expected a CSV, CSV.gz or Parquet file. Check the path."
        ) from err
    except UnicodeDecodeError as err:
        raise DataError(
            f"Panel {path} is not UTF-8 ({err}). Expected UTF-8 text. Save it as UTF-8."
        ) from err
    except (OSError, ValueError) as err:
        raise DataError(
            f"Panel {path} cannot be read: {err}. "
            f"Expected CSV, CSV.gz or Parquet with {', '.join(COLUMNS)}. Write it anew."
        ) from err


def _bad_rows(rows: pd.DataFrame) -> list[str]:
    """Return one description a bad row."""
    period = rows["period"].astype(str)
    tonnes = pd.to_numeric(rows["tonnes"], errors="coerce")
    wrong_month = ~period.str.match(MONTH_PATTERN)
    wrong_number = ~np.isfinite(tonnes) | (tonnes < 0)
    nameless = rows["destination"].astype(str).str.strip() == ""
    twice = rows.duplicated(["destination", "period"], keep="first")
    checks = (
        (nameless, "destination"),
        (wrong_month, "period"),
        (wrong_number, "tonnes"),
        (twice, "period"),
    )
    found = [
        (int(place), f"row {place + FIRST_DATA_LINE}, {column}={rows[column].iloc[place]!r}{note}")
        for (mask, column), note in zip(checks, ("", "", "", " stands twice"), strict=True)
        for place in np.flatnonzero(mask.to_numpy())
    ]
    return [text for _, text in sorted(found)]


def _dense(rows: pd.DataFrame) -> pd.DataFrame:
    period = rows["period"].astype(str)
    numbers = period.str[:4].astype(int) * 12 + period.str[5:7].astype(int) - 1
    keyed = pd.DataFrame(
        {
            "destination": rows["destination"].astype(str),
            "number": numbers,
            "tonnes": pd.to_numeric(rows["tonnes"]).astype(float),
        }
    )
    wide = keyed.pivot(  # noqa: PD010 - pivot_table would merge rows that stand twice
        index="destination", columns="number", values="tonnes"
    )
    months = np.arange(numbers.min(), numbers.max() + 1)
    return wide.sort_index().reindex(columns=months)
