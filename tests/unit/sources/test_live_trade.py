"""US Census and Eurostat Comext: what a row holds."""

from dataclasses import replace

import pandas as pd
import pytest
from pydantic import SecretStr

from sources.base import MonthRange
from sources.providers.census import CensusImports
from sources.providers.comext import ComextImports
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Answer, Call
from tests.providers.server import Providers, at_once

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")


def census(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return CensusImports(settings, at_once).fetch(MonthRange.of(first, last), ingested_at=NOW)


def comext(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return ComextImports(settings, at_once).fetch(MonthRange.of(first, last), ingested_at=NOW)


def cells(file: FileRows) -> pd.Series:
    rows = file.tables["observations"]
    return rows.set_index(["commodity", "destination", "measure", "period_from"])["value"]


class TestCensus:
    def test_a_line_has_weight_and_value(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.census.quantities["8505110070", "2026-08"] = 400_123

        result = cells(census(live_settings, "2026-08"))

        august = result.xs(pd.Timestamp("2026-08-01"), level="period_from")
        assert august["US8505110070", "USA", "mirror_import_t"] == 400.123
        value = august["US8505110070", "USA", "mirror_import_musd"]
        usd = providers.world.census.row("8505110070", "2026-08")[2]
        assert value == pytest.approx(int(usd) / 1e6)

    @pytest.mark.parametrize(
        ("key", "message", "calls"),
        [
            (
                "",
                r"Census requires an API key\. Expected one in MAGNETCAST_CENSUS_KEY.*key_signup",
                0,
            ),
            ("wrong", r"HTML page.* Set MAGNETCAST_CENSUS_KEY to a valid key, free at http", 2),
        ],
    )
    def test_without_a_valid_key_the_sign_up_page_is_named(
        self, providers: Providers, live_settings: Settings, key: str, message: str, calls: int
    ) -> None:
        settings = live_settings.model_copy(update={"census_key": SecretStr(key) if key else None})

        with pytest.raises(SourceError, match=message):
            census(settings, "2026-08")

        assert len(providers.calls) == calls

    def test_a_month_is_dated_45_days_after_its_end(self, live_settings: Settings) -> None:
        rows = census(live_settings, "2026-08").tables["observations"]

        assert set(rows["available_at"]) == {pd.Timestamp("2026-10-15", tz="UTC")}

    def test_a_missing_quantity_is_no_weight_of_zero(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.census.quantities["8505110070", "2026-08"] = 0

        file = census(live_settings, "2026-08")

        august = pd.Timestamp("2026-08-01")
        assert ("US8505110070", "USA", "mirror_import_t", august) not in cells(file).index
        assert ("US8505110070", "USA", "mirror_import_musd", august) in cells(file).index
        assert file.ignored == ("1 rows without a quantity: the value alone is taken",)

    def test_pieces_are_not_taken_for_kilograms(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.census.unit = "NO"

        with pytest.raises(SourceError, match=r"counts US8505110030 in NO\. Expected kilograms"):
            census(live_settings, "2026-08")


class TestComext:
    def test_members_and_their_sum_have_weight_and_value(self, live_settings: Settings) -> None:
        result = cells(comext(live_settings, "2025-06"))

        june = result.xs(pd.Timestamp("2025-06-01"), level="period_from")
        weight = june.xs(("CN85051110", "mirror_import_t"), level=("commodity", "measure"))
        assert len(weight) == 28
        assert weight.drop("EU27").sum() == pytest.approx(weight["EU27"], abs=0.05)
        value = june["CN85051110", "EU27", "mirror_import_meur"]
        assert value / weight["EU27"] == pytest.approx(0.045)

    def test_each_year_is_asked_for_by_itself(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        file = comext(live_settings, "2024-11", "2025-02")

        assert file.tables["observations"]["period_from"].nunique() == 4
        asked = [call.one("startPeriod") for call in providers.asked("comext") if call.params]
        assert asked == ["2024-11", "2025-01"]

    @pytest.mark.parametrize(
        ("now", "asked"),
        [("2027-04-16", ["2025-11", "2026-01"]), ("2027-04-17", ["2025-11", "2026-01", "2027-01"])],
    )
    def test_a_year_whose_months_are_not_due_is_asked_for_with_the_one_before(
        self, providers: Providers, live_settings: Settings, now: str, asked: list[str]
    ) -> None:
        span = MonthRange.of("2025-11", "2027-03")

        ComextImports(live_settings, at_once).fetch(span, ingested_at=pd.Timestamp(now, tz="UTC"))

        calls = [call for call in providers.asked("comext") if call.params]
        assert [call.one("startPeriod") for call in calls] == asked
        assert calls[-1].one("endPeriod") == "2027-03"

    def test_an_answer_prepared_later_is_waited_for_and_replays_offline(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        whole = comext(live_settings, "2025-06").tables["observations"]
        providers.world.comext.queue_cells = 10
        elsewhere = live_settings.model_copy(update={"home": live_settings.home / "other"})

        queued = comext(elsewhere, "2025-06")

        assert [call.path.split("/")[2] for call in providers.asked("comext")[-4:]] == [
            "status", "status", "status", "data",
        ]  # fmt: skip
        replayed = comext(elsewhere.model_copy(update={"offline": True}), "2025-06")
        pd.testing.assert_frame_equal(queued.tables["observations"], whole)
        pd.testing.assert_frame_equal(replayed.tables["observations"], whole)

    def test_an_answer_that_takes_too_long_is_refused(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        world = providers.world.comext
        world.queue_cells, world.polls = 10, ("SUBMITTED",)

        with pytest.raises(SourceError, match=r"still preparing the data of 2025-06 after 5 min"):
            comext(live_settings, "2025-06")

    def test_months_that_are_not_out_yet_are_no_data_and_not_a_wrong_address(
        self, live_settings: Settings
    ) -> None:
        file = comext(live_settings, "2026-10")

        assert file.tables["observations"].empty
        assert file.ignored == ("no data for 2026-10",)
        offline = live_settings.model_copy(update={"offline": True})
        assert comext(offline, "2026-10").ignored == ("no data for 2026-10",)

    @pytest.mark.parametrize(("value", "left_out"), [("NaN", 0), (":", 0), ("1,5", 1)])
    def test_a_value_that_cannot_be_read_loses_no_other(
        self, providers: Providers, live_settings: Settings, value: str, left_out: int
    ) -> None:
        plain = cells(comext(live_settings, "2025-06"))
        served = providers.providers["comext"]

        def spoilt(call: Call) -> Answer:
            answer = served.answer(call)
            head, mark, tail = answer.body.decode().partition('<g:ObsValue value="')
            body = head + mark + value + tail[tail.index('"') :] if mark else head
            return replace(answer, body=body.encode())

        providers.providers["comext"] = replace(served, answer=spoilt)

        file = comext(live_settings, "2025-06")

        assert len(cells(file)) == len(plain) - 1
        assert file.ignored == (
            ("1 rows whose numbers cannot be read: left out",) if left_out else ()
        )

    def test_a_month_is_dated_75_days_after_its_end(self, live_settings: Settings) -> None:
        rows = comext(live_settings, "2025-06").tables["observations"]

        assert set(rows["available_at"]) == {pd.Timestamp("2025-09-13", tz="UTC")}
