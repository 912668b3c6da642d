"""Quantiles of a forecast with the effect of policies in them, read anew from draws."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from features.origin import Origin
from models.policy import drawing
from models.policy.drawing import LEAST
from models.policy.policy_effect import PolicyEffect
from models.policy.response import SEED
from models.registry.served import mean_of_quantiles
from store.arrays import Floats
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


def respond(table: pd.DataFrame, effect: PolicyEffect, origin: Origin) -> pd.DataFrame:
    """Return quantiles and means with the effect of policies in them.

    Args:
        table: Quantiles and mean of every series and target, by series, then target.
        effect: Of the policies, at the same origin.
        origin: The snapshot that is forecast.

    Returns:
        The columns of ``table``; itself where no policy bears on it. Not made coherent.
    """
    if effect.is_none:
        return table
    _, series, targets = effect.kept.shape
    plain = table[list(QUANTILE_COLUMNS)].to_numpy().reshape(series, targets, -1)
    ranks = ranks_under(effect)
    drawn = drawing.summed(drawn_tonnes(plain, effect, ranks), origin.groups)
    if not effect.controls and not effect.easings:
        _set_calm_total(drawn, plain, ranks, effect, origin)
    reached = np.stack([effect.touched[members].any(axis=0) for members in origin.groups])
    found = np.where(reached[:, :, None], drawing.quantiles_of_draws(drawn), plain)
    flat = found.reshape(-1, len(QUANTILES))
    answer = pd.DataFrame(flat, columns=list(QUANTILE_COLUMNS), index=table.index)
    answer["mean"] = mean_of_quantiles(flat, np.asarray(QUANTILES))
    return answer[[*QUANTILE_COLUMNS, "mean"]]


def _set_calm_total(
    drawn: Floats, plain: Floats, ranks: Floats, effect: PolicyEffect, origin: Origin
) -> None:
    """Draw the total of all from its own band, times what its members keep, where no tariff moves.

    That is: in months that at most a control nobody has announced may reach.
    """
    members = np.flatnonzero(~origin.is_sum)
    (months,) = (effect.charged == 1.0).all(axis=(0, 1)).nonzero()
    for row in np.flatnonzero(origin.is_sum):
        if len(origin.groups[row]) < len(members):
            continue
        ordinary = drawing.drawn(plain[members][:, months], ranks[:, members][:, :, months]).sum(
            axis=1
        )
        left = drawn[:, row, months]
        kept = np.divide(left, ordinary, out=np.ones_like(left), where=ordinary > LEAST)
        own = drawing.drawn(plain[[row]][:, months], drawing.ranks_of(ordinary)[:, None])
        drawn[:, row, months] = own[:, 0] * kept


def ranks_under(effect: PolicyEffect) -> Floats:
    """Return where each draw lies in the ordinary forecast of its cell: draws x series x targets.

    Where a curve stands in, as the draw lies on the curve.
    """
    count, series, targets = effect.kept.shape
    found = np.repeat(drawing.ranks(series, count, SEED)[:, :, None], targets, axis=2)
    felt = effect.weight > 0
    found[:, felt] = drawing.ranks_of(effect.instead[:, felt])
    return found


def drawn_tonnes(plain: Floats, effect: PolicyEffect, ranks: Floats | None = None) -> Floats:
    """Return draws of tonnes under an effect, draws x series x targets; those of sums mean nothing.

    Ordinary forecast and the curve of what was felt are mixed in logs, at equal ranks.

    Args:
        plain: Quantiles of the ordinary forecast, series x targets x levels.
        effect: Of the policies.
        ranks: Where the draws lie in it; ``ranks_under`` the effect if None.
    """
    drawn = drawing.drawn(plain, ranks_under(effect) if ranks is None else ranks)
    middle = plain[..., QUANTILES.index(0.5)]
    gap = np.log(np.maximum(effect.without, LEAST) / np.maximum(middle, LEAST))
    drawn *= np.exp(effect.freed * np.maximum(gap, 0.0))
    felt = effect.weight > 0
    weight = effect.weight[None, felt, None]
    own, ordinary = (np.log(np.maximum(one[:, felt], LEAST)) for one in (effect.instead, drawn))
    drawn[:, felt] = np.exp(weight * own + (1.0 - weight) * ordinary)
    return drawn * effect.kept * effect.charged


def words_of(effect: PolicyEffect, analogs: Sequence[Analog]) -> str:
    """Say in one sentence what the response to controls rests on; nothing where there is none."""
    if not effect.controls:
        return ""
    materials = sorted({analog.material.split(":")[0].split(" (")[0] for analog in analogs})
    acts = ", ".join(control.event_id for control in effect.controls)
    return f"{acts}: estimated from {len(analogs)} controls on {', '.join(materials)}"
