"""What if: a forecast as known and under other policies, paired draw by draw.

A scenario stands on the published distribution. What it changes is a factor of each draw: what
the trained model would answer to the acts, times the policy response with and without.
The same draws serve both, so an act that changes nothing makes no difference at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.build import feature_block
from features.controls.analogs import Analog, own_analogs
from features.controls.controls import Control, controls_at
from features.controls.levers import (
    ScenarioWarning,
    announcement_months,
    charged_by,
    warnings_of,
    with_levers,
)
from features.families import tariffs
from features.families.tariffs import monthly_rates
from features.months import month_label, month_start
from features.origin import Origin
from features.track_record import CERTAIN
from models.policy import drawing
from models.policy.drawing import LEAST
from models.policy.policy_effect import PolicyEffect, drawn_tonnes, effect_at, ranks_under
from models.policy.recovery import recovery_of
from models.policy.response import DRAWS, Response
from models.registry.served import HORIZON, needed_columns, trees_weight
from store.arrays import Floats
from store.errors import DataError
from store.messages import Message, message
from store.schema.scenario import Levers, Scenario, ScenarioContext
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

RATE: Final = "tariff_rate_pct"
FALLING: Final = frozenset(one.name for one in tariffs.FEATURES if one.monotone < 0)
FREE: Final = frozenset(one.name for one in tariffs.FEATURES if not one.monotone)


def learned_shift(
    heads: Mapping[str, lgb.Booster], card: Mapping[str, object]
) -> Callable[[Origin, Origin], Floats]:
    """Return how a trained model's middle moves from one origin to another.

    Both origins differ in policies alone. In months of a higher rate the shift is never up on that
    account, in months of a lower one never down: what is announced for later is then left out.

    Returns:
        A function of two origins: log shift, series x targets.
    """
    wanted = [name for name in needed_columns(card) if name in heads["p50"].feature_name()]

    def shift(base: Origin, then: Origin) -> Floats:
        before, after = (_columns(origin, wanted) for origin in (base, then))
        after = _bound(before, after, wanted)
        shape = before.shape[:2]
        predictions = [
            np.asarray(heads["p50"].predict(block.reshape(-1, len(wanted)), num_threads=1))
            for block in (before, after)
        ]
        rows = pd.DataFrame({HORIZON: np.tile(base.horizons, shape[0])})
        moved: Floats = (trees_weight(card, rows) * (predictions[1] - predictions[0])).reshape(
            shape
        )
        return moved

    return shift


def nothing_learned(base: Origin, then: Origin) -> Floats:  # noqa: ARG001 - the form of a shift
    """Return no shift: of an engine that sees no policies."""
    return np.zeros((len(base.series), len(base.targets)))


def _columns(origin: Origin, wanted: list[str]) -> Floats:
    names, block = feature_block(origin)
    return np.ascontiguousarray(block[:, :, [names.index(name) for name in wanted]])


def _bound(before: Floats, after: Floats, names: list[str]) -> Floats:
    """Return features that in months of another rate hold nothing against its own effect."""
    if RATE not in names:
        return after
    place = names.index(RATE)
    higher, lower = (after[..., place] > before[..., place], after[..., place] < before[..., place])
    # Trees have seen no rate of such an importer: what they make of its first one is no answer.
    unknown = np.isnan(before[..., place])
    found = after.copy()
    for column, name in enumerate(names):
        old, new = before[..., column], after[..., column]
        if name in FALLING:
            found[..., column] = np.where(
                higher, np.fmax(old, new), np.where(lower, np.fmin(old, new), new)
            )
        elif name in FREE:
            found[..., column] = np.where(higher | lower, old, new)
        if name in FALLING | FREE:
            found[..., column] = np.where(unknown, old, found[..., column])
    return found


@dataclass(frozen=True, slots=True)
class ScenarioSnapshot:
    """A published forecast and all that is needed to ask it what if."""

    as_of: pd.Timestamp
    origin: Origin
    analogs: tuple[Analog, ...]
    published: pd.DataFrame
    """Quantiles and mean of every series and target, by series, then target; coherent."""
    ordinary: pd.DataFrame
    """The same before policies that history does not show are answered."""
    learned: Callable[[Origin, Origin], Floats]
    """Log shift of the trained middle from one origin to another, series x targets."""

    @property
    def context(self) -> ScenarioContext:
        """Return what a scenario may speak of here.

        Raises:
            DataError: No policies are known here, as of a bare panel.
        """
        events, tariffs = self.origin.events, self.origin.tariffs
        if events is None or tariffs is None:
            raise DataError(
                "This forecast knows no policies. Expected policy events and tariffs beside its "
                "figures. Load them, e.g. by `magnetcast ingest bundled`."
            )
        importers = tuple(charged_by(self.origin))
        unknown = month_start(self.origin.cutoff + 1)
        return ScenarioContext(
            self.as_of, events, self.origin.series, importers, felt_before=unknown
        )


CARRIES: Final = 0.4
"""Share of an answer from which one past act is said to carry it."""


Warnings = Mapping[str, tuple[Message, ...]]
"""Where a scenario goes beyond the historical record, by series."""


def warnings_by_series(origin: Origin, warned: Sequence[ScenarioWarning]) -> Warnings:
    """Return the warnings of every series, those of a sum among its members'."""
    found = {}
    for row, name in enumerate(origin.series):
        concerned = {name, *(origin.series[member] for member in origin.groups[row])}
        own = [
            one.text for one in warned if not one.destinations or concerned & {*one.destinations}
        ]
        found[name] = tuple(dict.fromkeys(own))
    return found


def notes_of(
    snapshot: ScenarioSnapshot, scenario: Scenario, *, is_same: bool
) -> tuple[Message, ...]:
    """Return what the answer to each control of a scenario rests on, and how probable each is."""
    origin = snapshot.origin
    then = with_levers(origin, scenario.levers)
    known = controls_at(then)
    probable = tuple(_chances(one) for one in known if one.chances != CERTAIN)
    if is_same:
        return (message("This scenario changes no month of the forecast."), *probable)
    compared = with_levers(origin, scenario.against or Levers())
    before = {(one.event_id, one.bound) for one in controls_at(compared)}
    new = [
        one for one in known if (one.event_id, one.bound) not in before and one.seen(origin) == 0
    ]
    past = (*snapshot.analogs, *own_analogs(then, known)) if snapshot.analogs else ()
    notes = [note for one in new if one.passing is None for note in _notes_on(one, past, origin)]
    if scenario.against is not None:
        notes.insert(
            0,
            message(
                "Compared with the alternative that it names (against), not with the forecast."
            ),
        )
    return (*notes, *probable)


def _chances(control: Control) -> Message:
    """Say how probable what is announced is."""
    announced, late, softened, never = (f"{part:.0%}" for part in control.chances)
    return message(
        "%(act)s, due %(day)s: %(announced)s as announced, %(late)s postponed, "
        "%(softened)s softened, "
        "%(never)s suspended.",
        act=control.event_id,
        day=f"{control.bound:%Y-%m-%d}",
        announced=announced,
        late=late,
        softened=softened,
        never=never,
    )


def _notes_on(control: Control, past: tuple[Analog, ...], origin: Origin) -> list[Message]:
    """Say what a control's answer rests on, and how long its trade would take to come back."""
    if not past:
        return [
            message(
                "No effect of %(act)s is computed: no past control is known by then.",
                act=control.event_id,
            )
        ]
    response = Response(past)
    age = control.age(origin.targets)
    counted = response.influence(age[age > 0], instrument=control.instrument)
    most = max(counted, key=counted.__getitem__)
    words = {
        "act": most,
        "material": next(one.material for one in past if one.event_id == most),
        "share": f"{counted[most]:.0%}",
    }
    notes = [
        message(
            "%(act)s from %(day)s: estimated from %(count)s past controls.",
            act=control.event_id,
            day=f"{control.bound:%Y-%m-%d}",
            count=len(past),
        )
    ]
    if not any(one.instrument == control.instrument for one in past):
        notes.append(message("None of them a %(instrument)s.", instrument=control.instrument))
    notes.append(
        message("%(share)s of the weight is on one of them, %(act)s (%(material)s).", **words)
        if counted[most] >= CARRIES
        else message("%(act)s (%(material)s) has the most weight, %(share)s.", **words)
    )
    return [*notes, recovery_of(response, instrument=control.instrument).words]


COLUMNS: Final = (
    "destination", "period", "base_p50", "scenario_p50", "difference_p10", "difference_p50",
    "difference_p90", "base_mean", "scenario_mean", "warning",
)  # fmt: skip

_BANDS: Final = tuple(
    f"{side}_{name}" for side in ("base", "scenario") for name in QUANTILE_COLUMNS
)


_MIDDLE: Final = QUANTILES.index(0.5)

FEW_DRAWS: Final = 1000
MANY_SERIES: Final = 50
"""Series from which fewer draws are made."""


@dataclass(frozen=True, slots=True)
class PairedForecast:
    """A scenario's answer."""

    table: pd.DataFrame
    """``COLUMNS``, one row a series and target; periods are ``YYYY-MM``, numbers tonnes."""
    notes: tuple[Message, ...]
    """What the answer rests on, in sentences."""
    warnings: Warnings
    bands: pd.DataFrame
    """``_BANDS`` of the same rows: the quantiles of both, in tonnes."""


def paired(
    snapshot: ScenarioSnapshot, scenario: Scenario, *, draws: int | None = None
) -> PairedForecast:
    """Return what ``paired_with`` returns, of draws made for this scenario alone.

    Args:
        snapshot: Where it is asked.
        draws: How many; enough for smooth bands if None.
    """
    return paired_with(PublishedDraws.of(snapshot, draws), scenario)


def paired_with(view: "PublishedDraws", scenario: Scenario) -> PairedForecast:
    """Return forecasts with and without a scenario, and the difference with its own band.

    Means add up to those of their sums. No difference is exactly zero where nothing changes.
    """
    snapshot = view.snapshot
    cells = _cells(snapshot.published, snapshot.origin)
    published = _Drawn(view.published, cells, view.numbers("mean"))
    base = published
    if scenario.against is not None:
        base = view.under(scenario.against, published)
    other = view.under(scenario.levers, published)
    difference = np.quantile(other.tonnes - base.tonnes, (0.1, 0.5, 0.9), axis=0)
    numbers = {
        "base_p50": base.p50,
        "scenario_p50": other.p50,
        **{f"difference_p{q}": difference[i] for i, q in enumerate((10, 50, 90))},
        "base_mean": base.mean,
        "scenario_mean": other.mean,
    }
    flat = {name: values.reshape(-1) for name, values in numbers.items()}
    warnings = warnings_by_series(snapshot.origin, warnings_of(snapshot.origin, scenario.levers))
    texts = {name: " ".join(map(str, found)) for name, found in warnings.items()}
    table = _keys(snapshot.origin).assign(**flat)
    table["warning"] = table["destination"].map(texts)
    is_same = not (numbers["difference_p10"].any() or numbers["difference_p90"].any())
    bands = np.concatenate([base.quantiles, other.quantiles], axis=-1)
    return PairedForecast(
        table[list(COLUMNS)],
        notes_of(snapshot, scenario, is_same=is_same),
        warnings,
        pd.DataFrame(bands.reshape(len(table), -1), columns=list(_BANDS)),
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A distribution as draws, with what is reported of it, series x targets."""

    tonnes: Floats
    """Draws x series x targets."""
    quantiles: Floats
    """Series x targets x levels."""
    mean: Floats

    @property
    def p50(self) -> Floats:
        return np.asarray(self.quantiles[..., _MIDDLE])


@dataclass(frozen=True, slots=True)
class PublishedDraws:
    """A snapshot as draws of the published distribution, the same for all its scenarios."""

    snapshot: ScenarioSnapshot
    known: PolicyEffect
    ranks: Floats
    ordinary: Floats
    """Draws under what is known, sums added up: only their ratios to others matter."""
    published: Floats
    """Draws of what is published."""

    @classmethod
    def of(cls, snapshot: ScenarioSnapshot, draws: int | None = None) -> "PublishedDraws":
        """Return the draws of a snapshot; enough for smooth bands if ``draws`` is None."""
        origin = snapshot.origin
        usual = FEW_DRAWS if len(origin.series) > MANY_SERIES else DRAWS
        count = usual if draws is None else draws
        known = effect_at(origin, snapshot.analogs, count=count)
        ranks = ranks_under(known)
        plain = _cells(snapshot.ordinary, origin)
        ordinary = drawing.summed(drawn_tonnes(plain, known, ranks), origin.groups)
        published = drawing.drawn(_cells(snapshot.published, origin), drawing.ranks_of(ordinary))
        return cls(snapshot, known, ranks, ordinary, published)

    def numbers(self, name: str) -> Floats:
        """Return a published column, series x targets."""
        shape = self.published.shape[1:]
        return np.asarray(self.snapshot.published[name].to_numpy().reshape(shape))

    def under(self, levers: Levers, published: "_Drawn") -> "_Drawn":
        """Return the distribution under levers; the published one exactly where they do nothing."""
        origin = self.snapshot.origin
        ordinary = drawing.summed(self._ordinary(levers), origin.groups)
        tonnes = self.published * _ratio(ordinary, self.ordinary)
        growth = _ratio(tonnes.mean(axis=0), self.published.mean(axis=0))
        added_up = growth.copy()
        for row in np.flatnonzero(origin.is_sum):
            members = published.mean[origin.groups[row]]
            new = (members * growth[origin.groups[row]]).sum(axis=0)
            added_up[row] = _ratio(new, members.sum(axis=0))
        tonnes = tonnes * _ratio(added_up, growth)
        levels = published.quantiles * _ratio(
            drawing.quantiles_of_draws(tonnes), drawing.quantiles_of_draws(self.published)
        )
        return _Drawn(tonnes, _ascending(levels), published.mean * added_up)

    def _ordinary(self, levers: Levers) -> Floats:
        """Return draws of destinations under levers, month by month as the news is out."""
        origin = self.snapshot.origin
        plain = _cells(self.snapshot.ordinary, origin)
        found = self.ordinary.copy()
        for month in announcement_months(levers, origin):
            then = with_levers(origin, levers, month)
            shift = self.snapshot.learned(origin, then)
            effect = effect_at(then, self.snapshot.analogs, count=len(found))
            effect = replace(
                effect, charged=_bound_scenario(effect.charged, self.known.charged, origin, then)
            )
            drawn = drawn_tonnes(plain * np.exp(shift)[:, :, None], effect, self.ranks)
            reached = origin.targets >= month
            found[:, :, reached] = drawn[:, :, reached]
        return found


def _ratio(one: Floats, other: Floats) -> Floats:
    """Return one over other, 1 where both are nothing."""
    return np.asarray(np.maximum(one, LEAST) / np.maximum(other, LEAST))


def _ascending(levels: Floats) -> Floats:
    """Return quantiles that do not cross; the median stays."""
    found = levels.copy()
    found[..., _MIDDLE:] = np.maximum.accumulate(levels[..., _MIDDLE:], axis=-1)
    lower = levels[..., _MIDDLE::-1]
    found[..., _MIDDLE::-1] = np.minimum.accumulate(lower, axis=-1)
    return found


def _bound_scenario(charged: Floats, known: Floats, base: Origin, then: Origin) -> Floats:
    """Return tariff factors that in months of a higher rate are never above the known ones.

    Nor below them in months of a lower rate, whatever was shipped ahead of either.
    """
    # A rate nobody knew counts as none, as the tariff response takes it.
    before, after = (np.nan_to_num(monthly_rates(one, one.targets)) for one in (base, then))
    higher, lower = after > before + LEAST, after < before - LEAST
    capped = np.where(higher[None], np.minimum(charged, known), charged)
    return np.asarray(np.where(lower[None], np.maximum(capped, known), capped))


def _cells(table: pd.DataFrame, origin: Origin) -> Floats:
    """Return quantiles as series x targets x levels."""
    shape = (len(origin.series), len(origin.targets), len(QUANTILES))
    return np.asarray(table[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(shape))


def _keys(origin: Origin) -> pd.DataFrame:
    months = [month_label(int(month)) for month in origin.targets]
    return pd.DataFrame(
        {
            "destination": np.repeat(np.array(origin.series, dtype=object), len(months)),
            "period": np.tile(np.array(months, dtype=object), len(origin.series)),
        }
    )
