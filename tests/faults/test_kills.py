"""Processes killed (SIGKILL) at random moments; the seeds are written down."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

import pandas as pd
import pytest

from store.database import open_to_read
from store.publications.integrity import read_publications
from tests.faults.checking import Watch
from tests.faults.home import ALL, GONE, Home, Service, alarms
from tests.faults.world import publish_until

Served = tuple[Home, Service]
Enduring = Callable[[Home, Service, str], Watch]

pytestmark = pytest.mark.slow

SEED = 850511
KILLS = int(os.environ.get("MAGNETCAST_FAULTS_KILLS", "100" if ALL else "10"))
"""Kills in all, fewer where not every fault is brought about. Of ten four hit an ingest, one a run,
three the service, two any server of `up`."""


def share(tenths: int) -> int:
    return max(1, KILLS * tenths // 10)


def moments(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - moments, not secrets


def test_an_ingest_is_killed(served: Served, enduring: Enduring) -> None:
    home, service = served
    kills = share(4)
    watch = enduring(home, service, f"{kills} ingests killed (seed {SEED})")
    random_, cut_off, killed = moments(SEED), 0, 0
    months = [str(month) for month in pd.period_range("2016-01", "2020-02", freq="M")]
    publish_until(home.data, "2020-03", revised=months[:1])
    life = lasting(home)

    for number in count(1):
        publish_until(home.data, "2020-03", revised=months[: number % len(months) + 1])
        if home.start("ingest", "bundled").is_killed_within(random_.uniform(0, life)):
            killed += 1
            cut_off += any("cut off before it ended" in one for one in alarms(home.status()))
        else:
            life *= 0.9  # the machine has become quicker
        watch.still_served()
        watch.is_kept()
        assert home.call("ingest", "bundled").code == 0
        watch.unalarmed()
        if killed == kills:
            break

    watch.saw("each left the old vintage alone or both whole")
    watch.noted(f"`failed: the ingest of the bundled tables ... was cut off` after {cut_off}")
    watch.healed(home.call("ingest", "bundled"), by="the next ingest completed it, each time")


def lasting(home: Home) -> float:
    """Return how many seconds an ingest lasts."""
    begun = time.monotonic()
    assert home.call("ingest", "bundled").code == 0
    return time.monotonic() - begun


@pytest.mark.long
def test_the_service_is_killed(served: Served, enduring: Enduring) -> None:
    home, service = served
    kills = share(3)
    watch = enduring(home, service, f"the service killed {kills} times (seed {SEED + 1})")
    random_ = moments(SEED + 1)

    for _ in range(kills):
        time.sleep(random_.uniform(0, 1.0))
        os.kill(service.process.pid, signal.SIGKILL)
        assert home.nursery.wait(service.process.pid) == GONE
        service.process = service.started()
        watch.still_served()

    watch.saw("begun anew, it read the forecast from the store")
    watch.no_alarm("`status` tells of one that `magnetcast up` started, see below")
    watch.healed(home.call("ingest", "bundled"), by="a new process shows the same")


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
def test_a_run_is_killed(served: Served, enduring: Enduring) -> None:
    home, service = served
    kills = share(1)
    watch = enduring(home, service, f"{kills} runs killed (seed {SEED + 2})")
    random_, life, result, killed = moments(SEED + 2), 60.0, list[str](), 0

    for day in releases(home, 3 * kills):
        shown, begun = service.forecast(), time.monotonic()
        if home.start("run").is_killed_within(random_.uniform(0, life)):
            killed += 1
            result += [one for one in alarms(home.status()) if "cut off" in one]
            now = service.forecast()
            assert now == shown or f'"as_of":"{day}' in now.replace(" ", "")
        else:
            life = time.monotonic() - begun
        watch.is_kept()
        output = home.call("run")
        assert output.code == 0, output.err[-2000:]
        service.shows(day)
        watch.is_kept()
        if killed == kills:
            break

    assert killed == kills
    assert result or kills < 3
    watch.seen_served()
    watch.saw("no half publication was ever seen")
    watch.noted(f"`{result[0] if result else 'none met'}`")
    home.set_clock(home.day)
    watch.healed(home.call("run"), by="the next run published, once", new=home.day)


@pytest.mark.long
def test_a_run_is_killed_in_its_last_tenth(served: Served, enduring: Enduring) -> None:
    """Registration in MLflow, promotion, forecasts, publication, readings and the report.

    The run that heals what a killed one left is the next to be killed.
    """
    home, service = served
    kills = share(1)
    watch = enduring(home, service, f"{kills} runs killed after their backtest (seed {SEED + 3})")
    random_, where, days = moments(SEED + 3), Counter[str](), releases(home, 2 * kills)
    day = next(days)

    while where.total() < kills:
        running = home.start("run")
        running.wait_for(random_.choice(("backtest  error", "promote   ", "publish   ")))
        if running.is_killed_within(random_.uniform(0, 2.0)):
            where[last_word(running.err)] += 1
            is_reported = any("cut off" in one for one in alarms(home.status()))
            assert is_reported or day in published(home)
        else:
            assert running.ended().code == 0, running.err[-2000:]
        watch.is_kept()
        if day in published(home):
            service.shows(day)
            day = next(days)

    watch.seen_served()
    watch.saw("met after " + ", ".join(f"`{word}` {count}" for word, count in where.items()))
    watch.noted("`failed: the main job ... was cut off before it ended`, until it is published")
    watch.healed(
        home.call("run"), by="the next run published, once; `replay` has every bit", new=day
    )
    for number in published(home).values():
        again = home.call("replay", "--publication", str(number))
        assert again.code == 0, again.out + again.err


def published(home: Home) -> dict[str, int]:
    """Return the number of each publication by its day."""
    with open_to_read(home.settings.url) as engine:
        known = read_publications(engine)
    return {f"{row.as_of:%Y-%m-%d}": int(row.id) for row in known.itertuples()}


def last_word(output: str) -> str:
    """Return the step that a run reported last."""
    steps = [line.split()[0] for line in output.splitlines() if line[:1].isalpha()]
    return steps[-1]
