"""Processes killed (SIGKILL) at random moments; the seeds are written down."""

import os
import random
import time
from collections.abc import Iterator
from itertools import count

import pandas as pd
import pytest

from store.database import open_to_read
from store.publications.integrity import read_publications
from tests.faults.checking import Watch
from tests.faults.home import ALL, Home, alarms
from tests.faults.world import publish_until

pytestmark = pytest.mark.slow

SEED = 850511
KILLS = int(os.environ.get("MAGNETCAST_FAULTS_KILLS", "40" if ALL else "2"))
"""Kills in all: of ten seven hit an ingest, three a run."""


def share(tenths: int) -> int:
    return max(1, KILLS * tenths // 10)


def moments(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - moments, not secrets


def test_an_ingest_is_killed(watch: Watch) -> None:
    home, random_, killed = watch.home, moments(SEED), 0
    months = [str(month) for month in pd.period_range("2016-01", "2020-02", freq="M")]
    publish_until(home.data, "2020-03", revised=months[:1])
    begun = time.monotonic()
    assert home.call("ingest", "bundled").code == 0
    life = time.monotonic() - begun

    for number in count(1):
        publish_until(home.data, "2020-03", revised=months[: number % len(months) + 1])
        if home.start("ingest", "bundled").is_killed_within(random_.uniform(0, life)):
            killed += 1
        else:
            life *= 0.9  # the machine has become quicker
        watch.still_served()
        watch.is_kept()
        watch.healed(home.call("ingest", "bundled"))
        if killed == share(7):
            break


def releases(home: Home, most: int) -> Iterator[str]:
    """Publish month after month and set the clock to the day after; yield that day."""
    for month in pd.period_range("2020-04", periods=most, freq="M"):
        if month.month == 1:
            continue  # comes out with February
        publish_until(home.data, str(month))
        day = f"{(month + 1).start_time + pd.Timedelta(days=21):%Y-%m-%d}"
        home.set_clock(day)
        yield day


@pytest.mark.long
def test_a_run_is_killed_in_its_last_tenth(watch: Watch) -> None:
    """Registration in MLflow, promotion, forecasts, publication, readings, the folder and the site.

    The run that heals what a killed one left is the next to be killed.
    """
    home, random_, killed = watch.home, moments(SEED + 3), 0
    days = releases(home, 2 * share(3))
    day = next(days)

    while killed < share(3):
        running = home.start("run")
        running.wait_for(random_.choice(("backtest  ", "promote   ", "publish   ")))
        if running.is_killed_within(random_.uniform(0, 2.0)):
            killed += 1
            is_reported = any("cut off" in one for one in alarms(home.status()))
            assert is_reported or day in published(home)
        else:
            assert running.ended().code == 0, running.err[-2000:]
        watch.is_kept()
        if day in published(home):
            watch.healed(home.call("run"), new=day)
            day = next(days)

    watch.healed(home.call("run"), new=day)
    for number in published(home).values():
        again = home.call("replay", "--publication", str(number))
        assert again.code == 0, again.out + again.err


def published(home: Home) -> dict[str, int]:
    """Return the number of each publication by its day."""
    with open_to_read(home.settings.url) as engine:
        known = read_publications(engine)
    return {f"{row.as_of:%Y-%m-%d}": int(row.id) for row in known.itertuples()}
