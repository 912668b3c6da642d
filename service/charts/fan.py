"""What one chart shows of one destination."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from service.charts.markers import Marker, RateStep, pick_markers, pick_steps
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext, ngettext
from service.live.publication import Publication
from service.words import name_of, tonnes

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
        """Coverage of the 80% band in the backtest by horizon group; empty without a backtest."""
        scores = self.publication.scores_at(self.publication.as_of)
        return coverage_of(scores, self.destination, self.status)

    @cached_property
    def _marked(self) -> tuple[list[Marker], int]:
        return pick_markers(self.publication.snapshot.ledger.events, **self._shown)

    @property
    def markers(self) -> list[Marker]:
        return self._marked[0]

    @property
    def left_out(self) -> int:
        return self._marked[1]

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
        return self.forecast[self.forecast["period"] >= month_start(self.as_of)]

    @property
    def left_out_note(self) -> str:
        """Number of further events that are not marked, as a sentence; empty without any."""
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
    """Sentence with the median and 80% band of a month, in tonnes."""
    return gettext(
        "%(month)s: median %(p50)s t, 80%% band %(p10)s to %(p90)s t.",
        month=dated(row["period"], "long month"),
        **{name: tonnes(row[name]) for name in ("p10", "p50", "p90")},
    )


def month_start(moment: pd.Timestamp) -> pd.Timestamp:
    """First day of the month of ``moment``."""
    return moment.normalize().replace(day=1)


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
