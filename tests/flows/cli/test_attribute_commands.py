from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import made_store
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.attribution_builders import EVENT, world_with_a_fall
from tests.flows.conftest import Call

pytestmark = pytest.mark.slow


@pytest.fixture
def filled(place: Path) -> None:  # noqa: ARG001 - sets the environment
    """Fill the home with the world with a fall."""
    world = world_with_a_fall()
    frames = {
        "observations": world.observations,
        "policy_events": world.events,
        "tariff_steps": world.tariffs,
    }
    engine = made_store(Settings())
    write_batch(engine, Batch((FileRows("made", "made.csv", "0" * 64, frames),)))


@pytest.mark.usefixtures("filled")
def test_an_event_is_reported_by_its_totals_with_table_and_chart(
    magnetcast: Call, tmp_path: Path
) -> None:
    out = tmp_path / "written"

    code, text, err = magnetcast(
        "attribute", EVENT, "--as-of", "2021-11-25", "--months", "4", "--out", str(out)
    )

    assert (code, text) == (0, "")
    totals = pd.read_csv(out / "totals.csv").set_index(["destination", "part"])
    row = totals.loc[("USA", "fall")]
    numbers = (row["missing_t"], row["missing_p10"], row["missing_p90"])
    lost, low, high = (f"{number:,.0f}" for number in numbers)
    assert f"Exports to United States lost {lost} t in June-July 2021" in " ".join(err.split())
    assert f"(80% band {low} to {high} t)" in " ".join(err.split())
    table = pd.read_csv(out / "attribution.csv")
    assert list(table.loc[table["destination"] == "USA", "period"]) == [
        f"2021-{month:02d}" for month in (6, 7, 8, 9)
    ]
    assert (out / "attribution.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["2021-06-contrl"], "error: No policy event '2021-06-contrl' is known on 2021-11-25."),
        ([EVENT, "--months", "13"], "error: --months 13 is out of range."),
    ],
    ids=["unknown", "too many months"],
)
def test_what_cannot_be_reported_is_one_message(
    magnetcast: Call, tmp_path: Path, words: list[str], message: str
) -> None:
    out = tmp_path / "none"

    code, text, err = magnetcast("attribute", *words, "--as-of", "2021-11-25", "--out", str(out))

    assert (code, text) == (1, "")
    assert err.startswith(message)
    assert not out.exists()
