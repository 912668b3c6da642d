"""What a report is made from, and what one chart shows of one destination."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from models.evaluation.scores import SUM_COVERAGE, Coverage, coverage_of
from service.charts.markers import Marker, RateStep, pick_markers, pick_steps
from service.language.choice import language
from service.language.formats import dated
from service.language.phrases import gettext, ngettext
from service.live.publication import Publication
from service.wording import MAGNETS, in_reading_order, name_of, tonnes, words_of
from store.messages import Message
from store.publications.basis import Basis, bases_of
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True)
class ReportInput:
    """Published tables of one ``as_of``, ready to be shown; nothing in here is modified."""

    as_of: pd.Timestamp
    cutoff: str
    """Last month the evidence knows, ``YYYY-MM``."""
    forecasts: pd.DataFrame
    """``FORECAST_COLUMNS``; optionally ``drivers`` (JSON list of ``[name, tonnes]``)."""
    panel: pd.DataFrame
    """``PANEL_COLUMNS``, history of all destinations and aggregates."""
    events: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Newest known version of each policy event at ``as_of``."""
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    """As the store has them, with the coverage of the bands (``models.evaluation.scores``)."""
    suspicious: pd.DataFrame = field(default_factory=pd.DataFrame)
    """``statement, residual_t, z, source_url``, figures the rest contradicts."""
    unknowns: Sequence[str] = ()
    """What the forecast could not know."""
    notes: Sequence[Message] | Sequence[str] = ()
    """What is odd about the figures."""
    model_version: str = ""
    data_vintage: str = ""
    pictures: bool = True
    commodity: str = COMMODITY
    label: str = ""
    sections: bool = True
    """Whether each destination has a section with its months; else all are in one table."""

    @property
    def goods(self) -> str:
        return words_of(self.commodity, {self.commodity: self.label})

    @property
    def bases(self) -> Mapping[str, Basis]:
        """Return how each destination is known."""
        return bases_of(self.panel, self.cutoff)

    @property
    def as_of_date(self) -> pd.Timestamp:
        return self.as_of.tz_convert("UTC").tz_localize(None)

    @property
    def cutoff_end(self) -> pd.Timestamp:
        return pd.Timestamp(f"{self.cutoff}-01") + pd.DateOffset(months=1)


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
    markers: tuple[Marker, ...]
    left_out: int
    earlier: tuple[pd.DataFrame, ...] = ()
    """Medians published before, oldest first: as_of, period, p50."""
    steps: tuple[RateStep, ...] = ()
    goods: str = MAGNETS
    """What it is of, in words."""
    coverage: tuple[Coverage, ...] = ()
    """How often the band held in the backtest, by horizon group; none without one."""
    sums: tuple[Coverage, ...] = ()
    """The same of three months taken together."""

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
        return _end(self.forecast, self.cutoff_end)

    @property
    def last_year(self) -> float:
        recent = self.history["period"] >= self.cutoff_end - pd.DateOffset(months=12)
        return float(self.history.loc[recent, "tonnes"].sum())


def make_fans(report: ReportInput) -> list[Fan]:
    """Gather the charts of every destination with a forecast or a history, in reading order."""
    # Each destination gets its own rows only: there may be hundreds.
    forecasts, panels = _by_destination(report.forecasts), _by_destination(report.panel)
    none = report.forecasts.iloc[:0], report.panel.iloc[:0]
    return [
        make_fan(
            replace(
                report, forecasts=forecasts.get(name, none[0]), panel=panels.get(name, none[1])
            ),
            name,
        )
        for name in in_reading_order({*forecasts, *panels})
    ]


def _by_destination(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): part for name, part in rows.groupby("destination", observed=True)}


def make_fan(report: ReportInput, destination: str) -> Fan:
    """Gather what the chart of one destination shows; its history may be empty."""
    forecast = _months_of(report.forecasts, destination)
    history = _months_of(report.panel, destination)
    start = report.cutoff_end - pd.DateOffset(months=HISTORY_MONTHS)
    markers, left_out = pick_markers(
        report.events,
        destination=destination,
        start=start,
        end=_end(forecast, report.cutoff_end),
        as_of=report.as_of_date,
    )
    return Fan(
        destination=destination,
        as_of=report.as_of_date,
        cutoff_end=report.cutoff_end,
        history=history[history["period"] < report.cutoff_end],
        forecast=forecast,
        later=history[history["period"] >= report.cutoff_end],
        markers=tuple(markers),
        left_out=left_out,
        goods=report.goods,
        coverage=coverage_of(report.scores, destination, status_of(forecast)),
        sums=coverage_of(report.scores, destination, status_of(forecast), SUM_COVERAGE),
    )


def status_of(forecast: pd.DataFrame) -> str:
    """Return the status of a destination's months; several are joined."""
    return "; ".join(dict.fromkeys(forecast["status"].astype(str))) or "no forecast"


def _end(forecast: pd.DataFrame, cutoff_end: pd.Timestamp) -> pd.Timestamp:
    if forecast.empty:
        return cutoff_end + pd.DateOffset(months=12)
    return pd.Timestamp(forecast["period"].max()) + pd.DateOffset(months=1)


def _months_of(frame: pd.DataFrame, destination: str) -> pd.DataFrame:
    """Return one destination's rows in order, ``period`` as a naive first of the month."""
    rows = frame.loc[frame["destination"] == destination]
    dated = rows.assign(period=pd.to_datetime(rows["period"]))
    return dated.sort_values("period", ignore_index=True)


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
        ("fan", destination, language()), lambda: _fan(publication, destination)
    )


def _fan(publication: Publication, destination: str) -> Fan:
    snapshot = publication.snapshot
    report = ReportInput(
        commodity=publication.commodity,
        label=publication.published.labels.get(publication.commodity, ""),
        as_of=publication.as_of,
        cutoff=snapshot.cutoff,
        forecasts=publication.latest,
        panel=snapshot.panel,
        events=snapshot.ledger.events,
        scores=publication.scores_at(publication.as_of),
    )
    fan = make_fan(report, destination)
    steps = pick_steps(
        snapshot.ledger.tariffs,
        destination=destination,
        start=fan.start,
        end=fan.end,
        as_of=fan.as_of,
    )
    return replace(fan, earlier=_earlier(publication, fan), steps=steps)


def _earlier(publication: Publication, fan: Fan) -> tuple[pd.DataFrame, ...]:
    """Return the medians published before the newest forecast, oldest first."""
    rows = publication.published.forecasts
    own = rows.loc[rows["destination"] == fan.destination, ["as_of", "period", "p50"]]
    own = own.assign(period=pd.to_datetime(own["period"]))
    shown = own.loc[own["as_of"].lt(publication.as_of) & own["period"].between(fan.start, fan.end)]
    parts = [part.sort_values("period") for _, part in shown.groupby("as_of")]
    return tuple(parts[-MOST_EARLIER:])
