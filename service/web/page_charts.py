"""The charts of a publication by kind and destination, and where a page finds them."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.charts.chart import SERIES, Chart, Spec, chart, ink, layer, share_axis
from service.charts.fan import Fan, alt_text, fan_of, month_start
from service.charts.fan_chart import fan_chart, small_chart
from service.charts.record_charts import calibration, outcome, revisions, waterfall
from service.charts.stills import WIDTH
from service.http.responses import Record
from service.language.choice import language
from service.language.formats import dated, percentage
from service.language.phrases import gettext, marked, ngettext
from service.live.live_publication import PlanningState
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries import track
from service.queries.explanation_sentences import steps_of
from service.queries.track import TrackScore
from service.queries.yardsticks import YARDSTICKS, ScoreRow, score_rows, without_components
from service.words import home_of, lead_words, name_of, scope_name

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
    "fan": lambda publication, destination: fan_chart(fan_of(publication, destination)),
    "small": lambda publication, destination: small_chart(fan_of(publication, destination)),
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
"""The kinds of charts, as their addresses name them."""


_WIDE: Final = ("fan", "paired", "difference")
"""Kinds with a narrower picture for phones; the others are narrow everywhere."""

_NARROW_PX: Final = 360
_SMALL_PX: Final = 280


@dataclass(frozen=True, slots=True)
class PageChart:
    """A chart on a page: where it is, and what it says to those who cannot see it."""

    path: str
    label: str
    kind: str
    query: str = ""

    def at(self, form: str, field: str = "") -> str:
        """Address of one form of it."""
        query = "&".join(filter(None, (self.query, field)))
        return f"{self.path}.{form}{query and '?'}{query}"

    @property
    def is_wide(self) -> bool:
        return self.kind in _WIDE

    @property
    def width(self) -> int:
        """Width of its picture on a page, in pixels."""
        if self.is_wide:
            return WIDTH
        return _SMALL_PX if self.kind == "small" else _NARROW_PX

    @property
    def embed(self) -> str:
        """Address of a page that others may frame; empty where there is none."""
        return "" if self.query else f"/embed{self.path}"


def still_at(chart: PageChart, width: int) -> str:
    """Address of the picture of a chart, light or dark."""
    return chart.at("svg", f"themed=1&width={width}")


def chart_of(
    publication: Publication, kind: str, destination: str, planning: PlanningState | None = None
) -> Chart | None:
    """Chart, made once; None where there is nothing to draw.

    With ``planning`` the fan has the forecasts by others too.
    """
    key = ("chart", kind, destination, language())
    if planning is not None and kind == "fan":
        rivals = planning.rivals_of(publication.commodity, destination)
        if len(rivals):
            fan = fan_of(publication, destination)
            return planning.memo.make((*key, publication.key), lambda: fan_chart(fan, rivals))
    return publication.memo.make(key, lambda: CHART_KINDS[kind](publication, destination))


def page_chart(publication: Publication, kind: str, destination: str) -> PageChart | None:
    """Chart with its address on a page; None if there is nothing to draw."""
    path = f"{home_of(publication.commodity)}/charts/{kind}/{destination}"
    if kind in {"fan", "small"}:  # always there; drawn when it comes into view
        fan = fan_of(publication, destination)
        return PageChart(path, alt_text(fan, is_marked=kind == "fan"), kind)
    chart = chart_of(publication, kind, destination)
    return None if chart is None else PageChart(path, chart.label, kind)


def small_charts(publication: Publication) -> Iterator[tuple[str, PageChart | None]]:
    """Small charts by destination: all of them, or the largest of many."""
    for name in _largest(publication):
        yield name, page_chart(publication, "small", name)
