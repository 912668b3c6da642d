"""Recorded answers of providers: read with the right numbers, or refused with what to do."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sources.base import MonthRange
from sources.providers.countries import COMTRADE_GROUPS, comtrade_place
from sources.providers.live_sources import live_source
from store.errors import SourceError
from store.facts.batch import FileRows
from store.settings import Settings
from tests.providers.answers import Answer, Call
from tests.providers.server import Providers, at_once

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")

Fetch = Callable[..., FileRows]


@pytest.fixture
def fetch(providers: Providers, live_settings: Settings) -> Fetch:
    """Fetch months of a source whose provider answers calls to some paths with recorded bytes."""

    def fetched(
        source: str,
        months: tuple[str, ...],
        body: bytes,
        *,
        where: str = "",
        status: int = 200,
        **settings: str,
    ) -> FileRows:
        provider = providers.providers[source]

        def recorded(call: Call) -> Answer:
            answer = provider.answer(call)
            if where not in f"{call.path}?{call.params}":
                return answer
            return Answer(body, status, content_type=answer.content_type)

        providers.providers[source] = replace(provider, answer=recorded)
        live = live_source(source, live_settings.model_copy(update=settings), at_once)
        return live.fetch(MonthRange.of(*months), ingested_at=NOW)

    return fetched


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("cyanheads_fault-100.xml", 404, r"fault 100: ERR_NOT_FOUND_2: .*no data for these months"),
        (
            "cyanheads_fault-413.xml",
            413,
            r"estimated 17348292 rows, max authorised is 5000000.*few",
        ),
        (
            "cyanheads_queue-envelope.xml",
            200,
            r"UNKNOWN_REQUEST.*async/status/e3d39a1b-27eb.*again",
        ),
        ("sdmxtest_footer.xml", 200, "defers the answer to a separate file.*Request fewer months"),
        ("sdmxtest_footer2.xml", 200, "defers the answer to a separate file.*Request fewer months"),
        ("sdmxtest_NAMA_10_GDP-ss.xml", 200, "lacks reporter; partner; .*may have changed"),
    ],
)
def test_eurostats_answers_without_our_data_say_what_to_do(
    samples: Path, fetch: Fetch, name: str, status: int, message: str
) -> None:
    body = (samples / "comext" / name).read_bytes()

    with pytest.raises(SourceError, match=message):
        fetch("comext", ("2025-06",), body, where="data/DS-", status=status)


def test_years_of_another_good_are_no_months_of_magnets(samples: Path, fetch: Fetch) -> None:
    body = (samples / "comtrade" / "comtradr_HS-60a6ad.json").read_bytes()

    with pytest.raises(SourceError, match=r"flowCode M was not asked for.*nothing was taken over"):
        fetch("comtrade", ("2024-06",), body, where="preview")


def test_comtrades_reporters_are_the_countries_they_say(samples: Path) -> None:
    text = (samples / "comtrade" / "Reporters_from_comtradr.json").read_text(encoding="utf-8")
    reporters = [r for r in json.loads(text)["results"] if "entryExpiredDate" not in r]

    groups = {r["reporterCode"]: r["text"] for r in reporters if r["isGroup"]}
    places = {r["reporterCodeIsoAlpha3"]: comtrade_place(r["reporterCode"]) for r in reporters}

    assert groups == {975: "ASEAN", 97: "European Union", 490: "Other Asia, nes"}
    assert set(COMTRADE_GROUPS) == {975}
    others = {iso: place for iso, place in places.items() if iso != place}
    assert others == {"R4 ": "X975", "EUR": "EU27", "S19": "TWN"}
    assert len(places) > 200


def test_one_page_of_another_search_in_the_register_is_not_all_of_it(
    samples: Path, fetch: Fetch
) -> None:
    body = (samples / "federal_register" / "monument-watch.json").read_bytes()

    with pytest.raises(SourceError, match=r"announces 110 documents .* lists 5 .*Try again later"):
        fetch("federal_register", ("2026-04",), body)


@pytest.mark.parametrize(
    "name",
    ["live_rows_id58289182026_id60582823577.json", "live_shape_2026-09-11_id69410137617.json"],
)
def test_lines_of_other_goods_are_no_tariff_on_magnets(
    samples: Path, fetch: Fetch, name: str
) -> None:
    with pytest.raises(SourceError, match=r"hts has no line 8505\.11\.00.*been renumbered"):
        fetch("hts", ("2026-09",), (samples / "hts" / name).read_bytes())


def test_a_table_of_the_census_without_quantities_names_what_it_lacks(
    samples: Path, fetch: Fetch
) -> None:
    body = (samples / "census" / "probe_58577917292.json").read_bytes()

    with pytest.raises(SourceError, match=r"lacks CTY_CODE; GEN_QY1_MO; .* may have changed"):
        fetch("census", ("2013-01", "2013-06"), body)
