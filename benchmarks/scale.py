"""What panels of many series cost through Dask, on one process and on a local cluster.

Usage: scale.py [--series 10000 100000 1000000]. Writes scale.md.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import page
import pandas as pd
from numpy.typing import NDArray
from watch import CLI, MEMORY_TEXT, home_below, measure

Floats = NDArray[np.float64]

MONTHS = 120
FIRST_MONTH = "2015-01"
SEED = 20250404
INTERMITTENT = 0.2
"""Share of series with months without trade."""


def write_panel(path: Path, size: int, *, first: int) -> None:
    """Write a panel of monthly series, named by number from ``first`` on; the same each time."""
    values = generated(np.random.default_rng([SEED, first]), size)
    periods = pd.period_range(FIRST_MONTH, periods=MONTHS, freq="M").strftime("%Y-%m")
    names = [f"series {number:07d}" for number in range(first, first + size)]
    columns = {"destination": np.repeat(names, MONTHS), "period": np.tile(periods, size)}
    pd.DataFrame({**columns, "tonnes": values.reshape(-1)}).to_parquet(path, index=False)


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
    "`magnetcast panel FOLDER --out FOLDER` on generated series of {months} months: the "
    "engine learns from 6,000 of them and forecasts six months of each. Both ways give the same "
    "numbers to nine digits, file by file."
)


PER_FILE = 10_000
"""Series in each file of a panel, or fewer in four files."""


def measured(folder: Path, size: int) -> list[str]:
    """Return the rows of the table of a panel, one of each measurement.

    Raises:
        AssertionError: Two measurements differ by more than a billionth of a number.
    """
    each = min(PER_FILE, size // 4)
    (folder / "panel").mkdir()
    for first in range(0, size, each):
        write_panel(folder / "panel" / f"{first:07d}.parquet", each, first=first)
    rows = []
    for dask in WORKERS:
        command = [*CLI, "panel", str(folder / "panel"), "--out"]
        command.append(str(folder / f"out{dask[:5]}"))
        environment = home_below(folder) | {"MAGNETCAST_DASK": dask}
        took = measure(command, log=folder / "log", environment=environment)
        where = dask or "in the process"
        costs = f"{took.seconds:,.0f} | {took.cpu:,.0f} | {took.peak_mb:,.0f}"
        rows.append(f"| {size:,} | {where} | {costs} |")
    files = sorted((folder / "out").rglob("*.parquet"))
    if not files:
        raise SystemExit("There are no forecasts to compare.")
    for path in files:
        other = pd.read_parquet(folder / "outlocal" / path.relative_to(folder / "out"))
        pd.testing.assert_frame_equal(pd.read_parquet(path), other, rtol=1e-9, atol=0.0)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    rows: list[str] = []
    for size in parser.parse_args().series:
        with tempfile.TemporaryDirectory() as name:
            rows += measured(Path(name), size)
    lines = [
        *page.prose(INTRODUCTION.format(months=MONTHS)),
        "",
        "| series | MAGNETCAST_DASK | seconds | CPU s | peak memory MB |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        *page.prose(MEMORY_TEXT),
    ]
    page.write("scale.md", [*page.heading("Many series", "make bench-scale"), *lines])


if __name__ == "__main__":
    main()
