from pathlib import Path

import pandas as pd
import pytest

from flows.clock import utc_now
from flows.context.stores import has_store, store_of
from flows.context.workspace import open_workspace
from models.policy.policy_effect import effect_at
from store.facts.commodities import read_labels
from store.facts.reading import latest_forecast, read_events, read_observations
from store.facts.reviews import read_reviews
from store.settings import Settings
from tests.data.scenario_builders import halted
from tests.data.store_builders import EVENT, write_csv
from tests.flows.cli.conftest import copy_home
from tests.flows.conftest import Call
from tests.providers.answers import Fault
from tests.providers.server import Providers

KEY = "k3y-that-must-never-show"
CUSTOMS = "Date,Commodity code,Trading partner code,Trading partner,Quantity,Unit,US dollar\n"


@pytest.fixture
def at_providers(place: Path, providers: Providers, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the environment of this test at the loopback providers, with keys."""
    for name, url in providers.urls().items():
        monkeypatch.setenv(f"MAGNETCAST_{name.upper()}", url)
    monkeypatch.setenv("MAGNETCAST_COMTRADE_KEY", KEY)
    monkeypatch.setenv("MAGNETCAST_HTTP_ATTEMPTS", "2")
    return place


def stored(**wanted: str) -> pd.DataFrame:
    return read_observations(store_of(Settings()), **wanted)


@pytest.mark.slow
@pytest.mark.usefixtures("at_providers")
@pytest.mark.parametrize(("name", "rows"), [("comtrade", True), ("hts", False)])
def test_a_provider_is_ingested_and_the_second_time_there_is_nothing_new(
    magnetcast: Call, *, name: str, rows: bool
) -> None:
    words = ("ingest", name, "--since", "2025-01", "--until", "2025-12")
    first, again = (magnetcast(*words) for _ in range(2))

    assert (first[0], again[0]) == (0, 0), first[2] + again[2]
    assert first[1] == again[1] == ""
    assert f"nothing new at {name} for 2025-01..2025-12" in again[2]
    assert "vintage 1" in first[2]
    assert not rows or ", vintage 1, 2025-01 to 2025-1" in first[2]


@pytest.mark.slow
@pytest.mark.usefixtures("at_providers")
@pytest.mark.parametrize("fault", [Fault.HTML, Fault.DOUBLED])
def test_a_misbehaving_provider_leaves_the_old_vintage_alone(
    magnetcast: Call, providers: Providers, fault: Fault
) -> None:
    magnetcast("ingest", "comtrade", "--since", "2025-06", "--until", "2025-11")
    before = stored()
    providers.misbehave("comtrade", fault, times=4)

    code, out, err = magnetcast("ingest", "comtrade", "--since", "2025-06", "--until", "2025-12")

    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    pd.testing.assert_frame_equal(stored(), before)
    providers.behave()
    assert magnetcast("ingest", "comtrade", "--since", "2025-06", "--until", "2025-12")[0] == 0
    assert len(stored()) > len(before)


@pytest.mark.slow
@pytest.mark.usefixtures("at_providers")
def test_keys_show_in_no_message_database_or_cached_answer(
    magnetcast: Call, providers: Providers, place: Path
) -> None:
    output = [magnetcast("ingest", "comtrade", "--since", "2025-11", "--until", "2025-12")]
    providers.misbehave("comtrade", Fault.WALL, times=9)
    output.append(magnetcast("ingest", "comtrade", "--since", "2025-10"))

    assert [code for code, _, _ in output] == [0, 1]
    assert all(KEY not in out + err for _, out, err in output)
    files = [path for path in place.rglob("*") if path.is_file()]
    assert any("cache" in path.parts for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_refused_file_waits_in_quarantine_and_can_be_released(
    magnetcast: Call, tmp_path: Path
) -> None:
    path = tmp_path / "august.csv"
    path.write_text(CUSTOMS + "202608,85051110,116,Japan,51234,Tons,2817900\n", encoding="utf-8")

    code, out, err = magnetcast("ingest", "customs", str(path), "--flow", "export")

    assert (code, out) == (1, "")
    assert "waits in quarantine as number 1" in err
    assert stored(source="customs").empty
    assert magnetcast("data", "quarantine", "release", "1")[0] == 0
    assert stored(source="customs")["value"].tolist() == [51234.0, 2.8179]


@pytest.mark.usefixtures("at_providers")
def test_documents_are_reviewed_and_an_accepted_one_is_an_event_known_from_now(
    magnetcast: Call, tmp_path: Path
) -> None:
    magnetcast("ingest", "federal-register", "--since", "2024-01")
    numbers = read_reviews(store_of(Settings()))["id"].tolist()
    first = str(numbers[0])
    begun = pd.Timestamp.now(tz="UTC").floor("s")  # noqa: TID251 - the test's own clock

    bare = magnetcast("data", "review", "accept", first)
    draft = tmp_path / "draft.yaml"
    shown = magnetcast("data", "review", "show", first, "--event", "--out", str(draft))
    bad = magnetcast("data", "review", "accept", first, "--event", str(draft))
    good = write_csv(tmp_path / "event.csv", EVENT, {})
    done = magnetcast("data", "review", "accept", first, "--event", str(good), "--note", "agreed")
    twice = magnetcast("data", "review", "accept", first, "--event", str(good))

    assert (bare[0], shown[0], bad[0], done[0], twice[0]) == (1, 0, 1, 0, 1), done[2]
    (event,) = read_events(store_of(Settings())).to_dict("records")
    assert event["announced_on"] == pd.Timestamp("2025-04-04")
    assert event["available_at"] >= begun


@pytest.mark.usefixtures("at_providers")
@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("mofcom", "商务部公告2025年第61号"),
        pytest.param("white-house", "ensuring-supply", marks=pytest.mark.slow),
    ],
)
def test_an_accepted_act_on_magnets_moves_the_forecast_that_is_known_next(
    magnetcast: Call, filled: Path, tmp_path: Path, source: str, key: str
) -> None:
    copy_home(filled / "var" / "magnetcast.db")
    magnetcast("ingest", source, "--since", "2024-01", "--until", "2025-12")
    items = read_reviews(store_of(Settings()))
    number = str(items.loc[items["item_key"].str.endswith(key), "id"].item())
    draft = tmp_path / "draft.yaml"
    magnetcast("data", "review", "show", number, "--event", "--out", str(draft))
    filled_in = {
        "event_id": "2020-control", "effective_from": "2020-11-01", "severity": "3",
        "instrument": "export_control", "direction": "restrictive", "destinations": "WLD",
        "confidence": "high",
    }  # fmt: skip
    lines = draft.read_text(encoding="utf-8").splitlines()
    names = [line.strip().partition(":")[0] for line in lines]
    draft.write_text(
        "\n".join(
            f"  {name}: {filled_in[name]}" if name in filled_in else line
            for name, line in zip(names, lines, strict=True)
        ),
        encoding="utf-8",
    )

    def share_let_through() -> float:
        origin = open_workspace(Settings(), utc_now()).origin
        return float(effect_at(origin, (halted("ga"),), rate=0.0).retained.mean())

    before = share_let_through()

    code, _, output = magnetcast("data", "review", "accept", number, "--event", str(draft))

    assert code == 0, output
    assert share_let_through() < before - 0.1


@pytest.mark.slow
@pytest.mark.usefixtures("at_providers")
def test_another_commodity_is_ingested_by_its_code_and_forecast(magnetcast: Call) -> None:
    span = ("--since", "2024-01", "--until", "2025-12")

    code, _, output = magnetcast("ingest", "comtrade", "--commodity", "811292,250410", *span)

    assert code == 0, output
    assert stored()["commodity"].unique().tolist() == ["250410", "811292"]
    assert stored(commodity="811292")["value"].sum() != stored(commodity="250410")["value"].sum()
    code, _, output = magnetcast("run", "--commodity", "811292", "--label", "gallium")
    assert code == 0, output
    assert read_labels(store_of(Settings()))["811292"] == "gallium"
    assert not latest_forecast(store_of(Settings()), commodity="811292").empty


AUGUST = CUSTOMS + "202608,85051110,116,Japan,51234,kg,2817900\n"


@pytest.mark.usefixtures("place")
def test_a_dry_run_shows_what_would_be_new_and_writes_nothing(
    magnetcast: Call, tmp_path: Path
) -> None:
    (path := tmp_path / "august.csv").write_text(AUGUST, encoding="utf-8")
    event = str(write_csv(tmp_path / "event.csv", EVENT, {}))

    code, _, output = magnetcast("ingest", "customs", str(path), "--flow", "export", "--dry-run")
    _, _, act = magnetcast("ingest", "events", event, "--dry-run")

    assert code == 0
    assert "2 new amounts, 0 revised" in " ".join(output.split())
    assert "1 new policy_events" in " ".join(act.split())
    assert not has_store(Settings())


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_dry_run_shows_what_would_be_revised(magnetcast: Call, tmp_path: Path) -> None:
    (path := tmp_path / "august.csv").write_text(AUGUST, encoding="utf-8")
    words = ("ingest", "customs", str(path), "--flow", "export")

    assert magnetcast(*words)[0] == 0
    path.write_text(path.read_text().replace("51234", "52000"), encoding="utf-8")
    second = " ".join(magnetcast(*words, "--dry-run")[2].split())

    assert "0 new amounts, 1 revised" in second
    assert "51.234 to 52" in second
    assert stored(source="customs")["value"].tolist() == [51.234, 2.8179]
