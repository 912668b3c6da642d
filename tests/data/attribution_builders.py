"""A small world in which every level is published and an event takes a known part of it."""

from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from tests.data.builders import SHARES, World, make_events, make_levels, make_tariffs

EVENT: Final = "2021-06-control"
FELL: Final = ("2021-06", "2021-07")
KEPT: Final = 0.3
"""What the months of the fall keep."""


def control(**changes: object) -> dict[str, object]:
    """Return an act of June 2021 on the USA, with changes."""
    act = {
        "event_id": EVENT, "announced_on": "2021-06-10", "effective_from": "2021-06-10",
        "destinations": "USA", "summary": "Licences for the USA.",
    }  # fmt: skip
    return {**act, **changes}


@cache
def calm_levels() -> pd.DataFrame:
    """Return published levels of a world without trend or season, but for noise of its own."""
    levels = make_levels(last="2021-12")
    months = levels["period_from"].drop_duplicates().sort_values()
    random = np.random.default_rng(20)
    together = random.normal(0.0, 0.04, len(months))
    own = {name: random.normal(0.0, 0.05, len(months)) for name in SHARES}
    # The month after the fall is an ordinary one: by chance it lay at the edge of the band.
    for noise in (together, own["USA"]):
        noise[(months == pd.Timestamp("2021-08")).to_numpy()] = 0.0
    tonnes = pd.DataFrame(
        {name: 4_000.0 * share * np.exp(together + own[name]) for name, share in SHARES.items()},
        index=months,
    ).round()
    tonnes["WLD"] = tonnes.sum(axis=1)
    value = [
        float(tonnes.loc[row.period_from, row.destination])
        for row in levels.itertuples(index=False)
    ]
    return levels.assign(value=value)


@cache
def world_with_a_fall() -> World:
    """Return a calm world whose exports to the USA keep a part in two months.

    The world's total falls by the same tonnes.
    """
    levels = calm_levels()
    lost = levels["period_from"].map(planted_loss("USA")).fillna(0.0)
    touched = levels["destination"].isin(["USA", "WLD"])
    events = make_events({"event_id": "2017-old", "announced_on": "2017-01-03"}, control())
    value = (levels["value"] - lost.where(touched, 0.0)).round()
    return World(levels.assign(value=value), events, make_tariffs())


def planted_loss(destination: str) -> dict[pd.Timestamp, float]:
    """Return the tonnes taken from a destination by month."""
    levels = calm_levels()
    rows = levels.loc[levels["destination"] == destination].set_index("period_from")["value"]
    return {
        start: (1.0 - KEPT) * float(rows[start])
        for start in (pd.Timestamp(month) for month in FELL)
    }
