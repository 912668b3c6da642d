from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.policy_events import PolicyEvents
from store.errors import DataError
from tests.data.store_builders import EVENT, write_csv


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instrument": "embargo"}, "column 'instrument': 'embargo' is not one of "),
        (
            {"direction": "up"},
            "column 'direction': 'up' is not one of easing, neutral, restrictive",
        ),
        ({"severity": "4"}, "column 'severity': '4' is not one of 0, 1, 2, 3"),
        ({"destinations": "USA;XXX"}, "column 'destinations': 'USA;XXX' is not a list of "),
        ({"announced_on": ""}, "column 'announced_on': '' is not filled"),
        ({"announced_on": "April"}, "column 'announced_on': 'April' is not a day YYYY-MM-DD"),
        (
            {"effective_to": "2025-04-03"},
            "column 'effective_to': '2025-04-03' is not on or after effective_from 2025-04-04",
        ),
        (
            {"suspended_from": "2025-11-07", "suspended_to": "2025-11-06"},
            "column 'suspended_to': '2025-11-06' is not on or after suspended_from 2025-11-07",
        ),
        ({"event_id": "first"}, "column 'event_id': 'first' is not new, for line 2 has the same"),
        ({"evidence": "rumour"}, "column 'evidence': 'rumour' is not one of "),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_act_is_named_with_line_column_and_value(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, {"event_id": "first"}, change)

    assert str(caught.value).startswith(f"1 bad row in policy_events.csv: line 3, {message}")


def test_an_act_on_another_mineral_names_it(tmp_path: Path) -> None:
    act = {name: value for name, value in EVENT.items() if name != "covers"}
    mineral = {**act, "material": "gallium", "exempt": ""}
    path = write_csv(tmp_path / "analog_events.csv", mineral, {})

    loaded = PolicyEvents(path, materials=True).load()

    assert loaded.tables["analog_events"]["material"].tolist() == ["gallium"]
