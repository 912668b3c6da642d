"""What a past event did: tonnes lost, recovered and displaced against a path without it.

The path is the forecast of the day before the announcement. The same comparison at earlier placebo
dates shows how far such paths go wrong on their own: it gives bands and ranks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from features.evidence_history import EvidenceHistory
from features.families.policy import STRONG, act_strength
from features.origin import LEVEL_MONTHS
from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from models.forecasting.evidence_forecaster import FIRST_REPLAY, EvidenceForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import ModelParameters
from store.arrays import Floats
from store.asof import EVENT_KEY, known_at
from store.errors import DataError, first_few
from store.months import last_complete_month, month_label, month_number, month_numbers, month_start
from store.progress import Progress, untracked
from store.vocabulary import AGGREGATES, DESTINATIONS, EU27_MEMBERS, MONTHS_AHEAD, WORLD

_BAND: Final = (0.1, 0.9)
"""Quantiles of the bands: 80 percent."""

FEWEST_DATES: Final = 8
"""Fewer placebo dates than this make no band."""

BEGINS_WITHIN: Final = 3
"""A fall begins within this many months of an announcement, or it is not the event's."""

NORMAL_SCORES: Final = ndtri((np.arange(15) + 0.5) / 15)
"""Standard normal quantiles that stand for the measurement error of an actual month."""

_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PlaceboWindow:
    """Actual months of one series from a date on, and those foreseen (the path), by month."""

    path: Floats
    """Median forecast made just before the date, in tonnes."""
    actual: Floats
    stderr: Floats
    """Standard error of ``actual`` in tonnes."""


@dataclass(frozen=True, slots=True)
class SeriesComparison:
    """One series against its path, from the event on and from each placebo date on."""

    event: PlaceboWindow
    placebos: list[PlaceboWindow]


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """Tonnes missing against the path over some months, and how unusual that is."""

    missing: float
    """Path less actuals, in tonnes; negative where exports were higher."""
    low: float
    high: float
    """The 80 percent band of what is missing."""
    rank: int
    """1 + number of placebo dates with at least as large a share missing."""
    dates: int
    """Number of placebo dates."""


def effect_over(
    event: PlaceboWindow, placebos: list[PlaceboWindow], months: slice
) -> EffectEstimate:
    """Tonnes missing over some months, with their band and rank among placebo dates.

    The band combines forecast errors at placebo dates with the measurement errors of actual
    months, at those dates and now. Errors of months within a window are taken as perfectly
    correlated, which gives the widest band.

    Args:
        placebos: From each placebo date on, with as many months; ``FEWEST_DATES`` at least.
        months: Months that count, from the date on.
    """
    ratio = _ratio_draws(placebos, months).reshape(-1)
    path, actual = event.path[months].sum(), event.actual[months].sum()
    actual_draws = actual * np.exp(NORMAL_SCORES * event.stderr[months].sum() / max(actual, _LEAST))
    draws = path * ratio[:, None] - actual_draws[None, :]
    low, high = np.quantile(draws, _band_levels(len(placebos)))
    missing = path - actual
    share = missing / max(path, _LEAST)
    placebo_shares = np.array([_share(placebo, months) for placebo in placebos])
    as_far = placebo_shares >= share if share >= 0 else placebo_shares <= share
    return EffectEstimate(
        float(missing), float(low), float(high), 1 + int(as_far.sum()), len(placebos)
    )


def least_ratios(placebos: list[PlaceboWindow], months: int) -> Floats:
    """Lower limit of the band of single months, as a share of the path, by month."""
    level = _band_levels(len(placebos))[0]
    singles = [_ratio_draws(placebos, slice(k, k + 1)) for k in range(months)]
    return np.array([np.quantile(single, level) for single in singles])


def fall_months(window: PlaceboWindow, least: Floats) -> int:
    """Months from the date to the end of a fall below the band; ``least`` as ``least_ratios``.

    The fall must begin within ``BEGINS_WITHIN``; 0 without one.
    """
    below = window.actual < least * window.path
    begins = np.flatnonzero(below[:BEGINS_WITHIN])
    if not len(begins):
        return 0
    back = np.flatnonzero(~below[begins[0] :])
    return int(begins[0] + back[0]) if len(back) else len(below)


def depth(window: PlaceboWindow, least: Floats) -> float:
    """Tonnes missing during a fall, in mean months of the path; 0 if nothing fell."""
    length = fall_months(window, least)
    missing = (window.path - window.actual)[:length].sum()
    return float(missing / max(window.path.mean(), _LEAST))


def _share(window: PlaceboWindow, months: slice) -> float:
    path = window.path[months].sum()
    return float((path - window.actual[months].sum()) / max(path, _LEAST))


def _ratio_draws(placebos: list[PlaceboWindow], months: slice) -> Floats:
    """Ratio of actuals to path, placebo dates x normal scores of the measurement error."""
    path = np.array([placebo.path[months].sum() for placebo in placebos])
    actual = np.array([placebo.actual[months].sum() for placebo in placebos])
    stderr = np.array([placebo.stderr[months].sum() for placebo in placebos])
    log_stderr = stderr / np.maximum(actual, _LEAST)
    ratio = actual / np.maximum(path, _LEAST)
    return np.asarray(ratio[:, None] * np.exp(log_stderr[:, None] * NORMAL_SCORES[None, :]))


def _band_levels(dates: int) -> Floats:
    """Quantile levels of the band, widened for a finite number of placebo dates."""
    return np.clip(0.5 + (np.array(_BAND) - 0.5) * (1.0 + 1.0 / dates), 0.0, 1.0)


JUST_BEFORE: Final = pd.Timedelta(seconds=1)
"""Forecasts of the path are made this long before the day of the announcement."""

LAG_TOLERANCE: Final = 2
"""Months by which the delay of the data at a placebo date may differ from the event's."""

_QUANTILES: Final = ("p10", "p50", "p90")

HIT: Final = "HIT"
"""Sum of the destinations an event touches, if no published series has just these."""

OTHERS: Final = "OTHERS"
"""Sum of the destinations it does not touch."""

REMAINDERS: Final = ("EU27_REST", "ROW")

PAST_MONTHS: Final = 12
"""Months before an event that are shown."""


@dataclass(frozen=True, slots=True)
class StudiedEvent:
    """A policy event as known now."""

    event_id: str
    announced: pd.Timestamp
    """First moment of the day (UTC)."""
    summary: str
    named: str
    """Whom the act names, as in the ledger."""
    hit: tuple[str, ...]
    """Destinations it touches, in the panel's order; a country within a remainder touches that."""
    shocks: pd.DataFrame
    """Other acts strong enough to move magnets: event_id, announced_on, hit; by day."""

    @property
    def first(self) -> int:
        return month_number(self.announced)


@dataclass(frozen=True, slots=True)
class CounterfactualForecast:
    """Forecast made just before a date, of its month and those after; series x months."""

    first: int
    late_months: int
    """Complete months that the evidence of then did not cover."""
    cutoff: int
    """Last month known then."""
    level: Floats
    """Mean of each series' last year as known then, in tonnes."""
    low: Floats
    middle: Floats
    high: Floats
    """Quantiles 0.1, 0.5 and 0.9, in tonnes."""


def act_of(events: pd.DataFrame, event_id: str, *, as_of: pd.Timestamp) -> StudiedEvent:
    """One event as known at ``as_of``.

    Args:
        events: Every version of the policy events (store contract); not modified.
    """
    known_events = known_at(events, key=EVENT_KEY, as_of=as_of)
    rows = known_events.loc[known_events["event_id"] == event_id]
    if rows.empty:
        raise DataError(_unknown(events, known_events, event_id, as_of))
    row = rows.iloc[0]
    if row["evidence"] == "scheduled":
        raise DataError(
            f"Event {event_id!r} is a scheduled date, not an act. Expected an event that happened. "
            "Ask `magnetcast predict` what is foreseen for it."
        )
    happened = known_events.loc[
        (known_events["evidence"] != "scheduled") & (known_events["direction"] != "neutral")
    ]
    strong = happened.loc[act_strength(happened) >= STRONG]
    shocks = strong.loc[strong["event_id"] != event_id, ["event_id", "announced_on"]]
    reach = strong.loc[shocks.index, "destinations"].map(lambda names: hit_by(str(names)))
    return StudiedEvent(
        event_id,
        pd.Timestamp(row["announced_on"]).tz_localize("UTC"),
        str(row["summary"]),
        str(row["destinations"]),
        hit_by(str(row["destinations"])),
        shocks.assign(hit=reach).sort_values(["announced_on", "event_id"], ignore_index=True),
    )


def _unknown(
    events: pd.DataFrame, known_events: pd.DataFrame, event_id: str, as_of: pd.Timestamp
) -> str:
    later = events.loc[events["event_id"] == event_id, "announced_on"]
    if len(later):
        return (
            f"Event {event_id!r} lies in the future of {as_of:%Y-%m-%d}: it was announced on "
            f"{later.iloc[0]:%Y-%m-%d}. Expected a past event. Take a later --as-of."
        )
    names = sorted(known_events["event_id"])
    near = get_close_matches(event_id, names, n=5)
    hint = f" Did you mean: {first_few(near)}?" if near else ""
    return (
        f"No policy event {event_id!r} is known on {as_of:%Y-%m-%d}. Expected one of {len(names)} "
        f"event_ids of the policy events (data/policy_events.csv and those ingested).{hint} "
        "Correct it."
    )


def hit_by(names: str) -> tuple[str, ...]:
    """Destinations of the panel that an act on ``A;B`` touches, in its order."""
    named = [member for name in names.split(";") for member in AGGREGATES.get(name, (name,))]
    touched = {
        name if name in DESTINATIONS else "EU27_REST" if name in EU27_MEMBERS else "ROW"
        for name in named
    }
    return tuple(name for name in DESTINATIONS if name in touched)


def months_known(act: StudiedEvent, cutoff: int, *, months: int) -> int:
    """Number of months from the announcement on that are known and were forecast.

    Args:
        cutoff: Last month known.
        months: Largest number. An event announced on the first of a month has one month less.
    """
    if act.first > cutoff:
        raise DataError(
            f"No month after event {act.event_id!r} (announced {act.announced:%Y-%m-%d}) is known; "
            f"the last one is {month_label(cutoff)}. Expected at least the month of the "
            "announcement. Take a later --as-of, or ingest newer figures."
        )
    last = last_complete_month(act.announced - JUST_BEFORE) + MONTHS_AHEAD
    return min(months, cutoff - act.first + 1, last - act.first + 1)


def is_calm(act: StudiedEvent, first: int, *, months: int) -> bool:
    """Tell whether no strong act was announced within a window of months."""
    announced = month_numbers(act.shocks["announced_on"])
    return not bool(((announced >= first) & (announced < first + months)).any())


def comparable_dates(
    history: EvidenceHistory, act: StudiedEvent, *, months: int
) -> list[pd.Timestamp]:
    """The same day of earlier months whose window ends before the event, and data were as late."""
    start = pd.Timestamp(FIRST_REPLAY, tz="UTC")
    back = range(1, 12 * max(act.announced.year - start.year + 1, 0))
    earlier = [act.announced - pd.DateOffset(months=count) for count in reversed(back)]
    dates = [date for date in earlier if date > start and month_number(date) + months <= act.first]
    if len(dates) >= FEWEST_DATES:
        late = _late(history, act.announced)
        dates = [date for date in dates if abs(_late(history, date) - late) <= LAG_TOLERANCE]
    calm = sum(is_calm(act, month_number(date), months=months) for date in dates)
    if calm < FEWEST_DATES:
        raise DataError(
            f"Event {act.event_id!r} (announced {act.announced:%Y-%m-%d}) is too early for a "
            f"history: {calm} placebo dates between {FIRST_REPLAY} and it have {months} calm "
            f"months each and data about as late. Expected at least {FEWEST_DATES}, to tell it "
            "from chance. Take a later event, or fewer --months."
        )
    return dates


def _late(history: EvidenceHistory, date: pd.Timestamp) -> int:
    moment = date - JUST_BEFORE
    return last_complete_month(moment) - history.panel(moment).cutoff


def paths_foreseen(
    history: EvidenceHistory,
    dates: Sequence[pd.Timestamp],
    *,
    months: int,
    parameters: ModelParameters,
    track: Progress = untracked,
) -> list[CounterfactualForecast]:
    """Forecast from the moment before each date.

    The model is trained anew on what was known at each of these moments, and its policy response
    covers only the controls announced by then.

    Args:
        dates: First moments of days (UTC), ascending.
        months: Number of months, from that of the date on.
    """
    forecaster, paths = EvidenceForecaster(parameters), []
    for date in track(dates, "paths foreseen at placebo dates and before the event"):
        snapshot = Snapshot.of_evidence(history, date - JUST_BEFORE)
        origin, fitted = snapshot.origin, forecaster.fit(snapshot)
        fitted.compare()  # its errors calibrate the paths after it
        quantiles = fitted.published()[list(_QUANTILES)].to_numpy()
        values = quantiles.reshape(len(origin.series), len(origin.targets), len(_QUANTILES))
        skipped = month_number(date) - origin.cutoff - 1
        low, middle, high = np.moveaxis(values[:, skipped : skipped + months], 2, 0)
        path = CounterfactualForecast(
            first=month_number(date),
            late_months=origin.late_months,
            cutoff=origin.cutoff,
            level=origin.level,
            low=low,
            middle=middle,
            high=high,
        )
        paths.append(path)
    return paths


def revision(path: CounterfactualForecast, panel: EvidencePanel) -> Floats:
    """Ratio, by series, of the year before a path as known now to that year as known then.

    A figure published later can show that a destination was larger or smaller all along. That is
    not an effect of the event, so the path is multiplied by this ratio before it is compared.
    """
    stop = path.cutoff - panel.first + 1
    level = panel.tonnes[:, stop - LEVEL_MONTHS : stop].mean(axis=1)
    return np.asarray(level / np.maximum(path.level, 1e-9))


@dataclass(frozen=True, slots=True)
class Attribution:
    """What an event did."""

    act: StudiedEvent
    as_of: pd.Timestamp
    fall: int
    """Months of the fall, from that of the announcement on; 0 if no month is out of the band."""
    late: tuple[int, int, int]
    """Delay of the data in months: before the event, smallest and largest at placebo dates."""
    depth: tuple[float, int, int]
    """Depth of the fall in months of the path, its rank, and the number of dates ranked."""
    touched: str
    """Series of all destinations that the event touches."""
    table: pd.DataFrame
    """One row a series and month."""
    totals: pd.DataFrame
    """One row a series and part of the months."""
    past: pd.DataFrame
    """The panel from a year before the event to the last of the months: ``PANEL_COLUMNS``."""
    companions: tuple[str, ...]
    """Other strong acts on the same destinations, from a month before on, nearest first."""

    def total(self, destination: str, part: str) -> pd.Series | None:
        """Row of the totals, None where there is none; ``fall`` is the first part."""
        rows = self.totals
        wanted = rows["part"].isin(["fall", "first"]) if part == "fall" else rows["part"] == part
        row = rows.loc[(rows["destination"] == destination) & wanted]
        return None if row.empty else row.iloc[0]

    def largest(self, role: str, count: int) -> list[str]:
        """Destinations of a role, without sums, largest difference to the path first."""
        rows = self.totals.loc[
            (self.totals["role"] == role)
            & self.totals["part"].isin(["fall", "first"])
            & self.totals["destination"].isin(DESTINATIONS)
        ]
        order = rows["missing_t"].abs().sort_values(ascending=False, kind="stable").index
        return [str(name) for name in rows.loc[order, "destination"][:count]]

    def main(self, count: int) -> list[str]:
        """Most relevant series, at most ``count``: those hit, the world, others."""
        hit, other = (
            [name for name in self.largest(role, len(DESTINATIONS)) if name not in REMAINDERS]
            for role in ("hit", "other")
        )
        names = [self.touched, WORLD, *hit]
        if (self.table["destination"] == OTHERS).any():
            names = [self.touched, OTHERS, WORLD, *hit[:1], *other]
        return list(dict.fromkeys(names))[:count]


def attribute(
    history: EvidenceHistory,
    act: StudiedEvent,
    *,
    as_of: pd.Timestamp,
    parameters: ModelParameters,
    months: int = MONTHS_AHEAD,
    track: Progress = untracked,
) -> Attribution:
    """Effect of an event, as known at ``as_of``.

    Args:
        as_of: The moment that the actual months are read at (UTC).
        months: How many months from the announcement's on, at most 12.
    """
    if not 1 <= months <= MONTHS_AHEAD:
        raise DataError(
            f"--months {months} is out of range. Expected 1 to {MONTHS_AHEAD}, the months a "
            "forecast reaches. Correct it."
        )
    panel = history.panel(as_of)
    count = months_known(act, panel.cutoff, months=months)
    dates = [*comparable_dates(history, act, months=count), act.announced]
    *earlier, path = paths_foreseen(
        history, dates, months=count, parameters=parameters, track=track
    )
    calm = [placebo for placebo in earlier if is_calm(act, placebo.first, months=count)]
    touched, series = _series(act)
    compared = {
        name: SeriesComparison(
            _window(path, panel, rows, count),
            [_window(placebo, panel, rows, count) for placebo in calm],
        )
        for name, rows in series.items()
    }
    event, placebos = compared[touched].event, compared[touched].placebos
    least = least_ratios(placebos, count)
    fall = fall_months(event, least)
    event_depth, *depths = (depth(window, least) for window in (event, *placebos))
    lates = [placebo.late_months for placebo in calm]
    frame = panel.frame
    start, last = (month_start(act.first + shift) for shift in (-PAST_MONTHS, count - 1))
    return Attribution(
        act=act,
        as_of=as_of,
        fall=fall,
        late=(path.late_months, min(lates), max(lates)),
        depth=(event_depth, 1 + sum(d >= event_depth for d in depths), len(placebos) + 1),
        touched=touched,
        table=_table(compared, panel, path, act, fall or BEGINS_WITHIN),
        totals=pd.DataFrame(_totals(compared, act, count, fall)),
        past=frame.loc[frame["period"].between(start, last)].reset_index(drop=True),
        companions=_companions(act, count),
    )


def _companions(act: StudiedEvent, months: int) -> tuple[str, ...]:
    month = month_numbers(act.shocks["announced_on"]) - act.first
    touches = [bool(set(hit) & set(act.hit)) for hit in act.shocks["hit"]]
    inside = act.shocks.loc[(month >= -1) & (month < months) & touches]
    days = (inside["announced_on"] - act.announced.tz_localize(None)).abs()
    return tuple(inside.loc[days.sort_values(kind="stable").index, "event_id"])


def _series(act: StudiedEvent) -> tuple[str, dict[str, list[int]]]:
    """Series of all destinations that an event touches, and all series with their rows."""
    rows = {name: [row] for row, name in enumerate(PANEL_DESTINATIONS)}
    sums = {frozenset(members): total for total, members in AGGREGATES.items()}
    touched = sums.get(frozenset(act.hit)) or (HIT if len(act.hit) > 1 else act.hit[0])
    if touched == HIT:
        rows[HIT] = [DESTINATIONS.index(name) for name in act.hit]
    if rest := [row for row, name in enumerate(DESTINATIONS) if name not in act.hit]:
        rows[OTHERS] = rest
    return touched, rows


def _window(
    path: CounterfactualForecast, panel: EvidencePanel, rows: list[int], months: int
) -> PlaceboWindow:
    """Foreseen and actual sums of some series of the panel (``rows``) from the path's start on."""
    restatement = revision(path, panel)
    start = path.first - panel.first
    actual = panel.tonnes[rows, start : start + months]
    median = (path.middle[rows, :months] * restatement[rows, None]).sum(axis=0)
    return PlaceboWindow(median, actual.sum(axis=0), _sum_stderr(panel, rows, start, months))


def _sum_stderr(panel: EvidencePanel, rows: list[int], start: int, months: int) -> Floats:
    """Upper bound of the standard error of a sum of rows by month, in tonnes.

    The lesser of two sums of standard errors: of the parts, or of the world and all other rows.
    """
    stderr = (panel.stderr * panel.tonnes)[:, start : start + months]
    parts = stderr[rows].sum(axis=0)
    if len(rows) == 1:
        return np.asarray(parts)
    rest = [row for row in range(len(DESTINATIONS)) if row not in rows]
    world = PANEL_DESTINATIONS.index(WORLD)
    return np.asarray(np.minimum(parts, stderr[world] + stderr[rest].sum(axis=0)))


def role_of(name: str, act: StudiedEvent) -> str:
    """Whether a series is hit, left alone (other) or a sum of both."""
    if name in (HIT, OTHERS):
        return "hit" if name == HIT else "other"
    inside = [member in act.hit for member in AGGREGATES.get(name, (name,))]
    return "hit" if all(inside) else "sum" if any(inside) else "other"


def _totals(
    compared: dict[str, SeriesComparison], act: StudiedEvent, months: int, fall: int
) -> Iterator[dict[str, object]]:
    length = fall or min(BEGINS_WITHIN, months)
    parts = {"fall" if fall else "first": (0, length), "after": (length, months)}
    for name, comparison in compared.items():
        for part, (start, stop) in {**parts, "all": (0, months)}.items():
            if stop <= start:
                continue
            span = slice(start, stop)
            effect = effect_over(comparison.event, comparison.placebos, span)
            yield {
                "destination": name,
                "role": role_of(name, act),
                "part": part,
                "first_period": month_label(act.first + start),
                "last_period": month_label(act.first + stop - 1),
                "path_t": comparison.event.path[span].sum(),
                "exports_t": comparison.event.actual[span].sum(),
                "missing_t": effect.missing,
                "missing_p10": effect.low,
                "missing_p90": effect.high,
                "rank": effect.rank,
                "dates": effect.dates,
            }


def _table(
    compared: dict[str, SeriesComparison],
    panel: EvidencePanel,
    path: CounterfactualForecast,
    act: StudiedEvent,
    fall: int,
) -> pd.DataFrame:
    frames = []
    for name, comparison in compared.items():
        months = np.arange(len(comparison.event.path))
        singles = [
            effect_over(comparison.event, comparison.placebos, slice(k, k + 1)) for k in months
        ]
        running = [
            effect_over(comparison.event, comparison.placebos, slice(0, k + 1)) for k in months
        ]
        missing = np.array([single.missing for single in singles])
        role, early = role_of(name, act), months < fall
        columns: dict[str, object] = {
            "destination": name,
            "role": role,
            "period": [month_label(act.first + int(k)) for k in months],
            "part": np.where(early, "fall", "after"),
            "exports_t": comparison.event.actual,
            "exports_stderr_t": comparison.event.stderr,
            **_published(name, panel, path, act.first, len(months)),
            "without_p50": comparison.event.path,
            "missing_t": missing,
            "missing_p10": [single.low for single in singles],
            "missing_p90": [single.high for single in singles],
            "lost_t": np.where(early & (role == "hit"), missing, np.nan),
            "recovered_t": np.where(~early & (role == "hit"), -missing, np.nan),
            "displaced_t": np.where(early & (role == "other"), -missing, np.nan),
            "cumulated_t": [comparison.missing for comparison in running],
            "cumulated_p10": [comparison.low for comparison in running],
            "cumulated_p90": [comparison.high for comparison in running],
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _published(
    name: str, panel: EvidencePanel, path: CounterfactualForecast, first: int, months: int
) -> dict[str, object]:
    """Columns of published series alone: kind of each month and the forecast's band."""
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
