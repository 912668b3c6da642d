"""Recorded answers of providers: read with the right numbers, or refused with what to do."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sources.http import MonthRange
from sources.providers import live_source
from sources.providers.rows import COMTRADE_GROUPS, comtrade_place
from store.errors import SourceError
from store.settings import Settings
from tests.providers.answers import Answer, Call
from tests.providers.server import Providers, at_once

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")

REFUSED = {
    "comtrade/comtradr_HS-60a6ad.json": (200, "flowCode M was not asked for.*nothing was taken ov"),
    "federal_register/monument-watch.json": (200, "announces 110 documents .* lists 5 .*Try again"),
    "hts/live_rows_id58289182026_id60582823577.json": (
        200,
        r"hts has no line 8505\.11\.00.*renumb",
    ),
    "hts/live_shape_2026-09-11_id69410137617.json": (200, r"hts has no line 8505\.11\.00.*renumbe"),
}
PATHS = {"comtrade": "preview"}
"""Calls that get the recorded bytes; of other sources all do."""


@pytest.mark.parametrize("file", REFUSED)
def test_an_answer_without_our_data_is_refused_with_what_to_do(
    samples: Path, providers: Providers, live_settings: Settings, file: str
) -> None:
    source, (status, message) = file.partition("/")[0], REFUSED[file]
    provider = providers.providers[source]

    def recorded(call: Call) -> Answer:
        answer = provider.answer(call)
        if PATHS.get(source, "") not in f"{call.path}?{call.params}":
            return answer
        return replace(answer, body=(samples / file).read_bytes(), status=status)

    providers.providers[source] = replace(provider, answer=recorded)
    months = MonthRange.of("2026-04")

    with pytest.raises(SourceError, match=message):
        live_source(source, live_settings, at_once).fetch(months, ingested_at=NOW)


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
