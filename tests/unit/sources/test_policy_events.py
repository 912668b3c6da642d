from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sources.bundled.policy_events import policy_events, tariff_rates
from tests.data.store_builders import EVENT, TARIFF, write_csv


def load(tmp_path: Path, *changes: dict[str, str]) -> pd.DataFrame:
    path = write_csv(tmp_path / "policy_events.csv", EVENT, *changes)
    return policy_events(path).tables["policy_events"]


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


def test_an_act_on_another_mineral_names_it(tmp_path: Path) -> None:
    act = {name: value for name, value in EVENT.items() if name != "covers"}
    mineral = {**act, "material": "gallium", "exempt": ""}
    path = write_csv(tmp_path / "analog_events.csv", mineral, {})

    loaded = policy_events(path, materials=True)

    assert loaded.tables["analog_events"]["material"].tolist() == ["gallium"]


ENDED = {"effective_to": "2025-12-31"}


@pytest.mark.parametrize(
    ("end", "known"),
    [
        ({}, [("2025-04-04", ""), ("2025-12-31", "2025-12-31")]),
        ({"end_known_on": "2025-11-10"}, [("2025-04-04", ""), ("2025-11-10", "2025-12-31")]),
        ({"end_known_on": "2025-01-01"}, [("2025-04-04", "2025-12-31")]),
    ],
    ids=["on the last day", "as stated", "not before the announcement"],
)
@pytest.mark.parametrize("source", [policy_events, tariff_rates])
def test_the_end_of_an_act_or_a_rate_is_a_later_version(
    tmp_path: Path, source: Callable[..., Any], end: dict[str, str], known: list[tuple[str, str]]
) -> None:
    act = EVENT if source is policy_events else {**TARIFF, "announced_on": "2025-04-04"}
    (frame,) = source(write_csv(tmp_path / "a.csv", act, ENDED | end)).tables.values()

    assert days(frame, "effective_to") == known


def test_sums_are_left_out_and_counted(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", TARIFF, {}, {"component": "TOTAL_8505.11.0070"})

    loaded = tariff_rates(path)

    assert loaded.tables["tariff_steps"]["component"].tolist() == ["IEEPA"]
    assert loaded.ignored == ("1 lines TOTAL_*: sums of other lines",)
