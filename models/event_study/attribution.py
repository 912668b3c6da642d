"""What an event did: tonnes lost, recovered and displaced against two paths without it.

See docs/adr/0013-attribution.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.history import EvidenceHistory
from features.months import month_label, month_start
from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
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
    SeriesComparison,
    depth,
    depth_rank,
    fall_months,
    found,
    least_ratios,
)
from models.event_study.synthetic_control import MORE_HIT, remakes
from models.executor import Progress, untracked
from models.learning.spec import ModelSpec
from store.arrays import Floats
from store.vocabulary import AGGREGATES, DESTINATIONS, MONTHS_AHEAD, WORLD

FORESEEN: Final = "as_of"
"""The way of comparing with what was foreseen just before."""

HIT: Final = "HIT"
"""The destinations an event touches, together, where no published series is just these."""

OTHERS: Final = "OTHERS"
"""The destinations it leaves alone, together."""


def role_of(name: str, act: StudiedEvent) -> str:
    """Return whether a series is hit, left alone (other) or a sum of both."""
    if name in (HIT, MORE_HIT, OTHERS):
        return "other" if name == OTHERS else "hit"
    inside = [member in act.hit for member in AGGREGATES.get(name, (name,))]
    return "hit" if all(inside) else "sum" if any(inside) else "other"


def totals_of(
    compared: dict[str, SeriesComparison], act: StudiedEvent, months: int, fall: int
) -> Iterator[dict[str, object]]:
    """Yield what is missing of each series in the fall, after it and in all months."""
    length = fall or min(START_MONTHS, months)
    parts = {"fall" if fall else "first": (0, length), "after": (length, months)}
    for name, one in compared.items():
        for part, (start, stop) in {**parts, "all": (0, months)}.items():
            if stop <= start:
                continue
            span = slice(start, stop)
            mine, among = found(one.own, one.calm, span), found(one.own, one.earlier, span)
            yield {
                "destination": name,
                "role": role_of(name, act),
                "way": one.way,
                "part": part,
                "first_period": month_label(act.first + start),
                "last_period": month_label(act.first + stop - 1),
                "path_t": one.own.path[span].sum(),
                "actual_t": one.own.came[span].sum(),
                "missing_t": mine.missing,
                "missing_p10": mine.low,
                "missing_p90": mine.high,
                "rank": mine.rank,
                "dates": mine.dates,
                "earlier_rank": among.rank,
                "earlier_dates": among.dates,
            }


def table_of(
    seen: dict[str, SeriesComparison],
    remade: dict[str, Floats],
    panel: EvidencePanel,
    path: CounterfactualForecast,
    *,
    act: StudiedEvent,
    fall: int,
) -> pd.DataFrame:
    """Return one row a series and month."""
    frames = []
    for name, one in seen.items():
        months = np.arange(len(one.own.path))
        singles = [found(one.own, one.calm, slice(k, k + 1)) for k in months]
        running = [found(one.own, one.calm, slice(0, k + 1)) for k in months]
        missing = np.array([single.missing for single in singles])
        role = role_of(name, act)
        early = months < fall
        columns: dict[str, object] = {
            "destination": name,
            "role": role,
            "period": [month_label(act.first + int(k)) for k in months],
            "part": np.where(early, "fall", "after"),
            "actual_t": one.own.came,
            "actual_stderr_t": one.own.stderr,
            **_published(name, panel, path, act.first, len(months)),
            "without_p50": one.own.path,
            "missing_t": missing,
            "missing_p10": [single.low for single in singles],
            "missing_p90": [single.high for single in singles],
            "lost_t": np.where(early & (role == "hit"), missing, np.nan),
            "recovered_t": np.where(~early & (role == "hit"), -missing, np.nan),
            "displaced_t": np.where(early & (role == "other"), -missing, np.nan),
            "cumulated_t": [one.missing for one in running],
            "cumulated_p10": [one.low for one in running],
            "cumulated_p90": [one.high for one in running],
            "synthetic_t": remade.get(name, np.nan),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _published(
    name: str, panel: EvidencePanel, path: CounterfactualForecast, first: int, months: int
) -> dict[str, object]:
    """Return what only a published series has: kind of each month and the forecast's band."""
    if name not in PANEL_DESTINATIONS:
        return {"kind": "", **dict.fromkeys(("foreseen_p50", "without_p10", "without_p90"), np.nan)}
    row = PANEL_DESTINATIONS.index(name)
    factor = revision(path, panel)[row]
    kinds = panel.kind[row, first - panel.first :][:months]
    return {
        "kind": np.asarray(KINDS)[kinds],
        "foreseen_p50": path.middle[row, :months],
        "without_p10": path.low[row, :months] * factor,
        "without_p90": path.high[row, :months] * factor,
    }


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
    own, calm = seen[whole].own, seen[whole].calm
    least = least_ratios(calm, count)
    fall = fall_months(own, least)
    made = remakes(panel, act, whole=whole, months=count, first_months=fall or START_MONTHS)
    totals = [row for one in (seen, made.compared) for row in totals_of(one, act, count, fall)]
    *lates, late = (path.late_months for path in paths)
    frame = panel.frame
    start, last = (month_start(act.first + shift) for shift in (-PAST_MONTHS, count - 1))
    return Attribution(
        act=act,
        as_of=as_of,
        months=count,
        fall=fall,
        late=(late, min(lates), max(lates)),
        depth=(depth(own, least), depth_rank(own, calm, least), len(calm) + 1),
        whole=whole,
        table=table_of(seen, made.paths, panel, paths[-1], act=act, fall=fall or START_MONTHS),
        totals=pd.DataFrame(totals),
        weights=made.weights,
        fit_error=made.fit_error,
        past=frame.loc[frame["period"].between(start, last)].reset_index(drop=True),
    )


def _series(act: StudiedEvent) -> tuple[list[str], list[list[int]]]:
    """Return the series reported and the rows of the panel that add up to each."""
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
    middle = (path.middle[rows, :months] * factor[rows, None]).sum(axis=0)
    return PlaceboWindow(middle, came.sum(axis=0), _doubt(panel, rows, start, months))


def _doubt(panel: EvidencePanel, rows: list[int], start: int, months: int) -> Floats:
    """Return how far a sum of rows may be off, in tonnes.

    As far as its parts together, or the world and the rest together, whichever is less.
    """
    stderr = (panel.stderr * panel.tonnes)[:, start : start + months]
    parts = stderr[rows].sum(axis=0)
    if len(rows) == 1:
        return np.asarray(parts)
    rest = [row for row in range(len(DESTINATIONS)) if row not in rows]
    world = PANEL_DESTINATIONS.index(WORLD)
    return np.asarray(np.minimum(parts, stderr[world] + stderr[rest].sum(axis=0)))
