"""Panels in parts, on disk."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sources.files.panel_parts import write_parts
from tests.data.engine_builders import make_values

FIRST = 2015 * 12


def make_table(*, series: int = 40, months: int = 60, seed: int = 1) -> pd.DataFrame:
    """Build a table of seasonal series, one of them with a gap and one that ended long ago."""
    values = make_values(series=series, months=months, seed=seed)
    values[1, 10:13] = np.nan
    values[2, months - 20 :] = np.nan
    names = sorted(f"series {place}" for place in range(series))
    index = pd.Index(names, name="destination", dtype="str")
    return pd.DataFrame(values, index=index, columns=pd.Index(FIRST + np.arange(months)))


def rows_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as the rows of a panel file, series and months in no order."""
    months: NDArray[np.int64] = table.columns.to_numpy()
    rows = pd.DataFrame(
        {
            "destination": np.repeat(table.index.to_numpy(dtype=object), len(months)),
            "period": np.tile(
                [f"{month // 12}-{month % 12 + 1:02d}" for month in months], len(table)
            ),
            "tonnes": table.to_numpy().reshape(-1),
        }
    )
    return rows.sample(frac=1.0, random_state=3, ignore_index=True)


def make_parts(folder: Path, table: pd.DataFrame, *, count: int = 4) -> tuple[Path, Path]:
    """Write a panel as one file and in parts; return both."""
    file, parts = folder / "panel.parquet", folder / f"parts-{count}"
    rows_of(table).to_parquet(file)
    write_parts(file, parts, count=count)
    return file, parts


def read_forecasts(folder: Path) -> pd.DataFrame:
    """Return the forecasts in a folder of parts, in the order of names and months."""
    found = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*/*.parquet"))])
    return found.sort_values(["destination", "horizon"], ignore_index=True)
