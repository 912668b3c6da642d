"""The only place that reads the clock."""

import pandas as pd


def utc_now() -> pd.Timestamp:
    """Return the current moment in UTC, in whole seconds as pages and API write moments."""
    return pd.Timestamp.now(tz="UTC").floor("s")
