"""What if: a forecast as known and under other policies, paired draw by draw.

A scenario stands on the published distribution. What it changes is a factor of each draw, the
policy response with it to that without. The same draws serve both, so an act that changes nothing
makes no difference at all. What trees learned of tariffs has no part in it: it moved a year's sum
by a quarter of a percent at most, and destinations that no lever touched by noise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.controls.analogs import Analog, magnet_analogs
from features.controls.controls import DIVERTED_PCT, INSTRUMENTS, Control, controls_at
from features.controls.levers import (
    ScenarioWarning,
    announcement_months,
    charged_by,
    warnings_of,
    with_levers,
)
from features.families.tariffs import monthly_rates
from features.origin import Origin
from features.track_record import CERTAIN
from models.policy import drawing
from models.policy.drawing import LEAST
from models.policy.policy_effect import PolicyEffect, drawn_tonnes, effect_at, ranks_under
from models.policy.precedents import APRIL_2025, HARDEST, MINERALS, Precedents
from models.policy.response import DRAWS, SEED
from store.arrays import Floats
from store.errors import DataError
from store.messages import Message, Value, message
from store.months import month_label, month_start
from store.schema.scenario import (
    RESULT_COLUMNS,
    Scenario,
    ScenarioAct,
    ScenarioContext,
    ScenarioResult,
)
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


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

    @property
    def context(self) -> ScenarioContext:
        """Acts, destinations and importers that a scenario may refer to.

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
            self.as_of, events, self.origin.series, importers, observed_before=unknown
        )


def warnings_by_series(
    origin: Origin, warned: Sequence[ScenarioWarning]
) -> Mapping[str, tuple[Message, ...]]:
    """Warnings of every series, those of a sum among its members'."""
    by_series = {}
    for row, name in enumerate(origin.series):
        concerned = {name, *(origin.series[member] for member in origin.groups[row])}
        texts = [
            warning.text
            for warning in warned
            if not warning.destinations or concerned & {*warning.destinations}
        ]
        by_series[name] = tuple(dict.fromkeys(texts))
    return by_series


def notes_of(
    snapshot: ScenarioSnapshot, scenario: Scenario, *, is_same: bool
) -> tuple[Message, ...]:
    """Basis of the answer to each control of a scenario, and the chances of each."""
    origin = snapshot.origin
    scenario_origin = with_levers(origin, scenario)
    controls = controls_at(scenario_origin)
    probable = tuple(_chances(control) for control in controls if control.chances != CERTAIN)
    if is_same:
        return (message("This scenario changes no month of the forecast."), *probable)
    before = {(control.event_id, control.bound) for control in controls_at(origin)}
    new = [
        control
        for control in controls
        if (control.event_id, control.bound) not in before and control.seen(origin) == 0
    ]
    past = (
        (*snapshot.analogs, *magnet_analogs(scenario_origin, controls)) if snapshot.analogs else ()
    )
    notes: list[Message] = []
    for control in new:
        if control.strictness:
            notes.append(_note_on_precedent(control, Precedents.at(origin, controls, past)))
        elif control.passing is None:
            notes += _notes_on(control, past)
    if not all(
        control.hit.all() or control.event_id in _diverted_shares(scenario) for control in new
    ):
        notes.append(
            message(
                "What is stopped is assumed to go to no other destination: no control on record "
                "hit one alone and shows where its goods went."
            )
        )
    exposure = Precedents.at(origin, controls, ()).exposure[~origin.is_sum]
    if new and exposure.min() < exposure.max():
        notes.append(
            message(
                "Destinations differ as under the first control on magnets: they lost %(least)s "
                "to %(most)s times what all together did.",
                least=f"{exposure.min():.1f}",
                most=f"{exposure.max():.1f}",
            )
        )
    return (*notes, *probable)


def _diverted_shares(scenario: Scenario) -> dict[str, float]:
    """Share that others get of what each act stops, where one is assumed."""
    percentages = {act.event_id: float(str(act.given[DIVERTED_PCT])) for act in scenario.events}
    return {act: share / 100.0 for act, share in percentages.items() if not math.isnan(share)}


def _note_on_precedent(control: Control, past: Precedents) -> Message:
    """Say what the licence is as strict as, and what that one left."""
    months = np.arange(MONTHS_SHOWN, dtype=np.float64) + 0.5
    share = past.retained(control.strictness, months, _FEW_DRAWS, SEED)[:, past.world].mean(axis=0)
    low = int(share.argmin())
    back = np.flatnonzero(share[low:] >= _BACK)
    words = {
        HARDEST: message("the lowest month of any licences on record"),
        MINERALS: message("the licences on %(count)s other minerals", count=len(past.minerals)),
        APRIL_2025: message(
            "the licences on magnets from %(day)s",
            day="" if past.control is None else f"{past.control.bound:%Y-%m-%d}",
        ),
    }
    numbers: dict[str, Value] = {"left": f"{share[low]:.0%}", "month": low + 1}
    numbers |= {"act": control.event_id, "precedent": words[control.strictness]}
    if not len(back):
        return message(
            "%(act)s: as strict as %(precedent)s: %(left)s left in month %(month)s, and under "
            "%(share)s for over %(months)s months.",
            **numbers, share=f"{_BACK:.0%}", months=MONTHS_SHOWN,
        )  # fmt: skip
    return message(
        "%(act)s: as strict as %(precedent)s: %(left)s left in month %(month)s, %(share)s again in "
        "month %(back)s.",
        **numbers, share=f"{_BACK:.0%}", back=int(back[0]) + low + 1,
    )  # fmt: skip


_BACK: Final = 0.8
"""Share of the level before from which trade counts as back."""

MONTHS_SHOWN: Final = 12
"""Months in which a precedent is described."""

_FEW_DRAWS: Final = 1000
"""Enough for a mean of one sum."""


def _chances(control: Control) -> Message:
    """Say how probable what is announced is."""
    announced, late, softened, never = (f"{part:.0%}" for part in control.chances)
    return message(
        "%(act)s, due %(day)s: %(announced)s as announced, %(late)s later, %(softened)s in a "
        "weaker form, %(never)s not at all.",
        act=control.event_id,
        day=f"{control.bound:%Y-%m-%d}",
        announced=announced,
        late=late,
        softened=softened,
        never=never,
    )


def _notes_on(control: Control, past: tuple[Analog, ...]) -> list[Message]:
    """Say what a control's answer rests on."""
    if not past:
        return [
            message(
                "No effect of %(act)s is computed: no past control is known by then.",
                act=control.event_id,
            )
        ]
    notes = [
        message(
            "%(act)s from %(day)s: estimated from %(count)s past controls.",
            act=control.event_id,
            day=f"{control.bound:%Y-%m-%d}",
            count=len(past),
        )
    ]
    if not any(analog.instrument == control.instrument for analog in past):
        notes.append(
            message("None of them is of this kind (%(instrument)s).", instrument=control.instrument)
        )
    return notes


_MIDDLE: Final = QUANTILES.index(0.5)


def paired(snapshot: ScenarioSnapshot, scenario: Scenario, *, draws: int = DRAWS) -> ScenarioResult:
    """Result from draws for this scenario alone, as of ``paired_with``."""
    return paired_with(PublishedDraws.of(snapshot, draws), scenario)


def paired_with(view: "PublishedDraws", scenario: Scenario) -> ScenarioResult:
    """Forecasts with and without a scenario, and the difference with its own band.

    Means add up to those of their sums. No difference is exactly zero where nothing changes.
    """
    snapshot, published = view.snapshot, view.published
    other = view.under(scenario)
    low, high = np.quantile(other.tonnes - published.tonnes, (0.1, 0.9), axis=0)
    numbers = {
        **_columns("base", published),
        **_columns("scenario", other),
        "difference_mean": other.mean - published.mean,
        "difference_p10": low,
        "difference_p90": high,
        **_outcome_columns("certain", other.outcomes[0]),
        **_outcome_columns("never", other.outcomes[-1]),
    }
    warnings = warnings_by_series(snapshot.origin, warnings_of(snapshot.origin, scenario))
    texts = {name: " ".join(map(str, messages)) for name, messages in warnings.items()}
    months = [month_label(int(month)) for month in snapshot.origin.targets]
    keys = pd.MultiIndex.from_product(
        [snapshot.origin.series, months], names=["destination", "period"]
    ).to_frame(index=False)
    return ScenarioResult(
        scenario,
        keys.assign(
            **{name: values.reshape(-1) for name, values in numbers.items()},
            warning=keys["destination"].map(texts),
        ),
        notes_of(snapshot, scenario, is_same=not (low.any() or high.any())),
        warnings,
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A distribution as draws, with what is reported of it, series x targets."""

    tonnes: Floats
    """Draws x series x targets."""
    quantiles: Floats
    """Series x targets x levels."""
    mean: Floats
    outcomes: "tuple[_Drawn, ...]" = ()
    """Of a scenario: if all its acts come, and if those with a probability do not."""


def _columns(side: str, of: _Drawn) -> dict[str, Floats]:
    levels = dict(zip(QUANTILE_COLUMNS, np.moveaxis(of.quantiles, -1, 0), strict=True))
    return {f"{side}_{name}": values for name, values in {**levels, "mean": of.mean}.items()}


def _outcome_columns(outcome: str, of: _Drawn) -> dict[str, Floats]:
    columns = _columns(outcome, of)
    return {name: columns[name] for name in RESULT_COLUMNS if name in columns}


@dataclass(frozen=True, slots=True)
class PublishedDraws:
    """A snapshot as draws of the published distribution, the same for all its scenarios."""

    snapshot: ScenarioSnapshot
    policies: PolicyEffect
    ranks: Floats
    ordinary: Floats
    """Draws under what is known, sums added up: only their ratios to others matter."""
    published: _Drawn
    exposure: Floats
    """What each series loses by controls to come beside all of them."""

    @classmethod
    def of(cls, snapshot: ScenarioSnapshot, draws: int = DRAWS) -> "PublishedDraws":
        """Draws of a snapshot."""
        origin = snapshot.origin
        exposure = Precedents.at(origin, controls_at(origin), ()).exposure
        policies = effect_at(origin, snapshot.analogs, count=draws, exposure=exposure)
        ranks = ranks_under(policies)
        plain = _cells(snapshot.ordinary, origin)
        ordinary = drawing.summed(drawn_tonnes(plain, policies, ranks), origin.groups)
        cells = _cells(snapshot.published, origin)
        mean = snapshot.published["mean"].to_numpy(dtype=float).reshape(cells.shape[:2])
        published = _Drawn(drawing.drawn(cells, drawing.ranks_of(ordinary)), cells, mean)
        return cls(snapshot, policies, ranks, ordinary, published, exposure)

    def under(self, scenario: Scenario) -> _Drawn:
        """Distribution under a scenario; exactly the published one where it does nothing.

        Acts with a probability come in that share of draws, and move the mean in proportion.
        """
        published, count = self.published, len(self.published.tonnes)
        at = (np.random.default_rng([SEED, 6]).permutation(count) + 0.5) / count
        tonnes, mean = np.empty_like(published.tonnes), np.zeros_like(published.mean)
        outcomes, least = list[_Drawn](), 0.0
        for most, branch in scenario.branches:
            outcome = self._under_branch(branch)
            is_branch = (at >= least) & (at < most)
            tonnes[is_branch] = outcome.tonnes[is_branch]
            mean += (most - least) * outcome.mean
            outcomes[1:] = [outcome]
            least = most
        return _Drawn(tonnes, self._quantiles_of(tonnes), mean, (outcomes[0], outcomes[-1]))

    def _quantiles_of(self, tonnes: Floats) -> Floats:
        """Quantiles of draws: the published ones, moved as those of the draws are."""
        moved = _ratio(
            drawing.quantiles_of_draws(tonnes), drawing.quantiles_of_draws(self.published.tonnes)
        )
        return _ascending(self.published.quantiles * moved)

    def _under_branch(self, scenario: Scenario) -> _Drawn:
        """Distribution under a scenario whose acts are certain."""
        origin, published = self.snapshot.origin, self.published
        ordinary = drawing.summed(self._ordinary(scenario), origin.groups)
        tonnes = self._diverted(published.tonnes * _ratio(ordinary, self.ordinary), scenario)
        growth = _ratio(tonnes.mean(axis=0), published.tonnes.mean(axis=0))
        added_up = growth.copy()
        for row in np.flatnonzero(origin.is_sum):
            members = published.mean[origin.groups[row]]
            new = (members * growth[origin.groups[row]]).sum(axis=0)
            added_up[row] = _ratio(new, members.sum(axis=0))
        tonnes = tonnes * _ratio(added_up, growth)
        return _Drawn(tonnes, self._quantiles_of(tonnes), published.mean * added_up)

    def _ordinary(self, scenario: Scenario) -> Floats:
        """Draws of destinations under a scenario, month by month as the news is out."""
        origin = self.snapshot.origin
        plain = _cells(self.snapshot.ordinary, origin)
        draws = self.ordinary.copy()
        for month in announcement_months(scenario, origin):
            scenario_origin = with_levers(origin, scenario, month)
            effect = effect_at(
                scenario_origin, self.snapshot.analogs, count=len(draws), exposure=self.exposure
            )
            retained = effect.retained
            if all(map(_is_stop, scenario.events)):
                retained = np.minimum(retained, self.policies.retained)
            charged = _bound_scenario(
                effect.charged, self.policies.charged, origin, scenario_origin
            )
            effect = replace(effect, retained=retained, charged=charged)
            scenario_draws = drawn_tonnes(plain, effect, self.ranks)
            reached = origin.targets >= month
            draws[:, :, reached] = scenario_draws[:, :, reached]
        return draws

    def _diverted(self, tonnes: Floats, scenario: Scenario) -> Floats:
        """Draws in which others get a share of what new acts stop, by their trade."""
        diverted, origin = tonnes.copy(), self.snapshot.origin
        shares = _diverted_shares(scenario)
        for control in controls_at(with_levers(origin, scenario)):
            receivers = ~control.hit & ~origin.is_sum
            if not (shares.get(control.event_id, 0.0) > 0.0 and receivers.any()):
                continue
            lost = (self.published.tonnes - tonnes)[:, control.hit & ~origin.is_sum].sum(axis=1)
            weight = self.published.tonnes[:, receivers].mean(axis=0)
            part = shares[control.event_id] * weight / weight.sum(axis=0)
            diverted[:, receivers] += np.maximum(lost, 0.0)[:, None] * part
        return diverted


def _is_stop(act: ScenarioAct) -> bool:
    """Whether an act is a new one that stops goods at the border."""
    is_restrictive = act.is_new and act.given["direction"] == "restrictive"
    return is_restrictive and act.given["instrument"] in INSTRUMENTS


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Ratio of two arrays, 1 where both are 0."""
    return np.asarray(np.maximum(numerator, LEAST) / np.maximum(denominator, LEAST))


def _ascending(levels: Floats) -> Floats:
    """Quantiles that do not cross; the median stays."""
    ascending = levels.copy()
    ascending[..., _MIDDLE:] = np.maximum.accumulate(levels[..., _MIDDLE:], axis=-1)
    lower = levels[..., _MIDDLE::-1]
    ascending[..., _MIDDLE::-1] = np.minimum.accumulate(lower, axis=-1)
    return ascending


def _bound_scenario(
    charged: Floats, published: Floats, base: Origin, scenario_origin: Origin
) -> Floats:
    """Tariff factors that in months of a higher rate are never above the known ones.

    Nor below them in months of a lower rate.
    """
    # A rate nobody knew counts as none, as the tariff response takes it.
    before, after = (
        np.nan_to_num(monthly_rates(origin, origin.targets)) for origin in (base, scenario_origin)
    )
    higher, lower = after > before + LEAST, after < before - LEAST
    capped = np.where(higher[None], np.minimum(charged, published), charged)
    return np.asarray(np.where(lower[None], np.maximum(capped, published), capped))


def _cells(table: pd.DataFrame, origin: Origin) -> Floats:
    """Quantiles as series x targets x levels."""
    shape = (len(origin.series), len(origin.targets), len(QUANTILES))
    return np.asarray(table[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(shape))
