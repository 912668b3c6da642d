"""Other commodities than the magnets, over the API and on pages."""

import html
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from service.api import models
from service.api.models import Page
from service.queries import models as lists
from service.queries.tables import listing
from store.database import open_store
from tests.service.other_goods import GOODS, PARTNERS, add_goods
from tests.service.stores import NEWEST, copied, make_app, make_live, plain

API = "/api/v1"
OTHER = f"commodity={GOODS}"


@pytest.fixture(scope="module")
def shop(two_goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Client of the app over the two; tests do not write to it."""
    engine = open_store(copied(two_goods, tmp_path_factory.mktemp("shop")))
    with TestClient(make_app(engine), raise_server_exceptions=False) as opened:
        yield opened
    engine.dispose()


def test_the_list_names_each_commodity_with_its_newest_forecast(shop: TestClient) -> None:
    answer = shop.get(f"{API}/commodities").json()

    Page[lists.CommodityResponse].model_validate(answer)
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


def test_the_list_reads_no_column_but_those_it_sums_up(two_goods: Path, tmp_path: Path) -> None:
    engine = open_store(copied(two_goods, tmp_path))
    live = make_live(engine)
    live.refresh()
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    rows = listing(live.publication, engine)

    assert len(rows) == 2
    assert not [text for text in asked if "drivers" in text or "contributions" in text]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("forecasts", Page[models.ForecastResponse]),
        ("forecasts/USA", models.ForecastResponse),
        ("explain/USA", models.Explanation),
        ("history/USA", Page[lists.HistoryMonth]),
        ("figures", Page[lists.FigureResponse]),
        ("scores", Page[lists.ScoreResponse]),
        ("track-record", Page[lists.TrackCell]),
        ("publications", Page[lists.PublicationResponse]),
    ],
)
def test_another_commodity_is_answered_as_documented(
    shop: TestClient, path: str, model: type[models.ResponseModel]
) -> None:
    magnets, other = shop.get(f"{API}/{path}"), shop.get(f"{API}/{path}?{OTHER}")

    model.model_validate(other.json())
    assert other.json() != magnets.json()
    assert other.headers["etag"] != magnets.headers["etag"]
    same = shop.get(f"{API}/{path}?{OTHER}", headers={"If-None-Match": other.headers["etag"]})
    assert same.status_code == 304


def test_the_magnets_named_are_the_magnets_unnamed(shop: TestClient) -> None:
    named, plain = (shop.get(f"{API}/forecasts{query}") for query in ("?commodity=85051110", ""))

    assert named.content == plain.content
    assert named.json()["items"][0]["commodity"] == "85051110"


def test_months_of_a_table_tell_which_a_source_lists(shop: TestClient) -> None:
    rows = {
        name: shop.get(f"{API}/history/{name}?{OTHER}&limit=1000").json()["items"]
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
        "needs", "alert-rules", "overrides",
    ],
)  # fmt: skip
def test_an_unknown_commodity_is_a_problem_that_names_the_known(
    shop: TestClient, path: str
) -> None:
    answer = shop.get(f"{API}/{path}?commodity=999999")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert (
        f"'999999'. Expected one of those published: {GOODS}; 85051110" in (answer.json()["detail"])
    )


def test_a_destination_that_only_magnets_have_is_none_of_another_commodity(
    shop: TestClient,
) -> None:
    answer = shop.get(f"{API}/forecasts/EU27_REST?{OTHER}")

    assert answer.status_code == 404
    assert f"/api/v1/forecasts?{OTHER}" in answer.json()["detail"]


def test_the_first_page_of_the_magnets_is_but_a_link_longer(
    shop: TestClient, client: TestClient
) -> None:
    link = '<li><a href="/goods">Other goods</a></li>\n'
    for one in (shop, client):
        one.cookies.clear()  # the first destination of another test

    page = shop.get("/").text

    assert link in page
    assert page.replace(link, "") == client.get("/").text


def test_the_page_of_other_goods_leads_to_their_own(shop: TestClient) -> None:
    page = shop.get("/goods").text

    assert "1 commodity is forecast" in page
    assert f'<a href="/goods/{GOODS}">{GOODS}</a>' in page
    assert f"<td>{PARTNERS + 2}</td>" in plain(page)


@pytest.mark.slow
def test_an_overview_of_other_goods_shows_the_largest_first_and_leads_to_each(
    shop: TestClient,
) -> None:
    page = shop.get(f"/goods/{GOODS}").text

    rows = re.findall(
        rf'<th scope="row" class="text"><a href="/goods/{GOODS}/destinations/(\w+)', page
    )
    assert len(rows) == PARTNERS + 2
    assert rows[0] == "WLD"
    assert f"China's exports of commodity {GOODS} to" in page
    assert f"/api/v1/scores?{OTHER}" in page
    assert "Next release" not in page


@pytest.mark.slow
def test_a_destination_of_other_goods_has_its_chart_table_and_files(shop: TestClient) -> None:
    home = f"/goods/{GOODS}/destinations/USA"

    page = shop.get(home).text

    assert f"China's exports of commodity {GOODS} to" in page
    assert page.count('<th scope="row" class="text">Oct 2026') == 1
    files = [
        f"{home}/forecast.xlsx",
        f"/goods/{GOODS}/charts/fan/USA.png",
        f"{API}/forecasts/USA?{OTHER}",
    ]
    csv_file = f"{API}/forecasts/USA?format=csv&{OTHER}"
    assert all(f'href="{file}"' in page for file in files)
    assert f'href="{csv_file.replace("&", "&amp;")}" download="{GOODS}_USA.csv"' in page
    assert all(shop.get(file).status_code == 200 for file in (*files, csv_file))
    assert "/what-if?" not in page


@pytest.mark.slow
def test_links_of_pages_of_other_goods_all_answer(shop: TestClient) -> None:
    pages = ["/goods", f"/goods/{GOODS}", f"/goods/{GOODS}/destinations/DEU"]
    links = {
        html.unescape(link)
        for page in pages
        for link in re.findall(r'href="(/[^"#]*)"', shop.get(page).text)
        if "destinations/X" not in link
    }

    assert len(links) > 20
    assert {link: shop.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_a_workbook_of_other_goods_states_what_it_is_of(shop: TestClient) -> None:
    answer = shop.get(f"/goods/{GOODS}/destinations/USA/forecast.xlsx")

    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{GOODS}_USA_2')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        assert GOODS in book.read("xl/sharedStrings.xml").decode()


@pytest.mark.parametrize("page", ["/goods/999999", "/goods/999999/destinations/USA"])
def test_pages_of_goods_that_are_not_forecast_are_reported_so(shop: TestClient, page: str) -> None:
    answer = shop.get(page)

    assert answer.status_code == 404
    assert "No forecasts of commodity" in answer.text


@pytest.mark.slow
def test_other_goods_are_kept_until_the_store_changes(two_goods: Path, tmp_path: Path) -> None:
    engine = open_store(copied(two_goods, tmp_path))
    live = make_live(engine)
    live.refresh()
    first, again = live.of(GOODS), live.of(GOODS)

    later = NEWEST + timedelta(days=1)
    add_goods(engine, as_of=later, factor=2.0)
    live.refresh()
    anew = live.of(GOODS)

    engine.dispose()
    assert again is first
    assert (first.as_of, anew.as_of) == (pd.Timestamp(NEWEST), pd.Timestamp(later))
    assert anew.latest["p50"].to_list() != first.latest["p50"].to_list()
    pd.testing.assert_frame_equal(anew.snapshots[first.as_of].panel, first.snapshot.panel)
    assert live.publication.as_of == pd.Timestamp(NEWEST)
