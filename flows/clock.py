"""The only place that reads the clock."""

import pandas as pd


def utc_now() -> pd.Timestamp:
    """The current moment in UTC, in whole seconds like moments on pages and in the API."""
    return pd.Timestamp.now(tz="UTC").floor("s")
