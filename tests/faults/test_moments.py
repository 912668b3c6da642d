"""Late releases, revised months, clocks that were moved, and jobs that come twice."""

from collections.abc import Callable

import pytest

from store.database import open_to_read
from store.publications.integrity import read_publications
from tests.faults.checking import Watch
from tests.faults.home import Home, Service
from tests.faults.world import NEXT, RELEASED, publish_until

Served = tuple[Home, Service]
Enduring = Callable[[Home, Service, str], Watch]

pytestmark = [pytest.mark.slow, pytest.mark.long]

PUBLISH = "flows.deployments:publish"
"""What the schedule starts."""


def test_a_late_release_after_the_job(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the job of a release that has not come, then the release")
    home.set_clock("2020-05-24")

    output = home.call(PUBLISH)

    assert output.code == 0, output.err
    assert "156 rows as of 2020-05-24" in output.err, output.err
    watch.saw(
        "published a month further on from the figures there were; the late month is forecast"
    )
    service.shows("2020-05-24")
    watch.seen_served()
    watch.alarm("late-data", "figures of 2020-04 were due on 2020-05-20 and are 4 days late")
    publish_until(home.data, "2020-04")
    home.set_clock("2020-05-25")
    watch.healed(home.call(PUBLISH), by="the job of the next morning", new="2020-05-25")


def test_a_late_release_that_comes(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "a release four days late, then published")
    home.set_clock("2020-05-24")
    watch.alarm("late-data", "figures of 2020-04 were due on 2020-05-20 and are 4 days late")
    watch.still_served()

    publish_until(home.data, "2020-04")

    watch.saw("nothing was published until the figures came")
    watch.healed(home.call(PUBLISH), by="the job of the next morning", new="2020-05-24")


def test_a_revised_month(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "a month revised after it was published")
    publish_until(home.data, "2020-04", revised=["2020-03"])
    home.set_clock(NEXT)

    output = home.call("ingest", "bundled")

    assert output.code == 0, output.err
    watch.saw("the revision is a new vintage; the figures before it stay")
    watch.still_served()
    watch.no_alarm("a revision is no fault")
    watch.healed(home.call(PUBLISH), by="the next job published with it", new=NEXT)


def test_a_clock_moved_forwards(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the clock moved five years forwards")

    home.set_clock("2025-04-22")
    output = home.call("run")
    watch.still_served()
    watch.alarm("late-data", "the figures of 2025-02 were due on 2025-03-20 and are 33 days late")
    watch.alarm("stale", "the forecast of 2020-04-22 is older than the release")
    home.set_clock(RELEASED)

    watch.happened(output, "clock", code=1)
    watch.healed(home.call("run"), by="the next run, the clock being right again")


def test_a_clock_moved_backwards(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the clock moved a year backwards")
    publish_until(home.data, "2020-03", revised=["2020-02"])

    home.set_clock("2019-04-22")
    output = home.call("ingest", "bundled")
    watch.still_served()
    watch.alarm("clock", "2019-04-22.*2020-04-22")
    home.set_clock(RELEASED)

    watch.happened(output, "clock")
    watch.healed(home.call("ingest", "bundled"), by="the next ingest, the clock being right again")


def test_the_same_job_twice_and_two_at_once(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "the job of a release started twice at once, then again")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    both = [home.start(PUBLISH) for _ in range(2)]
    watch.still_served()
    result = [one.ended() for one in both]
    again = home.call(PUBLISH)

    assert [one.code for one in (*result, again)] == [0, 0, 0], [one.err for one in result]
    assert sum("nothing new since the forecast" in one.err for one in (*result, again)) == 2
    watch.saw("one published, the other waited and found nothing new")
    watch.healed(again, by="nothing was published twice", new=NEXT)
    watch.no_alarm("each said what it did")


def test_two_runs_at_once_with_other_facts(served: Served, enduring: Enduring) -> None:
    home, service = served
    watch = enduring(home, service, "two runs at once, a figure revised between them")
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)

    first = home.start("run")
    first.wait_for("backtest: ")
    publish_until(home.data, "2020-04", revised=["2020-03"])
    second = home.start("run")
    watch.still_served()
    result = [one.ended() for one in (first, second)]
    with open_to_read(home.settings.url) as engine:
        numbers = read_publications(engine)["id"].tolist()

    assert [one.code for one in result] == [0, 0], [one.err for one in result]
    assert len(numbers) == 3
    for number in numbers[1:]:
        replayed = home.call("replay", "--publication", str(number))
        assert replayed.code == 0, replayed.err
    watch.saw("the second waited for the first; each published from its facts, both replayed")
    watch.healed(home.call("run"), by="nothing was published twice", new=NEXT)
    watch.no_alarm("each published from the facts it found")
