from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from tests.data.attribution_builders import EVENT, control, world_with_a_fall
from tests.data.builders import make_events
from tests.flows.cli.conftest import copy_home

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]
EARLY = "2020-06-control"
LATE = "2022-03-control"


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the world with a fall and two more events; only copied."""
    path = tmp_path_factory.mktemp("fall") / "store.db"
    world = world_with_a_fall()
    more = [
        control(event_id=EARLY, announced_on="2020-06-10", effective_from="2020-06-10"),
        control(event_id=LATE, announced_on="2022-03-10", effective_from="2022-03-10"),
    ]
    frames = {
        "observations": world.observations,
        "policy_events": pd.concat([world.events, make_events(*more)], ignore_index=True),
        "tariff_steps": world.tariffs,
    }
    engine = open_store(f"sqlite:///{path}")
    write_batch(engine, Batch((FileRows("made", "made.csv", "0" * 64, frames),)))
    engine.dispose()
    return path


@pytest.fixture
def filled(place: Path, facts: Path) -> None:  # noqa: ARG001 - sets the environment
    copy_home(facts)


@pytest.mark.usefixtures("filled")
def test_an_event_is_reported_in_words_with_table_and_chart(
    magnetcast: Call, tmp_path: Path
) -> None:
    out = tmp_path / "written"

    code, text, err = magnetcast(
        "attribute", EVENT, "--as-of", "2021-11-25", "--months", "4", "--out", str(out)
    )

    assert (code, text) == (0, "")
    assert "Exports to United States lost " in err
    assert "t in June-July 2021 against the path foreseen on 9 June 2021 (80% band " in err
    assert {file.name for file in out.iterdir()} == {
        "attribution.csv",
        "totals.csv",
        "attribution.png",
    }
    table = pd.read_csv(out / "attribution.csv")
    assert list(table.loc[table["destination"] == "USA", "period"]) == [
        f"2021-{month:02d}" for month in (6, 7, 8, 9)
    ]
    assert (out / "attribution.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["2021-06-contrl", "--as-of", "2021-11-25"],
            "error: No policy event '2021-06-contrl' is known on 2021-11-25. Expected one of 3 "
            "event_ids of the policy events (data/policy_events.csv and those ingested). "
            "Did you mean: 2021-06-control", id="unknown, with those of like name"),
        pytest.param([LATE, "--as-of", "2021-11-25"],
            "error: Event '2022-03-control' lies in the future of 2021-11-25: it was announced on "
            "2022-03-10. Expected a past event. Take a later --as-of.", id="in the future"),
        pytest.param([LATE, "--as-of", "2022-03-20"],
            "error: No month after event '2022-03-control' (announced 2022-03-10) is known; the "
            "last one is 2021-12.", id="without a month after it"),
        pytest.param([EARLY, "--as-of", "2021-11-25"],
            "error: Event '2020-06-control' (announced 2020-06-10) is too early for a history: "
            "0 placebo dates", id="too early"),
        pytest.param([EVENT, "--as-of", "2021-11-25", "--months", "13"],
            "error: --months 13 is out of range. Expected 1 to 12", id="too many months"),
        pytest.param([EVENT, "--as-of", "soon"], "error: --as-of 'soon' is no date",
            id="no moment"),
    ],
)  # fmt: skip
def test_what_cannot_be_reported_is_one_message(
    magnetcast: Call, tmp_path: Path, words: list[str], message: str
) -> None:
    out = tmp_path / "none"

    code, text, err = magnetcast("attribute", *words, "--out", str(out))

    assert (code, text) == (1, "")
    assert err.startswith(message)
    assert not out.exists()
