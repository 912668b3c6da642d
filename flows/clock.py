"""The only place that reads the clock."""

import pandas as pd


def utc_now() -> pd.Timestamp:
    """Return the current moment in UTC, in whole seconds as pages and API write moments."""
    return pd.Timestamp.now(tz="UTC").floor("s")


def utc_today() -> pd.Timestamp:
    """Return the first moment of the current day in UTC."""
    return utc_now().normalize()
