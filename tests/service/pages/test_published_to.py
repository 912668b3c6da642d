from service.language.choice import in_language
from service.queries.freshness import published_to

YEAR = [
    {"period": f"2026-{month:02d}", "tonnes": 100.0, "stderr_t": error, "kind": kind}
    for month, (kind, error) in enumerate(
        [("observed", 0.1)] * 2 + [("derived", 2.0)] + [("estimated", 20.0)] * 9, start=1
    )
]


def test_a_page_says_to_which_month_a_destination_is_published() -> None:
    assert published_to(YEAR) == (
        "Last published month: February 2026. Of the last twelve months 2 were published, "
        "1 derived from other figures and 9 estimated (±25.6%)."
    )
    with in_language("de"):
        assert "9 geschätzt (±25,6\u00a0%)" in published_to(YEAR)


def test_a_destination_that_was_never_published_has_no_such_month() -> None:
    assert published_to(YEAR[3:]).startswith(
        "Last published month: \N{EN DASH}. Of the last twelve months 0"
    )
