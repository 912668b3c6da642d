"""The charts of the pages by kind and destination."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import pandas as pd
from markupsafe import Markup

from publication.charts.chart import Chart
from publication.charts.fan import fan_of
from publication.charts.fan_chart import fan_chart
from publication.charts.record_charts import calibration, outcome, revisions
from publication.language.phrases import language
from publication.queries import track
from publication.queries.track import ScoreRow, score_rows, without_components
from publication.state import Publication
from publication.words import file_of

Make = Callable[[Publication, str], Chart | None]
"""Makes the chart of a destination; None where there is nothing to draw."""


def counted_cells(publication: Publication) -> pd.DataFrame:
    """Scored months shown: forecast ahead, or else afterwards."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    live, later = track.live_and_later(cells)
    return live if len(live) else later


def replay_rows(publication: Publication) -> list[ScoreRow]:
    """Newest backtest of our model and the simple rules, without its components."""
    shown = without_components(publication.published.scores)
    return score_rows(shown.loc[shown["as_of"] == shown["as_of"].max()])


CHART_KINDS: Final[Mapping[str, Make]] = {
    "revisions": lambda publication, destination: revisions(
        fan_of(publication, destination), publication.published.forecasts
    ),
    "outcome": lambda publication, destination: outcome(
        destination, counted_cells(publication), publication.snapshot.panel, publication.as_of
    ),
    "replay": lambda publication, destination: outcome(
        destination, publication.published.cells, publication.snapshot.panel, publication.as_of
    ),
    "calibration": lambda publication, _: calibration(
        counted_cells(publication), publication.as_of
    ),
}
"""The kinds of charts besides the fan."""


@dataclass(frozen=True, slots=True)
class PageChart:
    """A chart on a page, with its data in the page."""

    name: str
    """Of its files when a reader saves them."""
    kind: str
    chart: Chart

    @property
    def label(self) -> str:
        """What it says to those who cannot see it."""
        return self.chart.label

    @property
    def document(self) -> Markup:
        return Markup(self.chart.document)  # noqa: S704 - JSON in which nothing looks like a tag

    @property
    def still(self) -> str:
        """Name of the picture that stands in its place before a script draws it."""
        return f"charts/{sha256(self.chart.document.encode()).hexdigest()[:20]}.svg"


def page_chart(publication: Publication, kind: str, destination: str) -> PageChart | None:
    """Chart of a page; None if there is nothing to draw."""

    def make() -> Chart | None:
        if kind == "fan":
            return fan_chart(fan_of(publication, destination))
        return CHART_KINDS[kind](publication, destination)

    chart = publication.memo.make(("chart", kind, destination, language()), make)
    name = f"{file_of(publication.commodity)}_{kind}_{destination}_{publication.as_of:%Y-%m-%d}"
    return None if chart is None else PageChart(name, kind, chart)
