from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from flows.context.stores import made_store, single_writer
from flows.system_health import HealthFacts, alarm_news, examine, report_of, status_lines
from models.monitoring import AlarmName, Reading
from sources.bundled.release_calendar import ReleaseCalendar
from store.archive import write_sums
from store.database import open_store
from store.facts.writing import write_batch
from store.messages import message, to_json
from store.publications.publication_rows import COVERAGE_DRIFT, latest_reading, save_reading
from store.publications.publication_writing import RunRecord, start_run
from store.settings import PROJECT_ROOT, Settings
from store.vocabulary import COMMODITY
from tests.data.builders import at
from tests.data.store_builders import make_batch, make_observations
from tests.flows.conftest import Call
from tests.helpers import settings_in

FINE = HealthFacts(
    moment=at("2026-11-25"),
    calendar=ReleaseCalendar({}),
    newest=pd.Timestamp("2026-10-01"),
    forecast_as_of=at("2026-11-20"),
    last_run="finished",
    last_run_at=at("2026-11-20"),
    champion=message("Champion: version %(number)s, %(model)s.", number=1, model="magnetcast-a"),
    free_bytes=50 << 30,
    backup_at=at("2026-11-22"),
    watched=at("2026-11-20"),
)


@pytest.mark.parametrize(
    ("change", "alarm", "code"),
    [
        ({"unreadable": "no such server"}, "database", 2),
        ({"tampered": (message("Publication 3 was changed."),)}, "tampered", 2),
        ({"held": (message("Publication 4 is held."),)}, "held", 1),
        ({"forecast_as_of": None}, "forecast", 2),
        ({"newest": pd.Timestamp("2026-09-01")}, "late-data", 1),
        ({"newest": pd.Timestamp("2026-07-01")}, "late-data", 2),
        ({"newest": pd.Timestamp("2026-07-01"), "is_bundled": True}, "late-data", 1),
        ({"forecast_as_of": at("2026-11-19")}, "stale", 1),
        ({"last_run": "failed"}, "failed", 1),
        ({"last_run": "running"}, "failed", 1),
        ({"last_run": "running", "is_busy": True}, "stuck", 1),
        ({"champion": None}, "champion", 1),
        ({"champion_trouble": "its files have SHA-256 0"}, "champion", 1),
        ({"fallback": ("statistical ensemble", "champion: gone")}, "fallback", 1),
        ({"failed": ("250410",)}, "failed", 1),
        ({"quarantined": 2}, "quarantine", 1),
        ({"free_bytes": 1 << 30}, "disk", 1),
        ({"free_bytes": 1 << 20}, "disk", 2),
        ({"watched": at("2026-11-19")}, "unwatched", 1),
        ({"coverage": Reading(0.4, 0.6, 90, True, message("40%"))}, "coverage-drift", 1),  # noqa: FBT003
        ({"backup_at": None}, "backup", 1),
        ({"backup_at": at("2026-11-16")}, "backup", 1),
        ({"backup_at": None, "begun_at": at("2026-11-16")}, "backup", 1),
    ],
)
def test_each_thing_that_is_wrong_raises_its_own_alarm(
    change: dict[str, Any], alarm: str, code: int
) -> None:
    (found,) = report_of(replace(FINE, **change)).alarms

    assert (found.name, 1 + found.is_broken) == (alarm, code)


def test_late_figures_count_from_the_oldest_month_and_a_young_home_needs_no_backup() -> None:
    facts = replace(FINE, newest=pd.Timestamp("2026-08-01"), backup_at=None)

    (late,) = report_of(replace(facts, begun_at=FINE.moment - pd.Timedelta(days=3))).alarms

    assert str(late.words).startswith("The figures of 2026-09 were due on 2026-10-20; days late: ")


def test_an_alarm_is_told_once_when_it_begins_and_once_when_it_ends(tmp_path: Path) -> None:
    settings, ill = Settings(home=tmp_path), report_of(replace(FINE, quarantined=2))

    with pytest.raises(OSError, match="no receiver"), alarm_news(settings, ill):
        raise OSError("no receiver")
    news = []
    for report in (ill, ill, report_of(FINE)):
        with alarm_news(settings, report) as told:
            news.append(told)

    begins = "quarantine begins: Refused files that wait for review: 2."
    assert news == [[begins], [], ["quarantine has ended."]]


@pytest.mark.parametrize("day", ["2026-11-20", "2026-11-22"])
def test_figures_and_forecast_have_some_days_after_a_release(day: str) -> None:
    facts = replace(FINE, moment=at(day), newest=pd.Timestamp("2026-09-01"))

    assert report_of(replace(facts, forecast_as_of=at("2026-10-21"))).alarms == ()


@pytest.mark.usefixtures("place")
def test_an_empty_store_is_broken_and_states_so(magnetcast: Call) -> None:
    made_store(Settings())

    code, out, _ = magnetcast("status")

    assert code == 2
    assert "No forecast was ever published." in out


def test_a_damaged_database_is_broken(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    settings.home.mkdir()
    (settings.home / "magnetcast.db").write_bytes(b"no database, " * 1000)

    health = examine(settings, at("2026-11-25"))

    assert health.code == 2
    assert "BROKEN database:" in "\n".join(status_lines(health))


def test_a_later_month_of_one_destination_is_not_the_newest_of_the_world(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    made_store(settings)
    rows = [
        {"destination": name, "period_from": month, "period_to": month}
        for name, month in (("WLD", "2025-06-01"), ("USA", "2025-07-01"))
    ]
    write_batch(open_store(settings.url), make_batch(make_observations(*rows)))

    health = examine(settings, at("2025-08-25"))

    assert "the newest known of the world are of 2025-06." in "\n".join(status_lines(health))


def test_a_run_that_was_killed_is_told_by_its_row_and_the_free_lock(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    engine, begun = made_store(settings), at("2026-11-25")
    names = {"magnets": COMMODITY, "table": "250410"}
    for name, code in names.items():
        start_run(
            engine,
            RunRecord(
                run_id=name, flow="run", as_of=begun, data_vintage="f00d", started_at=begun,
                commodity=code,
            ),
        )  # fmt: skip
    with single_writer(settings):
        during = examine(settings, begun)

    after = examine(settings, begun)

    assert "failed" not in {one.name for one in during.alarms}
    assert [str(one.words) for one in after.alarms if one.name == "failed"] == [
        "The last run of 250410 failed.",
        "The last run, of 2026-11-25 00:00 UTC, was cut off.",
    ]
    assert [str(one).rpartition(": ")[2] for one in after.lines if "last run" in str(one)] == [
        "cut off."
    ]


def test_a_changed_folder_is_named(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    moment, folder = at("2026-11-25"), settings.publications_dir / "85051110" / "7"
    made_store(settings)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("530 t", encoding="utf-8")
    write_sums(folder, ["index.html"])
    assert "tampered" not in {alarm.name for alarm in examine(settings, moment).alarms}
    (folder / "index.html").write_text("630 t", encoding="utf-8")

    words = {alarm.name: str(alarm.words) for alarm in examine(settings, moment).alarms}

    assert words["tampered"] == (
        "The folder 85051110/7 of a publication is not what was written: index.html."
    )


def test_readings_of_monitors_that_went_raise_no_alarm(tmp_path: Path) -> None:
    settings, measured_at = Settings(home=tmp_path), at("2026-11-20")
    engine = made_store(settings)
    row = {
        "value": 1.6, "bound": 1.5, "size": 12, "fired": True,
        "words": to_json(message("5 times those before")),
    }  # fmt: skip
    for monitor in ("score-drift", COVERAGE_DRIFT):
        save_reading(engine, {**row, "monitor": monitor}, at=measured_at, as_of=measured_at)

    alarms = [alarm.name for alarm in examine(settings, at("2026-11-25")).alarms]

    assert "coverage-drift" in alarms
    assert "score-drift" not in alarms
    assert len(latest_reading(engine)) == 1


def test_the_runbook_has_a_section_for_each_alarm() -> None:
    runbook = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert [name for name in get_args(AlarmName) if f"\n### {name}\n" not in runbook] == []
