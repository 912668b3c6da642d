"""What each step costs from a thousand to a million series, with one and two workers.

Usage: scale.py [--sizes 1000,10000,100000,1000000] [--keep FOLDER] [--again] [--page]. Each figure
goes to scale.csv as soon as it is measured, and one that is there is not measured again, so a
broken run goes on where it ended; the page is made from that file. MAGNETCAST_PEERS names the
python of an environment with mlforecast (see peers.py); without it nothing is raced.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import generated
import numpy as np
import page
import pandas as pd
from scale_page import FILE, page_lines
from watch import CLI, Measured, home_below, measure

from sources.files.panel import read_panel

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MOST_SPREAD = 100_000
"""Series that a cluster on this one machine is measured with."""

MOST_RACED = 10_000
HORIZON = 12
CUTOFFS = "2022-12,2023-12"
PEERS = "MAGNETCAST_PEERS"
HERE = Path(__file__).resolve().parent
KEY = ["step", "series", "workers"]


@dataclass(frozen=True, slots=True)
class Place:
    """The panel of one size on disk."""

    folder: Path
    series: int

    @property
    def panel(self) -> Path:
        return self.folder / f"{self.series}.parquet"

    @property
    def parts(self) -> Path:
        return self.folder / f"{self.series}-parts"

    def run(self, command: list[str], **environment: str) -> tuple[Measured, dict[str, float]]:
        """Return what a command took, and what its last line holds if that is JSON."""
        log = self.folder / "log"
        took = measure(command, log=log, environment=home_below(self.folder) | environment)
        last = log.read_text(encoding="utf-8").splitlines()[-1:]
        result = json.loads(last[0]) if last and last[0].startswith("{") else {}
        return took, result


Row = dict[str, float | int | str]


def step(place: Place, name: str) -> Row:
    """Time a step of the engine, part by part."""
    script = str(HERE / "scale_steps.py")
    took, output = place.run([sys.executable, script, name, str(place.parts), str(HORIZON)])
    return timed_of(took, output)


def timed_of(took: Measured, measured: dict[str, float]) -> Row:
    figures = {name: measured[name] for name in ("seconds", "cpu", "rows", "bytes")}
    return {**figures, "peak_mb": took.peak_mb}


def whole_of(took: Measured, made: int) -> Row:
    """Return what a whole command took and how many bytes it made."""
    return {"seconds": took.seconds, "cpu": took.cpu, "peak_mb": took.peak_mb, "bytes": made}


def divide(place: Place) -> Row:
    command = [*CLI, "partition", "--panel", str(place.panel), "--out", str(place.parts)]
    took, _ = place.run(command)
    return whole_of(took, size_of(place.parts))


def predict(place: Place, workers: int) -> Row:
    """Time the whole command on parts, on a local cluster if there are workers."""
    cluster = {"MAGNETCAST_DASK": f"local:{workers}"} if workers else {}
    return whole(place, "predict", place.parts, place.folder / "out", **cluster)


def predict_file(place: Place) -> Row:
    """Time the whole command on one file."""
    return whole(place, "predict", place.panel, place.folder / "out" / "forecast.csv")


def backtest(place: Place) -> Row:
    """Time the whole command on parts."""
    return whole(place, "backtest", place.parts, place.folder / "out", "--cutoffs", CUTOFFS)


def whole(place: Place, verb: str, panel: Path, out: Path, *more: str, **environment: str) -> Row:
    """Time a verb on a panel; what it makes, in the folder ``out``, is removed again."""
    words = [verb, "--panel", str(panel), "--horizon", str(HORIZON), "--out", str(out), *more]
    out.parent.mkdir(exist_ok=True)
    took, _ = place.run([*CLI, *words], **environment)
    made = size_of(place.folder / "out")
    shutil.rmtree(place.folder / "out")
    return whole_of(took, made)


def race_own(place: Place) -> Row:
    script = str(HERE / "scale_steps.py")
    took, output = place.run([sys.executable, script, "race", str(place.panel), str(HORIZON)])
    median = np.load(place.panel.with_suffix(".median.npy"))
    return {**timed_of(took, output), "mase": mase(place.panel, median)}


def race_peer(place: Place, python: str, what: str) -> Row:
    out = place.folder / "peer.parquet"
    script = [python, str(HERE / "scale_peers.py"), what, str(place.panel)]
    known = generated.MONTHS - (HORIZON if what == "forecast" else 0)
    took, output = place.run([*script, str(known), str(HORIZON), str(out)])
    if what == "preprocess":
        return timed_of(took, output)
    found = pd.read_parquet(out).sort_values(["unique_id", "ds"])
    median = found["p50"].to_numpy().reshape(-1, HORIZON)
    return {**timed_of(took, output), "mase": mase(place.panel, median)}


def mase(panel: Path, median: np.ndarray) -> float:
    """Return the mean absolute error of the last months in each series' seasonal scale."""
    values = read_panel(panel).table.to_numpy(dtype=float)
    known, later = values[:, :-HORIZON], values[:, -HORIZON:]
    scale = np.abs(known[:, 12:] - known[:, :-12]).mean(axis=1)
    usable = scale > 0
    error = np.abs(np.maximum(median, 0.0) - later)[usable] / scale[usable, None]
    return float(np.nanmean(error))


def jobs(place: Place, python: str | None) -> dict[tuple[str, int], Callable[[], Row]]:
    """Return what is to be measured of a size, by step and workers."""
    found: dict[tuple[str, int], Callable[[], Row]] = {
        (name, 0): partial(step, place, name)
        for name in ("features", "plain features", "experts", "train")
    }
    spread = (0, 1, 2) if place.series <= MOST_SPREAD else (0,)
    found |= {("predict", workers): partial(predict, place, workers) for workers in spread}
    found["backtest", 0] = partial(backtest, place)
    if place.series <= MOST_SPREAD:
        found["predict, one file", 0] = partial(predict_file, place)
    if place.series <= MOST_RACED:
        found["race engine", 0] = partial(race_own, place)
    if place.series <= MOST_RACED and python is not None:
        found["race mlforecast", 0] = partial(race_peer, place, python, "forecast")
        found["mlforecast preprocess", 0] = partial(race_peer, place, python, "preprocess")
    return found


def measure_size(place: Place, python: str | None, *, again: bool) -> None:
    """Measure what is not in the file yet, and add it there."""
    done = set() if again else measured(place.series)
    wanted = {key: job for key, job in jobs(place, python).items() if key not in done}
    if not wanted:
        return
    if not place.panel.exists():
        generated.write_panel(place.panel, place.series)
    if not place.parts.exists():
        record(place.series, ("divide", 0), divide(place))
    for key, job in wanted.items():
        record(place.series, key, job())


def measured(series: int) -> set[tuple[str, int]]:
    if not FILE.exists():
        return set()
    table = pd.read_csv(FILE)
    rows = table.loc[table["series"] == series]
    return set(zip(rows["step"], rows["workers"], strict=True))


def record(series: int, key: tuple[str, int], row: Row) -> None:
    """Put a row into the file, in the place of what was measured before."""
    new = pd.DataFrame(
        [
            {
                "step": key[0],
                "series": series,
                "workers": key[1],
                **row,
                "load": round(os.getloadavg()[0], 1),
                "commit": page.commit(),
            }
        ]
    )
    rows = pd.concat([pd.read_csv(FILE), new]) if FILE.exists() else new
    rows = rows.drop_duplicates(KEY, keep="last").sort_values(KEY)
    rows.to_csv(FILE, index=False, float_format="%.6g")
    print(new.to_string(index=False), flush=True)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--keep", type=Path, help="folder for the panels, to be used again")
    parser.add_argument("--again", action="store_true", help="measure anew what is measured")
    parser.add_argument("--page", action="store_true", help="only make the page")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as scratch:
        folder = chosen.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for size in [] if chosen.page else map(int, chosen.sizes.split(",")):
            measure_size(Place(folder, size), os.environ.get(PEERS), again=chosen.again)
    page.write("scale.md", page_lines(pd.read_csv(FILE)))


if __name__ == "__main__":
    main()
