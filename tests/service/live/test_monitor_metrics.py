import pandas as pd
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from store.publications.publication_rows import save_readings
from tests.service.stores import NEWEST, NOW, make_app

pytestmark = pytest.mark.slow

METRICS = "/api/v1/metrics"


def reading(monitor: str, *, fired: bool, bound: float | None = 0.5) -> dict[str, object]:
    return {
        "monitor": monitor, "value": 1.5, "bound": bound, "size": 12, "fired": fired,
        "words": "raised",
    }  # fmt: skip


def test_what_the_monitors_found_last_is_reported_and_nothing_older(engine: Engine) -> None:
    older, newer = NOW - pd.Timedelta(days=1), NOW - pd.Timedelta(hours=1)
    save_readings(engine, [reading("naive", fired=True)], at=older, as_of=NEWEST)
    rows = [reading("score-drift", fired=True), reading("coverage", fired=False, bound=None)]
    save_readings(engine, rows, at=newer, as_of=NEWEST)

    with TestClient(make_app(engine)) as client:
        output = client.get(METRICS).text.splitlines()

    assert 'magnetcast_alarm{alarm="score-drift"} 1.0' in output
    assert 'magnetcast_alarm{alarm="coverage"} 0.0' in output
    assert "magnetcast_measured_age_seconds 3600.0" in output
    assert not any("naive" in line for line in output)
