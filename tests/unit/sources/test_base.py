import pandas as pd
import pytest

from sources.http import MonthRange


def test_a_span_counts_both_ends() -> None:
    span = MonthRange.of("2025-11", "2026-02")

    assert [str(month) for month in span.months] == ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert (span.begin, span.end) == (pd.Timestamp("2025-11-01"), pd.Timestamp("2026-02-28"))
    assert str(span) == "2025-11..2026-02"
    assert str(MonthRange.of("2025-11")) == "2025-11"


def test_pieces_cover_it_without_overlap_and_years_end_in_december() -> None:
    span = MonthRange.of("2024-11", "2026-02")

    assert list(map(str, span.pieces(12))) == ["2024-11..2025-10", "2025-11..2026-02"]
    assert list(map(str, span.years())) == [
        "2024-11..2024-12", "2025-01..2025-12", "2026-01..2026-02",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "frequency"),
    [("2026-02", "2026-01", "M"), ("2026-01-01", "2026-01-02", "D")],
    ids=["backwards", "days"],
)
def test_what_is_no_range_of_months_is_refused(first: str, last: str, frequency: str) -> None:
    with pytest.raises(ValueError, match=r"not a range of months.*--since and --until"):
        MonthRange(pd.Period(first, frequency), pd.Period(last, frequency))
