import pandas as pd
import pytest

from store.errors import DataError
from store.schema.frame_schemas import validate


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": "2025-1"}, "row 0: column 'period' is '2025-1'"),
        ({"tonnes": -1.0}, "row 0: column 'tonnes' is -1.0"),
        ({"destination": ""}, "column 'destination'"),
    ],
    ids=["period", "negative", "no destination"],
)
def test_a_bad_panel_file_is_refused_with_row_and_value(
    change: dict[str, object], message: str
) -> None:
    frame = pd.DataFrame([{"destination": "USA", "period": "2025-01", "tonnes": 1.0, **change}])

    with pytest.raises(DataError, match=message):
        validate(frame, "panel_file", where="panel.csv")


def test_a_cell_reported_twice_is_refused() -> None:
    frame = pd.DataFrame(
        {"destination": ["USA"] * 2, "period": ["2025-01"] * 2, "tonnes": [1.0, 2.0]}
    )

    with pytest.raises(DataError, match=r"in panel\.csv"):
        validate(frame, "panel_file", where="panel.csv")


def test_an_evidence_panel_needs_known_kinds_and_utc() -> None:
    cell = {
        "destination": "USA",
        "period": pd.Timestamp("2025-01-01"),
        "tonnes": 877.0,
        "stderr_t": 0.5,
        "kind": "guessed",
        "available_at": pd.Timestamp("2025-03-20"),
    }

    with pytest.raises(DataError, match=r"column 'kind' is 'guessed'") as caught:
        validate(pd.DataFrame([cell]), "panel", where="the panel")

    assert "available_at" in str(caught.value)


def test_a_change_of_severity_beyond_three_is_refused() -> None:
    event = {
        "event_id": "e", "available_at": pd.Timestamp("2025-04-04", tz="UTC"),
        "announced_on": "2025-04-05", "effective_from": None, "effective_to": None,
        "suspended_from": None, "suspended_to": None, "issuer": "", "instrument": "quota",
        "legal_reference": "", "direction": "restrictive", "severity": 4, "destinations": "WLD",
        "products": "", "summary": "", "source_urls": "", "confidence": "", "evidence": "",
        "note": "",
    }  # fmt: skip

    with pytest.raises(DataError, match="column 'severity' is 4") as caught:
        validate(pd.DataFrame([event]), "policy_events", where="events.csv")

    assert "known before it was announced" in str(caught.value)
