import pytest
from starlette.testclient import TestClient

from publication.queries.row_models import SumResponse

API = "/api/v1/sums"


def rows_of(client: TestClient, query: str) -> dict[str, dict[str, object]]:
    answer = client.get(f"{API}?{query}")
    assert answer.status_code == 200
    rows = answer.json()["items"]
    assert all(SumResponse.model_validate(row) for row in rows)
    return {row["what"]: row for row in rows}


def test_quarters_the_year_and_twelve_months_are_reported(client: TestClient) -> None:
    rows = rows_of(client, "destination=USA")

    assert list(rows) == [
        "Quarter 4 of 2026", "Quarter 1 of 2027", "Quarter 2 of 2027", "Quarter 3 of 2027",
        "Year 2026", "Next twelve months",
    ]  # fmt: skip
    year, quarter = rows["Year 2026"], rows["Quarter 1 of 2027"]
    assert (year["first"], year["last"], year["past_months"]) == ("2026-01", "2026-12", 7)
    assert (quarter["first"], quarter["last"], quarter["past_months"]) == ("2027-01", "2027-03", 0)
    assert quarter["p10"] < quarter["p50"] < quarter["p90"]
    assert 0.05 <= quarter["chance_below"] <= 0.95


def test_the_band_of_a_quarter_is_narrower_than_the_sum_of_its_months_bands(
    client: TestClient,
) -> None:
    months = client.get("/api/v1/forecasts/USA").json()["months"]
    own = [m for m in months if m["period"] in {"2027-01", "2027-02", "2027-03"}]
    quarter = rows_of(client, "destination=USA")["Quarter 1 of 2027"]

    assert sum(m["p10"] for m in own) < quarter["p10"]
    assert quarter["p90"] < sum(m["p90"] for m in own)
    assert quarter["p50"] == pytest.approx(sum(m["p50"] for m in own), rel=0.02)


def test_destinations_are_taken_together(client: TestClient) -> None:
    usa, deu, both = (
        rows_of(client, query)["Quarter 1 of 2027"]
        for query in ("destination=USA", "destination=DEU", "destination=USA&destination=DEU")
    )

    assert both["p50"] == pytest.approx(usa["p50"] + deu["p50"], rel=0.02)
    assert usa["p10"] + deu["p10"] < both["p10"]
    assert both["p90"] < usa["p90"] + deu["p90"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("destination=WLD&destination=USA", 400, "holds USA twice"),
        ("destination=USA&destination=USA", 400, "holds USA twice"),
        ("destination=XXX", 404, "XXX"),
        ("", 422, "destination"),
    ],
    ids=["within a sum", "by itself", "unknown", "none"],
)
def test_what_cannot_be_summed_is_refused_by_name(
    client: TestClient, query: str, status: int, message: str
) -> None:
    answer = client.get(f"{API}?{query}")

    assert (answer.status_code, message in answer.text) == (status, True)
