"""The path without an event: what was foreseen just before it, and at fake dates before that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.families.policy import STRONG, act_strength
from features.history import EvidenceHistory
from features.months import last_complete_month, month_label, month_number, month_numbers
from features.origin import LEVEL_MONTHS
from features.panel.evidence_panel import EvidencePanel
from models.event_study.placebo import FEWEST
from models.executor import Progress, untracked
from models.forecasting.evidence_forecaster import (
    FIRST_REPLAY,
    EvidenceForecaster,
    EvidenceSnapshot,
)
from models.forecasting.forecaster import MODEL
from models.learning.spec import ModelSpec
from store.arrays import Floats
from store.asof import EVENT_KEY, known_at
from store.errors import DataError
from store.vocabulary import AGGREGATES, DESTINATIONS, EU27_MEMBERS, MONTHS_AHEAD

JUST_BEFORE: Final = pd.Timedelta(seconds=1)
"""What is known on the day of the announcement is not known before it."""

LAG_TOLERANCE: Final = 2
"""A fake date is like the event's if the months its data are late differ by no more than this."""

COLUMNS: Final = ("p10", "p50", "p90")


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
        """Return the number of the month it was announced in."""
        return month_number(self.announced)


@dataclass(frozen=True, slots=True)
class CounterfactualForecast:
    """What was foreseen just before a date of its month and those after; series x months."""

    first: int
    late_months: int
    """Complete months the evidence did not reach then."""
    cutoff: int
    """Last month known then."""
    level: Floats
    """Mean of each series' last year as known then, in tonnes."""
    low: Floats
    middle: Floats
    high: Floats
    """Quantiles 0.1, 0.5 and 0.9, in tonnes."""


def act_of(events: pd.DataFrame, event_id: str, *, as_of: pd.Timestamp) -> StudiedEvent:
    """Return one event as known at ``as_of``.

    Args:
        events: Every version of the policy events (store contract); not modified.
        event_id: Which.
        as_of: Moment up to which facts are known (UTC).

    Raises:
        DataError: It is not known then, is only a scheduled date, or touches no destination.
    """
    known = known_at(events, key=EVENT_KEY, as_of=as_of)
    rows = known.loc[known["event_id"] == event_id]
    if rows.empty:
        raise DataError(
            f"No policy event {event_id!r} is known on {as_of:%Y-%m-%d}. "
            "Expected an event_id of the policy events. Correct it, or take a later --as-of."
        )
    row = rows.iloc[0]
    if row["evidence"] == "scheduled":
        raise DataError(
            f"Event {event_id!r} is a scheduled date, not an act. Expected an event that happened. "
            "Ask `magnetcast predict` what is foreseen for it."
        )
    happened = known.loc[(known["evidence"] != "scheduled") & (known["direction"] != "neutral")]
    strong = happened.loc[act_strength(happened) >= STRONG]
    others = strong.loc[strong["event_id"] != event_id, ["event_id", "announced_on"]]
    reach = strong.loc[others.index, "destinations"].map(lambda names: hit_by(str(names)))
    return StudiedEvent(
        event_id,
        pd.Timestamp(row["announced_on"]).tz_localize("UTC"),
        str(row["summary"]),
        str(row["destinations"]),
        hit_by(str(row["destinations"])),
        others.assign(hit=reach).sort_values(["announced_on", "event_id"], ignore_index=True),
    )


def hit_by(names: str) -> tuple[str, ...]:
    """Return the destinations of the panel that an act on ``A;B`` touches, in its order."""
    named = [member for name in names.split(";") for member in AGGREGATES.get(name, (name,))]
    touched = {_holder(name) for name in named}
    return tuple(name for name in DESTINATIONS if name in touched)


def _holder(name: str) -> str:
    """Return the destination a country is counted in."""
    if name in DESTINATIONS:
        return name
    return "EU27_REST" if name in EU27_MEMBERS else "ROW"


def fake_dates(announced: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the same day of every earlier month with a past to learn from, oldest first."""
    start = pd.Timestamp(FIRST_REPLAY, tz="UTC")
    back = range(1, 12 * max(announced.year - start.year + 1, 0))
    dates = [announced - pd.DateOffset(months=months) for months in back]
    return [date for date in reversed(dates) if date > start]


def months_known(act: StudiedEvent, cutoff: int, *, months: int) -> int:
    """Return how many of the months from the announcement on are known and were foreseen.

    Args:
        act: The event.
        cutoff: Last month known.
        months: How many at most. One less is foreseen of an event announced on a first of month.

    Raises:
        DataError: No month is known.
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
    """Return the fake dates whose window ends before the event and whose data were as late.

    Raises:
        DataError: Fewer than ``FEWEST`` of them are calm.
    """
    dates = [date for date in fake_dates(act.announced) if month_number(date) + months <= act.first]
    if len(dates) >= FEWEST:
        late = _late(history, act.announced)
        dates = [date for date in dates if abs(_late(history, date) - late) <= LAG_TOLERANCE]
    calm = sum(is_calm(act, month_number(date), months=months) for date in dates)
    if calm < FEWEST:
        raise DataError(
            f"Event {act.event_id!r} (announced {act.announced:%Y-%m-%d}) is too early for a "
            f"history: {calm} fake dates between {FIRST_REPLAY} and it have {months} calm months "
            "each and data about as late. "
            f"Expected at least {FEWEST}, to tell it from chance. "
            "Take a later event, or fewer --months."
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
    spec: ModelSpec,
    track: Progress = untracked,
) -> list[CounterfactualForecast]:
    """Return what was foreseen the moment before each date.

    One walk along the past: each time the model is trained on what was known then, and its answer
    to controls knows only those announced by then.

    Args:
        history: The past to walk along.
        dates: First moments of days (UTC), ascending.
        months: How many months from that of the date on.
        spec: Choices of the model.
        track: Shows progress.
    """
    forecaster = EvidenceForecaster(spec)
    label = "paths foreseen at fake dates and before the event"
    return [
        _foreseen(forecaster, EvidenceSnapshot(history, date - JUST_BEFORE), date, months)
        for date in track(dates, label)
    ]


def _foreseen(
    forecaster: EvidenceForecaster, snapshot: EvidenceSnapshot, date: pd.Timestamp, months: int
) -> CounterfactualForecast:
    origin = snapshot.origin
    fitted = forecaster.fit(snapshot)
    forecasts = fitted.compare()
    own = forecasts.loc[forecasts["model"] == MODEL, list(COLUMNS)].to_numpy()
    values = own.reshape(len(origin.series), len(origin.targets), len(COLUMNS))
    skipped = month_number(date) - origin.cutoff - 1
    low, middle, high = np.moveaxis(values[:, skipped : skipped + months], 2, 0)
    return CounterfactualForecast(
        first=month_number(date),
        late_months=origin.late_months,
        cutoff=origin.cutoff,
        level=origin.level,
        low=low,
        middle=middle,
        high=high,
    )


def revision(path: CounterfactualForecast, panel: EvidencePanel) -> Floats:
    """Return what a path must be multiplied by for what is known now of the year before it.

    A figure published later can show that a destination was larger or smaller all along. That is
    no effect of any event, so a path is restated before it is compared; where the year was
    published by then the factor is one.

    Args:
        path: What was foreseen.
        panel: The months as known now.

    Returns:
        One factor a series.
    """
    stop = path.cutoff - panel.first + 1
    level = panel.tonnes[:, stop - LEVEL_MONTHS : stop].mean(axis=1)
    return np.asarray(level / np.maximum(path.level, 1e-9))
