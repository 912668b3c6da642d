"""The only place that reads the clock."""

import pandas as pd


def utc_now() -> pd.Timestamp:
    """Return the current moment in UTC."""
    return pd.Timestamp.now(tz="UTC")


def utc_today() -> pd.Timestamp:
    """Return the first moment of the current day in UTC."""
    return utc_now().normalize()
