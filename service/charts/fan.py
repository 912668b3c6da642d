"""What one chart shows of one destination."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from service.charts.markers import Marker, RateStep, pick_markers, pick_steps
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext, ngettext
from service.live.publication import Publication
from service.wording import MAGNETS, name_of, tonnes

HISTORY_MONTHS: Final = 30
"""Months of history shown at first before the end of the cutoff month."""


@dataclass(frozen=True, slots=True)
class Fan:
    """What one chart shows of one destination; dates are naive, rows in order of ``period``."""

    destination: str
    as_of: pd.Timestamp
    cutoff_end: pd.Timestamp
    history: pd.DataFrame
    forecast: pd.DataFrame
    later: pd.DataFrame
    """Months after the cutoff that figures of the destination settle, as ``history``."""
    markers: tuple[Marker, ...] = ()
    left_out: int = 0
    earlier: tuple[pd.DataFrame, ...] = ()
    """Medians published before, oldest first: as_of, period, p50."""
    steps: tuple[RateStep, ...] = ()
    goods: str = MAGNETS
    """What it is of, in words."""
    coverage: tuple[Coverage, ...] = ()
    """How often the band held in the backtest, by horizon group; none without one."""

    @property
    def status(self) -> str:
        """Return the status of the months; several are joined."""
        return status_of(self.forecast)

    @property
    def ahead(self) -> pd.DataFrame:
        """Return the forecast from the month of ``as_of`` on."""
        return self.forecast[self.forecast["period"] >= month_start(self.as_of)]

    @property
    def left_out_note(self) -> str:
        """Return the sentence on events that matter less than those marked, empty without any."""
        if not self.left_out:
            return ""
        return ngettext(
            "%(n)s further event of less weight for %(name)s not marked.",
            "%(n)s further events of less weight for %(name)s not marked.",
            self.left_out,
            name=name_of(self.destination),
        )

    @property
    def published_later(self) -> "pd.Series[float]":
        """Return the tonnes of the months published after the cutoff, by month."""
        rows = self.later.loc[self.later["kind"] == "observed"]
        return rows.set_index("period")["tonnes"]

    @property
    def start(self) -> pd.Timestamp:
        return self.cutoff_end - pd.DateOffset(months=HISTORY_MONTHS)

    @property
    def end(self) -> pd.Timestamp:
        return pd.Timestamp(self.forecast["period"].max()) + pd.DateOffset(months=1)


def status_of(forecast: pd.DataFrame) -> str:
    """Return the status of a destination's months; several are joined."""
    return "; ".join(dict.fromkeys(forecast["status"].astype(str)))


def _by_destination(frame: pd.DataFrame) -> defaultdict[str, pd.DataFrame]:
    """Return each destination's rows in order, ``period`` as a naive first of the month.

    One without rows has an empty table.
    """
    dated = frame.assign(period=pd.to_datetime(frame["period"])).sort_values("period")
    groups = {str(name): rows.reset_index(drop=True) for name, rows in dated.groupby("destination")}
    return defaultdict(lambda: dated.iloc[:0], groups)


def alt_text(fan: Fan, *, is_marked: bool = True) -> str:
    """Describe a fan chart to those who cannot see it; a small one marks no events."""
    name = name_of(fan.destination)
    ahead = fan.ahead
    if ahead.empty:
        return gettext("Fan chart for %(name)s: no forecast months.", name=name)
    parts = [gettext("Fan chart for %(name)s, tonnes a month.", name=name)]
    parts += [forecast_words(row) for row in ahead.iloc[[0, -1]].to_dict("records")]
    if is_marked:
        parts.append(
            ngettext(
                "%(n)s policy event is marked and listed below.",
                "%(n)s policy events are marked and listed below.",
                len(fan.markers),
            )
        )
    return " ".join(parts)


def forecast_words(row: Mapping[Any, Any]) -> str:
    """Return what is forecast of a month."""
    return gettext(
        "%(month)s: median %(p50)s t, 80%% band %(p10)s to %(p90)s t.",
        month=dated(row["period"], "long month"),
        **{name: tonnes(row[name]) for name in ("p10", "p50", "p90")},
    )


def month_start(moment: pd.Timestamp) -> pd.Timestamp:
    """Return the first day of the month of ``moment``."""
    return moment.normalize().replace(day=1)


MOST_EARLIER: Final = 12
"""Earlier forecasts drawn behind; more hide the rest."""


def fan_of(publication: Publication, destination: str) -> Fan:
    """Return what the chart of one destination shows; gathered once."""
    return publication.memo.make(
        ("fan", destination, language()),
        lambda: _marked(publication, plain_fan(publication, destination)),
    )


def plain_fan(publication: Publication, destination: str) -> Fan:
    """Return what a small chart shows: no events, rates and earlier forecasts.

    A destination that is not forecast has no months ahead.
    """
    return publication.memo.make(
        ("plain fan", destination, language()), lambda: _plain_fan(publication, destination)
    )


def _plain_fan(publication: Publication, destination: str) -> Fan:
    past, forecasts = publication.memo.make(
        ("months by destination",),
        lambda: (_by_destination(publication.snapshot.panel), _by_destination(publication.latest)),
    )
    cutoff_end = pd.Timestamp(f"{publication.snapshot.cutoff}-01") + pd.DateOffset(months=1)
    history, forecast = past[destination], forecasts[destination]
    is_later = history["period"] >= cutoff_end
    scores = publication.scores_at(publication.as_of)
    return Fan(
        destination=destination,
        as_of=publication.as_of.tz_convert("UTC").tz_localize(None),
        cutoff_end=cutoff_end,
        history=history[~is_later],
        forecast=forecast,
        later=history[is_later],
        goods=publication.goods,
        coverage=coverage_of(scores, destination, status_of(forecast)),
    )


def _marked(publication: Publication, fan: Fan) -> Fan:
    ledger = publication.snapshot.ledger
    shown: dict[str, Any] = {
        "destination": fan.destination,
        "start": fan.start,
        "end": fan.end,
        "as_of": fan.as_of,
    }
    markers, left_out = pick_markers(ledger.events, **shown)
    return replace(
        fan,
        markers=tuple(markers),
        left_out=left_out,
        steps=pick_steps(ledger.tariffs, **shown),
        earlier=_earlier(publication, fan),
    )


def _earlier(publication: Publication, fan: Fan) -> tuple[pd.DataFrame, ...]:
    """Return the medians published before the newest forecast, oldest first."""
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"] == fan.destination, ["as_of", "period", "p50"]]
    own = own.assign(period=pd.to_datetime(own["period"]))
    shown = own.loc[own["as_of"].lt(publication.as_of) & own["period"].between(fan.start, fan.end)]
    parts = [part.sort_values("period") for _, part in shown.groupby("as_of")]
    return tuple(parts[-MOST_EARLIER:])
