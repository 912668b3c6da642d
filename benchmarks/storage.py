"""How long the store takes to answer for one commodity among ten million rows, on each database.

Fills a fresh store month by month through `write_batch`, as live sources do, then asks for one
commodity as of a past and of the last day. SQLite lives in a temporary folder; PostgreSQL is
measured if MAGNETCAST_TEST_POSTGRES names a server (`.ci/postgres start FOLDER` prints one), on a
database of its own that is dropped afterwards. Writes store.md.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import page
import pandas as pd
from sqlalchemy import Engine, make_url, text

from store.asof import OBSERVATION_KEY, known_at
from store.database import open_store
from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.reading import diff_vintages, read_observations
from store.facts.writing import write_batch
from store.vocabulary import UNITS
from tests.conftest import database_on, shown

POSTGRES = "MAGNETCAST_TEST_POSTGRES"
ROUNDS = 5
AIM = 1.0
"""Seconds that the rows of one commodity as of a day may take."""

DESTINATIONS = 150
MONTHS = 120
MEASURES = ("net_weight_t", "value_musd")
REVISED = 0.1
"""Share of a month's cells that change a month later."""

EVERY = 10
"""Months between two lines of progress."""

ROWS_EACH = int(DESTINATIONS * MONTHS * len(MEASURES) * (1 + REVISED))
"""Rows of one commodity, about."""

INTRODUCTION = f"""
Every month brings {DESTINATIONS} destinations by {len(MEASURES)} measures for each commodity,
and revises {REVISED:.0%} of the month before; {MONTHS} such ingests fill the store, each one
transaction of `write_batch(revises=True)` with its schema check, its search for what is
known already and its vintage. So the rows of a commodity come in {MONTHS} portions. Reading is
`store.facts.reading.read_observations(as_of, commodity)`, *as of* is `store.asof.known_at`: the
newest version of each cell. Times are the median of {ROUNDS}, in seconds; *first* is the first
reading after the store was opened anew (the system may still hold parts of the file in memory).
One month anew is the last month as another file with the same figures, so nothing is written. A
difference is `diff_vintages` of the last two ingests. PostgreSQL is the throw-away cluster of
`.ci/postgres`: defaults, but it does not wait for the disk.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one database took."""

    database: str
    rows: int
    filled: float
    """Seconds of all ingests."""
    first_month: float
    last_month: float
    anew: float
    compared: float
    size_mb: float
    answers: tuple[dict[str, float], ...]


def month_rows(number: int, commodities: int) -> pd.DataFrame:
    """Return what is published after a month: its figures, and revisions of the month before."""
    fresh = cells(number, commodities)
    parts = [fresh]
    if number:
        earlier = cells(number - 1, commodities)
        revised = earlier.sample(frac=REVISED, random_state=number)
        moments = fresh["available_at"].iloc[0]
        parts.append(revised.assign(value=revised["value"] * 1.01, available_at=moments))
    return pd.concat(parts, ignore_index=True)


def cells(number: int, commodities: int) -> pd.DataFrame:
    period = pd.Timestamp("2016-01-01") + pd.DateOffset(months=number)
    keys = pd.MultiIndex.from_product(
        [
            [f"{850_000 + c}" for c in range(commodities)],
            [f"D{d:03d}" for d in range(DESTINATIONS)],
            MEASURES,
        ],
        names=["commodity", "destination", "measure"],
    )
    frame = keys.to_frame(index=False)
    values = np.random.default_rng(number).gamma(0.5, 200.0, len(frame)).round(3)
    moment = (period + pd.DateOffset(months=1, days=20)).tz_localize("UTC")
    return frame.assign(
        origin="CHN",
        period_from=period,
        period_to=period,
        value=values,
        unit=frame["measure"].map(UNITS),
        half_width=0.0005,
        kind="reported",
        usable=True,
        available_at=moment,
        source="comtrade",
        source_url="https://comtradeapi.un.org/data/v1/get/C/M/HS?reporterCode=156&flowCode=X",
        note="",
    )


def ingest(engine: Engine, number: int, commodities: int, *, name: str = "month") -> WriteReport:
    rows = month_rows(number, commodities)
    file = FileRows("comtrade", f"{name} {number}", f"{number:064d}", {"observations": rows})
    now = rows["available_at"].max()
    return write_batch(engine, Batch((file,)), ingested_at=now, revises=True, actor="benchmark")


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    return float(np.median(page.seconds_of(work, rounds)))


def answer(url: str, commodity: str, as_of: pd.Timestamp) -> dict[str, float]:
    """Return how long one commodity takes as of a day, and how much it is."""
    engine = open_store(url)
    started = time.perf_counter()
    rows = read_observations(engine, as_of=as_of, commodity=commodity)
    known = known_at(rows, key=OBSERVATION_KEY, as_of=as_of)
    first = time.perf_counter() - started

    def both() -> None:
        found = read_observations(engine, as_of=as_of, commodity=commodity)
        known_at(found, key=OBSERVATION_KEY, as_of=as_of)

    result = {
        "rows": len(rows),
        "cells": len(known),
        "first": first,
        "read": seconds(lambda: read_observations(engine, as_of=as_of, commodity=commodity)),
        "as of": seconds(lambda: known_at(rows, key=OBSERVATION_KEY, as_of=as_of)),
        "both": seconds(both),
    }
    engine.dispose()
    return result


def measured(url: str, total: int, size: Callable[[Engine], float]) -> Measured:
    commodities = max(2, round(total / ROWS_EACH))
    engine = open_store(url)
    taken, rows = [], 0
    for number in range(MONTHS):
        started = time.perf_counter()
        rows += ingest(engine, number, commodities).total
        taken.append(time.perf_counter() - started)
        if (number + 1) % EVERY == 0:
            print(f"{engine.name}: {rows:,} rows, {taken[-1]:.1f} s the last month", flush=True)
    last = MONTHS - 1
    again = seconds(lambda: ingest(engine, last, commodities, name=f"anew {uuid4()}"), rounds=1)
    compared = seconds(lambda: diff_vintages(engine, last, last + 1), rounds=1)
    name, megabytes = version(engine), size(engine)
    engine.dispose()
    wanted = f"{850_000 + commodities // 2}"
    days = (pd.Timestamp("2021-01-25", tz="UTC"), pd.Timestamp("2026-12-31", tz="UTC"))
    answers = tuple({"day": day, **answer(url, wanted, day)} for day in days)
    return Measured(
        name, rows, sum(taken), taken[1], taken[-1], again, compared, megabytes, answers
    )


def version(engine: Engine) -> str:
    with engine.connect() as connection:
        if engine.name == "sqlite":
            return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()}"
        return (
            f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one().split()[0]}"
        )


def on_sqlite(total: int) -> Measured:
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as folder:
        file = Path(folder) / "store.db"
        return measured(f"sqlite:///{file}", total, lambda _: file.stat().st_size / 1e6)


def on_postgres(server: str, total: int) -> Measured:
    with database_on(make_url(server)) as address:
        return measured(shown(address), total, database_size)


def database_size(engine: Engine) -> float:
    with engine.connect() as connection:
        bytes_used = connection.execute(text("SELECT pg_database_size(current_database())"))
        return float(bytes_used.scalar_one()) / 1e6


def answers_table(found: Sequence[Measured]) -> pd.DataFrame:
    rows = [
        {
            "database": one.database,
            "as of": f"{answer['day']:%Y-%m-%d}",
            "rows": f"{answer['rows']:,.0f}",
            "cells": f"{answer['cells']:,.0f}",
            "read": f"{answer['read']:.2f}",
            "newest of each cell": f"{answer['as of']:.2f}",
            "both": f"**{answer['both']:.2f}**",
            "aim": f"<= {AIM:.0f}",
            "first": f"{answer['first']:.2f}",
        }
        for one in found
        for answer in one.answers
    ]
    return pd.DataFrame(rows)


def fill_table(found: Sequence[Measured]) -> pd.DataFrame:
    rows = [
        {
            "database": one.database,
            "rows": f"{one.rows:,}",
            "all ingests s": f"{one.filled:,.0f}",
            "rows a second": f"{one.rows / one.filled:,.0f}",
            "second month s": f"{one.first_month:.1f}",
            "last month s": f"{one.last_month:.1f}",
            "last month anew s": f"{one.anew:.1f}",
            "difference s": f"{one.compared:.1f}",
            "size MB": f"{one.size_mb:,.0f}",
        }
        for one in found
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    found = [on_sqlite(options.rows)]
    if server := os.environ.get(POSTGRES):
        found.append(on_postgres(server, options.rows))
    lines = [
        *page.heading("The store with millions of rows", "python benchmarks/storage.py"),
        *page.prose(INTRODUCTION),
        *page.table(answers_table(found)),
        *page.table(fill_table(found)),
    ]
    print("\n".join(lines))
    if not options.no_page:
        page.write("store.md", lines)


if __name__ == "__main__":
    main()
