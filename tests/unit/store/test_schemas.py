import pandas as pd
import pytest

from store.errors import DataError
from store.schema.frame_schemas import validate
from tests.data.builders import make_events
from tests.data.store_builders import make_forecasts


@pytest.mark.parametrize(
    ("frame", "table", "message"),
    [
        (make_forecasts({"destination": ""}), "forecasts", "column 'destination'"),
        (make_forecasts({"period": "2025-4"}), "forecasts", "row 0: column 'period' is '2025-4'"),
        (make_forecasts({}, {}), "forecasts", "in the file"),
        (make_events({"severity": 4}), "policy_events", "column 'severity' is 4"),
        (
            make_events({"available_at": "2018-09-03"}), "policy_events",
            "known before it was announced",
        ),
    ],
    ids=["no destination", "period", "twice", "severity", "known too early"],
)  # fmt: skip
def test_a_row_that_breaks_its_schema_is_refused(
    frame: pd.DataFrame, table: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        validate(frame, table, where="the file")
