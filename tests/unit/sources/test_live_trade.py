"""US Census and Eurostat Comext: what a row holds."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from sources.base import MonthRange
from sources.http import RetryPolicy
from sources.providers.census import CensusImports
from sources.providers.comext import ComextImports
from sources.providers.countries import comext_members, comext_place
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Answer, Call
from tests.providers.server import Providers

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")


def patience() -> RetryPolicy:
    return RetryPolicy(sleep=lambda _: None, chance=lambda: 0.5)


def census(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return CensusImports(settings, patience()).fetch(MonthRange.of(first, last), now=NOW)


def comext(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return ComextImports(settings, patience()).fetch(MonthRange.of(first, last), now=NOW)


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

    def test_a_line_without_trade_has_no_rows(self, live_settings: Settings) -> None:
        rows = census(live_settings, "2026-08").tables["observations"]

        assert set(rows["commodity"]) == {
            "US8505110030", "US8505110050", "US8505110070", "US8505110090",
        }  # fmt: skip

    def test_months_not_out_yet_are_an_empty_table(self, live_settings: Settings) -> None:
        assert census(live_settings, "2026-10").tables["observations"].empty

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

    def test_a_row_that_cannot_be_read_loses_no_other(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        plain = cells(census(live_settings, "2026-06", "2026-08"))
        served = providers.providers["census"]

        def spoilt(call: Call) -> Answer:
            answer = served.answer(call)
            return replace(
                answer,
                body=answer.body.replace(b'"KG"', b'"KG "', 1).replace(
                    b'["8505110070", "5700", "', b'["8505110070", "5700", "about ', 1
                ),
            )

        providers.providers["census"] = replace(served, answer=spoilt)

        file = census(live_settings, "2026-06", "2026-08")

        assert len(cells(file)) == len(plain) - 2
        assert file.ignored == ("1 rows whose numbers cannot be read: left out",)

    def test_pieces_are_not_taken_for_kilograms(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.census.unit = "NO"

        with pytest.raises(SourceError, match=r"counts US8505110030 in NO\. Expected kilograms"):
            census(live_settings, "2026-08")

    def test_the_key_goes_with_every_call_and_into_no_row(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        keyed = live_settings.model_copy(update={"census_key": SecretStr("c-4711")})

        rows = census(keyed, "2026-08").tables["observations"]

        assert [call.one("key") for call in providers.asked("census")] == ["c-4711"] * 5
        assert "4711" not in rows.to_csv()
        kept = b"".join(p.read_bytes() for p in live_settings.home.rglob("*") if p.is_file())
        assert b"4711" not in kept


class TestComext:
    def test_members_and_their_sum_have_weight_and_value(self, live_settings: Settings) -> None:
        result = cells(comext(live_settings, "2025-06"))

        june = result.xs(pd.Timestamp("2025-06-01"), level="period_from")
        weight = june.xs(("CN85051110", "mirror_import_t"), level=("commodity", "measure"))
        assert len(weight) == 28
        assert weight.drop("EU27").sum() == pytest.approx(weight["EU27"], abs=0.05)
        value = june["CN85051110", "EU27", "mirror_import_meur"]
        assert value / weight["EU27"] == pytest.approx(0.045)

    def test_the_older_line_has_its_own_key(self, live_settings: Settings) -> None:
        rows = comext(live_settings, "2021-12", "2022-01").tables["observations"]

        months = rows.groupby("commodity")["period_from"].unique().map(list)
        assert months.to_dict() == {
            "CN85051100": [pd.Timestamp("2021-12-01")],
            "CN85051110": [pd.Timestamp("2022-01-01")],
        }

    def test_a_data_set_with_a_new_code_is_found_by_its_name(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.comext.code = "DS-059341"

        assert len(comext(live_settings, "2025-06").tables["observations"]) == 56
        assert providers.calls[-1].path.startswith("data/DS-059341/M.EU27_2020+AT+BE+")

    def test_a_list_without_the_data_set_is_refused(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.comext.code, providers.world.comext.name = "DS-1", "Something else"

        with pytest.raises(SourceError, match="lists 2 data sets, 0 of them by HS and CN8"):
            comext(live_settings, "2025-06")

    def test_too_much_is_asked_for_by_year(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        whole = comext(live_settings, "2024-11", "2025-02").tables["observations"]
        providers.calls.clear()
        providers.world.comext.most_cells = 28 * 2 * 2 * 2
        elsewhere = live_settings.model_copy(update={"home": live_settings.home / "other"})

        file = comext(elsewhere, "2024-11", "2025-02")

        pd.testing.assert_frame_equal(file.tables["observations"], whole)
        asked = [call.one("startPeriod") for call in providers.asked("comext") if call.params]
        assert asked == ["2024-11", "2024-11", "2025-01"]

    def test_a_file_for_later_is_too_much_for_one_month(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.comext.put_off = True

        with pytest.raises(SourceError, match=r"defers the answer.*fewer months"):
            comext(live_settings, "2025-06")

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

    def test_an_answer_that_takes_too_long_is_asked_for_by_year(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        whole = comext(live_settings, "2024-11", "2025-02").tables["observations"]
        world = providers.world.comext
        world.queue_cells, world.polls = 28 * 2 * 2 * 2, ("SUBMITTED",)
        elsewhere = live_settings.model_copy(update={"home": live_settings.home / "other"})

        by_year = comext(elsewhere, "2024-11", "2025-02").tables["observations"]

        pd.testing.assert_frame_equal(by_year, whole)
        world.queue_cells = 10
        with pytest.raises(SourceError, match=r"still preparing the data of 2025-06 after 5 min"):
            comext(elsewhere, "2025-06")

    def test_a_ticket_that_has_run_out_is_named(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        world = providers.world.comext
        world.queue_cells, world.polls = 10, ("EXPIRED",)

        with pytest.raises(SourceError, match=r"lost request [\w-]+ for 2025-06: .*'EXPIRED'"):
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

    def test_a_refusal_is_quoted_whole(self, providers: Providers, live_settings: Settings) -> None:
        providers.world.comext.most_cells = 1

        with pytest.raises(
            SourceError, match=r"estimated 112 rows, max authorised is 1, please .* extraction size"
        ):
            comext(live_settings, "2025-06")

    def test_a_weight_is_exact_to_half_a_kilogram(self, live_settings: Settings) -> None:
        rows = comext(live_settings, "2025-06").tables["observations"]

        weights = rows[rows["measure"].eq("mirror_import_t")]
        assert set(weights["half_width"]) == {0.0005}
        assert (weights["value"] * 1000 % 1).round(6).isin([0, 1]).all()

    def test_cuts_by_year_replay_offline(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.comext.most_cells = 28 * 2 * 2 * 2
        online = comext(live_settings, "2024-11", "2025-02")

        offline = live_settings.model_copy(update={"offline": True})
        replayed = comext(offline, "2024-11", "2025-02")

        pd.testing.assert_frame_equal(
            replayed.tables["observations"], online.tables["observations"]
        )

    def test_a_month_is_dated_75_days_after_its_end(self, live_settings: Settings) -> None:
        rows = comext(live_settings, "2025-06").tables["observations"]

        assert set(rows["available_at"]) == {pd.Timestamp("2025-09-13", tz="UTC")}

    def test_members_are_27_and_greece_has_two_codes(self) -> None:
        assert len(comext_members()) == 27
        assert comext_place("EL") == comext_place("GR") == "GRC"
        with pytest.raises(ValueError, match="a member of the EU"):
            comext_place("QQ")


@pytest.mark.network
def test_the_real_census_has_the_documented_shape(tmp_path: Path) -> None:
    assert len(census(Settings(home=tmp_path), "2024-06").tables["observations"]) >= 9


@pytest.mark.network
def test_the_real_comext_has_the_documented_shape(tmp_path: Path) -> None:
    assert len(comext(Settings(home=tmp_path), "2024-06").tables["observations"]) >= 40
