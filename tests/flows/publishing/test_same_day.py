import shutil
from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import store_of
from flows.publishing.forecast_explanation import changes
from flows.publishing.publication_lookup import ExplainRequest, publication, replayed
from flows.publishing.scenario_answers import published_scenario_snapshot
from flows.publishing.scenario_start import scenario_snapshot
from flows.run import run
from store.facts.reading import latest_forecast, read_publication
from store.publications.backtests import read_scores
from store.publications.explanations import read_explanation
from store.publications.integrity import read_publications, tampered
from store.settings import Settings
from store.vocabulary import CHANGES
from tests.data.builders import at
from tests.data.registry_builders import champion_of
from tests.flows.conftest import AS_OF, Call, with_mlflow

FIGURE = (
    "ingest", "figure", "--period", "2020-03", "--destination", "USA", "--tonnes", "560",
    "--published-on", AS_OF, "--source", "https://example.org/late",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("explained")
def test_a_late_figure_makes_a_second_publication_and_the_first_stays(
    home: Settings, magnetcast: Call
) -> None:
    engine, first = store_of(home), latest_forecast(store_of(home))
    assert magnetcast(*FIGURE)[0] == 0

    # Until it is published, scenarios are answered from what is published, as it was known then.
    result = scenario_snapshot(home, at(AS_OF))
    assert result.published["p50"].sum() == pytest.approx(first["p50"].sum())
    assert published_scenario_snapshot(home, first).origin.cutoff == result.origin.cutoff

    outcome = run(home, at(AS_OF))

    assert outcome.is_new
    assert outcome.rows_published > 0
    known = read_publications(engine)
    assert known["state"].tolist() == ["published", "published"]
    assert known["data_vintage"].nunique() == known["models"].nunique() == 2
    one, two = known["id"]
    second = latest_forecast(engine)
    pd.testing.assert_frame_equal(read_publication(engine, one), first)
    pd.testing.assert_frame_equal(read_publication(engine, two), second)
    assert tampered(engine, home.publications_dir) == ()
    folders = home.publications_dir / "85051110"
    assert {path.name for path in folders.iterdir()} == {"1", "2"}
    assert set(read_scores(engine)["data_vintage"]) == {known["data_vintage"].iloc[1]}

    for number in (one, two):
        assert replayed(home, publication(home, int(number))).difference == ""
    assert publication(home, at(AS_OF))["publication"].unique() == [two]

    table, _ = changes(home, ExplainRequest("USA", None, at(AS_OF)), int(one))
    parts = table[list(CHANGES)]
    assert parts.sum(axis=1).to_numpy() == pytest.approx(table["change"].to_numpy())
    assert (parts["new_actuals"] + parts["revised_actuals"]).abs().sum() > 0
    assert parts["not_reproduced"].abs().max() < 1e-6
    assert parts["passing_time"].abs().max() == 0

    kept = read_explanation(engine, int(two))
    assert kept.since == one
    said = table.set_index("period")["change"]
    for period, causes in kept.changes["USA"].items():
        assert sum(causes.values()) == pytest.approx(said[period], abs=0.01)

    again = run(home, at(AS_OF))
    assert not again.is_new
    champion = champion_of(home)
    assert set(second["model"]) == {champion.model_version}


@pytest.mark.slow
def test_numbers_that_are_published_already_have_their_folder_where_it_was(
    home: Settings, mlflow_template: Path
) -> None:
    shutil.rmtree(home.artifact_dir)
    with_mlflow(mlflow_template, home.home.parent)

    outcome = run(home, at(AS_OF))

    assert (outcome.is_new, outcome.rows_published) == (True, 0)
    assert [one.name for one in (home.publications_dir / "85051110").iterdir()] == ["1"]
