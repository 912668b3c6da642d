"""The charts of a publication, by kind and destination."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from service.charts.chart import Chart
from service.charts.fan import Fan, ReportInput, make_fan
from service.charts.fan_chart import fan_chart, small_chart
from service.charts.markers import pick_steps
from service.charts.record_charts import calibration, outcome, replay, revisions, waterfall
from service.charts.track_charts import OVER_ALL, counted_cells
from service.language.choice import language
from service.live.publication import MOST_IN_ORDER, Publication
from service.wording import home_of

Make = Callable[[Publication, str], Chart | None]
"""Makes the chart of a destination; None where there is nothing to draw."""


def _over_all(make: Callable[[Publication], Chart | None]) -> Make:
    return lambda publication, _: make(publication)


KINDS: Final[Mapping[str, Make]] = {
    "fan": lambda publication, destination: fan_chart(fan_of(publication, destination)),
    "small": lambda publication, destination: small_chart(fan_of(publication, destination)),
    "parts": lambda publication, destination: waterfall(fan_of(publication, destination)),
    "revisions": lambda publication, destination: revisions(
        fan_of(publication, destination), publication.published.forecasts
    ),
    "outcome": lambda publication, destination: outcome(
        destination,
        counted_cells(publication),
        publication.snapshot.panel,
        publication.as_of,
    ),
    "replay": lambda publication, destination: replay(
        destination, publication.published.cells, publication.as_of
    ),
    "calibration": lambda publication, _: calibration(
        counted_cells(publication), publication.as_of
    ),
    **{kind: _over_all(make) for kind, make in OVER_ALL.items()},
}
"""The kinds of charts, as their addresses name them."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart on a page: where it is, and what it says to those who cannot see it."""

    path: str
    label: str
    kind: str
    query: str = ""

    def at(self, form: str, field: str = "") -> str:
        """Return the address of one form of it."""
        asked = "&".join(filter(None, (self.query, field)))
        return f"{self.path}.{form}{asked and '?'}{asked}"

    @property
    def embed(self) -> str:
        """Return the address of a page that others may frame; empty where there is none."""
        return "" if self.query else f"/embed{self.path}"


def chart_of(publication: Publication, kind: str, destination: str) -> Chart | None:
    """Return a chart, made once; None where there is nothing to draw."""
    return publication.memo.make(
        ("chart", kind, destination, language()), lambda: KINDS[kind](publication, destination)
    )


def drawn(publication: Publication, kind: str, destination: str) -> Drawn | None:
    """Return where a page finds a chart; None where there is nothing to draw."""
    made = chart_of(publication, kind, destination)
    path = f"{home_of(publication.commodity)}/charts/{kind}/{destination}"
    return None if made is None else Drawn(path, made.label, kind)


def small_charts(publication: Publication) -> Iterator[tuple[str, Drawn | None]]:
    """Yield the small charts by destination: all of them, or the largest of many."""
    names = publication.destinations
    if publication.is_wide:
        size = publication.latest.groupby("destination")["p50"].sum()
        names = [str(name) for name in size.nlargest(MOST_IN_ORDER).index]
    for name in names:
        yield name, drawn(publication, "small", name)


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
