import asyncio
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from prefect import flow
from prefect.deployments.runner import RunnerDeployment
from prefect.server.schemas.schedules import CronSchedule
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.deployments import deployments, post
from sources.bundled.release_calendar import ReleaseCalendar, release_dates
from sources.providers import LIVE
from store.settings import PROJECT_ROOT
from tests.helpers import receiving

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 25, tzinfo=UTC)
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def made() -> dict[str, RunnerDeployment]:
    return {one.name: one for one in deployments()}


def next_dates(one: RunnerDeployment, place: int = 0, n: int = 12) -> list[datetime]:
    schedule = CronSchedule(**one.schedules[place].schedule.model_dump())
    found = asyncio.run(schedule.get_dates(n=n, start=START))
    return [moment.astimezone(SHANGHAI) for moment in found]


def first_after(one: RunnerDeployment, moment: datetime) -> datetime:
    schedules = [CronSchedule(**it.schedule.model_dump()) for it in one.schedules]
    return min(asyncio.run(it.get_dates(n=1, start=moment))[0] for it in schedules)


def calendar() -> ReleaseCalendar:
    loaded = release_dates(PROJECT_ROOT / "data" / "release_dates.csv")
    return ReleaseCalendar.from_frame(loaded.tables["release_calendar"])


def test_every_live_source_has_a_cadence_of_beijing(made: dict[str, RunnerDeployment]) -> None:
    sources = {one.parameters["source"] for one in made.values() if one.parameters}

    assert sources == {*LIVE, "bundled"}
    assert {it.schedule.timezone for one in made.values() for it in one.schedules} == {
        "Asia/Shanghai"
    }


WRONG = [
    ("comtrade", {"source": "comtrad"}, "'comtrad' is not one of"),
    ("comtrade", {"as_of": "2026-11-25"}, "'as_of' was unexpected"),
    ("monthly", {"as_of": "yesterday"}, "field 'as_of'"),
    ("on-demand", {"set": {"learing_rate": 0.1}}, "'learing_rate' was unexpected"),
    ("weekly", {"set": {"num_leaves": 1}}, "less than the minimum"),
]


@pytest.mark.parametrize(("name", "given", "message"), WRONG)
def test_the_server_refuses_what_a_flow_does_not_take(
    made: dict[str, RunnerDeployment], name: str, given: dict[str, object], message: str
) -> None:
    taken = {"as_of": "2026-11-25", "set": {"num_leaves": 8}, "parameters": "default"}
    schemas = {one: it._parameter_openapi_schema.model_dump() for one, it in made.items()}

    validate(taken, schemas["on-demand"], raise_on_error=True)
    of_table = {"commodity": "811292", "set": {"step": 1}}
    validate(of_table, schemas["weekly"], raise_on_error=True)
    with pytest.raises(ValidationError, match=message):
        validate({**made[name].parameters, **given}, schemas[name], raise_on_error=True)


def test_the_monthly_run_follows_each_expected_release(made: dict[str, RunnerDeployment]) -> None:
    months = pd.date_range("2026-11-01", "2027-11-01", freq="MS")
    expected = sorted({calendar().released_on(month).date() for month in months})

    dates = next_dates(made["monthly"])

    assert [moment.date() for moment in dates] == expected[: len(dates)]
    assert {(moment.hour, moment.minute) for moment in dates} == {(19, 30)}


def test_every_release_on_record_is_taken_up_by_the_next_morning(
    made: dict[str, RunnerDeployment],
) -> None:
    days = sorted(set(calendar().recorded.values()))
    moments = [day.to_pydatetime().replace(tzinfo=SHANGHAI, hour=15) for day in days]

    runs = [first_after(made["monthly"], moment) for moment in moments]

    assert {day.day_of_week for day in days} >= {5, 6}
    assert [day for day, m, r in zip(days, moments, runs, strict=True) if r - m > ONE_DAY] == []


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_api")
def test_a_run_that_fails_is_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    @flow(name="scheduled-nothing", on_failure=[post])
    def fail() -> None:
        raise ValueError("stale: the data are old")

    with receiving() as receiver:
        monkeypatch.setenv("MAGNETCAST_ALARM_URL", receiver.address)
        with pytest.raises(ValueError, match="stale"):
            fail()

    ((_, body),) = receiver.taken
    words = json.loads(body)["message"]
    assert words.startswith("magnetcast: scheduled-nothing failed: ")
    assert "stale: the data are old" in words
