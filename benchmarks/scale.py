"""What panels of many series cost through Dask, on one process and on a local cluster.

Usage: scale.py [--series 10000 100000 1000000]. Writes scale.md. MAGNETCAST_PEERS names the python
of an environment with mlforecast (`make var/peers`), beside which smaller panels are timed.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import page
import pandas as pd
from numpy.typing import NDArray
from watch import CLI, MEMORY_TEXT, home_below, measure

from flows.context.library_defaults import DEFAULTS
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from sources.files.panel import read_panel

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


BESIDE: tuple[int, ...] = (29, 500, 5_000)
HORIZON = 6

BESIDE_TEXT = """
Beside mlforecast: processor seconds of a fit and a forecast of six months with bands, in one
process each, after a first small one that is not counted; of the engine all seven quantiles and the
mean, of mlforecast one LightGBM of 300 rounds with its conformal band of two windows
(`benchmarks/peers.py`). A ratio below 1 is in the engine's favour.
"""


def beside(python: str, size: int, folder: Path) -> str:
    """Return the row of a panel's size: processor seconds of both, and their ratio."""
    write_panel(folder / "panel.parquet", size, first=0)
    pd.read_parquet(folder / "panel.parquet").to_csv(folder / "panel.csv", index=False)
    script, last = Path(__file__).with_name("peers.py"), "2024-12"
    words = [python, str(script), str(folder / "panel.csv"), str(HORIZON), last, "mlforecast"]
    environment = {key: value for key, value in os.environ.items() if key not in DEFAULTS}
    answer = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    theirs = float(json.loads(answer.stdout.splitlines()[-1])["cpu"])
    snapshot = Snapshot.of_panel(read_panel(folder / "panel.csv").table, HORIZON)
    small = Snapshot.of_panel(snapshot.table.iloc[:20], HORIZON)
    list(PanelForecaster().fit(small).predict())
    started = time.process_time()
    list(PanelForecaster().fit(snapshot).predict())
    ours = time.process_time() - started
    print(size, ours, theirs, flush=True)
    return f"| {size:,} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |"


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
    if python := os.environ.get("MAGNETCAST_PEERS"):
        with tempfile.TemporaryDirectory() as name:
            table = [beside(python, size, Path(name)) for size in BESIDE]
        head = [
            "| series | engine, CPU s | mlforecast, CPU s | ratio |",
            "| --- | --- | --- | --- |",
        ]
        lines += [*page.prose(BESIDE_TEXT), "", *head, *table]
    page.write("scale.md", [*page.heading("Many series", "make bench-scale"), *lines])


if __name__ == "__main__":
    main()
