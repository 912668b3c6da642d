"""A small world in which every level is published and an event takes a known part of it."""

from functools import cache
from typing import Final

import pandas as pd

from features.months import month_number
from tests.data.builders import World, make_events, make_levels, make_tariffs

EVENT: Final = "2021-06-control"
FELL: Final = ("2021-06", "2021-07")
KEPT: Final = 0.3
"""What the months of the fall keep."""


def control(**changes: object) -> dict[str, object]:
    """Return an act of June 2021 on the USA, with changes."""
    act = {
        "event_id": EVENT,
        "announced_on": "2021-06-10",
        "effective_from": "2021-06-10",
        "destinations": "USA",
        "summary": "Licences for the USA.",
    }
    return {**act, **changes}


@cache
def world_with_a_fall(*, destination: str = "USA", named: str = "USA") -> World:
    """Return a world whose exports to one destination keep a part in two months.

    The world's total falls by the same tonnes.
    """
    levels = make_levels(last="2021-12")
    months = [month_number(month) for month in FELL]
    fell = levels["period_from"].map(month_number).isin(months)
    own, world = (levels["destination"] == name for name in (destination, "WLD"))
    if destination == "WLD":
        value = levels["value"].where(~fell, KEPT * levels["value"])
    else:
        lost = planted_loss(destination)
        value = levels["value"].where(~(fell & own), KEPT * levels["value"])
        value = value.where(~(fell & world), value - levels["period_from"].map(lost).fillna(0.0))
    events = make_events(
        {"event_id": "2017-old", "announced_on": "2017-01-03"}, control(destinations=named)
    )
    return World(levels.assign(value=value.round()), events, make_tariffs())


def planted_loss(destination: str) -> dict[pd.Timestamp, float]:
    """Return the tonnes taken from a destination by month."""
    levels = make_levels(last="2021-12")
    rows = levels.loc[levels["destination"] == destination].set_index("period_from")["value"]
    return {
        start: (1.0 - KEPT) * float(rows[start])
        for start in (pd.Timestamp(month) for month in FELL)
    }
