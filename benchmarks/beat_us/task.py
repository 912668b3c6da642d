"""The task: forecast magnet exports as one could have on each of 30 days, and be scored by lead.

Score entries: `python benchmarks/beat_us/task.py ENTRY [ENTRY...] [--task FOLDER] [--out FILE]`.
Needs pandas and numpy alone, any release since 2, so that an entry may live in an environment of
its own.
"""

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

LEVELS = {"p05": 0.05, "p10": 0.1, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95}
TASK = Path(__file__).resolve().parents[2] / "var" / "beat_us"
FACTS = ("observations", "policy_events", "tariff_steps", "analog_events")
KEY = ["as_of", "destination", "period"]
SCOPES = {"ALL": "all destinations", "WLD": "world", "USA": "USA", "EU27": "European Union"}
LEADS = ((-99, 0), (1, 3), (4, 6), (7, 12))
"""First and last month of each group, counted from that of the day; up to 0 it was over."""
TOLERANCE_T = 1e-6
"""By how much a quantile may lie below the one before it."""

Facts = dict[str, pd.DataFrame]
Forecast = Callable[[Facts, pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""An entry: facts known, the panel as known, and what is asked; returns quantiles of that."""


@dataclass(frozen=True)
class Question:
    """One day: what was known by then, and what is asked."""

    as_of: pd.Timestamp
    facts: Facts
    """By name the rows with ``available_at`` on or before ``as_of``."""
    panel: pd.DataFrame
    """destination, period, tonnes, stderr_t, kind, available_at: our table of every month."""
    asked: pd.DataFrame
    """destination, period (YYYY-MM), horizon after the panel's last month, lead after the day's."""


class Task:
    """A folder that ``lay.py`` has written."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            SystemExit: It is not there.
        """
        if not (folder / "asked.csv").is_file():
            raise SystemExit(f"No task in {folder}. Make it: python -m benchmarks.beat_us.lay")
        self._panels = folder / "panels"
        self._facts = {name: _dated(folder / "facts" / f"{name}.csv") for name in FACTS}
        self.asked = pd.read_csv(folder / "asked.csv", dtype={"period": str})
        self.truth = pd.read_csv(folder / "truth.csv", dtype={"period": str})
        self.scale = pd.read_csv(folder / "scale.csv")

    def questions(self) -> Iterator[Question]:
        """Yield each day, oldest first, with nothing in it that became known later."""
        for day, asked in self.asked.groupby("as_of", sort=True):
            as_of = pd.Timestamp(str(day), tz="UTC")
            yield Question(
                as_of,
                {name: known(table, as_of) for name, table in self._facts.items()},
                pd.read_csv(self._panels / f"{day}.csv", parse_dates=["available_at"]),
                asked.drop(columns="as_of").reset_index(drop=True),
            )


def known(table: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the rows that could be known at a moment."""
    return table.loc[table["available_at"] <= as_of].reset_index(drop=True)


def _dated(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, low_memory=False)
    return table.assign(available_at=pd.to_datetime(table["available_at"], utc=True))


def entered(path: Path, task: Task) -> pd.DataFrame:
    """Return what an entry forecasts for every day.

    Args:
        path: Python file with ``forecast(facts, panel, asked)``, or CSV with ``KEY`` and quantiles.
        task: What is asked.

    Raises:
        SystemExit: It leaves out what was asked, or its quantiles are no quantiles.
    """
    if path.suffix == ".csv":
        predicted = pd.read_csv(path, dtype={"period": str})
        return checked(predicted, task.asked, where=str(path))
    forecast = _forecast_of(path)
    parts = []
    for question in task.questions():
        predicted = forecast(question.facts, question.panel, question.asked)
        day = f"{question.as_of:%Y-%m-%d}"
        parts.append(
            checked(
                predicted.assign(as_of=day), question.asked.assign(as_of=day), where=f"{path} {day}"
            )
        )
    return pd.concat(parts, ignore_index=True)


def _forecast_of(path: Path) -> Forecast:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101 - a file of Python
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.forecast  # type: ignore[no-any-return]


def checked(said: pd.DataFrame, asked: pd.DataFrame, *, where: str) -> pd.DataFrame:
    """Return the rows that were asked for, in that order, or say what is wrong with them."""
    missing = [name for name in (*KEY, *LEVELS) if name not in said]
    if missing:
        raise SystemExit(f"{where}: no column {', '.join(missing)}. Return {', '.join(LEVELS)}.")
    rows = asked[[*KEY, "horizon", "lead"]].merge(said[[*KEY, *LEVELS]], on=KEY, how="left")
    if len(rows) != len(asked):
        raise SystemExit(f"{where}: a destination and period is there twice. Return each once.")
    values = rows[list(LEVELS)].to_numpy(dtype=float)
    bad = ~np.isfinite(values).all(axis=1)
    bad |= (values < 0).any(axis=1) | (np.diff(values, axis=1) < -TOLERANCE_T).any(axis=1)
    if bad.any():
        first = rows.loc[bad].iloc[0]
        raise SystemExit(
            f"{where}: {first['destination']} {first['period']} has "
            f"{first[list(LEVELS)].tolist()} ({bad.sum()} rows like it). Expected seven finite "
            "tonnes of at least 0 in ascending order for each row of `asked`."
        )
    return rows


def scores(said: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return the scores of an entry by scope and lead, on months whose level was later published.

    wape: sum of errors of p50 over sum of tonnes; sql: quantile loss over the seven levels, in
    units of the mean absolute difference to the year before as known on the day; coverage80:
    share within p10 and p90; bias: sum of p50 over sum of tonnes, less 1. ALL holds the sums WLD
    and EU27 too.
    """
    cells = said.merge(task.truth, on=["destination", "period"])
    cells = cells.merge(task.scale, on=["as_of", "destination"], how="left")
    gap = cells["tonnes"].to_numpy()[:, None] - cells[list(LEVELS)].to_numpy()
    level = np.array(list(LEVELS.values()))
    loss = 2.0 * np.maximum(level * gap, (level - 1.0) * gap).mean(axis=1)
    cells = cells.assign(
        error=(cells["tonnes"] - cells["p50"]).abs(),
        loss=loss / cells["scale"].where(cells["scale"] > 0),
        is_covered=cells["tonnes"].between(cells["p10"], cells["p90"]),
    )
    rows = []
    for scope, (first, last) in product(SCOPES, LEADS):
        part = cells if scope == "ALL" else cells.loc[cells["destination"] == scope]
        part = part.loc[part["lead"].between(first, last)]
        if part.empty:
            continue
        rows.append(
            {
                "scope": scope,
                "lead": f"{first}-{last}" if last > 0 else "over",
                "cells": len(part),
                "wape": part["error"].sum() / part["tonnes"].sum(),
                "sql": part["loss"].mean(),
                "coverage80": part["is_covered"].mean(),
                "bias": part["p50"].sum() / part["tonnes"].sum() - 1,
            }
        )
    return pd.DataFrame(rows)


def lines(table: pd.DataFrame) -> Iterator[str]:
    """Yield the scores of an entry as rows of README's table."""
    for scope, part in table.groupby("scope", sort=False):
        cells = [
            f"{row.wape:.1%}, {row.sql:.2f}; {row.coverage80:.0%} of {row.cells}; {row.bias:+.0%}"
            for row in part.itertuples()
        ]
        name = f"`{part['entry'].iloc[0]}`, {SCOPES[str(scope)]}"
        yield f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", nargs="+", type=Path, help="Python file or CSV of forecasts")
    parser.add_argument("--task", type=Path, default=TASK, help="folder that lay.py wrote")
    parser.add_argument("--out", type=Path, help="CSV to add the scores to")
    chosen = parser.parse_args()
    task = Task(chosen.task)
    for path in chosen.entries:
        table = scores(entered(path, task), task).assign(entry=path.stem)
        print("\n".join(lines(table)), flush=True)
        if chosen.out is not None:
            add(table, chosen.out)


def add(table: pd.DataFrame, path: Path) -> None:
    """Put an entry's scores into a file, in place of its old ones."""
    if path.is_file():
        old = pd.read_csv(path)
        table = pd.concat([old.loc[~old["entry"].isin(table["entry"])], table])
    table.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
