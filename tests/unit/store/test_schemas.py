import pandas as pd
import pytest

from store.errors import DataError
from store.schema.frame_schemas import validate
from tests.data.builders import make_events
from tests.data.store_builders import make_forecasts, make_observations

GROWTH = {"measure": "yoy_pct", "unit": "pct", "value": -101.0}
BAD_FORECASTS = {
    "column 'destination'": {"destination": ""},
    "row 0: column 'period' is '2025-4'": {"period": "2025-4"},
    "column 'period' is '2025-13'": {"period": "2025-13"},
    "period is not after the cutoff": {"period": "2025-03"}, "column 'p05' is -1.0": {"p05": -1.0},
    "is not finite": {"p95": float("inf")}, "column 'mean'": {"mean": float("nan")},
    "quantiles cross": {"p50": 29.0}, "column 'horizon' is 0": {"horizon": 0},
}  # fmt: skip
BAD_FIGURES = {
    "column 'value'": {"value": float("nan")}, "is not finite": {"value": float("inf")},
    r"a level or share lies outside 0\.\.inf": {"value": -1.0},
    "column 'measure' is 'tonnes'": {"measure": "tonnes"},
    "period_to is before period_from": {"period_to": "2025-05-01"},
    "first days of its months": {"period_from": "2025-05-03"}, "a growth rate lies outside": GROWTH,
}  # fmt: skip
BAD_EVENTS = {
    "column 'severity' is 4": {"severity": 4},
    "known before it was announced": {"available_at": "2018-09-03"},
}


@pytest.mark.parametrize(
    ("table", "frame", "message"),
    [
        *(("forecasts", make_forecasts(bad), words) for words, bad in BAD_FORECASTS.items()),
        *(("observations", make_observations(bad), words) for words, bad in BAD_FIGURES.items()),
        *(("policy_events", make_events(bad), words) for words, bad in BAD_EVENTS.items()),
        ("forecasts", make_forecasts({}, {}), "in the file"),
    ],
)
def test_a_row_that_breaks_its_schema_is_refused(
    table: str, frame: pd.DataFrame, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        validate(frame, table, where="the file")
