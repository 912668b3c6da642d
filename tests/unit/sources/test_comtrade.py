"""UN Comtrade: calls that are whole, rows that count once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from sources.base import MonthRange
from sources.providers.comtrade import ComtradeExports, ComtradeMirror
from sources.providers.countries import comtrade_place
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Answer, Call, Fault
from tests.providers.comtrade import ComtradeWorld
from tests.providers.server import Providers, at_once
from tests.providers.world import World

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
KEY = "k-4711-geheim"
AVAILABILITY = "public/v1/getDA/C/M/HS"


def exports(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return ComtradeExports(settings, at_once).fetch(MonthRange.of(first, last), ingested_at=NOW)


def mirror(settings: Settings, first: str, last: str | None = None) -> FileRows:
    return ComtradeMirror(settings, at_once).fetch(MonthRange.of(first, last), ingested_at=NOW)


def rows_of(file: FileRows, measure: str) -> pd.Series:
    rows = file.tables["observations"]
    return rows[rows["measure"] == measure].set_index(["destination", "period_from"])["value"]


def data_calls(providers: Providers) -> list[Call]:
    return [call for call in providers.asked("comtrade") if call.path != AVAILABILITY]


def changing(providers: Providers, change: Callable[[dict[str, Any]], object]) -> None:
    """Change every answer with rows before it is sent."""
    comtrade = providers.providers["comtrade"]

    def changed(call: Call) -> Answer:
        answer = comtrade.answer(call)
        if call.path == AVAILABILITY:
            return answer
        whole = json.loads(answer.body)
        change(whole)
        return Answer(json.dumps(whole).encode())

    providers.providers["comtrade"] = replace(comtrade, answer=changed)


@pytest.fixture
def keyed(live_settings: Settings) -> Settings:
    return live_settings.model_copy(update={"comtrade_key": SecretStr(KEY)})


class TestCalls:
    def test_with_a_key_twelve_months_are_asked_at_once(
        self, providers: Providers, keyed: Settings
    ) -> None:
        exports(keyed, "2024-01", "2025-02")

        calls = data_calls(providers)
        assert [call.path for call in calls] == ["data/v1/get/C/M/HS"] * 2
        assert [len(call.many("period")) for call in calls] == [12, 2]
        assert {call.headers["Ocp-Apim-Subscription-Key"] for call in calls} == {KEY}

    def test_every_call_asks_for_totals_only(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        exports(live_settings, "2024-01")

        [call] = data_calls(providers)
        asked = {name: call.one(name) for name in call.params}
        assert asked == {
            "reporterCode": "156", "flowCode": "X", "cmdCode": "850511", "period": "202401",
            "partner2Code": "0", "customsCode": "C00", "motCode": "0",
        }  # fmt: skip


class TestWithoutKey:
    def test_two_years_stopped_halfway_go_on_where_they_were(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        clock, world = [0.0], providers.world.comtrade
        world.clock = lambda: clock[0]

        def wait(seconds: float) -> None:
            clock[0] += seconds
            if len(providers.calls) == 12 and clock[0] < 200:
                clock[0] = 200.0
                raise KeyboardInterrupt

        live = ComtradeExports(live_settings, wait)
        span = MonthRange.of("2024-01", "2025-12")
        assert "26 calls in 3 min" in live.notice(span)
        with pytest.raises(KeyboardInterrupt):
            live.fetch(span, ingested_at=NOW)

        file = live.fetch(span, ingested_at=NOW + pd.Timedelta(hours=9))

        assert file.tables["observations"]["period_from"].nunique() == 24
        assert len(providers.calls) == 26
        live.fetch(span, ingested_at=NOW + pd.Timedelta(hours=9))
        assert len(providers.calls) == 52

    def test_what_was_stopped_a_day_ago_begins_anew(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.misbehave("comtrade", Fault.WALL, after=2)
        with pytest.raises(SourceError, match="bot wall"):
            exports(live_settings, "2024-01", "2024-03")
        live = ComtradeExports(live_settings, at_once)

        live.fetch(MonthRange.of("2024-01", "2024-03"), ingested_at=NOW + pd.Timedelta(days=1))

        assert len(providers.calls) == 3 + 4


class TestCuts:
    def test_a_cut_answer_is_refused(self, tmp_path: Path) -> None:
        world = ComtradeWorld(first="2024-01", last="2024-02", partners=30, most_rows=40)
        with Providers(World(comtrade=world)) as providers:
            settings = Settings(home=tmp_path, comtrade_key=SecretStr(KEY), **providers.urls())

            with pytest.raises(SourceError, match="cut at 40 rows"):
                exports(settings, "2024-01", "2024-02")
            tonnes = rows_of(exports(settings, "2024-01"), "net_weight_t")
        assert (tonnes.drop("WLD").groupby("period_from").sum() - tonnes["WLD"]).abs().max() < 1e-6


class TestRows:
    def test_kilograms_become_tonnes_and_dollars_millions(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        world = providers.world.comtrade
        usa = world.codes.index(842)

        file = exports(live_settings, "2024-03")

        cell = world.cell("202403", usa)
        assert cell is not None
        march = pd.Timestamp("2024-03-01")
        assert rows_of(file, "net_weight_t")["USA", march] == pytest.approx(cell[0] / 1000)
        assert rows_of(file, "value_musd")["USA", march] == pytest.approx(cell[1] / 1e6)

    def test_a_row_without_a_mode_of_transport_spoils_no_other(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        plain = exports(live_settings, "2024-03").tables["observations"]
        providers.world.comtrade.modeless = frozenset({("202403", 842)})

        whole = exports(live_settings, "2024-03")
        providers.world.comtrade.splits = True
        beside_splits = exports(live_settings, "2024-03")

        pd.testing.assert_frame_equal(whole.tables["observations"], plain)
        pd.testing.assert_frame_equal(beside_splits.tables["observations"], plain)

    def test_a_group_that_reports_beside_its_members_is_left_out(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        plain = mirror(live_settings, "2024-03").tables["observations"]
        providers.world.comtrade.groups = True

        file = mirror(live_settings, "2024-03")

        pd.testing.assert_frame_equal(file.tables["observations"], plain)
        assert file.ignored == ("1 rows of groups of countries (ASEAN): sums of others",)

    @pytest.mark.parametrize(
        "change", [{"netWgt": "many"}, {"primaryValue": "n.a."}, {"reporterCode": None}]
    )
    def test_a_row_that_cannot_be_read_loses_no_other(
        self, providers: Providers, live_settings: Settings, change: dict[str, object]
    ) -> None:
        plain = mirror(live_settings, "2024-03").tables["observations"]
        changing(providers, lambda whole: whole["data"][0].update(change))

        file = mirror(live_settings, "2024-03")

        left = plain[plain["destination"] != comtrade_place(providers.world.comtrade.codes[0])]
        pd.testing.assert_frame_equal(
            file.tables["observations"], left.reset_index(drop=True), check_dtype=False
        )
        assert file.ignored == ("1 rows whose numbers cannot be read: left out",)

    def test_a_missing_weight_is_no_weight_of_zero(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.comtrade.weightless = frozenset({("202403", 842)})

        file = exports(live_settings, "2024-03")

        assert "USA" not in rows_of(file, "net_weight_t").index
        assert "USA" in rows_of(file, "value_musd").index
        assert file.ignored == ("1 rows without a weight: their value alone is taken",)
        changing(
            providers,
            lambda whole: [row.update(qty=4711.0, qtyUnitCode=8) for row in whole["data"]],
        )
        in_kilograms = exports(live_settings, "2024-03")
        march = pd.Timestamp("2024-03-01")
        assert rows_of(in_kilograms, "net_weight_t")["USA", march] == pytest.approx(4.711)
        assert rows_of(in_kilograms, "net_weight_t")["DEU", march] != pytest.approx(4.711)


class TestMoments:
    @pytest.mark.parametrize(
        ("released", "moment", "note"),
        [
            ("2024-06-03T14:30:00.123", "2024-06-03T14:30:00.123", ""),
            ("2024-03-10T00:00:00", "2024-03-31", ""),
            ("unknown", "2024-09-27", "dated by the usual lag"),
        ],
        ids=["its release", "before the month is over", "not reported"],
    )
    def test_a_month_is_known_since_its_release(
        self, providers: Providers, live_settings: Settings, released: str, moment: str, note: str
    ) -> None:
        providers.world.comtrade.released["202403"] = released

        rows = exports(live_settings, "2024-03").tables["observations"]

        assert set(rows["available_at"]) == {pd.Timestamp(moment, tz="UTC")}
        assert set(rows["note"]) == {note}

    def test_the_mirror_is_dated_by_reporter(self, live_settings: Settings) -> None:
        rows = mirror(live_settings, "2024-03").tables["observations"]

        moments = rows.groupby("destination")["available_at"].first()
        assert moments["DEU"] == pd.Timestamp("2024-06-05", tz="UTC")
        assert moments["USA"] == pd.Timestamp("2024-06-01", tz="UTC")


class TestDoubt:
    def test_a_month_listed_without_rows_is_refused(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        changing(providers, lambda whole: whole.update(count=0, data=[]))

        with pytest.raises(SourceError, match="lists 202403 as available and has no rows"):
            exports(live_settings, "2024-03")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"error": "Please try later"}, "the answer is 'Please try later'"),
            ({"period": "202407"}, "period 202407 was not asked for"),
            ({"reporterCode": 842}, "reporterCode 842 was not asked for"),
            ({"cmdCode": "8505"}, "cmdCode 8505 was not asked for"),
            ({"motCode": 2100}, "25 cells come in splits only"),
            ({"netWgt": "many"}, "'netWgt' that is no number"),
            ({"data": {}}, "no list of records 'data'"),
        ],
        ids=lambda value: str(value) if isinstance(value, dict) else "",
    )
    def test_an_answer_to_something_else_is_refused(
        self,
        providers: Providers,
        live_settings: Settings,
        changes: dict[str, object],
        message: str,
    ) -> None:
        def change(whole: dict[str, Any]) -> None:
            for part in [whole] if changes.keys() <= whole.keys() else whole["data"]:
                part.update(changes)

        changing(providers, change)

        with pytest.raises(SourceError, match=message):
            exports(live_settings, "2024-03")


@pytest.mark.parametrize(
    ("code", "place"),
    [
        (0, "WLD"), (842, "USA"), (251, "FRA"), (490, "TWN"), (699, "IND"), (757, "CHE"),
        (579, "NOR"), (276, "DEU"), (97, "EU27"), (899, "X899"), (8, "ALB"), (129, "X129"),
    ],
)  # fmt: skip
def test_a_code_of_comtrade_names_a_place(code: int, place: str) -> None:
    assert comtrade_place(code) == place
