from pathlib import Path

import pandas as pd

from sources.bundled.policy_events import PolicyEvents, TariffRates
from tests.data.store_builders import EVENT, TARIFF, write_csv


def load(tmp_path: Path, *changes: dict[str, str]) -> pd.DataFrame:
    path = write_csv(tmp_path / "policy_events.csv", EVENT, *changes)
    return PolicyEvents(path).load().tables["policy_events"]


def days(frame: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    shown = [frame[name].dt.strftime("%F").fillna("") for name in ("available_at", *columns)]
    return list(zip(*shown, strict=True))


def test_suspension_and_end_each_come_when_they_became_known(tmp_path: Path) -> None:
    rows = load(
        tmp_path,
        {
            "effective_to": "2026-12-31", "end_known_on": "2026-01-15",
            "suspended_from": "2025-11-07", "suspended_to": "2026-11-10",
            "suspension_known_on": "2025-11-01",
        },
    )  # fmt: skip

    assert days(rows, "effective_to", "suspended_from", "suspended_to") == [
        ("2025-04-04", "", "", ""),
        ("2025-11-01", "", "2025-11-07", "2026-11-10"),
        ("2026-01-15", "2026-12-31", "2025-11-07", "2026-11-10"),
    ]


def test_an_end_nobody_dated_is_known_on_the_last_day(tmp_path: Path) -> None:
    rows = load(tmp_path, {"effective_to": "2025-12-31"})

    assert days(rows, "effective_to") == [("2025-04-04", ""), ("2025-12-31", "2025-12-31")]


def test_nothing_is_known_before_the_announcement(tmp_path: Path) -> None:
    rows = load(tmp_path, {"effective_to": "2025-12-31", "end_known_on": "2025-01-01"})

    assert days(rows, "effective_to") == [("2025-04-04", "2025-12-31")]


def test_an_act_on_another_mineral_names_it(tmp_path: Path) -> None:
    act = {name: value for name, value in EVENT.items() if name != "covers"}
    mineral = {**act, "material": "gallium", "exempt": ""}
    path = write_csv(tmp_path / "analog_events.csv", mineral, {})

    loaded = PolicyEvents(path, materials=True).load()

    assert loaded.tables["analog_events"]["material"].tolist() == ["gallium"]


def steps(tmp_path: Path, *changes: dict[str, str]) -> pd.DataFrame:
    path = write_csv(tmp_path / "tariff_rates.csv", TARIFF, *changes)
    return TariffRates(path).load().tables["tariff_steps"]


def ends(frame: pd.DataFrame) -> list[tuple[str, str]]:
    known, ends = (frame[n].dt.strftime("%F").fillna("") for n in ("available_at", "effective_to"))
    return list(zip(known, ends, strict=True))


def test_the_end_of_a_step_is_a_later_version(tmp_path: Path) -> None:
    rows = steps(tmp_path, {"effective_to": "2025-03-03", "end_known_on": "2025-02-27"})

    assert ends(rows) == [("2025-02-01", ""), ("2025-02-27", "2025-03-03")]


def test_an_end_of_a_rate_nobody_dated_is_known_on_the_last_day(tmp_path: Path) -> None:
    rows = steps(tmp_path, {"effective_to": "2025-03-03"})

    assert ends(rows) == [("2025-02-01", ""), ("2025-03-03", "2025-03-03")]


def test_sums_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", TARIFF, {}, {"component": "TOTAL_8505.11.0070"})

    loaded = TariffRates(path).load()

    assert loaded.tables["tariff_steps"]["component"].tolist() == ["IEEPA"]
    assert loaded.ignored == ("1 lines TOTAL_*: sums of other lines",)
