"""Quantiles and means of every series and target at an origin, made to add up."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from features.origin import Origin
from models.policy.policy_effect import PolicyEffect
from models.policy.policy_response import respond
from models.reconciliation.reconcile import coherent_factors
from models.registry import served
from models.registry.served import HeadValues
from store.vocabulary import QUANTILE_COLUMNS

NORMAL_80: Final = 2.563
"""Width of a normal's 80 percent band in standard deviations."""


def distribution(
    values: HeadValues, card: Mapping[str, object], origin: Origin, rows: pd.DataFrame
) -> pd.DataFrame:
    """Return coherent quantiles and means of every series and target, in tonnes.

    Args:
        values: What a model predicts, in the order of ``rows``.
        card: Its calibration (see ``models.registry.served``).
        origin: What was known.
        rows: The rows of the origin.

    Returns:
        destination, period, horizon, quantiles, mean; in the order of ``rows``.
    """
    table = coherent(served.quantiles_of(values, card, rows), origin)
    keys: pd.DataFrame = rows[["destination", "period", "horizon"]].astype({"horizon": int})
    return pd.concat([keys, table], axis=1)


def coherent(table: pd.DataFrame, origin: Origin) -> pd.DataFrame:
    """Return quantiles and means scaled so that the destinations' means add up to their sums'.

    Args:
        table: Quantiles and mean of every series and target of the origin, by series, then target.
        origin: What was known.
    """
    shape = (len(origin.series), len(origin.targets))
    mean = table["mean"].to_numpy().reshape(shape)
    spread = (table["p90"] - table["p10"]).to_numpy().reshape(shape) / NORMAL_80
    factor = coherent_factors(mean, spread, origin.groups).reshape(-1)
    return table[[*QUANTILE_COLUMNS, "mean"]].mul(factor, axis=0)


def answered(table: pd.DataFrame, effect: PolicyEffect, origin: Origin) -> pd.DataFrame:
    """Return a coherent forecast with the effect of policies in it, coherent again.

    Args:
        table: Quantiles and mean of every series and target, with any further columns.
        effect: Of controls and tariffs at the origin.
        origin: What was known.
    """
    if effect.is_none:
        return table
    values = coherent(respond(table, effect, origin), origin)
    return table.assign(**{str(name): values[name] for name in values})
