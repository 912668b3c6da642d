"""What a panel of many series costs through Dask, on one process and on a local cluster.

Usage: scale.py [--series 1000000] [--files 100]. Writes scale.md.
"""

import argparse
import tempfile
from pathlib import Path

import page
from generated import MONTHS, write_panel
from watch import CLI, MEMORY_TEXT, home_below, measure

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
