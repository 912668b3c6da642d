"""Every door quotes the coverage of one function, to the letter."""

import pytest
from starlette.testclient import TestClient

from models.evaluation.scores import Coverage, coverage_of
from service.web.report import render_page
from store.vocabulary import ALL
from tests.service.builders import make_report, make_scores
from tests.service.stores import plain


@pytest.mark.slow
@pytest.mark.parametrize("destination", ["USA", "THA"], ids=["enough months", "too few"])
def test_pages_the_api_and_the_report_quote_the_same_coverage(
    client: TestClient, destination: str
) -> None:
    status = "champion" if destination == "USA" else "fallback"
    groups = coverage_of(make_scores(), destination, status)

    answer = client.get(f"/api/v1/forecasts/{destination}").json()["coverage"]
    page = client.get(f"/destinations/{destination}").text
    record = plain(client.get("/track-record").text)
    report = plain(render_page(make_report()))

    assert [one["words"] for one in answer] == [one.words for one in groups]
    assert [one["share"] for one in answer] == [one.share for one in groups]
    shown = next(one for one in groups if one.holds(5))
    assert f"In the backtest {shown.words} forecasts this far ahead" in page
    whole = coverage_of(make_scores(), ALL, "")
    for table in (record, report):
        assert _row(groups) in table
        assert table.count(f"All destinations</th>{_row(whole)}") == 1


def _row(groups: tuple[Coverage, ...]) -> str:
    judged, few = '<td class="text">{words}</td>', '<td class="text note">{words}</td>'
    return "".join((judged if one.is_judged else few).format(words=one.words) for one in groups)
