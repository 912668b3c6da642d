from pathlib import Path
from typing import get_args

from flows.context.stores import store_of
from flows.monitoring.monitors import watch
from models.monitoring import Monitor
from store.publications.publication_rows import latest_readings
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Published


def test_a_publication_is_measured_by_every_monitor(published: Published) -> None:
    rows = latest_readings(store_of(published.settings))

    assert set(rows["monitor"]) == set(get_args(Monitor))
    assert (rows["as_of"] == at(AS_OF)).all()


def test_where_mlflow_is_gone_nothing_is_measured(published: Published, tmp_path: Path) -> None:
    gone = {"tracking_uri": f"sqlite:///{tmp_path / 'none.db'}"}
    settings = published.settings.model_copy(update=gone)

    assert watch(settings, at("2020-04-25")) == []
