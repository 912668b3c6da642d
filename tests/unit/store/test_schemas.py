import pandas as pd
import pytest

from store.errors import DataError
from store.schema.frame_schemas import validate


def forecast(**change: object) -> dict[str, object]:
    levels = ("p05", "p10", "p25", "p50", "p75", "p90", "p95", "mean")
    row = {"destination": "USA", "cutoff": "2024-12", "period": "2025-01", "horizon": 1}
    return {**row, **dict.fromkeys(levels, 1.0), "model": "m", "status": "champion", **change}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": "2025-1"}, "row 0: column 'period' is '2025-1'"),
        ({"p05": -1.0}, "row 0: column 'p05' is -1.0"),
        ({"destination": ""}, "column 'destination'"),
        ({"p05": 2.0}, "quantiles cross"),
    ],
    ids=["period", "negative", "no destination", "crossing"],
)
def test_a_bad_forecast_is_refused_with_row_and_value(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        validate(pd.DataFrame([forecast(**change)]), "forecasts", where="the forecasts")


def test_a_month_forecast_twice_is_refused() -> None:
    with pytest.raises(DataError, match="in the forecasts"):
        validate(pd.DataFrame([forecast(), forecast()]), "forecasts", where="the forecasts")


def test_a_change_of_severity_beyond_three_is_refused() -> None:
    event = {
        "event_id": "e", "available_at": pd.Timestamp("2025-04-04", tz="UTC"),
        "announced_on": "2025-04-05", "effective_from": None, "effective_to": None,
        "suspended_from": None, "suspended_to": None, "issuer": "", "instrument": "quota",
        "legal_reference": "", "direction": "restrictive", "severity": 4, "destinations": "WLD",
        "products": "", "covers": "", "covered_share": None, "covered_because": "", "exempt": "",
        "summary": "", "source_urls": "", "confidence": "", "evidence": "",
        "note": "",
    }  # fmt: skip

    with pytest.raises(DataError, match="column 'severity' is 4") as caught:
        validate(pd.DataFrame([event]), "policy_events", where="events.csv")

    assert "known before it was announced" in str(caught.value)
