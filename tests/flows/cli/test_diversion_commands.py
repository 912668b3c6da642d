import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from models.event_study.diversion_words import COLUMNS
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.builders import make_events, make_levels
from tests.data.partner_builders import make_partner_world
from tests.flows.cli.conftest import copy_home

Call = Callable[..., tuple[int, str, str]]

ACT = {
    "event_id": "act-on-usa",
    "announced_on": "2024-09-02",
    "effective_from": "2024-09-02",
    "destinations": "USA",
}
ON_ALL = {
    "event_id": "act-on-all",
    "announced_on": "2023-03-01",
    "effective_from": "2023-03-01",
}
NOW = "2025-01-25"


def diverted(levels: pd.DataFrame) -> pd.DataFrame:
    """Return levels in which the USA lose nine tenths since the act and Vietnam gets them."""
    since = levels["period_from"] >= "2024-09-01"
    usa, vietnam = (since & levels["destination"].eq(name) for name in ("USA", "VNM"))
    lost = (0.9 * levels.loc[usa].set_index("period_from")["value"]).round()
    value = levels["value"].copy()
    value[usa] -= levels.loc[usa, "period_from"].map(lost)
    value[vietnam] += levels.loc[vietnam, "period_from"].map(lost)
    return levels.assign(value=value)


def fill(url: str, **frames: pd.DataFrame) -> None:
    files = tuple(
        FileRows(name, f"{name}.csv", "0" * 64, {name: frame}) for name, frame in frames.items()
    )
    engine = open_store(url)
    write_batch(engine, Batch(files))
    engine.dispose()


@pytest.fixture(scope="module")
def diversion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of seven years and a diversion from the USA to Vietnam; only copied."""
    path = tmp_path_factory.mktemp("diversion") / "store.db"
    levels = diverted(make_levels(first="2018-01", last="2024-12"))
    fill(f"sqlite:///{path}", observations=levels, policy_events=make_events(ACT, ON_ALL))
    return path


@pytest.fixture
def store(place: Path, diversion: Path) -> None:  # noqa: ARG001 - sets the environment
    copy_home(diversion)


@pytest.mark.usefixtures("store")
def test_a_diversion_is_written_and_reported(magnetcast: Call, tmp_path: Path) -> None:
    out = tmp_path / "new" / "found.json"

    code, text, err = magnetcast("diversion", "--as-of", NOW, "--format", "json", "--out", str(out))

    assert (code, text) == (0, "")
    rows = pd.DataFrame(json.loads(out.read_text(encoding="utf-8")))
    assert list(rows.columns) == list(COLUMNS)
    assert set(rows["event_id"]) == {"act-on-usa"}
    assert set(rows["hit"]) == {"USA"}
    assert sorted(set(rows["period"])) == ["2024-09", "2024-10", "2024-11", "2024-12"]
    alerts = rows.loc[rows["alert"] == "yes"]
    assert set(alerts["destination"]) == {"VNM"}
    assert alerts["share_of_fall"].between(0.6, 1.2).all()
    assert (alerts["excess_p10"] < alerts["excess_tonnes"]).all()
    assert (alerts["excess_tonnes"] < alerts["excess_p90"]).all()
    assert "act-on-usa: USA got " in err
    assert "  alert: VNM took " in err
    assert "more than expected in 2024-09..2024-12 while USA fell by " in err


@pytest.mark.usefixtures("store")
def test_before_the_act_is_announced_there_is_nothing_to_look_at(magnetcast: Call) -> None:
    code, text, err = magnetcast("diversion", "--as-of", "2024-09-01", "--format", "csv")

    assert (code, text) == (0, ",".join(COLUMNS) + "\n")
    assert err.startswith("no strong act on part of the destinations began")


@pytest.mark.usefixtures("store")
def test_an_act_of_which_no_month_is_known_is_reported_and_stops_nothing(magnetcast: Call) -> None:
    code, text, err = magnetcast("diversion", "--as-of", "2024-09-25", "--format", "csv")

    assert (code, text) == (0, ",".join(COLUMNS) + "\n")
    assert err.startswith("act-on-usa: not assessed. Nothing is known of 2024-09 yet")


@pytest.mark.slow
@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--event", "no-such-act"), "is no policy event known on 2025-01-25"),
        (("--event", "act-on-all"), "hits every destination, so there is nothing to divert to"),
        (("--event", "act-on-all"), "kept of the path without it, in 2023-03..2023-08: "),
        (("--event", "act-on-usa", "--rate", "2"), "--rate 2 is no share of episodes"),
        (("--commodity", "850511"), "No full partner table of commodity 850511"),
    ],
    ids=["unknown", "on everybody", "how hard each was hit", "rate", "no table"],
)
def test_what_cannot_be_answered_is_one_message(
    magnetcast: Call, words: tuple[str, ...], message: str
) -> None:
    code, text, err = magnetcast("diversion", "--as-of", NOW, *words)

    assert (code, text) == (1, "")
    assert err.startswith("error: ")
    assert message in err


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_a_short_history_is_reported(magnetcast: Call) -> None:
    levels = make_levels(first="2024-01", last="2024-12")
    fill(Settings().url, observations=levels, policy_events=make_events(ACT))

    code, _, err = magnetcast("diversion", "--as-of", NOW, "--event", "act-on-usa")

    assert code == 1
    assert "can be tried out" in err


@pytest.mark.usefixtures("place")
def test_a_full_partner_table_is_searched_too(magnetcast: Call) -> None:
    rows = make_partner_world(partners=30, months=60).rows()
    fill(Settings().url, observations=rows, policy_events=make_events(ACT))

    code, text, err = magnetcast(
        "diversion", "--as-of", NOW, "--commodity", "850511", "--format", "csv"
    )

    assert code == 0
    lines = text.splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert {line.split(",")[1] for line in lines[1:]} == {"USA"}
    assert len({line.split(",")[2] for line in lines[1:]}) > 20
    assert err.startswith("act-on-usa: USA got ")
