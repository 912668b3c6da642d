"""What changed a forecast: one input after the other is replaced, and the steps add up exactly.

Both forecasts are computed anew from what was known at their moments. Source: docs/adr/0012-why.md.
"""

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any, Final

import numpy as np
import pandas as pd

from features.controls.analogs import Analog, analogs_at
from features.origin import Origin, origin_of
from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import EvidencePanel
from features.panel.statements import evidence_figures
from features.panel.system import PRIOR, PanelPrior
from features.track_record import TrackRecord
from models.forecasting.decomposition import Stages, in_tonnes, log_ratio, stage_shares, stages_of
from models.forecasting.model_frame import rows_of
from models.policy.policy_effect import effect_at
from models.quantile_model import OFFSET, TrainedModel
from store.arrays import Flags, Floats
from store.asof import EVENT_KEY, OBSERVATION_KEY, TARIFF_KEY
from store.facts.commodities import MEASURE, under_china_code
from store.months import month_number
from store.publications.explanations import DIGITS, NewFigure, runs_of
from store.vocabulary import CHANGED_INPUTS, HS6, NOT_REPRODUCED, WORLD

_CELL: Final = ("commodity", "origin", "destination", "measure", "period_from", "period_to")
"""Columns that name what a figure is about, whatever its source."""


@dataclass(frozen=True, slots=True)
class MedianForecast:
    """Medians of destinations and months, in tonnes."""

    modelled: Floats
    """Without what makes sums add up."""
    reconciliation: Floats

    @property
    def p50(self) -> Floats:
        return self.modelled + self.reconciliation


def split(
    before: Floats,
    after: Floats,
    value: Callable[[frozenset[str]], MedianForecast],
    *,
    changed: frozenset[str],
) -> dict[str, Floats]:
    """Parts of a change of medians; their sum is ``after - before``.

    The inputs are replaced in the order of ``CHANGED_INPUTS``, each beside those before it.

    Args:
        before: Published medians of the earlier forecast, by month.

    Returns:
        Tonnes by month for each of ``store.vocabulary.CHANGES``. ``not_reproduced`` is the
        difference of the published medians to the computed ones.
    """
    replaced: frozenset[str] = frozenset()
    first = last = value(replaced)
    parts: dict[str, Floats] = {}
    for name in CHANGED_INPUTS:
        reached = last
        if name in changed:
            replaced |= {name}
            reached = value(replaced)
        parts[name] = reached.modelled - last.modelled
        last = reached
    parts["reconciliation"] = last.reconciliation - first.reconciliation
    parts[NOT_REPRODUCED] = (after - before) - sum(parts.values())
    return parts


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """Every version of every fact known at the later moment (store contract); not modified."""

    observations: pd.DataFrame
    events: pd.DataFrame
    tariffs: pd.DataFrame
    analog_events: pd.DataFrame


@dataclass(frozen=True, slots=True)
class ForecastSnapshot:
    """Snapshot of one of the two forecasts."""

    moment: pd.Timestamp
    model: TrainedModel
    prior: PanelPrior = PRIOR
    """Of its evidence panel; replaced together with the model."""


@dataclass(frozen=True, slots=True)
class NewRows:
    """What became known between two moments, as masks over the rows of the facts."""

    new_actuals: Flags
    """Figures of what no figure spoke of before."""
    revised_actuals: Flags
    """Figures of what was known already: a revision, or another source."""
    analog_figures: Flags
    events: Flags
    tariffs: Flags
    analog_events: Flags

    @property
    def inputs(self) -> frozenset[str]:
        """Names of ``CHANGED_INPUTS`` with new rows."""
        is_policy_new = self.events.any() or self.analog_events.any() or self.analog_figures.any()
        is_changed = {
            "new_actuals": self.new_actuals.any(),
            "revised_actuals": self.revised_actuals.any(),
            "tariffs": self.tariffs.any(),
            "policy": is_policy_new,
        }
        return frozenset(name for name, is_new in is_changed.items() if is_new)


def news_of(facts: KnownFacts, before: KnownFacts) -> NewRows:
    """Masks of the facts that became known since an earlier publication."""
    figures = facts.observations
    late = _unknown(figures, before.observations, OBSERVATION_KEY)
    # Values of HS6 are evidence on magnets too; what has no such code is another mineral.
    is_evidence = under_china_code(figures) | figures["commodity"].eq(HS6)
    cells = pd.MultiIndex.from_frame(figures[list(_CELL)])
    is_published = cells.isin(cells[~late])
    magnets = is_evidence.to_numpy(dtype=bool)
    return NewRows(
        new_actuals=late & magnets & ~is_published,
        revised_actuals=late & magnets & is_published,
        analog_figures=late & ~magnets,
        events=_unknown(facts.events, before.events, EVENT_KEY),
        tariffs=_unknown(facts.tariffs, before.tariffs, TARIFF_KEY),
        analog_events=_unknown(facts.analog_events, before.analog_events, EVENT_KEY),
    )


def news_summary(news: NewRows, facts: KnownFacts) -> str:
    """Say in one line what became known."""
    is_act = facts.events["evidence"] != "scheduled"  # dates that no forecast uses
    acts = facts.events.loc[news.events & is_act, "event_id"].drop_duplicates().tolist()
    named = f" ({', '.join(acts)})" if acts else ""
    counts = {
        "new figures": str(news.new_actuals.sum()),
        "revised figures": str(news.revised_actuals.sum()),
        "tariff steps": str(news.tariffs.sum()),
        "policy events": f"{len(acts)}{named}",
        "controls on other minerals": str(news.analog_events.sum()),
        "figures of theirs": str(news.analog_figures.sum()),
    }
    return "; ".join(f"{name}: {count}" for name, count in counts.items() if count != "0") or "none"


def _unknown(rows: pd.DataFrame, before: pd.DataFrame, key: Sequence[str]) -> Flags:
    """Flag the versions of facts that were not known before."""
    names = [*key, "available_at"]
    earlier_versions = pd.MultiIndex.from_frame(before[names])
    return ~pd.MultiIndex.from_frame(rows[names]).isin(earlier_versions)


@dataclass(frozen=True, slots=True)
class ChangeReplay:
    """Forecasts between two snapshots, with any of their inputs replaced."""

    facts: KnownFacts
    before: ForecastSnapshot
    after: ForecastSnapshot
    cells: Sequence[tuple[str, str]]
    """Destinations and months (``YYYY-MM``) asked for; both snapshots forecast them."""
    news: NewRows
    panels: dict[Hashable, EvidencePanel] = field(default_factory=dict)
    """Solved so far: tariffs, policy and models leave the panel as it is."""

    @property
    def changed(self) -> frozenset[str]:
        names = set(self.news.inputs)
        if self.after.moment != self.before.moment:
            names.add("passing_time")
        before, after = self.before, self.after
        if (before.model, before.prior) != (after.model, after.prior):
            names.add("model")
        return frozenset(names)

    def value(self, replaced: frozenset[str], shown: Flags | None = None) -> MedianForecast:
        """Medians with these inputs of the later snapshot and the others of the earlier.

        Later rows are seen only from the later moment, so ``passing_time`` comes first.

        Args:
            shown: New figures that are seen too, as a mask over the rows of the facts.
        """
        snapshot = self.after if "model" in replaced else self.before
        moment = (self.after if "passing_time" in replaced else self.before).moment
        origin, analogs = self._origin(replaced, moment, snapshot.prior, shown)
        rows = rows_of(origin)
        effect = effect_at(origin, analogs)
        stages = stages_of(snapshot.model, rows, origin, effect)
        summed = reconciled_tonnes(stages, rows, origin)
        first, months = int(origin.targets[0]), len(origin.targets)
        row = {name: number * months for number, name in enumerate(origin.series)}
        place = np.array([row[name] + month_number(month) - first for name, month in self.cells])
        published = stages.published["p50"].to_numpy()
        return MedianForecast((published - summed)[place], summed[place])

    def _origin(
        self, replaced: frozenset[str], moment: pd.Timestamp, prior: PanelPrior, shown: Flags | None
    ) -> tuple[Origin, tuple[Analog, ...]]:
        """Origin and analogs with some inputs replaced."""
        news, facts = self.news, self.facts
        new, again = "new_actuals" in replaced, "revised_actuals" in replaced
        policy, tariffs = "policy" in replaced, "tariffs" in replaced
        masks = ((news.new_actuals, new), (news.revised_actuals, again))
        hidden = np.logical_or.reduce(
            [mask & ~np.bool_(is_replaced) for mask, is_replaced in masks]
        )
        hidden |= news.analog_figures & ~np.bool_(policy)
        key: tuple[Hashable, ...] = (moment, new, again, prior)
        if shown is not None:
            hidden &= ~shown
            key = (*key, shown.tobytes())
        figures = facts.observations.loc[~hidden]
        if key not in self.panels:
            self.panels[key] = evidence_panel(figures, as_of=moment, prior=prior)
        acts = facts.analog_events.loc[~news.analog_events | policy]
        events = facts.events.loc[~news.events | policy]
        steps = facts.tariffs.loc[~news.tariffs | tariffs]
        record = TrackRecord(moment, (events, acts), steps)
        origin = origin_of(
            self.panels[key],
            events=events,
            tariffs=steps,
            record=record,
            indices=figures.loc[figures["measure"].eq("index")],
        )
        return origin, analogs_at(acts, figures, as_of=moment)


_PRINCIPAL: Final = ("net_weight_t", "yoy_pct", "mom_pct", "share_pct")
"""Measures of a figure that is named, the most telling first; rankings are not named."""

_APART: Final = 12
"""Further figures whose effect is computed one by one, each a panel and a forecast."""

_TOGETHER: Final = 4
"""Neighbouring months whose effects are shared whatever their order: 16 forecasts."""

_SUBJECT: Final = ["destination", "period_from", "period_to"]


def named_figures(
    facts: KnownFacts,
    news: NewRows,
    panel: EvidencePanel,
    expected: Mapping[tuple[str, str], float],
) -> dict[NewFigure, list[int]]:
    """China's figures that became known between two snapshots, each with its rows of the facts.

    Figures of the same destination and months count as one, named by its weight if there is one;
    in order of release.

    Args:
        panel: Of the later snapshot.
        expected: Medians of the earlier publication by destination and month, ``YYYY-MM``.
    """
    rows = _named_rows(facts, news)
    return {
        _figure(part.iloc[0], panel, expected): [*part.index]
        for _, part in rows.groupby(_SUBJECT, sort=False)
    }


def with_effects(
    replay: ChangeReplay, named: Mapping[NewFigure, Sequence[int]]
) -> tuple[NewFigure, ...]:
    """Figures with the tonnes by which each moved the medians.

    The earlier model sees the world's first, each in place of what was expected: that a month of
    the world is known at all moves the start of the forecast, which is the effect of no value. The
    destinations' follow in order of release, then the world's values; neighbouring months of one
    destination together, their effect shared by Shapley values. All that were forecast are seen, of
    others ``_APART`` at most, the newest months first.

    Args:
        named: As ``named_figures`` of the facts of the replay.
    """
    figures, subjects = [*named], [*named.values()]
    rank = [
        (figure.expected_t is None, -month_number(figure.last), figure.destination != WORLD)
        for figure in figures
    ]
    most = max(_APART, sum(figure.expected_t is not None for figure in figures))
    apart = sorted(range(len(figures)), key=rank.__getitem__)[:most]
    facts = replay.facts.observations
    values = facts["value"].copy()
    shown: Flags = np.zeros(len(facts), dtype=bool)
    of_world = [
        at
        for at in apart
        if figures[at].destination == WORLD and figures[at].measure == MEASURE
        if figures[at].expected_t is not None
    ]
    for at in of_world:
        values[subjects[at][0]] = figures[at].expected_t
        shown |= facts.index == subjects[at][0]

    def medians(seen: frozenset[int]) -> Floats:
        is_seen = facts.index.isin([label for at in seen for label in subjects[at]])
        observations = facts.assign(value=values.where(~is_seen, facts["value"]))
        known_facts = dataclasses.replace(replay.facts, observations=observations)
        replayed = dataclasses.replace(replay, facts=known_facts, panels={})
        return replayed.value(replay.changed & {"passing_time"}, shown | is_seen).p50

    seen: frozenset[int] = frozenset()
    reached = medians(seen) if apart else np.zeros(0)
    runs = _neighbours([figures[at] for at in apart])
    places = [tuple(sorted(apart[place] for place in run)) for run in runs]
    for run in sorted(places, key=lambda run: (run[0] in of_world, run)):
        effects, reached = shared_effects(run, seen, reached, medians)
        seen |= {*run}
        for at, effect in effects.items():
            moved: dict[str, dict[str, float]] = {}
            for (name, month), tonnes in zip(replay.cells, effect.tolist(), strict=True):
                moved.setdefault(name, {})[month] = round(tonnes, DIGITS)
            figures[at] = dataclasses.replace(figures[at], moved=moved)
    return tuple(figures)


def _neighbours(figures: Sequence[NewFigure]) -> list[list[int]]:
    """Places of the figures: up to ``_TOGETHER`` of one run of months together, others alone."""
    runs = runs_of(figures)
    return [
        [figures.index(figure) for figure in run[start : start + _TOGETHER]]
        for run in runs
        for start in range(0, len(run), _TOGETHER)
    ]


def shared_effects(
    run: Sequence[int],
    seen: frozenset[int],
    reached: Floats,
    medians: Callable[[frozenset[int]], Floats],
) -> tuple[dict[int, Floats], Floats]:
    """Shapley values of the figures of a run beside those seen, and the medians with all of them.

    Args:
        reached: Medians with those seen.
    """
    by_seen = {seen: reached}

    def value(figures: frozenset[int]) -> Floats:
        if figures not in by_seen:
            by_seen[figures] = medians(figures)
        return by_seen[figures]

    orders = [*permutations(run)]
    effects = {at: np.zeros_like(reached) for at in run}
    for order in orders:
        for place, at in enumerate(order):
            before = seen | {*order[:place]}
            effects[at] += (value(before | {at}) - value(before)) / len(orders)
    return effects, value(seen | {*run})


def _named_rows(facts: KnownFacts, news: NewRows) -> pd.DataFrame:
    """New figures of the magnets in order of release, each flagged if it is a revision.

    A figure that repeats another source's is not new.
    """
    figures = facts.observations
    late = news.new_actuals | news.revised_actuals
    cells = [*_CELL, "value"]
    earlier_cells = pd.MultiIndex.from_frame(figures.loc[~late, cells])
    is_repeated = pd.MultiIndex.from_frame(figures[cells]).isin(earlier_cells)
    rows = evidence_figures(figures.assign(is_revision=news.revised_actuals)[late & ~is_repeated])
    rows = rows.loc[under_china_code(rows) & rows["measure"].isin(_PRINCIPAL)]
    rank = rows["measure"].map(_PRINCIPAL.index)
    order = ["available_at", *_SUBJECT, "rank"]
    return rows.assign(rank=rank).sort_values(order, kind="stable")


def _figure(
    row: "pd.Series[Any]", panel: EvidencePanel, expected: Mapping[tuple[str, str], float]
) -> NewFigure:
    name = str(row["destination"])
    first, last = (f"{row[end]:%Y-%m}" for end in ("period_from", "period_to"))
    months = panel.frame
    subject_months = months.loc[
        months["destination"].eq(name) & months["period"].eq(row["period_from"])
    ]
    published_tonnes = (
        subject_months.loc[subject_months["kind"].ne("estimated"), "tonnes"].tolist()
        if first == last
        else []
    )
    median = expected.get((name, first)) if first == last else None
    return NewFigure(
        destination=name,
        first=first,
        last=last,
        measure=str(row["measure"]),
        value=float(row["value"]),
        available_at=f"{row['available_at']:%Y-%m-%dT%H:%M:%SZ}",
        source=str(row["source"]),
        source_url=str(row["source_url"]),
        is_revision=bool(row["is_revision"]),
        expected_t=None if median is None else round(median, DIGITS),
        published_t=round(published_tonnes[0], DIGITS) if published_tonnes else None,
    )


def reconciled_tonnes(stages: Stages, rows: pd.DataFrame, origin: Origin) -> Floats:
    """Part ``reconciliation`` of each median, in tonnes, as in ``contributions``."""
    offset = rows[OFFSET].to_numpy(dtype=float)
    level = np.repeat(origin.level, len(origin.targets))
    summed = stage_shares(stages, offset)["reconciliation"]
    total = log_ratio(stages.published["p50"].to_numpy(), level, offset)
    return in_tonnes(np.column_stack([summed, total - summed]), level + offset)[:, 0]
