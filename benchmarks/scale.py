"""What a panel of many series costs through Dask, on one process and on a local cluster.

Usage: scale.py [--series 1000000] [--files 100]. Writes scale.md.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import page
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from watch import CLI, MEMORY_TEXT, home_below, measure

Floats = NDArray[np.float64]

MONTHS = 120
FIRST_MONTH = "2015-01"
SEED = 20250404
INTERMITTENT = 0.2
"""Share of series with months without trade."""

BLOCK = 5_000
"""Series generated and written at a time."""

SCHEMA = pa.schema(
    [
        ("destination", pa.dictionary(pa.int32(), pa.string())),
        ("period", pa.dictionary(pa.int32(), pa.string())),
        ("tonnes", pa.float64()),
    ]
)


def write_panel(path: Path, size: int, *, first: int = 0) -> None:
    """Write a panel of monthly series, named by number from ``first`` on; the same each time."""
    rng = np.random.default_rng([SEED, first] if first else SEED)
    periods = pd.period_range(FIRST_MONTH, periods=MONTHS, freq="M").strftime("%Y-%m")
    with pq.ParquetWriter(path, SCHEMA) as file:
        for at in range(0, size, BLOCK):
            values = generated(rng, min(BLOCK, size - at))
            names = [f"series {first + at + place:06d}" for place in range(len(values))]
            file.write_table(rows_of(values, names, list(periods)))


def rows_of(values: Floats, names: list[str], periods: list[str]) -> pa.Table:
    series = np.repeat(np.arange(len(names), dtype=np.int32), len(periods))
    months = np.tile(np.arange(len(periods), dtype=np.int32), len(names))
    columns = [
        pa.DictionaryArray.from_arrays(series, names),
        pa.DictionaryArray.from_arrays(months, periods),
        pa.array(values.reshape(-1)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def generated(rng: np.random.Generator, count: int) -> Floats:
    """Return series x months: a wandering level, a season, noise, and months without trade.

    Sizes span four orders of magnitude; some of the series are intermittent.
    """
    month = np.arange(MONTHS)
    size = 10.0 ** rng.uniform(0.0, 4.0, (count, 1))
    walk = np.cumsum(rng.normal(0.0, rng.uniform(0.0, 0.06, (count, 1)), (count, MONTHS)), axis=1)
    phase, height = rng.uniform(0.0, 12.0, (count, 1)), rng.uniform(0.0, 0.4, (count, 1))
    season = height * np.sin(2.0 * np.pi * (month + phase) / 12.0)
    noise = rng.normal(0.0, rng.uniform(0.02, 0.3, (count, 1)), (count, MONTHS))
    idle = np.where(rng.random((count, 1)) < INTERMITTENT, rng.uniform(0.2, 0.7, (count, 1)), 0.0)
    traded = rng.random((count, MONTHS)) >= idle
    return np.where(traded, size * np.exp(walk + season + noise), 0.0).round(3)


WORKERS = ("", "local:2")
"""MAGNETCAST_DASK of each measurement."""

INTRODUCTION = (
    "`magnetcast predict --panel FOLDER --out FOLDER` on generated series of {months} months: the "
    "engine learns from 6,000 of them and forecasts six months of each."
)


def measured(folder: Path, dask: str) -> str:
    """Return the row of the table of one measurement."""
    out = folder / f"out-{dask or 'none'}"
    command = [*CLI, "predict", "--panel", str(folder / "panel"), "--out", str(out)]
    environment = home_below(folder) | {"MAGNETCAST_DASK": dask}
    took = measure(command, log=folder / "log", environment=environment)
    where = dask or "in the process"
    return f"| {where} | {took.seconds:,.0f} | {took.cpu:,.0f} | {took.peak_mb:,.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "panel").mkdir()
        each = asked.series // asked.files
        for number in range(asked.files):
            write_panel(folder / "panel" / f"{number:04d}.parquet", each, first=number * each)
        rows = [measured(folder, dask) for dask in WORKERS]
    lines = [
        *page.prose(INTRODUCTION.format(months=MONTHS)),
        "",
        f"{asked.series:,} series in {asked.files} files:",
        "",
        "| MAGNETCAST_DASK | seconds | CPU s | peak memory MB |",
        "| --- | --- | --- | --- |",
        *rows,
        *page.prose(MEMORY_TEXT),
    ]
    facts = f"scale.py --series {asked.series} --files {asked.files}"
    page.write("scale.md", [*page.heading("Many series", "make bench-scale", facts), *lines])


if __name__ == "__main__":
    main()
