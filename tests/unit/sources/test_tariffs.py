from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.policy_events import TariffRates
from store.errors import DataError
from tests.data.store_builders import TARIFF, write_csv


def load(tmp_path: Path, *changes: dict[str, str]) -> pd.DataFrame:
    path = write_csv(tmp_path / "tariff_rates.csv", TARIFF, *changes)
    return TariffRates(path).load().tables["tariff_steps"]


def days(frame: pd.DataFrame) -> list[tuple[str, str]]:
    known, ends = (frame[n].dt.strftime("%F").fillna("") for n in ("available_at", "effective_to"))
    return list(zip(known, ends, strict=True))


def test_the_end_of_a_step_is_a_later_version(tmp_path: Path) -> None:
    rows = load(tmp_path, {"effective_to": "2025-03-03", "end_known_on": "2025-02-27"})

    assert days(rows) == [("2025-02-01", ""), ("2025-02-27", "2025-03-03")]


def test_an_end_nobody_dated_is_known_on_the_last_day(tmp_path: Path) -> None:
    rows = load(tmp_path, {"effective_to": "2025-03-03"})

    assert days(rows) == [("2025-02-01", ""), ("2025-03-03", "2025-03-03")]


def test_sums_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", TARIFF, {}, {"component": "TOTAL_8505.11.0070"})

    loaded = TariffRates(path).load()

    assert loaded.tables["tariff_steps"]["component"].tolist() == ["IEEPA"]
    assert loaded.ignored == ("1 lines TOTAL_*: sums of other lines",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate_pct": "-1"}, "column 'rate_pct': '-1' is not within 0 and 1000"),
        ({"rate_pct": "1000.1"}, "column 'rate_pct': '1000.1' is not within 0 and 1000"),
        ({"rate_pct": "free"}, "column 'rate_pct': 'free' is not a plain number"),
        ({"importer": "WLD"}, "column 'importer': 'WLD' is not one of "),
        ({"effective_from": ""}, "column 'effective_from': '' is not filled"),
        (
            {"effective_to": "2025-02-03"},
            "column 'effective_to': '2025-02-03' is not on or after effective_from 2025-02-04",
        ),
        (
            {"component": "first"},
            "column 'effective_from': '2025-02-04' is not new, for line",
        ),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_a_bad_step_is_named_with_line_column_and_value(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, {"component": "first"}, change)

    assert str(caught.value).startswith(f"1 bad row in tariff_rates.csv: line 3, {message}")
