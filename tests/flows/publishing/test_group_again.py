"""Forecasts by the model of a group: made again, and compared with an earlier one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from flows.analysis.explain import changes as changes_of
from flows.clock import utc_now
from flows.context.stores import store_of
from flows.publishing.published_forecasts import ExplainRequest
from flows.publishing.reproduce import reproduce
from flows.publishing.run_config import member_config
from flows.run import run_each
from sources.files.commodities import Commodity
from store.publications.decisions import reject
from store.publications.integrity import read_publications
from store.settings import Settings
from store.vocabulary import CHANGES
from tests.data.builders import at
from tests.data.material_builders import make_material_events
from tests.data.partner_builders import make_cells, make_partner_rows, make_partner_world
from tests.flows.conftest import copied_settings, environment, settings_of
from tests.flows.publishing.test_run_many import fill

pytestmark = pytest.mark.slow

GALLIUM, GRAPHITE, PLASTICS = "811292", "250410", "392690"
MINERALS = (
    member_config(Commodity(GALLIUM, "minerals", ("gallium",), "")),
    member_config(Commodity(GRAPHITE, "minerals", ("natural graphite",), "")),
)
WIDER = (*MINERALS, member_config(Commodity(PLASTICS, "minerals", (), "")))
BEFORE, AFTER, WIDENED = "2024-01-26", "2024-03-26", "2024-03-27"
REVISED = "2023-06"


@pytest.fixture(scope="module")
def filled(new_folder: Callable[[], Path], data_dir: Path) -> Settings:
    """A store with three publications of a group: months, a revision and a control lie between
    the first two, the third has one table more."""
    settings = settings_of(environment(new_folder(), data_dir))
    for seed, code in enumerate((GALLIUM, GRAPHITE, PLASTICS)):
        world = make_partner_world(partners=24, months=39, first="2021-01", seed=seed)
        fill(settings, world.rows().assign(commodity=code), name=code)
        if code == GALLIUM:
            result = float(world.tonnes.loc["USA", f"{REVISED}-01"])
            cells = make_cells({"USA": {REVISED: 3.0 * result}})
            revised = make_partner_rows(cells.assign(available_at=at("2024-02-15")))
            fill(settings, revised.assign(commodity=code), name="revised")
    acts = (
        {"event_id": "ga", "announced_on": "2023-07-03", "effective_from": "2023-08-01"},
        {
            "event_id": "c", "announced_on": "2024-02-20", "effective_from": "2024-04-01",
            "material": "natural graphite", "available_at": "2024-02-20",
        },
    )  # fmt: skip
    fill(settings, make_material_events(*acts), name="events", table="analog_events")
    for day, members in ((BEFORE, MINERALS), (AFTER, MINERALS), (WIDENED, WIDER)):
        run_each(settings, at(day), members)
    return settings


@pytest.fixture
def copy(filled: Settings, data_dir: Path, tmp_path: Path) -> Settings:
    """A copy of that store, to be changed."""
    return copied_settings(filled, tmp_path / "copy", data_dir)


def test_a_publication_of_a_group_is_made_again_bit_for_bit(
    filled: Settings,
    monkeypatch: pytest.MonkeyPatch,
    magnetcast: Callable[..., tuple[int, str, str]],
) -> None:
    monkeypatch.setenv("MAGNETCAST_HOME", str(filled.home))

    for day in (BEFORE, WIDENED):
        code, _, output = magnetcast("replay", "--as-of", day, "--commodity", GRAPHITE)

        assert (code, "every number is the same, bit for bit" in output) == (0, True), output


def test_figures_of_others_in_the_group_that_are_gone_are_named(
    copy: Settings,
) -> None:
    change(copy, "DELETE FROM observations WHERE commodity = '811292' AND destination = 'DEU'")
    change(copy, "UPDATE analog_events SET instrument = 'ban' WHERE event_id = 'ga'")

    found = reproduce(copy, at(BEFORE), GRAPHITE)

    assert found.again is None
    assert [result.split(":")[0] for result in found.missing] == [
        f"the figures of {GALLIUM}",
        "the controls on materials",
    ]


def test_figures_dated_back_by_a_later_ingest_do_not_reach_a_replay(
    copy: Settings,
) -> None:
    late = make_cells({"USA": {REVISED: 1e6}}).assign(available_at=at("2024-01-02"))
    fill(copy, make_partner_rows(late).assign(commodity=GALLIUM), name="dated back")

    found = reproduce(copy, at(BEFORE), GRAPHITE)

    assert found.is_same, (found.missing, found.difference)


def test_a_publication_before_members_were_recorded_is_reported(
    copy: Settings,
) -> None:
    change(copy, "UPDATE publications SET made_with = json_remove(made_with, '$.group')")

    found = reproduce(copy, at(BEFORE), GRAPHITE)

    assert found.missing == ("who was in its group: it was published before that was recorded",)


def test_a_change_is_split_into_months_revisions_and_controls(
    filled: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    found = changes(filled, BEFORE, AFTER)

    parts = found[list(CHANGES)].sum(axis=1)
    np.testing.assert_allclose(parts, found["change"], atol=1e-9)
    np.testing.assert_allclose(found["not_reproduced"], 0.0, atol=1e-9)
    moved = ["new_actuals", "revised_actuals", "policy"]
    assert (found[moved].abs() > 0).all(axis=None)
    assert (found[["tariffs", "model", "reconciliation"]] == 0).all(axis=None)
    output = capsys.readouterr().err
    assert "months 2, figures revised 0; of the 1 others in the group months 2, revised 1" in output
    assert "versions of controls 1" in output


def test_another_table_in_the_group_is_a_change_of_the_model(filled: Settings) -> None:
    found = changes(filled, AFTER, WIDENED)

    assert (found["model"].abs() > 0).any()
    np.testing.assert_allclose(found["model"], found["change"] - found["passing_time"], atol=1e-9)
    np.testing.assert_allclose(found["not_reproduced"], 0.0, atol=1e-9)


def test_what_a_person_rejected_of_a_group_is_not_forecast_again(
    copy: Settings,
) -> None:
    settings = copy.model_copy(update={"gate_pct": 0.001})
    news = make_cells({"USA": {"2024-02": 5000.0}}).assign(available_at=at("2024-03-28"))
    fill(settings, make_partner_rows(news).assign(commodity=GRAPHITE), name="news")
    run_each(settings, at("2024-03-29"), WIDER)
    engine = store_of(settings)
    held = read_publications(engine).query("state == 'held'")
    for number in held["id"]:
        reject(engine, int(number), at=utc_now(), actor="test", reason="no")

    run_each(settings, at("2024-03-30"), WIDER)

    known = read_publications(engine)
    assert len(held) == len(WIDER)
    assert known["state"].value_counts().to_dict() == {"published": 7, "rejected": 3}


def changes(settings: Settings, since: str, until: str) -> pd.DataFrame:
    asked = ExplainRequest("USA", None, at(until))
    return changes_of(settings, asked, at(since), commodity=GRAPHITE)


def change(settings: Settings, statement: str) -> None:
    with store_of(settings).begin() as connection:
        connection.execute(text(statement))
