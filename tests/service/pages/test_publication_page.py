"""One publication at an address of its own, and the page of the API."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from tests.service.pages.test_web_pages import Outline
from tests.service.stores import make_app, publish

LATER = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.slow
def test_a_permanent_address_shows_the_same_after_a_newer_publication(engine: Engine) -> None:
    def bodies() -> list[bytes]:
        with TestClient(make_app(engine)) as client:
            cited = Outline(client.get("/").text).all("a")
            assert any(str(link["href"]).startswith("/publications/") for link in cited)
            return [client.get(f"/publications/2{end}").content for end in ("", "/forecasts.csv")]

    before = bodies()
    publish(engine, LATER, cutoff="2026-07", factor=2.0)
    publish(engine, datetime(2026, 11, 24, tzinfo=UTC), cutoff="2026-07", factor=3.0)

    assert bodies() == before
    assert b"24 Nov 2026" in before[0]
    assert b"howpublished = {\\url{http://testserver/publications/2}}" in before[0]
    assert before[1].startswith(b"publication,as_of,destination,cutoff,period,horizon,p05")


def test_the_page_of_the_api_lists_every_operation(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()

    text = Outline(client.get("/docs").text).text

    for address, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {address}" in text
