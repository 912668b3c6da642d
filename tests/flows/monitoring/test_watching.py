import json
from pathlib import Path
from typing import get_args

from features.build import ALL_FEATURES
from flows.context.stores import store_of
from flows.monitoring.health import examine
from flows.monitoring.monitors import measured
from models.monitoring.feature_drift import REFERENCE
from models.monitoring.readings import Monitor
from store.facts.reading import read_forecasts
from store.publications.published import latest_readings
from tests.data.builders import at
from tests.data.registry_builders import champion_model
from tests.flows.conftest import AS_OF, Published


def test_a_publication_is_measured_by_every_monitor(published: Published) -> None:
    rows = latest_readings(store_of(published.settings))

    assert set(rows["monitor"]) == set(get_args(Monitor))
    assert (rows["as_of"] == at(AS_OF)).all()
    result = rows.set_index("monitor")["words"]
    assert "are needed to judge" in result["score-drift"]
    assert result["slow"] == "1 finished runs; 6 are needed to judge"


def test_a_model_keeps_what_its_later_questions_are_held_against(published: Published) -> None:
    card = champion_model(published.settings).card

    reference = json.loads(json.dumps(card[REFERENCE]))
    assert set(reference["features"]) <= {feature.name for feature in ALL_FEATURES}
    assert len(reference["edges"]) == len(reference["low"]) == len(reference["features"])


def test_status_knows_that_the_newest_forecast_was_measured(published: Published) -> None:
    health = examine(published.settings, at("2020-04-23"))

    assert health.facts.watched == at(AS_OF)
    assert "unwatched" not in {one.alarm for one in health.alarms}


def test_where_mlflow_is_gone_the_rest_is_measured(published: Published, tmp_path: Path) -> None:
    gone = {"tracking_uri": f"sqlite:///{tmp_path / 'none.db'}"}
    settings = published.settings.model_copy(update=gone)
    engine = store_of(published.settings)

    found = list(measured(settings, engine, read_forecasts(engine), at("2020-04-25")))

    assert {one.monitor for one in found} == {"slo", "slow", "contradictions"}
