"""The entry to start from: the month a year before, with the band of its own past errors."""

import numpy as np
import pandas as pd

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def forecast(
    facts: dict[str, pd.DataFrame],  # noqa: ARG001 - events and tariffs, which it knows nothing of
    panel: pd.DataFrame,
    asked: pd.DataFrame,
) -> pd.DataFrame:
    """Return p05 to p95 of each row of ``asked`` from what was known on the day."""
    wide = panel.assign(period=pd.PeriodIndex(panel["period"], freq="M"))
    wide = wide.pivot_table(index="period", columns="destination", values="tonnes")
    ratio = np.log(wide / wide.shift(12)).tail(36)
    rows = []
    for cell in asked.itertuples():
        month = pd.Period(cell.period, freq="M") - 12
        while month > wide.index[-1]:
            month -= 12
        spread = ratio[cell.destination].quantile(LEVELS).to_numpy()
        band = np.exp(spread - spread[3]) * wide.loc[month, cell.destination]
        rows.append((cell.destination, cell.period, *band))
    names = ["destination", "period", "p05", "p10", "p25", "p50", "p75", "p90", "p95"]
    return pd.DataFrame(rows, columns=names)
