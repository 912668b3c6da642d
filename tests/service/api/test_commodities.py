"""Other commodities than the magnets, over the API and on pages."""

import html
import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from service.api import response_models
from service.api.response_models import Page
from starlette.testclient import TestClient

from publication.queries import row_models
from store.database import open_store
from tests.service.second_commodity import GOODS, PARTNERS, add_commodity
from tests.service.stores import NEWEST, copied, make_live

API = "/api/v1"
OTHER = f"commodity={GOODS}"


def test_the_list_names_each_commodity_with_its_newest_forecast(
    commodity_client: TestClient,
) -> None:
    assert commodity_client.get("/goods?lang=ja").status_code == 200
    answer = commodity_client.get(f"{API}/commodities").json()

    Page[row_models.CommodityResponse].model_validate(answer)
    assert [row["commodity"] for row in answer["items"]] == ["85051110", GOODS]
    magnets, other = answer["items"]
    assert (magnets["label"], magnets["months"], magnets["destinations"]) == (
        "rare-earth magnets", 15, 12,
    )  # fmt: skip
    assert other == {
        "commodity": GOODS, "label": "", "as_of": "2026-11-24T00:00:00Z", "cutoff": "2026-09",
        "first_period": "2026-10", "last_period": "2027-11", "months": 14,
        "destinations": PARTNERS + 2, "status": "champion",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("forecasts", Page[response_models.ForecastResponse]),
        ("forecasts/USA", response_models.ForecastResponse),
        ("explain/USA", response_models.Explanation),
        ("history/USA", Page[row_models.HistoryMonth]),
        ("figures", Page[row_models.FigureResponse]),
        ("scores", Page[row_models.ScoreResponse]),
        ("track-record", Page[row_models.TrackCell]),
        ("publications", Page[row_models.PublicationResponse]),
    ],
)
def test_another_commodity_is_answered_as_documented(
    commodity_client: TestClient, path: str, model: type[response_models.ResponseModel]
) -> None:
    magnets, other = (
        commodity_client.get(f"{API}/{path}"),
        commodity_client.get(f"{API}/{path}?{OTHER}"),
    )

    model.model_validate(other.json())
    assert other.json() != magnets.json()
    assert other.headers["etag"] != magnets.headers["etag"]
    same = commodity_client.get(
        f"{API}/{path}?{OTHER}", headers={"If-None-Match": other.headers["etag"]}
    )
    assert same.status_code == 304


def test_the_magnets_named_are_the_magnets_unnamed(commodity_client: TestClient) -> None:
    named, plain = (
        commodity_client.get(f"{API}/forecasts{query}") for query in ("?commodity=85051110", "")
    )

    assert named.content == plain.content
    assert named.json()["items"][0]["commodity"] == "85051110"


def test_months_of_a_table_tell_which_a_source_lists(commodity_client: TestClient) -> None:
    rows = {
        name: commodity_client.get(f"{API}/history/{name}?{OTHER}&limit=1000").json()["items"]
        for name in ("USA", "EU27", "WLD")
    }

    assert {name: rows[name][-1]["period"] for name in rows} == dict.fromkeys(rows, "2026-09")
    assert {row["kind"] for row in rows["EU27"]} == {"derived"}
    assert {row["kind"] for row in rows["WLD"]} == {"observed"}
    assert rows["WLD"][-1]["available_at"] == "2026-10-25T00:00:00Z"
    assert rows["WLD"][-1]["tonnes"] > rows["EU27"][-1]["tonnes"] > 0


@pytest.mark.parametrize(
    "path",
    [
        "forecasts", "forecasts/USA", "history/USA", "scores", "publications", "explain/USA",
        "needs", "alert-rules", "rival-forecasts", "rival-scores",
    ],
)  # fmt: skip
def test_an_unknown_commodity_is_a_problem_that_names_the_known(
    commodity_client: TestClient, path: str
) -> None:
    answer = commodity_client.get(f"{API}/{path}?commodity=999999")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (
        f"'999999'. Expected one of those published: {GOODS}; 85051110" in (answer.json()["detail"])
    )


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/goods/999999", "No forecasts of commodity"),
        ("/goods/999999/destinations/USA", "No forecasts of commodity"),
        (f"{API}/forecasts/EU27_REST?{OTHER}", f"/api/v1/forecasts?{OTHER}"),
    ],
)
def test_what_is_not_forecast_of_a_commodity_is_not_found(
    commodity_client: TestClient, path: str, message: str
) -> None:
    answer = commodity_client.get(path)

    assert (answer.status_code, message in answer.text) == (404, True)


@pytest.mark.slow
def test_pages_of_a_commodity_show_its_own_rows_and_files(commodity_client: TestClient) -> None:
    home = f"/goods/{GOODS}/destinations/USA"

    overview, page = (commodity_client.get(path).text for path in (f"/goods/{GOODS}", home))

    row = rf'<th scope="row" class="text"><a href="/goods/{GOODS}/destinations/(\w+)'
    rows = re.findall(row, overview)
    assert (len(rows), rows[0]) == (PARTNERS + 2, "WLD")
    files = [f"{home}/forecast.xlsx", f"/goods/{GOODS}/charts/fan/USA.png"]
    files += [f"{API}/forecasts/USA?{OTHER}", f"{API}/forecasts/USA?format=csv&{OTHER}"]
    assert all(f'href="{html.escape(file)}"' in page for file in files)
    assert "/what-if?" not in page
    book = commodity_client.get(files[0])
    assert book.headers["content-disposition"].startswith(f'attachment; filename="{GOODS}_USA_2')
    with zipfile.ZipFile(io.BytesIO(book.content)) as opened:
        assert GOODS in opened.read("xl/sharedStrings.xml").decode()


@pytest.mark.slow
def test_other_goods_are_kept_until_the_store_changes(two_goods: Path, tmp_path: Path) -> None:
    engine = open_store(copied(two_goods, tmp_path))
    live = make_live(engine)
    live.refresh()
    with ThreadPoolExecutor(4) as readers:
        first, *again = readers.map(live.of, [GOODS] * 4)

    later = NEWEST + timedelta(days=1)
    add_commodity(engine, as_of=later, factor=2.0)
    live.refresh()
    anew = live.of(GOODS)

    engine.dispose()
    assert {id(one) for one in again} == {id(first)}
    assert (first.as_of, anew.as_of) == (pd.Timestamp(NEWEST), pd.Timestamp(later))
    assert anew.latest["p50"].to_list() != first.latest["p50"].to_list()
    pd.testing.assert_frame_equal(anew.snapshots[first.as_of].panel, first.snapshot.panel)
    assert live.publication.as_of == pd.Timestamp(NEWEST)
