"""What an event did: tonnes lost, recovered and displaced against two paths without it.

See docs/adr/0013-attribution.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.history import EvidenceHistory
from features.months import month_start
from features.panel.evidence_panel import PANEL_DESTINATIONS, EvidencePanel
from models.event_study.attribution_table import (
    FORESEEN,
    HIT,
    OTHERS,
    SeriesComparison,
    table_of,
    totals_of,
)
from models.event_study.counterfactual import (
    CounterfactualForecast,
    StudiedEvent,
    comparable_dates,
    is_calm,
    months_known,
    paths_foreseen,
    revision,
)
from models.event_study.placebo import (
    START_MONTHS,
    PlaceboWindow,
    depth,
    depth_rank,
    fall_months,
    least_ratios,
)
from models.event_study.synthetic_control import remakes
from models.executor import Progress, untracked
from models.learning.spec import ModelSpec
from store.arrays import Floats
from store.vocabulary import AGGREGATES, DESTINATIONS, MONTHS_AHEAD, WORLD

PAST_MONTHS: Final = 12
"""Months before an event that are shown."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an event did."""

    act: StudiedEvent
    as_of: pd.Timestamp
    months: int
    fall: int
    """Months the fall lasts, from the announcement's on; 0 if nothing stands out."""
    late: tuple[int, int, int]
    """Months the data were late: before the event, least and most at the fake dates."""
    depth: tuple[float, int, int]
    """What the fall took in months of the path; its rank among calm dates; those and one."""
    whole: str
    """The series that is all it touches."""
    table: pd.DataFrame
    """One row a series and month."""
    totals: pd.DataFrame
    """One row a series, way and part of the months."""
    weights: pd.DataFrame
    """target, donor, weight of the synthetic control."""
    fit_error: float
    """Root mean square of the synthetic control's miss before the event, as a share of level."""
    past: pd.DataFrame
    """The panel from a year before the event to the last of the months: ``PANEL_COLUMNS``."""


def attribute(
    history: EvidenceHistory,
    act: StudiedEvent,
    *,
    as_of: pd.Timestamp,
    spec: ModelSpec,
    months: int = MONTHS_AHEAD,
    track: Progress = untracked,
) -> Attribution:
    """Return what an event did, as known at ``as_of``.

    Args:
        history: The past; only rows known at ``as_of`` are used.
        act: The event.
        as_of: The moment that the actual months are read at (UTC).
        spec: Choices of the model whose forecasts are the path.
        months: How many months from the announcement's on, at most 12.
        track: Shows progress.

    Raises:
        DataError: No month is known yet, or too few fake dates lie before the event.
    """
    panel = history.panel(as_of)
    count = months_known(act, panel.cutoff, months=months)
    dates = [*comparable_dates(history, act, months=count), act.announced]
    paths = paths_foreseen(history, dates, months=count, spec=spec, track=track)
    names, parts = _series(act)
    whole = names[_whole(act, parts)]
    seen = dict(zip(names, _compared(paths, panel, parts, act, count), strict=True))
    least = least_ratios(seen[whole].calm, count)
    fall = fall_months(seen[whole].own, least)
    made = remakes(panel, act, whole=whole, months=count, first_months=fall or START_MONTHS)
    remade = {
        name: SeriesComparison(one.way, one.own, one.fakes, one.fakes)
        for name, one in made.compared.items()
    }
    rank = depth_rank(seen[whole].own, seen[whole].calm, least)
    *lates, late = (path.late_months for path in paths)
    return Attribution(
        act=act,
        as_of=as_of,
        months=count,
        fall=fall,
        late=(late, min(lates), max(lates)),
        depth=(depth(seen[whole].own, least), rank, len(seen[whole].calm) + 1),
        whole=whole,
        table=table_of(seen, made.paths, panel, paths[-1], (act, fall or START_MONTHS)),
        totals=pd.DataFrame(
            [row for one in (seen, remade) for row in totals_of(one, act, count, fall)]
        ),
        weights=made.weights,
        fit_error=made.fit_error,
        past=_past(panel, act, count),
    )


def _past(panel: EvidencePanel, act: StudiedEvent, months: int) -> pd.DataFrame:
    frame = panel.frame
    start, last = (month_start(act.first + shift) for shift in (-PAST_MONTHS, months - 1))
    return frame.loc[frame["period"].between(start, last)].reset_index(drop=True)


def _series(act: StudiedEvent) -> tuple[list[str], list[list[int]]]:
    """Return the series told of and the rows of the panel that add up to each."""
    names = list(PANEL_DESTINATIONS)
    parts = [[place] for place in range(len(names))]
    hit = [DESTINATIONS.index(name) for name in act.hit]
    rest = [place for place in range(len(DESTINATIONS)) if place not in hit]
    if len(hit) > 1 and act.hit not in _sums():
        names, parts = [*names, HIT], [*parts, hit]
    if rest:
        names, parts = [*names, OTHERS], [*parts, rest]
    return names, parts


def _sums() -> dict[tuple[str, ...], str]:
    """Return the published sums by their members in the panel's order."""
    return {
        tuple(name for name in DESTINATIONS if name in members): total
        for total, members in AGGREGATES.items()
    }


def _whole(act: StudiedEvent, parts: list[list[int]]) -> int:
    """Return the place of the series that is all the act touches."""
    if len(act.hit) == 1:
        return DESTINATIONS.index(act.hit[0])
    if (total := _sums().get(act.hit)) is not None:
        return PANEL_DESTINATIONS.index(total)
    return parts.index([DESTINATIONS.index(name) for name in act.hit])


def _compared(
    paths: Sequence[CounterfactualForecast],
    panel: EvidencePanel,
    parts: list[list[int]],
    act: StudiedEvent,
    months: int,
) -> Iterator[SeriesComparison]:
    """Yield each series against what was foreseen; the event's own path is the last one."""
    factors = [revision(path, panel) for path in paths]
    calm = [is_calm(act, path.first, months=months) for path in paths[:-1]]
    for rows in parts:
        *fakes, own = (
            _window(path, factor, panel, rows, months)
            for path, factor in zip(paths, factors, strict=True)
        )
        quiet = [window for window, kept in zip(fakes, calm, strict=True) if kept]
        yield SeriesComparison(FORESEEN, own, quiet, fakes)


def _window(
    path: CounterfactualForecast, factor: Floats, panel: EvidencePanel, rows: list[int], months: int
) -> PlaceboWindow:
    start = path.first - panel.first
    came = panel.tonnes[rows, start : start + months]
    doubt = _doubt(panel, rows, slice(start, start + months))
    middle = path.middle[rows, :months] * factor[rows, None]
    return PlaceboWindow(middle.sum(axis=0), came.sum(axis=0), doubt)


def _doubt(panel: EvidencePanel, rows: list[int], months: slice) -> Floats:
    """Return how far a sum of rows may be off, in tonnes.

    As far as its parts together, or the world and the rest together, whichever is less.
    """
    stderr = panel.stderr[:, months] * panel.tonnes[:, months]
    parts = stderr[rows].sum(axis=0)
    if len(rows) == 1:
        return np.asarray(parts)
    rest = [row for row in range(len(DESTINATIONS)) if row not in rows]
    world = PANEL_DESTINATIONS.index(WORLD)
    return np.asarray(np.minimum(parts, stderr[world] + stderr[rest].sum(axis=0)))
