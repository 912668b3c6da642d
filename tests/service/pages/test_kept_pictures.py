"""A picture is kept by what it shows: the same content is drawn once, other content anew."""

from dataclasses import replace

import pandas as pd
import pytest
from starlette.testclient import TestClient

from service.charts import kept as pictures
from service.charts.fan import Fan, make_fan
from service.charts.kept import digest_of, kept
from service.language.choice import in_language
from service.web.what_if import first_charts
from tests.service.builders import make_report


@pytest.fixture(scope="module")
def fan() -> Fan:
    return make_fan(make_report(), "DEU")


def test_whatever_a_fan_shows_makes_another(fan: Fan) -> None:
    later = fan.history.assign(tonnes=fan.history["tonnes"] * (1 + 1e-12))
    shifted = fan.forecast.assign(period=fan.forecast["period"] + pd.DateOffset(months=1))
    others = [
        replace(fan, history=later),
        replace(fan, forecast=shifted),
        replace(fan, forecast=fan.forecast.iloc[:-1]),
        replace(fan, markers=fan.markers[1:]),
        replace(fan, as_of=fan.as_of + pd.Timedelta(days=1)),
        replace(fan, goods="graphite"),
    ]

    assert len({digest_of(other) for other in [fan, *others]}) == 1 + len(others)


def test_the_index_of_a_table_counts_and_what_cannot_be_compared_is_refused() -> None:
    table = pd.DataFrame({"tonnes": [1.0, 2.0]}, index=[3, 4])

    assert digest_of(table) != digest_of(table.set_axis([3, 5]))
    with pytest.raises(TypeError, match="ndarray"):
        digest_of(table["tonnes"].to_numpy())


def test_the_same_content_is_drawn_once_and_the_oldest_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "_MOST", 2)
    drawn: list[str] = []

    def ask(name: str) -> str:
        return kept(lambda: drawn.append(name) or name, "test", name)

    answers = [ask(name) for name in ("one", "two", "one", "three", "one", "two")]

    assert answers == ["one", "two", "one", "three", "one", "two"]
    assert drawn == ["one", "two", "three", "two"]


@pytest.mark.slow
def test_the_first_view_of_a_scenario_shows_the_charts_drawn_ahead(client: TestClient) -> None:
    with in_language("de"):
        ahead = list(first_charts(client.app.state.shared.live.publication))

    page = client.get("/what-if?lang=de").text

    assert len(ahead) == 2
    assert all(chart in page for chart in ahead)
