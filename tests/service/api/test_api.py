import csv
import io
import json
from typing import Any

import pytest
from pydantic import BaseModel
from service.api import response_models
from service.api.response_models import Page
from starlette.testclient import TestClient

from publication.documents import RIVALS
from publication.queries import row_models
from store.publications.basis import BASIS_COLUMNS
from store.vocabulary import FORECAST_COLUMNS
from tests.service.builders import make_drivers, make_forecasts

API = "/api/v1"
LISTS: dict[str, type[BaseModel]] = {
    "forecasts": Page[response_models.ForecastResponse],
    "destinations": Page[row_models.DestinationResponse],
    "publications": Page[row_models.PublicationResponse],
    "history/USA": Page[row_models.HistoryMonth],
    "figures": Page[row_models.FigureResponse],
    "scores": Page[row_models.ScoreResponse],
    "track-record": Page[row_models.TrackCell],
    "track-record/scores": Page[row_models.TrackScoreResponse],
    "events": Page[row_models.Event],
    "tariffs": Page[row_models.Tariff],
    "vintages": Page[row_models.Vintage],
    "quarantine": Page[row_models.RefusedFileResponse],
}


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_is_what_was_published(client: TestClient) -> None:
    answer = client.get(f"{API}/forecasts/USA").json()

    published = make_drivers(make_forecasts()).query("destination == 'USA'")
    assert [month["period"] for month in answer["months"]] == list(published["period"])
    assert [m["p50"] for m in answer["months"]] == pytest.approx(list(published["p50"]), abs=5e-4)
    assert (answer["as_of"], answer["cutoff"]) == ("2026-11-24T00:00:00Z", "2026-07")
    assert [(c["horizon_from"], c["share"], c["forecasts"]) for c in answer["coverage"]] == [
        (1, 0.78, 220), (4, 0.78, 220), (7, 0.78, 220)
    ]  # fmt: skip
    assert answer["months"][0]["drivers"][0]["name"] == "level of the last three months"
    response_models.ForecastResponse.model_validate(answer)


def test_months_and_quantiles_can_be_chosen(client: TestClient) -> None:
    asked = f"{API}/forecasts/DEU?horizon=2&horizon=4&quantile=p10&quantile=p90"

    months = client.get(asked).json()["months"]

    assert [month["horizon"] for month in months] == [2, 4]
    assert {name for name in months[0] if name.startswith("p")} == {"period", "p10", "p90"}


def test_a_forecast_of_an_earlier_day_stays_as_it_was(client: TestClient) -> None:
    answer = client.get(f"{API}/forecasts/USA?as_of=2025-08-25").json()

    assert (answer["as_of"], answer["cutoff"]) == ("2025-08-25T00:00:00Z", "2025-07")


def test_all_forecasts_come_as_a_forecast_file(client: TestClient) -> None:
    answer = client.get(f"{API}/forecasts?limit=1000&format=csv")

    rows = rows_of(answer.text)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(rows[0]) == ["as_of", *FORECAST_COLUMNS, RIVALS, *BASIS_COLUMNS]
    assert len(rows) == 12 * 15 == int(answer.headers["x-total-count"])


def test_a_destination_says_how_far_it_is_published_wherever_it_is_asked_for(
    client: TestClient,
) -> None:
    months = client.get(f"{API}/history/deu").json()["items"]

    listed = client.get(f"{API}/destinations").json()["items"]
    (own,) = (one for one in listed if one["destination"] == "DEU")
    forecast = client.get(f"{API}/forecasts/DEU").json()
    row = rows_of(client.get(f"{API}/forecasts/DEU?format=csv").text)[0]
    assert len(months) > 100
    assert own["published_to"] == max(m["period"] for m in months if m["kind"] == "observed")
    estimated = sum(month["kind"] == "estimated" for month in months[-12:])
    assert own["estimated_share"] == pytest.approx(estimated / 12, abs=1e-4)
    assert forecast["basis"] == {name: own[name] for name in BASIS_COLUMNS}
    assert [row[name] for name in BASIS_COLUMNS] == [str(own[name]) for name in BASIS_COLUMNS]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_as_documented_with_the_same_rows_as_csv(
    client: TestClient, path: str
) -> None:
    answer = client.get(f"{API}/{path}?limit=1000").json()
    rows = rows_of(client.get(f"{API}/{path}?limit=1000&format=csv").text)

    LISTS[path].model_validate(answer)
    assert answer["total"] == len(answer["items"])
    assert answer["total"] > 0 or path == "quarantine"
    assert len(rows) == answer["total"] * (15 if path == "forecasts" else 1)


def test_lists_come_in_pages(client: TestClient) -> None:
    whole = client.get(f"{API}/events?limit=1000").json()["items"]

    seen: list[Any] = []
    for offset in range(0, len(whole), 50):
        answer = client.get(f"{API}/events?limit=50&offset={offset}").json()
        seen += answer["items"]

    assert seen == whole
    assert answer["total"] == len(whole) > 100


@pytest.mark.slow
def test_an_unchanged_answer_is_not_sent_again(client: TestClient) -> None:
    for path in ("/api/v1/forecasts/USA", "/api/v1/events", "/", "/static/style.css"):
        packed = client.get(path)
        tag = packed.headers["etag"]

        again = client.get(path, headers={"If-None-Match": f'"other", {tag}'})
        other = client.get(path, headers={"If-None-Match": '"other"'})

        assert (again.status_code, again.content) == (304, b"")
        # Two encodings share a tag, so it is weak, and a cache has to keep them apart.
        assert (packed.headers["content-encoding"], tag[:3]) == ("gzip", 'W/"')
        assert again.headers["etag"] == tag
        varies = [set(answer.headers["vary"].split(", ")) for answer in (packed, again)]
        assert "Accept-Encoding" in varies[0] == varies[1]
        assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("forecasts/XXX", 404, "No destination 'XXX' in the published forecasts"),
        ("forecasts/USA?as_of=2020-01-01", 404, "Expected 2025-08-25 or later"),
        ("forecasts/USA?as_of=soon", 400, "as_of 'soon' is no date"),
        ("forecasts/USA?as_of=2200-01-01", 400, "as_of 2200-01-01 lies in the future"),
        ("forecasts/USA?quantile=p33", 422, "p33"),
        ("scores?limit=0", 422, "limit='0'"),
        ("figures?period=2025-13", 422, "period='2025-13'"),
        ("nothing", 404, "There is no page at this address. Expected"),
    ],
)
def test_an_error_is_a_problem_document(
    client: TestClient, path: str, status: int, said: str
) -> None:
    answer = client.get(f"{API}/{path}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    result = response_models.Problem.model_validate(answer.json())
    assert said in result.detail
    assert (result.status, result.instance) == (status, f"{API}/{path.split('?', maxsplit=1)[0]}")


def test_revisions_of_one_figure_are_rows_of_their_own(client: TestClient) -> None:
    answer = client.get(f"{API}/figures?destination=WLD&period=2025-04&limit=1000").json()["items"]

    moments = [row["available_at"] for row in answer]
    assert moments == sorted(moments, reverse=True)
    assert all(row["period_from"] <= "2025-04" <= row["period_to"] for row in answer)
    assert {row["vintage"] for row in answer} == {2}


def test_history_tells_months_by_how_they_are_known(client: TestClient) -> None:
    rows = client.get(f"{API}/history/USA?limit=1000").json()["items"]
    known = {row["period"]: row for row in rows}

    assert (known["2025-05"]["kind"], round(known["2025-05"]["tonnes"])) == ("observed", 46)
    assert known["2026-06"]["kind"] == "estimated"
    assert max(known) == "2026-07"


def test_history_at_an_earlier_forecast_knows_nothing_later(client: TestClient) -> None:
    rows = client.get(f"{API}/history/USA?as_of=2025-08-25&limit=1000").json()["items"]

    assert max(row["period"] for row in rows) == "2025-07"
    assert max(row["available_at"] for row in rows) <= "2025-08-25"


def test_events_are_searched_by_words_destination_and_instrument(client: TestClient) -> None:
    found = client.get(
        f"{API}/events?q=FENTANYL+china&destination=USA&instrument=tariff_increase"
    ).json()["items"]

    assert found
    for event in found:
        result = " ".join(str(value) for value in event.values()).casefold()
        assert "fentanyl" in result
        assert "china" in result
        assert event["instrument"] == "tariff_increase"


def test_the_documentation_has_examples_and_an_answer_for_every_error(client: TestClient) -> None:
    answer = client.get(f"{API}/openapi.json").json()

    assert answer["openapi"].startswith("3.1")
    for path, methods in answer["paths"].items():
        for told_of in methods.values():
            answers = told_of["responses"]
            assert {"404", "422", "429", "503"} <= set(answers), path
            assert list(answers["404"]["content"]) == ["application/problem+json"]
    schemas = answer["components"]["schemas"]
    for model in ("ForecastResponse", "Vintage", "RefusedFileResponse"):
        fields = schemas[model]["properties"]
        assert all("examples" in about for name, about in fields.items() if name != "months")
    assert "Problem" in schemas
    assert not any("cdn" in line for line in json.dumps(answer).split())


def test_probes_tell_life_readiness_and_counts(client: TestClient) -> None:
    client.get(f"{API}/forecasts/USA")

    ready = client.get(f"{API}/ready").json()
    counted = client.get(f"{API}/metrics").text

    assert client.get(f"{API}/health").json() == {"status": "ok"}
    assert (ready["status"], ready["cutoff"]) == ("ready", "2026-07")
    assert ready["next_release"] == "2026-12-20"
    assert 'magnetcast_requests_total{method="GET",route="/api/v1/forecasts/{destination}"' in (
        counted
    )
    assert 'route="/api/v1/forecasts/USA"' not in counted
    assert "magnetcast_forecast_age_seconds 122400.0" in counted


@pytest.mark.parametrize("path", ["events?q=zzz export", "tariffs?importer=XXX&q=two words"])
def test_words_after_one_that_finds_nothing_find_nothing(client: TestClient, path: str) -> None:
    answer = client.get(f"{API}/{path}")

    assert (answer.status_code, answer.json()["items"]) == (200, [])
