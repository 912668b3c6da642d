"""The charts of the pages by kind and destination."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import pandas as pd
from markupsafe import Markup

from publication.charts.chart import SERIES, Chart, Spec, chart, ink, layer, share_axis
from publication.charts.fan import Fan, fan_of, month_start
from publication.charts.fan_chart import fan_chart
from publication.charts.record_charts import calibration, outcome, revisions, waterfall
from publication.language.choice import language
from publication.language.formats import dated, percentage
from publication.language.phrases import gettext, marked, ngettext
from publication.queries import track
from publication.queries.explanation_sentences import steps_of
from publication.queries.track import TrackScore
from publication.queries.yardsticks import YARDSTICKS, ScoreRow, score_rows, without_components
from publication.state import MOST_IN_ORDER, Publication
from publication.tables import Record
from publication.words import file_of, lead_words, name_of, scope_name

Make = Callable[[Publication, str], Chart | None]
"""Makes the chart of a destination; None where there is nothing to draw."""

_SERIES: Final = ("magnetcast", marked("seasonal naive"), marked("last value"))
_SHAPES: Final = ("circle", "diamond", "square")
_INKS: Final = ("median", "earlier", "tariff")
_LINE_PX: Final = 22


_Row = tuple[str, Sequence[float], int]
"""What is scored, its shares by series (NaN where there is none), and months."""


def counted_cells(publication: Publication) -> pd.DataFrame:
    """Scored months shown: forecast ahead, or else afterwards."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    live, later = track.live_and_later(cells)
    return live if len(live) else later


def replay_rows(publication: Publication) -> list[ScoreRow]:
    """Newest backtest of our model and the simple rules, without its components."""
    shown = without_components(publication.published.scores)
    return score_rows(shown.loc[shown["as_of"] == shown["as_of"].max()])


def _largest(publication: Publication) -> list[str]:
    """Destinations; where there are too many to draw, the largest."""
    if not publication.is_wide:
        return publication.destinations
    size = publication.latest.groupby("destination")["p50"].sum()
    return [str(name) for name in size.nlargest(MOST_IN_ORDER).index]


def _errors_by_lead(publication: Publication, _: str) -> Chart | None:
    scores = track.by_lead(counted_cells(publication))
    rows = [(lead_words(score.label), _shares(score), score.cells) for score in scores]
    return _dots(publication, gettext("Error by months ahead"), rows)


def _errors_by_destination(publication: Publication, _: str) -> Chart | None:
    scores = track.by_destination(counted_cells(publication), _largest(publication))
    rows = [(name_of(score.label), _shares(score), score.cells) for score in scores]
    return _dots(publication, gettext("Error by destination"), rows)


def _shares(score: TrackScore) -> Sequence[float]:
    return score.wape, score.seasonal_naive, score.last_value


def _backtest_errors(publication: Publication, _: str) -> Chart | None:
    replay = replay_rows(publication)
    scopes: dict[str, dict[str, ScoreRow]] = {}
    for row in replay:
        name = YARDSTICKS[row.model] if row.yardstick else _SERIES[0]
        scopes.setdefault(row.scope, {}).setdefault(name, row)
    rows = [
        (
            scope_name(scope),
            [models[name].wape if name in models else float("nan") for name in _SERIES],
            max(row.cells for row in models.values()),
        )
        for scope, models in scopes.items()
    ]
    months = next((row.months for row in replay), "")
    return _dots(
        publication, gettext("Error, months %(months)s ahead together", months=months), rows
    )


def _dots(publication: Publication, title: str, rows: Sequence[_Row]) -> Chart | None:
    """Chart of error shares by row and series; None without scored months."""
    series = [gettext(name) for name in _SERIES]
    values: list[Record] = []
    for label, shares, months in rows:
        errors = {
            name: error for name, error in zip(series, shares, strict=True) if math.isfinite(error)
        }
        says = ngettext(
            "%(label)s: %(shares)s (%(n)s month)",
            "%(label)s: %(shares)s (%(n)s months)",
            months,
            label=label,
            shares=", ".join(
                f"{name} {percentage(f'{100 * error:.0f}')}" for name, error in errors.items()
            ),
        )
        values += [
            {
                "what": label,
                "series": name,
                "share": round(error, 4),
                "months": months,
                "says": says,
            }
            for name, error in errors.items()
            if months
        ]
    if not values:
        return None
    words = dict.fromkeys(row["says"] for row in values)
    span = {"field": "share", "type": "quantitative", "aggregate": "min"}
    end = {"field": "share", "aggregate": "max"}
    layers = [
        layer("rule", values, x=span, x2=end, y="what:N", stroke="faint"),
        layer("point", values, x="share:Q", y="what:N", color="series:N", shape="series:N",
              filled=True, size=65, says=True),
    ]  # fmt: skip
    names = {"title": None, "domain": False, "ticks": False, "labelLimit": 130}
    return chart(
        layers,
        title=title,
        as_of=publication.as_of,
        label=f"{title}. {gettext('; ').join(words)}.",
        rows=values,
        columns=("what", "series", "share", "months"),
        height=_LINE_PX * (len(words) + 1),
        x=share_axis(),
        y={"sort": None, "axis": names},
        color=_scaled(series, [ink(name) for name in _INKS]),
        shape=_scaled(series, _SHAPES),
    )


def _scaled(series: Sequence[str], values: Sequence[str]) -> Spec:
    return {"legend": SERIES, "scale": {"domain": series, "range": values}}


OVER_ALL: Final[Mapping[str, Make]] = {
    "errors-by-lead": _errors_by_lead,
    "errors-by-destination": _errors_by_destination,
    "backtest-errors": _backtest_errors,
}
"""Kinds of charts that are of no one destination."""


def _parts(fan: Fan) -> Chart | None:
    """Parts of the next month's median; None where none were published."""
    ahead = fan.ahead
    ahead = ahead[ahead["period"] > month_start(fan.as_of)]
    parts = ahead["contributions"].iloc[0] if len(ahead) and "contributions" in ahead else None
    if not isinstance(parts, str) or not parts:
        return None
    start, steps = steps_of(json.loads(parts))
    month = dated(ahead["period"].iloc[0], "long month")
    return waterfall(fan, start, steps, gettext("forecast for %(month)s", month=month))


CHART_KINDS: Final[Mapping[str, Make]] = {
    "parts": lambda publication, destination: _parts(fan_of(publication, destination)),
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
    **OVER_ALL,
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


def page_chart(
    publication: Publication, kind: str, destination: str, rivals: pd.DataFrame | None = None
) -> PageChart | None:
    """Chart of a page; None if there is nothing to draw.

    Args:
        rivals: Forecasts by others, drawn in a fan.
    """

    def make() -> Chart | None:
        if kind == "fan":
            return fan_chart(fan_of(publication, destination), rivals)
        return CHART_KINDS[kind](publication, destination)

    chart = publication.memo.make(("chart", kind, destination, language()), make)
    name = f"{file_of(publication.commodity)}_{kind}_{destination}_{publication.as_of:%Y-%m-%d}"
    return None if chart is None else PageChart(name, kind, chart)
