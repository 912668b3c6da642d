import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.numbers import as_entered, plain_number


@pytest.mark.parametrize(
    ("typed", "digits"),
    [
        ("1000", "1000"), (" 1000.5 ", "1000.5"), ("1,000.5", "1000.5"), ("1.000,5", "1000.5"),
        ("1,000", "1000"), ("12,345,678", "12345678"), ("1.234.567", "1234567"),
        ("1 000,50", "1000.50"), ("1\N{NARROW NO-BREAK SPACE}000", "1000"),
        ("1\N{RIGHT SINGLE QUOTATION MARK}000.5", "1000.5"), ("1,5", "1.5"), ("0.125", "0.125"),
        ("0,125", "0.125"), ("1000.125", "1000.125"), ("\N{MINUS SIGN}12.5", "-12.5"),
    ],
)  # fmt: skip
def test_a_number_that_can_mean_one_thing_is_understood(typed: str, digits: str) -> None:
    assert plain_number(typed) == digits


@pytest.mark.parametrize(
    ("typed", "decimal", "digits"),
    [
        ("1.000", ",", "1000"), ("1.000,5", ",", "1000.5"), ("1,000", ",", "1.000"),
        ("1000,5", ",", "1000.5"), ("1.000", ".", "1.000"), ("1,000.5", ".", "1000.5"),
        ("14.5", ",", "14.5"), ("14,5", ".", "14.5"), ("0.125", ",", "0.125"),
    ],
)  # fmt: skip
def test_a_known_decimal_sign_decides(typed: str, decimal: str, digits: str) -> None:
    assert plain_number(typed, decimal=decimal) == digits


@pytest.mark.parametrize("typed", ["1,000.5", "1.000.5", "10.000,5,5"])
def test_what_the_decimal_sign_does_not_allow_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="plain number"):
        plain_number(typed, decimal=",")


@pytest.mark.parametrize("typed", ["1.000", "12.345", "999.999", "-1.000"])
def test_a_point_before_three_digits_is_asked_about(typed: str) -> None:
    whole = typed.replace(".", "")

    with pytest.raises(ValueError, match=f"it may be {whole} or {typed}. Write {whole}, or"):
        plain_number(typed)
    assert plain_number(f"{typed}0") == f"{typed}0"


@pytest.mark.parametrize(
    "typed",
    [
        "", "many", "nan", "inf", "1e3", "1,00,000", "1,000,5", "1.000.5", "1,000 000", "1.0.0",
        "1_0",
    ],
)  # fmt: skip
def test_what_no_locale_writes_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="a plain number"):
        plain_number(typed)


@given(st.integers(0, 10**9).map(lambda decagrams: decagrams / 100))
def test_what_a_page_shows_can_be_typed_in_again(value: float) -> None:
    assert float(plain_number(as_entered(value))) == value
