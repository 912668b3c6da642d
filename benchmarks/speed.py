"""How long the engine takes beside peers on the same machine.

MAGNETCAST_PANELS names the panels' folder (see cases.py) and MAGNETCAST_PEERS the python of an
environment with statsforecast and mlforecast (see peers.py). Without the first nothing is measured,
without the second the engine alone. How time grows with series is in scale.py. Writes speed.md.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import page
import pandas as pd
from cases import IMPORTS, VARIABLE, Case, panels_folder
from watch import CLI, Measured, home_below, measure

from features.statistical.base_forecasts import PANEL_FORECASTS
from features.statistical.seasonality import season_profiles
from flows.context.library_defaults import DEFAULTS
from models.evaluation.backtest import backtest_panel
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot

PYTHON = "MAGNETCAST_PEERS"
ENGINE = "engine with seven quantiles"
ALONE = "ten base forecasts alone, no quantiles"
SCORED = "backtest: engine, ten base forecasts with bands, scores"
ROUNDS = {ENGINE: 3, ALONE: 3, SCORED: 1, "mlforecast": 3, "statsforecast": 1}
"""Times that each is measured; the median counts."""

AIMS = {"mlforecast": 0.5, "statsforecast": 0.1}
"""Most of a peer's time that the engine may take."""

WARM_UP_SERIES = 20

INTRODUCTION = """
One after the other on one machine, each six times refitted and asked for the forecasts of every
series. *Engine with seven quantiles* is all that a forecast takes: base forecasts, training,
boosters, validation, bands and quantiles from the panel's table on; the scoreboard of a backtest,
bands for each of the ten base forecasts and scores, is not in it and is separate. *mlforecast* is
one LightGBM of 300 rounds on log differences with its conformal band of two windows;
*statsforecast* is AutoETS and DynamicOptimizedTheta with their bands. Peers run in their own
environment. Each first forecasts twenty series untimed, so neither imports nor compiling count.
Seconds are the median of the rounds.
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """What one contestant took for all cutoffs."""

    seconds: tuple[float, ...]
    """By round."""
    threads: int
    cells: int
    """Months of series forecast."""
    load: float
    """Load average of the machine before the first round."""

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a contestant."""

    seconds: float
    threads: int
    cells: int


FORECASTER = PanelForecaster()

Contestant = Callable[[], Round]


def engine_round(task: Snapshot, cutoffs: Sequence[int]) -> Round:
    started = time.perf_counter()
    cells = 0
    for cutoff in cutoffs:
        fitted = FORECASTER.fit(task.at(cutoff))
        cells += sum(map(len, fitted.predict()))
    return Round(time.perf_counter() - started, FORECASTER.parameters.threads, cells)


def base_forecasts_round(task: Snapshot, cutoffs: Sequence[int]) -> Round:
    values = task.table.to_numpy(dtype=float)
    started = time.perf_counter()
    cells = 0
    for cutoff in cutoffs:
        known = values[:, : cutoff - task.first + 1]
        season = season_profiles(known)
        for method in PANEL_FORECASTS.values():
            predicted = method(known, season, task.horizon)
        cells += int(np.isfinite(predicted).sum())
    return Round(time.perf_counter() - started, 1, cells)


def backtest_round(task: Snapshot, cutoffs: Sequence[int]) -> Round:
    started = time.perf_counter()
    rows = len(backtest_panel(FORECASTER, task, cutoffs).forecasts)
    return Round(
        time.perf_counter() - started,
        FORECASTER.parameters.threads,
        rows // (len(PANEL_FORECASTS) + 2),
    )


def peer_round(python: str, name: str, case: Case, folder: Path) -> tuple[Round, dict[str, str]]:
    """Return what a peer took in its own environment, and the versions of its packages."""
    script = str(Path(__file__).with_name("peers.py"))
    result = [str(case.file(folder)), str(case.horizon), ",".join(case.cutoffs), name]
    environment = {key: value for key, value in os.environ.items() if key not in DEFAULTS}
    done = subprocess.run(  # noqa: S603 - our own script, no shell
        [python, script, *result], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed in {PYTHON}={python}:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Round(sum(found["seconds"]), found["threads"], found["cells"]), found["versions"]


def race(case: Case, folder: Path, python: str | None) -> tuple[dict[str, Timed], dict[str, str]]:
    """Return what each contestant took, and the versions of the peers' packages."""
    task = case.task(folder)
    small = Snapshot.of_panel(task.table.iloc[:WARM_UP_SERIES], task.horizon)
    versions: dict[str, str] = {}

    def peer(name: str) -> Round:
        assert python is not None  # noqa: S101 - only called with one
        found, result = peer_round(python, name, case, folder)
        versions.update(result)
        return found

    contestants: dict[str, Contestant] = {
        ALONE: lambda: base_forecasts_round(task, case.months),
        ENGINE: lambda: engine_round(task, case.months),
        SCORED: lambda: backtest_round(task, case.months),
    }
    if python is not None:
        contestants |= {name: partial(peer, name) for name in AIMS}
    engine_round(small, case.months[-1:])
    return in_turns(contestants), versions


def in_turns(contestants: Mapping[str, Contestant]) -> dict[str, Timed]:
    """Return what each took, its rounds between those of the others."""
    rounds: dict[str, list[Round]] = {name: [] for name in contestants}
    load: dict[str, float] = {}
    for turn in range(max(ROUNDS.values())):
        for name, contestant in contestants.items():
            if turn >= ROUNDS[name]:
                continue
            load.setdefault(name, os.getloadavg()[0])
            rounds[name].append(contestant())
            print(f"{name}: {rounds[name][-1].seconds:.1f} s", flush=True)
    return {
        name: Timed(tuple(one.seconds for one in some), some[0].threads, some[0].cells, load[name])
        for name, some in rounds.items()
    }


def race_text(timed: Mapping[str, Timed]) -> pd.DataFrame:
    own = timed[ENGINE].median
    rows = [
        {
            "what": f"**{name}**" if name == ENGINE else name,
            "seconds": f"{found.median:.1f}",
            "rounds": ", ".join(f"{one:.1f}" for one in found.seconds),
            "engine's time to it": f"{own / found.median:.3f}",
            "aim": f"<= {AIMS[name]:g}" if name in AIMS else "",
            "": verdict(own / found.median, AIMS.get(name)),
            "threads": found.threads,
            "cells forecast": f"{found.cells:,}",
            "load before": f"{found.load:.1f}",
        }
        for name, found in sorted(timed.items(), key=lambda pair: pair[1].median)
    ]
    return pd.DataFrame(rows)


def verdict(share: float, aim: float | None) -> str:
    if aim is None:
        return ""
    return "met" if share <= aim else "**missed**"


def race_lines(folder: Path, python: str | None) -> list[str]:
    timed, versions = race(IMPORTS, folder, python)
    fact = f"""
        {IMPORTS.panel}, cutoffs {", ".join(IMPORTS.cutoffs)}, horizon {IMPORTS.horizon}.
    """
    if versions:
        named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
        fact += f" Peers' packages: {named}."
    else:
        fact += f" Peers were not timed: {PYTHON} is not set."
    whole = whole_command(IMPORTS.file(folder))
    command = f"""
        The whole command once, `magnetcast panel` of the same file with its start:
        {whole.seconds:.1f} s and {whole.peak_mb:,.0f} MB.
    """
    return [
        *page.prose(INTRODUCTION),
        *page.prose(fact),
        *page.table(race_text(timed)),
        *page.prose(command),
        *page.prose("How time and memory grow with the number of series: `make bench-scale`."),
    ]


def whole_command(panel: Path) -> Measured:
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as name:
        folder = Path(name)
        words = ["panel", str(panel), "--horizon", str(IMPORTS.horizon)]
        command = [*CLI, *words, "--out", str(folder / "forecast.csv")]
        return measure(command, log=folder / "log", environment=home_below(folder))


def main() -> None:
    folder, python = panels_folder(), os.environ.get(PYTHON)
    if folder is None:
        return
    command = f"{VARIABLE}=FOLDER {PYTHON}=PYTHON make bench-speed"
    head = page.heading("Speed beside peers", command)
    page.write("speed.md", [*head, *race_lines(folder, python)])


if __name__ == "__main__":
    main()
