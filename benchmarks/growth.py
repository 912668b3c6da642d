"""Generated panels of any size, and how time and memory grow with the number of series."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import page
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from watch import MEMORY_TEXT, Measured, measure

Floats = NDArray[np.float64]

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
LARGE = SIZES[2:]
MONTHS = 120
FIRST_MONTH = "2015-01"
HORIZON = 6
START_SERIES = 10
"""Series of the panel that tells what starting alone takes."""

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


GROWTH_TEXT = """
`magnetcast predict --panel FILE --horizon 6` on generated panels of {months} months (Parquet), each
in a process of its own: start, reading, learning, forecasting and writing. The engine learns from
at most {most:,} series, so learning takes the same time from there on.
"""


@dataclass(frozen=True, slots=True)
class Grown:
    """What panels of some sizes took."""

    start: Measured
    """A panel of ``START_SERIES``."""
    sizes: Mapping[int, Measured]

    def slopes(self, sizes: Sequence[int], *, net: bool) -> tuple[float, float]:
        """Return the slopes of log seconds and log megabytes over log series.

        Args:
            sizes: Of the panels to look at.
            net: Whether what starting takes is left out.
        """
        less = self.start if net else Measured(0.0, 0.0)
        series = np.log(sizes)
        seconds = [self.sizes[size].seconds - less.seconds for size in sizes]
        memory = [self.sizes[size].peak_mb - less.peak_mb for size in sizes]
        first, second = (float(np.polyfit(series, np.log(one), 1)[0]) for one in (seconds, memory))
        return first, second

    def line(self, sizes: Sequence[int]) -> tuple[float, float, float]:
        """Return the line through the seconds: at no series, a thousand more, largest miss of it.

        The miss is a share of the seconds measured.
        """
        seconds = np.array([self.sizes[size].seconds for size in sizes])
        slope, constant = np.polyfit(sizes, seconds, 1)
        miss = np.abs(constant + slope * np.array(sizes) - seconds) / seconds
        return float(constant), float(slope * 1000), float(miss.max())


def grow(folder: Path) -> Grown:
    """Return what the forecast of each panel took, each in its own process."""
    found = {size: predicted(size, folder) for size in (START_SERIES, *SIZES)}
    start = found.pop(START_SERIES)
    return Grown(start, found)


def predicted(size: int, folder: Path) -> Measured:
    """Return what `magnetcast predict --panel` took for a generated panel."""
    panel = folder / f"panel_{size}.parquet"
    write_panel(panel, size)
    took = predict(panel, folder)
    panel.unlink()
    print(f"{size:,} series: {took}", flush=True)
    return took


def predict(panel: Path, folder: Path) -> Measured:
    """Return what `magnetcast predict --panel` took."""
    program = Path(sys.executable).with_name("magnetcast")
    out = folder / "forecast.csv"
    command = [str(program), "predict", "--panel", str(panel), "--horizon", str(HORIZON)]
    environment = {**os.environ, "MAGNETCAST_HOME": str(folder / "home")}
    took = measure([*command, "--out", str(out)], log=folder / "log", environment=environment)
    out.unlink()
    return took


def write_panel(path: Path, size: int) -> None:
    """Write a panel of monthly series, the same for the same size."""
    rng = np.random.default_rng(SEED)
    periods = pd.period_range(FIRST_MONTH, periods=MONTHS, freq="M").strftime("%Y-%m")
    with pq.ParquetWriter(path, SCHEMA) as file:
        for at in range(0, size, BLOCK):
            values = generated(rng, min(BLOCK, size - at))
            names = [f"series {at + place:06d}" for place in range(len(values))]
            file.write_table(rows_of(values, names, list(periods)))


def rows_of(values: Floats, names: list[str], periods: list[str]) -> pa.Table:
    """Return series x months as long rows."""
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


def growth_text(found: Grown) -> pd.DataFrame:
    start = found.start
    rows = [{"series": f"{START_SERIES} (start)", **size_text(start, Measured(0.0, 0.0), 0)}]
    rows += [
        {"series": f"{size:,}", **size_text(took, start, size)}
        for size, took in found.sizes.items()
    ]
    return pd.DataFrame(rows)


def size_text(took: Measured, start: Measured, size: int) -> dict[str, str]:
    more = took.seconds - start.seconds, took.peak_mb - start.peak_mb
    return {
        "seconds": f"{took.seconds:.1f}",
        "peak memory MB": f"{took.peak_mb:,.0f}",
        "seconds beyond start": f"{more[0]:.1f}" if size else "",
        "MB beyond start": f"{more[1]:,.0f}" if size else "",
        "ms a series beyond start": f"{1000 * more[0] / size:.2f}" if size else "",
        "kB a series beyond start": f"{1000 * more[1] / size:.0f}" if size else "",
    }


def slope_text(found: Grown) -> pd.DataFrame:
    rows = []
    for sizes in (LARGE, SIZES):
        for net in (False, True):
            seconds, memory = found.slopes(sizes, net=net)
            rows.append(
                {
                    "series": f"{sizes[0]:,} to {sizes[-1]:,}",
                    "start": "left out" if net else "counted",
                    "slope of log seconds": f"{seconds:.2f}",
                    "slope of log memory": f"{memory:.2f}",
                }
            )
    return pd.DataFrame(rows)


def growth_lines(most: int) -> list[str]:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as folder:
        found = grow(Path(folder))
    constant, more, miss = found.line(LARGE)
    line = f"""
        A slope of 1 is linear growth, less is slower. Through {LARGE[0]:,} to {LARGE[-1]:,} series
        the straight line is {constant:.1f} s and {more:.2f} s a thousand series; it misses no point
        by more than {miss:.0%}. Load average of the machine before: {load:.1f}.
    """
    return [
        "## Growth",
        *page.prose(GROWTH_TEXT.format(months=MONTHS, most=most) + MEMORY_TEXT),
        *page.table(growth_text(found)),
        *page.prose(line),
        *page.table(slope_text(found)),
    ]
