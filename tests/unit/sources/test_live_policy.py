"""Tariff schedule and Federal Register: what is put up for review."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from flows.ingest.reviews import template
from sources.base import MonthRange
from sources.providers.announcements import CommerceMinistry, CustomsAdministration
from sources.providers.coverage import proposed_coverage
from sources.providers.federal_register import FederalRegister
from sources.providers.feeds import CustomsMessages, WhiteHouse
from sources.providers.hts import TariffSchedule
from store.errors import SourceError
from store.settings import Settings
from tests.providers.server import Providers, at_once

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
SPAN = MonthRange.of("2024-01", "2025-12")


def schedule(settings: Settings) -> pd.DataFrame:
    return TariffSchedule(settings, at_once).fetch(SPAN, ingested_at=NOW).tables["proposals"]


def register(settings: Settings, span: MonthRange = SPAN, now: pd.Timestamp = NOW) -> pd.DataFrame:
    return FederalRegister(settings, at_once).fetch(span, ingested_at=now).tables["proposals"]


def document(number: int, day: str, title: str = "Duties under 8505.11") -> dict[str, object]:
    return {
        "document_number": f"2026-{number:05d}", "title": title, "type": "Notice",
        "publication_date": day, "html_url": f"https://www.federalregister.gov/d/2026-{number}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("title", "text", "covers", "share", "sure"),
    [
        ("稀土; 永磁; 钕", "", "magnets;rare_earths", "1", "high"),
        ("Magnets", "", "magnets", "1", "high"),
        ("NdFeB", "", "magnets", "1", "high"),
        ("Permanent Magnets (NdFeB)", "", "magnets", "1", "high"),
        ("对稀土实施出口管制", "钐钴永磁材料", "magnets;rare_earths", "1", "medium"),
        ("All imports of China", "", "all_goods", "1", "high"),
        ("两用物项", "", "dual_use", "0.3", "low"),
        ("稀土相关技术", "永磁材料制造", "rare_earths;technology", "0.1", "low"),
        ("关于苯酚的公告", "苯酚", "", "", ""),
    ],
)
def test_coverage_is_proposed_from_chinese_and_english_wording(
    title: str, text: str, covers: str, share: str, sure: str
) -> None:
    proposal = proposed_coverage(title, text)

    assert (proposal["covers"], proposal["covered_share"]) == (covers, share)
    assert proposal["covered_because"].startswith(f"confidence {sure}: " if sure else "")


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

    @pytest.mark.parametrize("day", ["", "2026-01-05 or so", "January 5, 2026"])
    def test_a_day_that_is_none_is_asked_for_again_and_then_refused(
        self, providers: Providers, live_settings: Settings, day: str
    ) -> None:
        served = providers.providers["federal_register"]
        answer = {"count": 1, "results": [document(1, day)]}
        body = json.dumps(answer).encode()
        providers.providers["federal_register"] = replace(
            served, answer=lambda call: replace(served.answer(call), body=body)
        )

        with pytest.raises(SourceError, match=r"federal_register failed .* cannot be used"):
            register(live_settings, MonthRange.of("2026-01"))

    def test_what_is_shown_ahead_of_its_day_waits(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.documents = [document(1, "2026-01-05"), document(2, "2026-01-07")]

        rows = register(
            live_settings, MonthRange.of("2026-01"), pd.Timestamp("2026-01-06T12:00", tz="UTC")
        )

        assert rows["item_key"].tolist() == ["2026-00001"]


class TestFeeds:
    def test_what_concerns_magnets_or_duties_on_china_is_proposed_from_its_day(
        self, live_settings: Settings
    ) -> None:
        first, second = (
            source(live_settings, at_once).fetch(SPAN, ingested_at=NOW)
            for source in (WhiteHouse, CustomsMessages)
        )

        duties, supply = first.tables["proposals"].itertuples()
        assert (duties.item_key, duties.published_on) == (
            "CSMS 65000001", pd.Timestamp("2025-06-12"),
        )  # fmt: skip
        assert json.loads(duties.payload)["headings"] == ["9903.01.24", "9903.01.63"]
        assert json.loads(supply.payload)["products"] == (
            "critical minerals; permanent magnets; rare earths"
        )
        pd.testing.assert_series_equal(
            second.tables["proposals"]["item_key"], first.tables["proposals"]["item_key"]
        )
        assert (first.ignored, second.ignored) == ((), ())

    def test_a_feed_that_begins_late_says_so_and_one_that_ends_is_no_fault(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.feed = providers.world.policy.feed[:3]
        source = CustomsMessages(live_settings, at_once)

        assert source.fetch(SPAN, ingested_at=NOW).ignored == (
            "messages of US customs before 2024-07-15: not read",
        )
        providers.world.policy.feed = []
        with pytest.raises(
            SourceError, match=r"answers without entries.*messages of US customs.*events FILE"
        ):
            source.fetch(SPAN, ingested_at=NOW)


class TestAnnouncements:
    def test_what_is_recognised_is_proposed_with_its_link_from_its_own_day(
        self, live_settings: Settings
    ) -> None:
        rows = (
            CommerceMinistry(live_settings, at_once)
            .fetch(SPAN, ingested_at=NOW)
            .tables["proposals"]
        )

        found = {row.item_key: (row, json.loads(row.payload)) for row in rows.itertuples()}
        assert list(found) == [
            "商务部公告2025年第61号", "商务部公告2025年第70号",
            "商务部海关总署公告2024年第33号", "商务部海关总署公告2025年第18号",
        ]  # fmt: skip
        control, facts = found["商务部公告2025年第61号"]
        assert control.published_on == pd.Timestamp("2025-10-09")
        assert control.url.endswith("/mofcom/2025/art/2025/art_20251009.html")
        assert facts["products"] == "稀土; 永磁; 钐; 钴"
        assert '  products: "稀土; 永磁; 钐; 钴"' in template(rows.iloc[0])
        assert facts["effective_days"] == ["2025-10-09", "2025-12-01"]
        assert (facts["effective_on"], facts["suspends"]) == ("2025-10-09", [])
        assert found["商务部海关总署公告2024年第33号"][1]["effective_on"] == "2024-09-15"
        halt = found["商务部公告2025年第70号"][1]
        assert halt["suspends"] == ["2025年第61号", "2025年第62号"]
        assert (halt["suspended_from"], halt["suspended_to"]) == ("2025-11-07", "2026-11-10")
        draft = template(rows.iloc[1])
        assert '  effective_to: "2026-11-10"\n' in draft
        assert '  end_known_on: "2025-11-07"\n' in draft
        assert "suspended_to 2026-11-10" in draft

    def test_the_latest_of_its_dates_counts_and_one_ahead_waits(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.announcements[3].body += "<p>商务部 2025年4月7日</p>"
        source = CommerceMinistry(live_settings, at_once)
        early = pd.Timestamp("2025-04-06T12:00", tz="UTC")

        rows = source.fetch(SPAN, ingested_at=NOW).tables["proposals"]
        assert rows["published_on"].iloc[3] == pd.Timestamp("2025-04-07")
        assert len(source.fetch(SPAN, ingested_at=early).tables["proposals"]) == 1

    def test_the_customs_have_one_list_which_may_begin_later(self, live_settings: Settings) -> None:
        file = CustomsAdministration(live_settings, at_once).fetch(SPAN, ingested_at=NOW)

        assert len(file.tables["proposals"]) == 4
        assert file.ignored == ("announcements from 2024-01-01 to 2024-08-15: not on the list",)

    def test_a_year_without_a_list_yet_is_passed_over(self, live_settings: Settings) -> None:
        source = CommerceMinistry(live_settings, at_once)
        span = MonthRange.of("2025-04", "2026-01")

        assert len(source.fetch(span, ingested_at=NOW).tables["proposals"]) == 3
        assert source.fetch(span, ingested_at=NOW).ignored == ("announcements of 2026-01: no list",)
        with pytest.raises(SourceError, match=r"has no list of 2026-01, at .*ingest events FILE"):
            source.fetch(MonthRange.of("2026-01"), ingested_at=NOW)

    def test_each_year_without_a_list_or_with_a_late_one_is_noted(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        known = providers.world.policy.announcements
        providers.world.policy.announcements = [
            replace(known[2], day=day) for day in ("2026-03-02", "2024-01-08")
        ]
        span = MonthRange.of("2023-05", "2026-08")

        file = CommerceMinistry(live_settings, at_once).fetch(span, ingested_at=NOW)

        assert file.ignored == (
            "announcements before 2024-01-01: not read",
            "announcements of 2025-01..2025-12: no list",
            "announcements from 2026-01-01 to 2026-03-02: not on the list",
        )

    def test_a_link_to_another_site_is_named_and_not_followed(
        self, providers: Providers, live_settings: Settings
    ) -> None:
        providers.world.policy.announcements[1].href = "http://other.example.org/a.html"

        file = CommerceMinistry(live_settings, at_once).fetch(
            MonthRange.of("2025-10"), ingested_at=NOW
        )

        assert file.tables["proposals"].empty
        assert "on other sites, to be read there: 商务部公告2025年第61号" in file.ignored[0]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"shown": ""}, "lists '商务部公告2025第61号.* without a date.*ingest events FILE"),
            ({"whole": "<p>关于苯酚</p></html>"}, "answers without 商务部公告2025年第61号"),
            (
                {"whole": "<p>公告2025年第61号</p></html>"},
                "gives no date of 商务部公告2025年第61号",
            ),
            ({"whole": "<p>商务部公告2025年第61号"}, "no whole page"),
        ],
        ids=["no date on the list", "a foreign page", "no date on the page", "a cut page"],
    )
    def test_a_page_that_is_no_announcement_is_refused_with_what_to_do(
        self,
        providers: Providers,
        live_settings: Settings,
        change: dict[str, str],
        message: str,
    ) -> None:
        known = providers.world.policy.announcements
        known[1] = replace(known[1], **change)

        with pytest.raises(SourceError, match=message):
            CommerceMinistry(live_settings, at_once).fetch(SPAN, ingested_at=NOW)
