import pytest

from flows.context.stores import store_of
from flows.publishing.scenario_answers import answered, published_scenario_snapshot
from flows.publishing.scenario_start import scenario_snapshot
from models.policy.paired_forecast import PublishedDraws, paired
from sources.files.file_reader import read_scenario
from store.errors import DataError
from store.facts.reading import latest_forecast
from tests.data.builders import at
from tests.flows.cli.test_scenario_commands import TARIFF
from tests.flows.conftest import AS_OF, Published


@pytest.mark.slow
def test_the_service_stays_on_the_published_rows_and_answers_as_the_command(
    published: Published,
) -> None:
    rows = latest_forecast(store_of(published.settings), as_of=at(AS_OF))

    answer = published_scenario_snapshot(published.settings, rows)
    draws = PublishedDraws.of(answer)
    scenario = read_scenario("the scenario", TARIFF.encode(), answer.context)
    result = answered(draws, scenario).table

    stored = rows.set_index(["destination", "period"])["p50"]
    assert sorted(answer.published["p50"]) == sorted(stored)
    again = scenario_snapshot(published.settings, at(AS_OF))
    table = paired(again, read_scenario("what.yaml", TARIFF.encode(), again.context)).table
    for name in table.select_dtypes("number"):
        assert result[name].to_numpy() == pytest.approx(table[name].to_numpy(), abs=2e-3), name
    assert (result["difference_mean"] < 0).any()


def test_a_publication_whose_model_is_gone_is_reported(published: Published) -> None:
    rows = latest_forecast(store_of(published.settings), as_of=at(AS_OF))

    with pytest.raises(DataError, match=r"Model other.* is not in the registry"):
        published_scenario_snapshot(published.settings, rows.assign(model="other"))
