"""A plain run at the clock's own moment, named by what pages, API and verbs print of it."""

from types import SimpleNamespace

import pandas as pd
import pytest

from flows.cli.options import moment, publication_moment
from flows.clock import utc_now

DAY = "2020-05-22"
CLOCK = "14:03:05.678901"
SHOWN = f"{DAY}T14:03:05Z"


def test_the_clock_and_typed_moments_have_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    read = SimpleNamespace(now=lambda tz: pd.Timestamp(f"{DAY}T{CLOCK}", tz=tz))
    monkeypatch.setattr("flows.clock.pd", SimpleNamespace(Timestamp=read, Timedelta=pd.Timedelta))

    assert utc_now() == moment(None) == moment(f"{DAY}T{CLOCK}") == pd.Timestamp(SHOWN)
    assert publication_moment("2020-05-21") == pd.Timestamp("2020-05-21T23:59:59Z")
    assert publication_moment("2020-05-21T00:00") == pd.Timestamp("2020-05-21T00:00Z")
