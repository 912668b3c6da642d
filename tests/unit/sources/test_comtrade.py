import pandas as pd
import pytest
from pydantic import SecretStr

from sources.http import MonthRange
from sources.providers.comtrade import ComtradeExports
from sources.providers.rows import comtrade_place
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Call, Fault
from tests.providers.comtrade import ComtradeWorld
from tests.providers.server import Providers
from tests.providers.world import World
from tests.unit.sources.conftest import Fetch

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
KEY = "k-4711-geheim"
AVAILABILITY = "public/v1/getDA/C/M/HS"


def rows_of(file: FileRows, measure: str) -> pd.Series:
    rows = file.tables["observations"]
    return rows[rows["measure"] == measure].set_index(["destination", "period_from"])["value"]


def data_calls(providers: Providers) -> list[Call]:
    return [call for call in providers.asked("comtrade") if call.path != AVAILABILITY]


def test_with_a_key_twelve_months_are_asked_at_once(providers: Providers, fetch: Fetch) -> None:
    fetch("comtrade", "2024-01", "2025-02", comtrade_key=SecretStr(KEY))

    calls = data_calls(providers)
    assert [call.path for call in calls] == ["data/v1/get/C/M/HS"] * 2
    assert [len(call.many("period")) for call in calls] == [12, 2]
    assert {call.headers["Ocp-Apim-Subscription-Key"] for call in calls} == {KEY}


def test_every_call_asks_for_totals_only(providers: Providers, fetch: Fetch) -> None:
    fetch("comtrade", "2024-01")

    [call] = data_calls(providers)
    asked = {name: call.one(name) for name in call.params}
    assert asked == {
        "reporterCode": "156", "flowCode": "X", "cmdCode": "850511", "period": "202401",
        "partner2Code": "0", "customsCode": "C00", "motCode": "0",
    }  # fmt: skip


@pytest.mark.slow
def test_two_years_stopped_halfway_go_on_where_they_were(
    providers: Providers, live_settings: Settings
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


def test_what_was_stopped_a_day_ago_begins_anew(providers: Providers, fetch: Fetch) -> None:
    providers.misbehave("comtrade", Fault.WALL, after=2)
    with pytest.raises(SourceError, match="bot wall"):
        fetch("comtrade", "2024-01", "2024-03")

    fetch("comtrade", "2024-01", "2024-03", at="2026-11-26T12:00")

    assert len(providers.calls) == 3 + 4


def test_a_cut_answer_is_refused(fetch: Fetch) -> None:
    world = ComtradeWorld(first="2024-01", last="2024-02", partners=30, most_rows=40)
    with Providers(World(comtrade=world)) as providers:
        large = {"comtrade_url": providers.urls()["comtrade_url"], "comtrade_key": SecretStr(KEY)}

        with pytest.raises(SourceError, match="cut at 40 rows"):
            fetch("comtrade", "2024-01", "2024-02", **large)
        tonnes = rows_of(fetch("comtrade", "2024-01", **large), "net_weight_t")
    assert (tonnes.drop("WLD").groupby("period_from").sum() - tonnes["WLD"]).abs().max() < 1e-6


def test_kilograms_become_tonnes_and_dollars_millions(providers: Providers, fetch: Fetch) -> None:
    world = providers.world.comtrade
    usa = world.codes.index(842)

    file = fetch("comtrade", "2024-03")

    cell = world.cell("202403", usa)
    march = pd.Timestamp("2024-03-01")
    assert rows_of(file, "net_weight_t")["USA", march] == pytest.approx(cell[0] / 1000)
    assert rows_of(file, "value_musd")["USA", march] == pytest.approx(cell[1] / 1e6)


def test_a_row_without_a_mode_of_transport_spoils_no_other(
    providers: Providers, fetch: Fetch
) -> None:
    plain = fetch("comtrade", "2024-03").tables["observations"]
    providers.world.comtrade.modeless = frozenset({("202403", 842)})

    whole = fetch("comtrade", "2024-03")
    providers.world.comtrade.splits = True
    beside_splits = fetch("comtrade", "2024-03")

    pd.testing.assert_frame_equal(whole.tables["observations"], plain)
    pd.testing.assert_frame_equal(beside_splits.tables["observations"], plain)


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
    providers: Providers, fetch: Fetch, released: str, moment: str, note: str
) -> None:
    providers.world.comtrade.released["202403"] = released

    rows = fetch("comtrade", "2024-03").tables["observations"]

    assert set(rows["available_at"]) == {pd.Timestamp(moment, tz="UTC")}
    assert set(rows["note"]) == {note}


@pytest.mark.parametrize(
    ("code", "place"),
    [
        (0, "WLD"), (842, "USA"), (251, "FRA"), (490, "TWN"), (699, "IND"), (757, "CHE"),
        (579, "NOR"), (276, "DEU"), (97, "EU27"), (899, "X899"), (8, "ALB"), (129, "X129"),
    ],
)  # fmt: skip
def test_a_code_of_comtrade_names_a_place(code: int, place: str) -> None:
    assert comtrade_place(code) == place
