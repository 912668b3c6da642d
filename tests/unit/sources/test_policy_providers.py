import json
from collections.abc import Callable

import pandas as pd
import pytest

from flows.ingest.review_decisions import template
from sources.providers.rows import proposed_coverage
from tests.providers.server import Providers
from tests.unit.sources.conftest import Fetch

Proposed = Callable[[str], pd.DataFrame]


@pytest.fixture
def proposed(fetch: Fetch) -> Proposed:
    """Return a function that fetches the proposals of two years."""
    return lambda name: fetch(name, "2024-01", "2025-12").tables["proposals"]


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


def test_the_lines_rate_and_its_footnote_are_proposed(proposed: Proposed) -> None:
    rows = proposed("hts")

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
    providers: Providers, proposed: Proposed, words: str, rate: float | None
) -> None:
    for line in providers.world.policy.lines:
        if line["htsno"] == "9903.91.06":
            line["general"] = words

    payload = [json.loads(text) for text in proposed("hts")["payload"]]

    assert [row["rate_pct"] for row in payload if row["component"] == "9903.91.06"] == [rate]


def test_a_new_footnote_is_a_new_item(providers: Providers, proposed: Proposed) -> None:
    before = set(proposed("hts")["item_key"])
    providers.world.policy.lines[1]["footnotes"] = [
        {"columns": ["general"], "value": "See 9903.91.06 and 9903.03.01.", "type": "endnote"}
    ]

    after = set(proposed("hts")["item_key"])

    assert after - before == {"8505.11.00|9903.03.01|not found"}


def test_documents_on_the_watched_terms_are_proposed_once(proposed: Proposed) -> None:
    rows = proposed("federal_register")

    assert rows["item_key"].tolist() == [
        "2024-11193", "2024-21217", "2025-00517", "2025-06378",
    ]  # fmt: skip
    assert rows["published_on"].iloc[1] == pd.Timestamp("2024-09-18")
    third = json.loads(rows["payload"].iloc[2])
    assert third["terms"] == ['"8505.11"', '"neodymium-iron-boron"', '"rare earth magnets"']
    assert third["effective_on"] == "2025-02-01"


def test_what_is_shown_ahead_of_its_day_waits(providers: Providers, fetch: Fetch) -> None:
    providers.world.policy.documents = [document(1, "2026-01-05"), document(2, "2026-01-07")]

    rows = fetch("federal_register", "2026-01", at="2026-01-06T12:00").tables["proposals"]

    assert rows["item_key"].tolist() == ["2026-00001"]


def test_what_concerns_magnets_or_duties_on_china_is_proposed_from_its_day(fetch: Fetch) -> None:
    first, second = (fetch(name, "2024-01", "2025-12") for name in ("white_house", "cbp"))

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


def test_what_is_recognised_is_proposed_with_its_link_from_its_own_day(proposed: Proposed) -> None:
    rows = proposed("mofcom")

    found = {row.item_key: (row, json.loads(row.payload)) for row in rows.itertuples()}
    assert list(found) == [
        "商务部公告2025年第61号", "商务部公告2025年第70号",
        "商务部海关总署公告2024年第33号", "商务部海关总署公告2025年第18号",
    ]  # fmt: skip
    control, facts = found["商务部公告2025年第61号"]
    assert control.published_on == pd.Timestamp("2025-10-09")
    assert control.url.endswith("/mofcom/2025/art/2025/art_20251009.html")
    assert facts["products"] == "稀土; 永磁; 钐; 钴"
    assert facts["effective_days"] == ["2025-10-09", "2025-12-01"]
    assert (facts["effective_on"], facts["suspends"]) == ("2025-10-09", [])
    assert found["商务部海关总署公告2024年第33号"][1]["effective_on"] == "2024-09-15"
    halt = found["商务部公告2025年第70号"][1]
    assert halt["suspends"] == ["2025年第61号", "2025年第62号"]
    assert (halt["suspended_from"], halt["suspended_to"]) == ("2025-11-07", "2026-11-10")
    assert '  end_known_on: "2025-11-07"\n' in template(rows.iloc[1])


def test_the_latest_of_its_dates_counts_and_one_ahead_waits(
    providers: Providers, fetch: Fetch
) -> None:
    providers.world.policy.announcements[3].body += "<p>商务部 2025年4月7日</p>"

    early = fetch("mofcom", "2024-01", "2025-12", at="2025-04-06T12:00")

    rows = fetch("mofcom", "2024-01", "2025-12").tables["proposals"]
    assert rows["published_on"].iloc[3] == pd.Timestamp("2025-04-07")
    assert len(early.tables["proposals"]) == 1


def test_a_link_to_another_site_is_named_and_not_followed(
    providers: Providers, fetch: Fetch
) -> None:
    providers.world.policy.announcements[1].href = "http://other.example.org/a.html"

    file = fetch("mofcom", "2025-10")

    assert file.tables["proposals"].empty
    assert "on other sites, to be read there: 商务部公告2025年第61号" in file.ignored[0]
