"""What changed the medians of a partner table from one publication to the next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from features.panel.partner_table import partner_table
from flows.analysis.explain import between
from flows.analysis.explain import changes as changes_of
from flows.cli.explain_commands import explain
from flows.context.stores import made_store, store_of
from flows.publishing.published_forecasts import ExplainRequest
from flows.publishing.table_pipeline import forecast_table_at
from flows.publishing.table_snapshot import open_table
from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.reading import latest_forecast
from store.facts.writing import write_batch
from store.publications.publishing import publish_forecasts
from store.settings import Settings
from store.vocabulary import CHANGES
from tests.data.builders import at
from tests.data.partner_builders import COMMODITY, make_cells, make_partner_rows, make_partner_world

BEFORE, AFTER, SAME_DAY = "2023-11-26", "2024-01-26", "2024-01-27"
REVISED = "2023-06"


@dataclass(frozen=True, slots=True)
class Twice:
    """A store with two publications of one table: two months and a revision lie between."""

    settings: Settings
    rows: pd.DataFrame


def publish(settings: Settings, day: str) -> None:
    result = open_table(settings, at(day), COMMODITY)
    vintage = result.data_vintage
    publish_forecasts(
        result.engine,
        forecast_table_at(result),
        as_of=at(day),
        data_vintage=vintage,
        commodity=COMMODITY,
    )


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Twice:
    settings = Settings(home=tmp_path_factory.mktemp("twice"), threads=1)
    world = make_partner_world(partners=40, months=48)
    result = float(world.tonnes.loc["USA", f"{REVISED}-01"])
    revision = make_partner_rows(
        make_cells({"USA": {REVISED: 3.0 * result}}).assign(available_at=at("2023-12-15"))
    )
    rows = pd.concat([world.rows(), revision], ignore_index=True)
    write_batch(
        made_store(settings), Batch((FileRows("comtrade", "t", "t", {"observations": rows}),))
    )
    publish(settings, BEFORE)
    publish(settings, AFTER)
    return Twice(settings, rows)


def changes(settings: Settings, *, since: str = BEFORE, until: str = AFTER) -> pd.DataFrame:
    asked = ExplainRequest("USA", None, at(until))
    table, figures = changes_of(settings, asked, at(since), commodity=COMMODITY)
    assert figures == ()
    return table


@pytest.mark.slow
def test_a_change_is_split_into_what_came_in_and_what_was_revised(
    twice: Twice, capsys: pytest.CaptureFixture[str]
) -> None:
    found = changes(twice.settings)

    engine = store_of(twice.settings)
    for day, name in ((BEFORE, "before_p50"), (AFTER, "after_p50")):
        rows = latest_forecast(engine, as_of=at(day), commodity=COMMODITY)
        own = rows.loc[rows["destination"] == "USA"].set_index("period")["p50"]
        assert found.set_index("period")[name].tolist() == own[found["period"]].tolist()
    parts = found[list(CHANGES)].sum(axis=1)
    np.testing.assert_allclose(parts, found["change"], atol=1e-9)
    # Same store, same program: every number is made again.
    np.testing.assert_allclose(found["not_reproduced"], 0.0, atol=1e-9)
    assert (found[["new_actuals", "revised_actuals"]].abs() > 0).all(axis=None)
    assert (found[["tariffs", "policy", "model", "reconciliation"]] == 0).all(axis=None)
    assert "months 2, figures revised 1" in capsys.readouterr().err


def test_the_steps_replace_one_input_after_the_other(twice: Twice) -> None:
    first, last = (
        partner_table(twice.rows, commodity=COMMODITY, as_of=at(day)) for day in (BEFORE, AFTER)
    )

    steps = between(first, last)

    assert steps[-1] is last
    month = pd.Period(REVISED, "M")
    place = steps[-1].cutoff - (pd.Period("2023-12", "M") - month).n
    result = [float(step.tonnes.loc["USA", place]) for step in steps]
    assert [step.cutoff - steps[0].cutoff for step in steps] == [0, 0, 2, 2]
    assert result[3] == pytest.approx(3.0 * result[0])
    assert result[:3] == [result[0]] * 3
    assert steps[2].tonnes.iloc[:, -2:].equals(steps[-1].tonnes.iloc[:, -2:])


def test_days_the_wrong_way_round_or_before_any_publication_are_reported(twice: Twice) -> None:
    with pytest.raises(DataError, match="Exchange them"):
        changes(twice.settings, since=AFTER, until=BEFORE)
    with pytest.raises(DataError, match=f"Nothing of {COMMODITY} was published by 2020-01-01"):
        changes(twice.settings, since="2020-01-01")


@pytest.mark.slow
def test_the_command_tells_what_changed_a_table(
    twice: Twice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAGNETCAST_HOME", str(twice.settings.home))
    monkeypatch.setenv("MAGNETCAST_THREADS", "1")

    explain("USA", commodity=COMMODITY, since=BEFORE, as_of=AFTER, period="2024-06")

    text, output = capsys.readouterr()
    assert "United States, June 2024:" in output
    assert f"as of {AFTER}" in output
    assert "revised_actuals" in text
