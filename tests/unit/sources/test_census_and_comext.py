from pathlib import Path

import pandas as pd
import pytest

from sources.providers.comext import fault_in, read_status, ticket_in
from store.facts.batch import FileRows
from tests.providers.server import Providers
from tests.unit.sources.conftest import Fetch

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")


def cells(file: FileRows) -> pd.Series:
    rows = file.tables["observations"]
    return rows.set_index(["commodity", "destination", "measure", "period_from"])["value"]


@pytest.mark.parametrize(
    ("name", "month", "known"),
    [("census", "2026-08", "2026-10-15"), ("comext", "2025-06", "2025-09-13")],
)
def test_a_month_is_dated_by_the_usual_lag(fetch: Fetch, name: str, month: str, known: str) -> None:
    rows = fetch(name, month).tables["observations"]

    assert set(rows["available_at"]) == {pd.Timestamp(known, tz="UTC")}


def test_a_line_of_the_census_has_weight_and_value(providers: Providers, fetch: Fetch) -> None:
    providers.world.census.quantities["8505110070", "2026-08"] = 400_123

    result = cells(fetch("census", "2026-08"))

    august = result.xs(pd.Timestamp("2026-08-01"), level="period_from")
    assert august["US8505110070", "USA", "mirror_import_t"] == 400.123
    value = august["US8505110070", "USA", "mirror_import_musd"]
    usd = providers.world.census.row("8505110070", "2026-08")[2]
    assert value == pytest.approx(int(usd) / 1e6)


def test_members_and_their_sum_have_weight_and_value(fetch: Fetch) -> None:
    result = cells(fetch("comext", "2025-06"))

    june = result.xs(pd.Timestamp("2025-06-01"), level="period_from")
    weight = june.xs(("CN85051110", "mirror_import_t"), level=("commodity", "measure"))
    assert len(weight) == 28
    assert weight.drop("EU27").sum() == pytest.approx(weight["EU27"], abs=0.05)
    value = june["CN85051110", "EU27", "mirror_import_meur"]
    assert value / weight["EU27"] == pytest.approx(0.045)


def test_each_year_is_asked_for_by_itself(providers: Providers, fetch: Fetch) -> None:
    file = fetch("comext", "2024-11", "2025-02")

    assert file.tables["observations"]["period_from"].nunique() == 4
    asked = [call.one("startPeriod") for call in providers.asked("comext") if call.params]
    assert asked == ["2024-11", "2025-01"]


@pytest.mark.parametrize(
    ("now", "asked"),
    [("2027-04-16", ["2025-11", "2026-01"]), ("2027-04-17", ["2025-11", "2026-01", "2027-01"])],
)
def test_a_year_whose_months_are_not_due_is_asked_for_with_the_one_before(
    providers: Providers, fetch: Fetch, now: str, asked: list[str]
) -> None:
    fetch("comext", "2025-11", "2027-03", at=now)

    calls = [call for call in providers.asked("comext") if call.params]
    assert [call.one("startPeriod") for call in calls] == asked
    assert calls[-1].one("endPeriod") == "2027-03"


def test_an_answer_prepared_later_is_waited_for_and_replays_offline(
    providers: Providers, fetch: Fetch, tmp_path: Path
) -> None:
    whole = fetch("comext", "2025-06").tables["observations"]
    providers.world.comext.queue_cells = 10
    elsewhere = tmp_path / "other"

    queued = fetch("comext", "2025-06", home=elsewhere)

    assert [call.path.split("/")[2] for call in providers.asked("comext")[-4:]] == [
        "status", "status", "status", "data",
    ]  # fmt: skip
    replayed = fetch("comext", "2025-06", home=elsewhere, offline=True)
    pd.testing.assert_frame_equal(queued.tables["observations"], whole)
    pd.testing.assert_frame_equal(replayed.tables["observations"], whole)


FAULT = '<?xml version="1.0" encoding="UTF-8"?><S:Fault xmlns:S="http://x"><faultcode>{}</faultcode><faultstring>{}</faultstring></S:Fault>'


@pytest.mark.parametrize(
    ("code", "text", "is_empty"),
    [
        (100, "The result from the query is empty.", True),
        (100, "ERR_NOT_FOUND_2: DATA_SET:DS-1 is not available for dissemination.", False),
        (100, "UNKNOWN_REQUEST: Unknown request.", False),
        (100, "DATA_NOT_YET_AVAILABLE: Check the status.", False),
        (140, "INVALID_QUERY_NB_FILTERS: Incorrect number of filters", False),
        (150, "PERIOD &lt; 1988 is &quot;not allowed&quot;", False),
        (413, "EXTRACTION_TOO_BIG: estimated 17348292 rows,\n  max 5000000", False),
    ],
)
def test_a_fault_is_understood_by_its_code_and_words(
    code: int, text: str, *, is_empty: bool
) -> None:
    fault = fault_in(FAULT.format(code, text).encode())

    assert fault.is_empty == is_empty
    assert fault.text.startswith(f"fault {code}: ")
    assert "&" not in fault.text
    assert "\n" not in fault.text


@pytest.mark.parametrize("body", [b"", b"<html/>", b"\x1f\x8b\x08\x00", b"<faultcode></faultcode>"])
def test_other_bodies_hold_neither_fault_nor_ticket(body: bytes) -> None:
    assert fault_in(body) is None
    assert ticket_in(body) is None
    with pytest.raises(ValueError, match="no status"):
        read_status(body)
