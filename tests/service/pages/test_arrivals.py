"""Exports are counted on clearance in China; needs say when the goods arrive."""

from dataclasses import replace

import pandas as pd
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from service.queries.needs import arrival_months, shipping_days
from store.errors import DataError
from store.planning.audit import Actor
from store.planning.planning_rows import NeedRow, add_need
from tests.service.pages.test_web_pages import Outline
from tests.service.stores import NOW, OPEN, make_app


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((0, 0), "Dec 2026"),
        ((3, 10), "Dec 2026 to Jan 2027"),
        ((31, 31), "Jan 2027"),
        ((28, 50), "Dec 2026 to Feb 2027"),
    ],
)
def test_goods_cleared_in_a_month_arrive_within_a_span(days: tuple[int, int], words: str) -> None:
    assert arrival_months("2026-12", days) == words


def test_what_is_set_takes_the_place_of_the_default() -> None:
    found = shipping_days("USA 20-35, KOR 2-6")

    assert found["USA"] == (20, 35)
    assert found["KOR"] == (2, 6)
    assert found["JPN"] == shipping_days("")["JPN"]


@pytest.mark.slow
def test_a_need_states_when_its_months_arrive(engine: Engine) -> None:
    months = (pd.Timestamp("2026-12-01"), pd.Timestamp("2027-01-01"))
    for place in ("USA", "KOR"):
        add_need(engine, NeedRow("plant", place, *months, 500.0), actor=Actor("test"), at=NOW)

    with TestClient(make_app(engine, replace(OPEN, shipping={"USA": (31, 31)}))) as client:
        text = " ".join(Outline(client.get("/needs").text).text.split())

    assert "goods arrive 31 to 31 days later by sea" in text
    assert text.count("days later by sea") == 1
    assert "Dec 2026Jan 2027" in text


@pytest.mark.parametrize("text", ["USA", "USA 9-3", "USA 3-400", "usa 3-9", "USA -1-3", "USA 3-9;"])
def test_days_that_are_no_span_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="Expected such as USA 20-35"):
        shipping_days(text)
