"""Eurostat's answers without data, in SOAP."""

import pytest

from sources.providers.comext import fault_in, read_status, ticket_in

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

    assert fault is not None
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
