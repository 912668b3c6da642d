"""A plain run at the clock's own moment, named by what pages, API and verbs print of it."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace

import pandas as pd
import pytest

import magnetcast as mc
from flows.cli.options import moment, publication_moment
from flows.clock import utc_now
from flows.context.stores import store_of
from store.facts.reading import latest_forecast
from store.settings import Settings
from tests.service.desks import desk_of

Call = Callable[..., tuple[int, str, str]]

DAY = "2020-05-22"
CLOCK = "14:03:05.678901"
SHOWN = f"{DAY}T14:03:05Z"
FIGURE = (
    "ingest", "figure", "--period", "2020-04", "--destination", "USA", "--tonnes", "300",
    "--published-on", DAY, "--source", "https://example.org/late",
)  # fmt: skip
FORM = re.compile(r'<form [^>]*action="/overrides".*?</form>', re.DOTALL)


def test_the_clock_and_typed_moments_have_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    read = SimpleNamespace(now=lambda tz: pd.Timestamp(f"{DAY}T{CLOCK}", tz=tz))
    monkeypatch.setattr("flows.clock.pd", SimpleNamespace(Timestamp=read, Timedelta=pd.Timedelta))

    assert utc_now() == moment(None) == moment(f"{DAY}T{CLOCK}") == pd.Timestamp(SHOWN)
    assert publication_moment("2020-05-21") == pd.Timestamp("2020-05-21T23:59:59Z")
    assert publication_moment("2020-05-21T00:00") == pd.Timestamp("2020-05-21T00:00Z")


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_moments_of_the_clock_are_found_again_by_page_api_verb_and_python(magnetcast: Call) -> None:
    for words in (
        ("run", "--as-of", f"{DAY}T09:00:01.25"),
        FIGURE,
        ("run", "--as-of", f"{DAY}T{CLOCK}"),
    ):
        code, _, err = magnetcast(*words)
        assert code == 0, err
    engine = store_of(Settings())
    rows = latest_forecast(engine)
    assert rows["as_of"].iloc[0] == pd.Timestamp(SHOWN)
    period = str(rows["period"].max())

    with desk_of(engine) as desk:
        newest = desk.get("/api/v1/forecasts/USA").json()
        assert newest["as_of"] == SHOWN
        before = desk.get("/api/v1/forecasts/USA", params={"as_of": f"{DAY}T09:00:01Z"}).json()
        assert before["as_of"] == f"{DAY}T09:00:01Z"
        for named in (SHOWN, DAY):
            again = desk.get("/api/v1/forecasts/USA", params={"as_of": named})
            assert again.json() == newest, named

        page = desk.get("/destinations/USA").text
        form = FORM.search(page)
        assert form is not None
        typed = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
        assert typed["as_of"] == SHOWN
        typed |= {"period": period, "tonnes": "101", "reason": "the form"}
        same = {"Sec-Fetch-Site": "same-origin"}
        saved = desk.post("/overrides", data=typed, headers=same, follow_redirects=False)
        assert saved.status_code == 303

        for tonnes, named in ((102.0, None), (103.0, DAY)):
            body = {
                "destination": "USA",
                "period": period,
                "tonnes": tonnes,
                "reason": "of the API",
            }
            body |= {"as_of": named} if named else {}
            made = desk.post("/api/v1/overrides", json=body)
            assert made.status_code == 201, made.text
            assert made.json()["as_of"] == SHOWN
            months = desk.get("/api/v1/forecasts/USA").json()["months"]
            assert months[-1]["override"]["tonnes"] == tonnes

    code, output, err = magnetcast("explain", "USA", "--as-of", DAY, "--format", "json")
    assert code == 0, err
    medians = rows.loc[rows["destination"] == "USA", "p50"].tolist()
    assert [row["p50"] for row in json.loads(output)] == pytest.approx(medians, rel=1e-3)
    assert mc.explain("USA", DAY)["p50"].tolist() == pytest.approx(medians)
    assert magnetcast("explain", "USA", "--since", f"{DAY}T09:00:01Z", "--as-of", DAY)[0] == 0
    assert magnetcast("replay", "--as-of", DAY)[0] == 0
