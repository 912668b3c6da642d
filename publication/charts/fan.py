"""What a chart shows of a destination: history, forecast, policy events and tariff steps."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from publication.language.formats import dated, percentage
from publication.language.phrases import gettext, language, marked
from publication.state import Publication
from publication.words import code_words, name_of, tonnes
from store.months import month_number, month_start
from store.vocabulary import DESTINATIONS, EU27, EU27_MEMBERS, WORLD, importer_of

MOST_NAMED: Final = 3
"""Events named on a chart, each of another month."""

BINDING_SEVERITY: Final = 2
"""From this severity on an event touches a material share of the trade."""

SCHEDULED_PREFIX: Final = "sched-"
SYMBOLS: Final = {"restrictive": "▼▽", "easing": "▲△"}
"""Shapes of the directions shown, filled and hollow; distinguishable without colour."""


@dataclass(frozen=True, slots=True)
class Marker:
    """One event within the months of a chart.

    ``in_force``: it had taken effect by ``as_of``; ``ahead``: its date was yet to come.
    """

    event_id: str
    instrument: str
    when: pd.Timestamp
    announced: pd.Timestamp
    effective: pd.Timestamp
    """When it takes effect; NaT where no day is known, and then ``when`` is the announcement."""
    direction: str
    severity: int
    in_force: bool
    ahead: bool
    relevant: bool
    title: str
    sources: tuple[str, ...]

    @property
    def state(self) -> str:
        if self.in_force:
            return gettext(self.direction)
        return gettext(_NOT_IN_FORCE[self.direction, self.ahead])

    @property
    def days(self) -> str:
        """Days of announcement and of effect, as far as known, in words."""
        values = {
            name: dated(day, "day")
            for name, day in (("announced", self.announced), ("effective", self.effective))
            if pd.notna(day)
        }
        return gettext(_DAYS["announced" in values, "effective" in values], **values)

    @property
    def name(self) -> str:
        """Month and kind, as charts name it."""
        is_end = self.instrument == "truce" and self.direction == "restrictive"
        kind = gettext("truce ends") if is_end else code_words(self.instrument)
        return f"{dated(self.when, 'month')}: {kind}"

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.direction][0 if self.in_force else 1]


_DAYS: Final = {
    (True, True): marked("announced %(announced)s, effective %(effective)s"),
    (True, False): marked("announced %(announced)s"),
    (False, True): marked("effective %(effective)s"),
}

_NOT_IN_FORCE: Final = {
    ("restrictive", True): marked("restrictive, scheduled"),
    ("restrictive", False): marked("restrictive, did not take effect"),
    ("easing", True): marked("easing, scheduled"),
    ("easing", False): marked("easing, did not take effect"),
}
"""By direction, and whether its date is yet to come."""


def pick_markers(
    events: pd.DataFrame,
    *,
    destination: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
) -> list[Marker]:
    """Markers of one chart in date order."""
    records = events.to_dict("records")
    candidates = [_marker(row, destination=destination, as_of=as_of) for row in records]
    fitting = [m for m in candidates if m is not None and start <= m.when <= end and _qualifies(m)]
    return sorted(fitting, key=lambda marker: (marker.when, marker.event_id))


def heaviest(markers: Iterable[Marker]) -> list[Marker]:
    """The few markers of most weight, in date order; one a month."""
    by_month = {f"{marker.when:%Y-%m}": marker for marker in sorted(markers, key=_weight)}
    most = sorted(by_month.values(), key=_weight)[-MOST_NAMED:]
    return sorted(most, key=lambda marker: marker.when)


def touches(destination: str, codes: Iterable[str]) -> bool:
    """Whether an event for ``codes`` is directly about ``destination``."""
    named = set(codes)
    if WORLD in named or destination in named:
        return True
    if destination == WORLD:
        return False
    if destination == EU27:
        return bool(named & EU27_MEMBERS)
    if destination == "EU27_REST":
        return EU27 in named or bool(named & (EU27_MEMBERS - set(DESTINATIONS)))
    if destination == "ROW":
        return bool(named - EU27_MEMBERS - set(DESTINATIONS) - {EU27})
    return destination in EU27_MEMBERS and EU27 in named


def _marker(row: dict[Any, Any], *, destination: str, as_of: pd.Timestamp) -> Marker | None:
    """Turn one event into a marker, or None where it has no place on a chart."""
    scheduled = str(row["event_id"]).startswith(SCHEDULED_PREFIX)
    when = _placed_on(row, scheduled=scheduled, as_of=as_of)
    if when is None or row["direction"] not in SYMBOLS:
        return None
    return Marker(
        event_id=str(row["event_id"]),
        instrument=str(row["instrument"]),
        when=when,
        announced=row["announced_on"],
        effective=row["effective_from"],
        direction=str(row["direction"]),
        severity=0 if pd.isna(row["severity"]) else int(row["severity"]),
        in_force=not scheduled and _took_effect(row, as_of=as_of),
        ahead=when > as_of,
        relevant=touches(destination, _split(row["destinations"])),
        title=scheduled_title(row["summary"]),
        sources=tuple(_split(row["source_urls"])),
    )


def scheduled_title(summary: object) -> str:
    """Summary of an event as a title, without the prefix of scheduled events."""
    title = str(summary).removeprefix("SCHEDULED: ")
    return title[:1].upper() + title[1:]


def _took_effect(row: dict[Any, Any], *, as_of: pd.Timestamp) -> bool:
    """Whether an event began by ``as_of`` and was not suspended before it began."""
    effective, suspended = row["effective_from"], row["suspended_from"]
    if pd.isna(effective) or effective > as_of:
        return False
    return bool(pd.isna(suspended) or suspended > effective)


def _placed_on(row: dict[Any, Any], *, scheduled: bool, as_of: pd.Timestamp) -> pd.Timestamp | None:
    """Effective date, else the announcement; scheduled events count only before their date."""
    effective = row["effective_from"]
    if scheduled:
        ahead = pd.notna(effective) and effective > as_of
        return pd.Timestamp(effective) if ahead else None
    when = effective if pd.notna(effective) else row["announced_on"]
    return None if pd.isna(when) else pd.Timestamp(when)


def _qualifies(marker: Marker) -> bool:
    """Keep binding restrictions anywhere and whatever is directly about the destination."""
    binding = marker.direction == "restrictive" and marker.severity >= BINDING_SEVERITY
    return binding or (marker.relevant and marker.severity > 0)


def _weight(marker: Marker) -> tuple[float, bool, pd.Timestamp]:
    """Rank by severity, nearness to the destination and being ahead; controls first, then newer."""
    weight = 2 * marker.severity + 3 * marker.relevant + 2 * marker.ahead
    return weight, marker.instrument.startswith("export"), marker.when


def _split(text: object) -> list[str]:
    """Split a ';'-joined cell; an empty or missing cell has no parts."""
    return (
        [part.strip() for part in text.split(";") if part.strip()] if isinstance(text, str) else []
    )


@dataclass(frozen=True, slots=True)
class RateStep:
    """The changes of one day in what an importer charges."""

    when: pd.Timestamp
    ahead: bool
    changes: tuple[str, ...]
    sources: tuple[str, ...]


def pick_steps(
    tariffs: pd.DataFrame,
    *,
    destination: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
) -> tuple[RateStep, ...]:
    """Days on which a rate changed or will, oldest first.

    Args:
        tariffs: Newest version of each step known at ``as_of``; not modified.
        destination: Code of the chart's destination; members of EU27 charge what EU27 does.
    """
    importer = importer_of(destination)
    within = tariffs["effective_from"].between(start, end)
    steps = tariffs.loc[tariffs["importer"].eq(importer) & within & tariffs["rate_pct"].notna()]
    days = steps.groupby("effective_from")
    return tuple(_step(pd.Timestamp(str(day)), rows, as_of) for day, rows in days)


def _step(day: pd.Timestamp, rows: pd.DataFrame, as_of: pd.Timestamp) -> RateStep:
    changes = rows.sort_values(["component", "product_scope"]).to_dict("records")
    return RateStep(
        when=day,
        ahead=day > as_of,
        changes=tuple(
            gettext(
                "%(law)s: %(rate)s on %(goods)s",
                law=code_words(row["component"]),
                rate=percentage(f"{row['rate_pct']:g}"),
                goods=code_words(row["product_scope"]),
            )
            for row in changes
        ),
        sources=tuple(
            dict.fromkeys(part for row in changes for part in row["source_url"].split(";"))
        ),
    )


def scheduled(events: pd.DataFrame) -> pd.DataFrame:
    """Scheduled days for which no later act takes effect on the same day."""
    is_day = events["event_id"].str.startswith(SCHEDULED_PREFIX)
    acts = events.loc[~is_day].groupby("effective_from")["announced_on"].max().to_dict()
    days = events.loc[is_day]
    is_replaced = pd.to_datetime(days["effective_from"].map(acts)) > days["announced_on"]
    return days.loc[~is_replaced]


HISTORY_MONTHS: Final = 30
"""Months of history shown at first before the end of the cutoff month."""


@dataclass(frozen=True)
class Fan:
    """What one chart shows of one destination; dates are naive, rows in order of ``period``.

    Events, rates and earlier forecasts are gathered when they are asked for.
    """

    publication: Publication
    destination: str
    as_of: pd.Timestamp
    cutoff_end: pd.Timestamp
    history: pd.DataFrame
    forecast: pd.DataFrame
    later: pd.DataFrame
    """Months after the cutoff that figures of the destination settle, as ``history``."""

    @cached_property
    def coverage(self) -> tuple[Coverage, ...]:
        """Coverage of the 80% band in the backtest by group of leads; empty without a backtest."""
        scores = self.publication.scores_at(self.publication.as_of)
        return coverage_of(scores, self.destination, self.status)

    @cached_property
    def markers(self) -> list[Marker]:
        return pick_markers(self.publication.snapshot.ledger.events, **self._shown)

    @cached_property
    def steps(self) -> tuple[RateStep, ...]:
        return pick_steps(self.publication.snapshot.ledger.tariffs, **self._shown)

    @property
    def _shown(self) -> dict[str, Any]:
        span = {"start": self.start, "end": self.end, "as_of": self.as_of}
        return {"destination": self.destination, **span}

    @cached_property
    def earlier(self) -> list[pd.DataFrame]:
        """Medians published before the newest forecast, oldest first."""
        rows = self.publication.published.forecasts
        medians = rows.loc[rows["destination"] == self.destination, ["as_of", "period", "p50"]]
        medians = medians.assign(period=pd.to_datetime(medians["period"]))
        is_shown = medians["period"].between(self.start, self.end)
        before = medians.loc[medians["as_of"].lt(self.publication.as_of) & is_shown]
        parts = [part.sort_values("period") for _, part in before.groupby("as_of")]
        return parts[-MOST_EARLIER:]

    @property
    def status(self) -> str:
        """Status of the months; several are joined."""
        return "; ".join(dict.fromkeys(self.forecast["status"].astype(str)))

    @property
    def ahead(self) -> pd.DataFrame:
        """Forecast from the month of ``as_of`` on."""
        return self.forecast[self.forecast["period"] >= self.month]

    @property
    def month(self) -> pd.Timestamp:
        """First day of the month of ``as_of``."""
        return month_start(month_number(self.as_of))

    @property
    def published_later(self) -> "pd.Series[float]":
        """Tonnes of the months published after the cutoff, by month."""
        rows = self.later.loc[self.later["kind"] == "observed"]
        return rows.set_index("period")["tonnes"]

    @property
    def start(self) -> pd.Timestamp:
        return self.cutoff_end - pd.DateOffset(months=HISTORY_MONTHS)

    @property
    def end(self) -> pd.Timestamp:
        return pd.Timestamp(self.forecast["period"].max()) + pd.DateOffset(months=1)


def _by_destination(frame: pd.DataFrame) -> defaultdict[str, pd.DataFrame]:
    """Rows by destination, ordered by ``period`` as a naive first of the month.

    One without rows has an empty table.
    """
    dated = frame.assign(period=pd.to_datetime(frame["period"])).sort_values("period")
    groups = {str(name): rows.reset_index(drop=True) for name, rows in dated.groupby("destination")}
    return defaultdict(lambda: dated.iloc[:0], groups)


def alt_text(fan: Fan) -> str:
    """Describe a fan chart to those who cannot see it."""
    name = name_of(fan.destination)
    ahead = fan.ahead
    if ahead.empty:
        return gettext("Fan chart for %(name)s: no forecast months.", name=name)
    parts = [gettext("Fan chart for %(name)s, tonnes a month.", name=name)]
    parts += [forecast_words(row) for row in ahead.iloc[[0, -1]].to_dict("records")]
    if names := [marker.name for marker in heaviest(fan.markers)]:
        parts.append(gettext("Policy events: %(names)s.", names=gettext("; ").join(names)))
    return " ".join(parts)


def forecast_words(row: Mapping[Any, Any]) -> str:
    """Sentence with the median and 80% band of a month, in tonnes."""
    return gettext(
        "%(month)s: median %(p50)s t, 80%% band %(p10)s to %(p90)s t.",
        month=dated(row["period"], "long month"),
        **{name: tonnes(row[name]) for name in ("p10", "p50", "p90")},
    )


MOST_EARLIER: Final = 12
"""Earlier forecasts drawn behind; more hide the rest."""


def fan_of(publication: Publication, destination: str) -> Fan:
    """Contents of the chart of one destination, computed once per publication and language.

    A destination that is not forecast has no months ahead.
    """
    return publication.memo.make(
        ("fan", destination, language()), lambda: _fan(publication, destination)
    )


def _fan(publication: Publication, destination: str) -> Fan:
    past, forecasts = publication.memo.make(
        ("months by destination",),
        lambda: (_by_destination(publication.snapshot.panel), _by_destination(publication.latest)),
    )
    cutoff_end = pd.Timestamp(f"{publication.snapshot.cutoff}-01") + pd.DateOffset(months=1)
    history, forecast = past[destination], forecasts[destination]
    is_later = history["period"] >= cutoff_end
    return Fan(
        publication=publication,
        destination=destination,
        as_of=publication.as_of.tz_convert("UTC").tz_localize(None),
        cutoff_end=cutoff_end,
        history=history[~is_later],
        forecast=forecast,
        later=history[is_later],
    )
