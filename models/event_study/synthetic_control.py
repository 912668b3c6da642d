"""A destination as it would have gone on, made of others that an event left alone or hit less."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from features.panel.evidence_panel import PANEL_DESTINATIONS, EvidencePanel
from models.event_study.counterfactual import StudiedEvent, is_calm
from models.event_study.placebo import FEWEST, PlaceboWindow, SeriesComparison
from store.arrays import Floats
from store.vocabulary import DESTINATIONS

FIT_MONTHS: Final = 36
"""Months before an event that the weights are fitted on."""

LEVEL_MONTHS: Final = 12
"""Last months before an event whose mean is the size of a destination: one of each season."""

OWN_NOISE: Final = 0.1
"""Spread of a month about any mix of others, as a share of the level; how much a month teaches."""

WEIGHT_SPREAD: Final = 0.3
"""Spread of a weight about the equal one before any month is seen."""

SUM_FORCE: Final = 1e4
"""How hard the weights are held to a sum of one."""


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """One destination remade from donors."""

    weights: Floats
    """One a donor: none negative, sum one."""
    path: Floats
    """Tonnes of each month after the fit."""
    miss: Floats
    """Fitted less true months before, as a share of the level: how well the donors can do it."""


def remade(
    target: Floats, donors: Floats, *, stderr: Floats | None = None, after: int
) -> SyntheticControl:
    """Return a destination remade from donors that follow it in the months before.

    Args:
        target: Tonnes by month, the last ``after`` of them after the event; these are not read.
        donors: The same months of each donor, donors x months; at least one donor.
        stderr: Standard error of the log of ``target``; uncertain months count less in the fit.
        after: How many months lie after the event.

    Returns:
        Weights from at most ``FIT_MONTHS`` months before, each series in units of its last year.
    """
    start = max(target.shape[0] - after - FIT_MONTHS, 0)
    stop = target.shape[0] - after
    level = _level(target[None, :stop])[0]
    sizes = _level(donors[:, :stop])
    observed = target[start:stop] / level
    others = donors[:, start:] / sizes[:, None]
    doubt = np.zeros_like(observed) if stderr is None else stderr[start:stop]
    weights = fitted_weights(observed, others[:, : stop - start], doubt)
    mixed = weights @ others
    return SyntheticControl(
        weights, level * mixed[stop - start :], mixed[: stop - start] - observed
    )


def fitted_weights(observed: Floats, others: Floats, doubt: Floats) -> Floats:
    """Return the weights of donors: none negative, sum one, drawn towards equal ones.

    Args:
        observed: The months of the target in units of its level.
        others: The months of each donor in units of its level, donors x months.
        doubt: Standard error of the log of ``observed``.
    """
    count, months = others.shape
    certainty = OWN_NOISE / np.hypot(OWN_NOISE, doubt)
    ridge = OWN_NOISE / WEIGHT_SPREAD
    rows = [
        others.T * certainty[:, None],
        np.eye(count) * ridge,
        np.full((1, count), SUM_FORCE),
    ]
    aims = [observed * certainty, np.full(count, ridge / count), np.full(1, SUM_FORCE)]
    found, _ = nnls(np.vstack(rows), np.concatenate(aims), maxiter=30 * (count + months))
    weights = np.asarray(found, dtype=np.float64)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _level(tonnes: Floats) -> Floats:
    """Return the mean of each row's last year, never quite zero."""
    return np.asarray(np.maximum(tonnes[:, -LEVEL_MONTHS:].mean(axis=1), 1e-9))


SYNTHETIC: Final = "synthetic"
"""Made of destinations that the event left alone."""

LESS_HIT: Final = "less_hit"
"""Made of destinations that the event hit less, for it hit all: a lower bound of what it took."""

MORE_HIT: Final = "MORE_HIT"
"""The destinations it hit more, together."""


@dataclass(frozen=True, slots=True)
class SyntheticControls:
    """All series that could be remade; none where all destinations fared the same."""

    paths: dict[str, Floats]
    """Tonnes by month of each destination remade."""
    compared: dict[str, SeriesComparison]
    """Those with enough fake dates for a band."""
    weights: pd.DataFrame
    """target, donor, weight."""
    fit_error: float
    """Root mean square of the miss before the event, as a share of level; NaN without any."""


@dataclass(frozen=True, slots=True)
class _DonorPool:
    """Who is remade from whom; rows of the panel."""

    targets: list[int]
    donors: list[int]


def remakes(
    panel: EvidencePanel, act: StudiedEvent, *, whole: str, months: int, first_months: int
) -> SyntheticControls:
    """Return the series an event hit, remade from those it did not hit.

    Where it hit all destinations, those that kept less of their level than the world in the first
    months are remade from those that kept more; fake dates choose by the same rule.

    Args:
        panel: The months as known now.
        act: The event.
        whole: Name of the sum of all it hit.
        months: How many from the announcement's on.
        first_months: Months of the fall, which tell who was hit less.
    """
    way = SYNTHETIC if len(act.hit) < len(DESTINATIONS) else LESS_HIT
    cast = _cast(panel, act, act.first, first_months)
    made = _made(panel, cast, act.first, months)
    if not made:
        return SyntheticControls({}, {}, _weights(cast, made), np.nan)
    together = whole if way == SYNTHETIC else MORE_HIT
    own = _windows(panel, cast, made, act.first, together=together)
    fakes = [
        windows
        for first in range(panel.first + FIT_MONTHS, act.first - months + 1)
        if is_calm(act, first, months=months)
        and (windows := _at_fake(panel, act, (first, months, first_months), together))
    ]
    chosen = (together,) if way == LESS_HIT else tuple(own)
    calm = {name: [fake[name] for fake in fakes] for name in chosen if len(fakes) >= FEWEST}
    paths = {name: window.path for name, window in own.items()}
    miss = np.concatenate([one.miss for one in made])
    return SyntheticControls(
        paths,
        {name: SeriesComparison(way, own[name], some, some) for name, some in calm.items()},
        _weights(cast, made),
        float(np.sqrt(np.mean(miss**2))),
    )


def _at_fake(
    panel: EvidencePanel, act: StudiedEvent, date: tuple[int, int, int], together: str
) -> dict[str, PlaceboWindow]:
    """Return what the same comparison gives at a fake date: month, months, first months."""
    first, months, first_months = date
    cast = _cast(panel, act, first, first_months)
    return _windows(panel, cast, _made(panel, cast, first, months), first, together=together)


def _cast(panel: EvidencePanel, act: StudiedEvent, first: int, first_months: int) -> _DonorPool:
    hit = [DESTINATIONS.index(name) for name in act.hit]
    rest = [row for row in range(len(DESTINATIONS)) if row not in hit]
    if rest:
        return _DonorPool(hit, rest)
    start = first - panel.first
    count = len(DESTINATIONS)
    before = panel.tonnes[:count, start - LEVEL_MONTHS : start].mean(axis=1)
    after = panel.tonnes[:count, start : start + first_months].mean(axis=1)
    kept = after / np.maximum(before, 1e-9)
    more = kept < after.sum() / before.sum()
    return _DonorPool(np.flatnonzero(more).tolist(), np.flatnonzero(~more).tolist())


def _made(
    panel: EvidencePanel, cast: _DonorPool, first: int, months: int
) -> list[SyntheticControl]:
    stop = first - panel.first + months
    return [
        remade(
            panel.tonnes[row, :stop],
            panel.tonnes[cast.donors, :stop],
            stderr=panel.stderr[row, :stop],
            after=months,
        )
        for row in cast.targets
    ]


def _windows(
    panel: EvidencePanel,
    cast: _DonorPool,
    made: list[SyntheticControl],
    first: int,
    *,
    together: str,
) -> dict[str, PlaceboWindow]:
    """Return each remade series and their sum; nothing where none is."""
    if not made:
        return {}
    paths = np.stack([one.path for one in made])
    start = first - panel.first
    came = panel.tonnes[cast.targets, start : start + paths.shape[1]]
    doubt = panel.stderr[cast.targets, start : start + paths.shape[1]] * came
    singles = {
        PANEL_DESTINATIONS[row]: PlaceboWindow(paths[place], came[place], doubt[place])
        for place, row in enumerate(cast.targets)
    }
    return singles | {
        together: PlaceboWindow(paths.sum(axis=0), came.sum(axis=0), doubt.sum(axis=0))
    }


def _weights(cast: _DonorPool, made: list[SyntheticControl]) -> pd.DataFrame:
    rows = [
        (DESTINATIONS[target], DESTINATIONS[donor], float(weight))
        for target, one in zip(cast.targets, made, strict=True)
        for donor, weight in zip(cast.donors, one.weights, strict=True)
    ]
    return pd.DataFrame(rows, columns=["target", "donor", "weight"])
