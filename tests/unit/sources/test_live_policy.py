"""Tariff schedule and Federal Register: what is put up for review."""

import json

import pandas as pd
import pytest

from sources.base import MonthRange
from sources.providers.federal_register import FederalRegister
from sources.providers.hts import TariffSchedule
from store.errors import SourceError
from store.settings import Settings
from tests.providers.server import PATIENT, Providers

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
SPAN = MonthRange.of("2024-01", "2025-12")


def schedule(settings: Settings) -> pd.DataFrame:
    return TariffSchedule(settings, PATIENT).fetch(SPAN, now=NOW).tables["proposals"]


def register(settings: Settings, span: MonthRange = SPAN, now: pd.Timestamp = NOW) -> pd.DataFrame:
    return FederalRegister(settings, PATIENT).fetch(span, now=now).tables["proposals"]


def document(number: int, day: str, title: str = "Duties under 8505.11") -> dict[str, object]:
    return {
        "document_number": f"2026-{number:05d}", "title": title, "type": "Notice",
        "publication_date": day, "html_url": f"https://www.federalregister.gov/d/2026-{number}",
    }  # fmt: skip


class TestSchedule:
    def test_the_lines_rate_and_its_footnote_are_proposed(self, live_settings: Settings) -> None:
        rows = schedule(live_settings)

        added = "The duty provided in the applicable subheading + 25%"
        assert rows["title"].tolist() == [
            f"HTS 8505.11.00 points to 9903.91.06: {added}",
            "HTS 8505.11.00: general rate 2.1%",
        ]
        result = [json.loads(text) for text in rows["payload"]]
        assert [row["rate_pct"] for row in result] == [25.0, 2.1]
        assert [row["component"] for row in result] == ["9903.91.06", "MFN"]
        assert all(row["effective_from"] is None for row in result)

    @pytest.mark.parametrize(
        ("words", "rate"),
        [
            ("The duty provided in the applicable subheading plus 25%", 25.0),
            ("The duty provided in the applicable subheading plus 7.5 percent", 7.5),
            ("The duty provided in the applicable subheading +10%", 10.0),
            ("Surplus 25%", None),
        ],
    )
    def test_an_added_rate_is_read_however_it_is_worded(
        self, providers: Providers, live_settings: Settings, words: str, rate: float | None
    ) -> None:
        for line in providers.world.policy.lines:
            if line["htsno"] == "9903.91.06":
                line["general"] = words

        payload = [json.loads(text) for text in schedule(live_settings)["payload"]]

        assert [row["rate_pct"] for row in payload if row["component"] == "9903.91.06"] == [rate]

    def test_a_new_footnote_is_a_new_item(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        before = set(schedule(live_settings)["item_key"])
        providers.world.policy.lines[1]["footnotes"] = [
            {"columns": ["general"], "value": "See 9903.91.06 and 9903.03.01.", "type": "endnote"}
        ]

        after = set(schedule(live_settings)["item_key"])

        assert after - before == {"8505.11.00|9903.03.01|not found"}


class TestRegister:
    def test_documents_on_the_watched_terms_are_proposed_once(
        self, live_settings: Settings
    ) -> None:
        rows = register(live_settings)

        assert rows["item_key"].tolist() == [
            "2024-11193", "2024-21217", "2025-00517", "2025-06378",
        ]  # fmt: skip
        assert rows["published_on"].iloc[1] == pd.Timestamp("2024-09-18")
        third = json.loads(rows["payload"].iloc[2])
        assert third["terms"] == ['"8505.11"', '"neodymium-iron-boron"', '"rare earth magnets"']
        assert third["effective_on"] == "2025-02-01"

    def test_a_year_of_too_many_is_refused(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.documents = [document(i, "2026-01-05") for i in range(2_001)]

        with pytest.raises(SourceError, match=r"2001 documents.*for one year.*narrower term"):
            register(live_settings, MonthRange.of("2026-01"))

    def test_what_is_shown_ahead_of_its_day_waits(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.documents = [document(1, "2026-01-05"), document(2, "2026-01-07")]

        rows = register(
            live_settings, MonthRange.of("2026-01"), pd.Timestamp("2026-01-06T12:00", tz="UTC")
        )

        assert rows["item_key"].tolist() == ["2026-00001"]
