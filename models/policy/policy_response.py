"""Quantiles of a forecast with the effect of policies in them, read anew from draws.

On any panel: what controls on its series leave, from those on other minerals. The same answer that
magnets get (``models.policy.policy_effect``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import Analog, analogs_at
from features.controls.controls import Control
from features.families.policy import STRONG
from features.months import month_number, month_start
from features.origin import Origin, bare_origin
from models.engine.quantiles import Quantiles
from models.policy import drawing
from models.policy.drawing import LEAST
from models.policy.month_shares import MonthShares
from models.policy.policy_effect import PolicyEffect, effect_of
from models.policy.response import DRAWS, SEED
from models.registry.served import mean_of_quantiles
from sources.files.controls import PanelControl
from store.arrays import Flags, Floats, Ints
from store.frequency import MONTHLY, Frequency, months_of_days
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


LAG: Final = 1
"""Months after the cutoff in which its figures come out, of weeks a week: what is announced by
their end is known with them."""

LEAST_BEFORE: Final = 12
"""Months of the panel before a control binds, at least: the level that is kept or lost."""

MOST_DRAWN: Final = 20_000_000
"""Cells drawn at once; bounds the memory. Fewer draws are made of very many series."""

LEAST_DRAWS: Final = 200


@dataclass(frozen=True, slots=True)
class PanelResponse:
    """Controls on a panel and what is known of others."""

    controls: tuple[PanelControl, ...]
    analog_events: pd.DataFrame
    """Controls on other minerals, all versions."""
    figures: pd.DataFrame
    """Published figures on them, all versions."""

    def answered(
        self, forecasts: Quantiles, tonnes: Floats, *, first: int, frequency: Frequency = MONTHLY
    ) -> Quantiles:
        """Return forecasts with what the controls known by then leave of them.

        As with magnets only controls over at least half of a series' trade are answered. A series
        with a gap since its control, or too short before it, stays as it is.

        Args:
            forecasts: The ordinary forecasts.
            tonnes: All series x periods up to the cutoff.
            first: Number of the first column's period.
            frequency: Of the periods; others than months are answered in the months they lie in.
        """
        count, horizon = tonnes.shape[1], forecasts.mean.shape[1]
        day = known_on(first + count - 1, frequency)
        if frequency.period == "month":
            return self._answered(forecasts, tonnes, first, day)
        shares = MonthShares.of(first, count, horizon, frequency)
        plain = shares.months(forecasts, tonnes)
        found = self._answered(plain, shares.history(tonnes), shares.first, day)
        return shares.answered(forecasts, plain, found)

    def _answered(
        self, forecasts: Quantiles, tonnes: Floats, first: int, day: pd.Timestamp
    ) -> Quantiles:
        """Return the answer by month to what was announced by a day; as ``answered``."""
        values, mean = forecasts.tonnes.copy(), forecasts.mean.copy()
        for materials, acts in self._known(day):
            places = np.flatnonzero(_able(acts, tonnes, first)[forecasts.rows])
            if not len(places):
                continue
            rows = forecasts.rows[places]
            origin = bare_origin(tonnes[rows], first=first, horizon=mean.shape[1])
            controls = [_control(act, rows, day) for act in acts]
            due = [one for one in controls if one.month <= origin.targets[-1]]
            analogs = self._analogs(materials, acts, day)
            effect = effect_of(origin, due, analogs, count=_draws(origin))
            found = respond(_table(forecasts, places), effect, origin).to_numpy()
            values[places] = found[:, :-1].reshape(len(places), *values.shape[1:])
            mean[places] = found[:, -1].reshape(len(places), -1)
        return replace(forecasts, tonnes=values, mean=mean)

    def _known(
        self, day: pd.Timestamp
    ) -> Iterator[tuple[tuple[str, ...], tuple[PanelControl, ...]]]:
        """Yield the strong controls announced by a day, by material, first bound first."""
        known = [a for a in self.controls if a.announced_on <= day and a.share >= STRONG]
        known.sort(key=lambda act: (act.materials, act.effective_from, act.event_id))
        for materials, acts in groupby(known, key=lambda act: act.materials):
            yield materials, tuple(acts)

    def _analogs(
        self, materials: Sequence[str], acts: Sequence[PanelControl], day: pd.Timestamp
    ) -> tuple[Analog, ...]:
        """Return what was known by a day of controls on other materials than these."""
        moment = (day + pd.Timedelta(days=1)).tz_localize("UTC") - pd.Timedelta(microseconds=1)
        own = {act.event_id for act in acts}
        known = analogs_at(self.analog_events, self.figures, as_of=moment)
        return tuple(
            analog
            for analog in known
            if analog.event_id not in own and not analog.material.startswith(tuple(materials))
        )


def known_on(cutoff: int, frequency: Frequency = MONTHLY) -> pd.Timestamp:
    """Return the last day whose announcements a forecast from a cutoff may use."""
    if frequency.period == "week":
        [last] = frequency.last_days(np.array([cutoff + LAG]))
        return pd.Timestamp(int(last), unit="D")
    [month] = months_of_days(frequency.last_days(np.array([cutoff])))
    return month_start(int(month) + LAG + 1) - pd.Timedelta(days=1)


def _able(acts: Sequence[PanelControl], tonnes: Floats, first: int) -> Flags:
    """Tell which series are hit and known well enough to be answered."""
    able = np.zeros(len(tonnes), dtype=bool)
    for act in acts:
        column = month_number(act.effective_from) - first
        if column >= LEAST_BEFORE:
            able |= act.hit & np.isfinite(tonnes[:, column:]).all(axis=1)
    return able


def _control(act: PanelControl, rows: Ints, day: pd.Timestamp) -> Control:
    """Return a control as it was known on a day, on some series."""
    end = act.end_at(day)
    return Control(
        event_id=act.event_id,
        instrument=act.instrument,
        bound=act.effective_from,
        ends=end,
        share=act.share,
        hit=act.hit[rows],
    )


def _draws(origin: Origin) -> int:
    cells = max(len(origin.series) * len(origin.targets), 1)
    return int(np.clip(MOST_DRAWN // cells, LEAST_DRAWS, DRAWS))


def _table(forecasts: Quantiles, places: Ints) -> pd.DataFrame:
    """Return quantiles and mean of some series, by series, then month."""
    flat = forecasts.tonnes[places].reshape(-1, len(QUANTILE_COLUMNS))
    table = pd.DataFrame(flat, columns=list(QUANTILE_COLUMNS))
    return table.assign(mean=forecasts.mean[places].reshape(-1))
