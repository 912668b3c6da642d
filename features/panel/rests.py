"""The rests of the EU and of the world, where a source lists every partner of a month.

The panel has eight countries; what a source states of the others counts in the sum of each rest. A
list counts as complete where it adds up to a world that is reported for its month.
"""

from typing import Final

import numpy as np
import pandas as pd

from features.panel.partner_table import LEAST_PARTNERS
from features.panel.statements import evidence_figures
from store.facts.evidence import MEASURE
from store.vocabulary import CONTINENTS, DESTINATIONS, EU27, EU27_MEMBERS, WORLD

RESTS: Final = ("EU27_REST", "ROW")

MISSED: Final = 1e-3
"""Share of the world that a complete list may miss besides rounding."""

_NO_PARTNERS: Final = (WORLD, EU27, *CONTINENTS)
_MONTH: Final = ["source", "period_from"]


def with_rests(figures: pd.DataFrame) -> pd.DataFrame:
    """Return figures with one more for each rest of each complete list, known with its last part.

    Args:
        figures: Known observations of magnets (store contract), any order; not modified.
    """
    levels = evidence_figures(figures)
    is_month = levels["period_from"].eq(levels["period_to"]) & levels["measure"].eq(MEASURE)
    levels = levels.loc[is_month].sort_values([*_MONTH, "destination", "available_at", "value"])
    names = levels["destination"]
    is_partner = ~names.isin(_NO_PARTNERS) & ~names.str.contains("[+]|_EX_")
    parts = levels.loc[is_partner].drop_duplicates([*_MONTH, "destination"], keep="last")
    parts = parts.loc[parts.groupby(_MONTH)["value"].transform("size") >= LEAST_PARTNERS]
    if parts.empty:
        return figures
    worlds = (
        levels.loc[names.eq(WORLD)]
        .sort_values(["half_width", "value"])
        .drop_duplicates("period_from")
    )
    return pd.concat([figures, _rests(parts, worlds)], ignore_index=True)


def _rests(parts: pd.DataFrame, worlds: pd.DataFrame) -> pd.DataFrame:
    """Return the rests of the lists that add up to the world of their month."""
    world = worlds.set_index("period_from").reindex(parts["period_from"]).set_axis(parts.index)
    lists = parts.groupby(_MONTH)
    missed = (lists["value"].transform("sum") - world["value"]).abs()
    rounding = lists["half_width"].transform("sum") + world["half_width"]
    parts = parts.loc[missed <= MISSED * world["value"] + rounding]
    # A partner that is not listed may belong to either rest.
    parts = parts.assign(square=parts["half_width"] ** 2, missed=missed)
    names = parts["destination"]
    rest = np.where(names.isin(EU27_MEMBERS), *RESTS)
    own = parts.assign(destination=names.where(names.isin(DESTINATIONS), rest))
    own = own.loc[own["destination"].isin(RESTS)]
    moments = [own["available_at"], world.loc[own.index, "available_at"]]
    known = pd.concat(moments, axis=1).max(axis=1)
    sums = own.assign(available_at=known).groupby([*_MONTH, "destination"])
    return (
        own.assign(
            value=sums["value"].transform("sum"),
            half_width=np.sqrt(sums["square"].transform("sum") + own["missed"] ** 2),
            available_at=sums["available_at"].transform("max"),
            note="sum of the partners listed",
        )
        .drop(columns=["square", "missed"])
        .drop_duplicates([*_MONTH, "destination"])
    )
