from pathlib import Path

from flows.context.stores import store_of
from flows.run import watch
from store.publications.publication_rows import COVERAGE_DRIFT, latest_reading
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Published


def test_the_coverage_of_a_publication_is_measured(published: Published) -> None:
    (row,) = latest_reading(store_of(published.settings)).to_dict("records")

    assert (row["monitor"], row["as_of"]) == (COVERAGE_DRIFT, at(AS_OF))


def test_where_mlflow_is_gone_nothing_is_measured(published: Published, tmp_path: Path) -> None:
    gone = {"tracking_uri": f"sqlite:///{tmp_path / 'none.db'}"}
    settings = published.settings.model_copy(update=gone)

    assert watch(settings, at("2020-04-25")) is None
