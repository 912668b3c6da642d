import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from features.evidence_history import EvidenceHistory
from features.families import dynamics
from features.series import series_stats
from features.statistical import base_forecasts
from features.statistical.base_forecasts import BASE_FORECASTS, IN_MEDIAN
from flows.context.stores import made_store
from publication.words import DESTINATION_NAMES
from sources.bundled.published_figures import published_figures
from sources.bundled.release_calendar import ReleaseCalendar
from sources.checks import objections
from sources.http import MonthRange
from sources.providers.customs import partner_place
from store.facts.batch import Batch
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from store.schema.frame_schemas import validate
from store.settings import PROJECT_ROOT, Settings
from store.vocabulary import DESTINATIONS, EU27_MEMBERS
from tests.data.builders import at, make_world
from tests.docs.pages import DOCS, Page
from tests.helpers import running

PAGES = ("add-a-source", "add-a-feature", "add-a-destination", "add-a-model")
ROOMS = "store|sources|features|models|publication|service|flows"

ROWS = [
    {"month": "2026-08", "destination": "DEU", "tonnes": 612},
    {"month": "2026-08", "destination": "USA", "tonnes": 580},
]


class Ports(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"rows": ROWS}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def ports() -> Iterator[str]:
    """Address of the provider that the page on sources describes."""
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Ports)) as port:
        yield f"http://127.0.0.1:{port}"


def written(page: str, place: int = -1) -> dict[str, Any]:
    """Names that a block of Python of a page defines, by default its last."""
    names: dict[str, Any] = {"__name__": "written"}
    exec(Page(DOCS / "how-to" / f"{page}.md").code[place], names)  # noqa: S102 - our own words
    return names


@pytest.mark.parametrize("page", PAGES)
def test_every_path_and_class_of_a_page_exists(page: str) -> None:
    text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")

    paths = set(re.findall(rf"`((?:{ROOMS}|tests|data|docs)/[\w/.]*)`", text))

    assert paths
    assert [path for path in sorted(paths) if not (PROJECT_ROOT / path).exists()] == []
    for name in re.findall(rf"`((?:{ROOMS})(?:\.\w+)+\.[A-Z]\w+)`", text):
        module, _, kind = name.rpartition(".")
        assert hasattr(import_module(module), kind), name


def test_the_source_of_the_page_can_be_stored_and_replayed(ports: str, tmp_path: Path) -> None:
    now, span = at("2026-11-25"), MonthRange.of("2026-08")
    settings, of_the_page = Settings(home=tmp_path), written("add-a-source")["PortStatistics"]

    file = of_the_page(settings, url=ports).fetch(span, ingested_at=now)

    frame = file.tables["observations"]
    pd.testing.assert_frame_equal(validate(frame, "observations", where="test"), frame)
    assert objections(file, stored=frame.iloc[:0], ingested_at=now) == ()
    engine = made_store(settings)
    assert write_batch(engine, Batch((file,))).total == len(ROWS)
    assert read_observations(engine, as_of=at("2026-09-29")).empty
    assert list(read_observations(engine, as_of=at("2026-09-30"))["value"]) == [612.0, 580.0]
    offline = of_the_page(settings.model_copy(update={"offline": True}), url=ports)
    assert offline.fetch(span, ingested_at=now).sha256 == file.sha256


def test_the_base_forecast_of_the_page_reaches_the_magnets(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = make_world().history().origin(at("2020-06-26"))
    monkeypatch.setitem(BASE_FORECASTS, "halfway", written("add-a-model")["HALFWAY"])
    season = series_stats(origin.tonnes).season
    before = dynamics.median_forecast(
        dynamics.base_forecasts(origin.tonnes, season, len(origin.targets))
    )
    halfway = BASE_FORECASTS["halfway"](
        np.array([[1.0, 2.0, 4.0, np.nan, 8.0]]), np.ones((1, 12)), 3
    )
    np.testing.assert_allclose(halfway, [[6.0, 6.0, 6.0]])

    monkeypatch.setattr(base_forecasts, "IN_MEDIAN", (*IN_MEDIAN, "halfway"))

    forecasts = dynamics.base_forecasts(origin.tonnes, season, len(origin.targets))
    assert (dynamics.median_forecast(forecasts) != before).mean() > 0.5


@pytest.mark.slow
def test_the_index_of_the_page_is_known_from_the_day_it_was_published(tmp_path: Path) -> None:
    page, world = Page(DOCS / "how-to" / "add-a-feature.md"), make_world(last="2026-09")
    file = tmp_path / "yen.yaml"
    file.write_text(page.files["yen.yaml"], encoding="utf-8")
    rates = published_figures(file, ReleaseCalendar({}), materials=True)
    rows = pd.concat([world.observations, rates.tables["observations"]], ignore_index=True)
    history = EvidenceHistory(rows, world.events, world.tariffs)
    compute = written("add-a-feature")["compute"]

    before, after = (history.origin(at(f"2026-11-0{day}")) for day in (1, 2))

    known = before.index("jpy_per_usd")
    assert known[np.isfinite(known)].tolist() == [147.6, 148.9]
    assert np.isnan(compute(before)["yen_2m_log"]).all()
    moved = compute(after)["yen_2m_log"]
    assert moved.shape == (1, len(after.targets))
    assert moved == pytest.approx(np.log(151.2 / 147.6))
    assert (before.tonnes == after.tonnes).all(), "an index is no evidence of trade"
    days = written("add-a-feature", 0)["compute"](after)["days_of_month"]
    assert set(days[0]) <= {28.0, 29.0, 30.0, 31.0}


def test_every_place_of_the_page_on_destinations_has_each_country() -> None:
    rates = pd.read_csv(PROJECT_ROOT / "data" / "tariff_rates.csv")
    countries = {*DESTINATIONS} - {"EU27_REST", "ROW"}

    assert [name for name in countries if partner_place(DESTINATION_NAMES[name]) != name] == []
    assert countries - EU27_MEMBERS | {"EU27"} <= set(rates["importer"])
