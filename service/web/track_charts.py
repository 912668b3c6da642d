"""Charts of the track record over all destinations: errors and coverage; and what they rest on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.charts.chart import SERIES, Chart, Spec, chart, ink, layer, share_axis
from service.language.formats import percentage
from service.language.phrases import gettext, marked, ngettext
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries import track
from service.queries.backtest import YARDSTICKS, ScoreRow, score_rows, without_components
from service.queries.track import TrackScore
from service.wording import name_of, scope_name

Make = Callable[[Publication, str], Chart | None]
"""Makes the chart of a destination; None where there is nothing to draw."""

_SERIES: Final = ("magnetcast", marked("seasonal naive"), marked("last value"))
_SHAPES: Final = ("circle", "diamond", "square")
_INKS: Final = ("median", "earlier", "tariff")
_LINE_PX: Final = 22


@dataclass(frozen=True, slots=True)
class _DotRow:
    """One row: shares by series, NaN where there is none."""

    label: str
    shares: tuple[float, ...]
    months: int

    @property
    def words(self) -> str:
        pairs = zip(map(gettext, _SERIES), self.shares, strict=True)
        shown = [f"{name} {_percent(share)}" for name, share in pairs if math.isfinite(share)]
        return ngettext(
            "%(label)s: %(shares)s (%(n)s month)",
            "%(label)s: %(shares)s (%(n)s months)",
            self.months,
            label=self.label,
            shares=", ".join(shown),
        )


def _percent(share: float) -> str:
    return percentage(f"{100 * share:.0f}")


def counted_cells(publication: Publication) -> pd.DataFrame:
    """Return the scored months that are shown: published ahead, or else afterwards."""
    cells = publication.memo.make("cells", lambda: track.cells_of(publication))
    live = track.live(cells)
    return live if len(live) else track.afterwards(cells)


def replay_rows(publication: Publication) -> list[ScoreRow]:
    """Return the newest backtest of our model and the simple rules, without its components."""
    shown = without_components(publication.published.scores)
    return score_rows(shown.loc[shown["as_of"] == shown["as_of"].max()])


def _drawn(publication: Publication, cells: pd.DataFrame) -> list[str]:
    """Return the destinations of some cells, the largest where there are too many to draw."""
    names = [name for name in publication.destinations if name in set(cells["destination"])]
    if publication.is_wide:
        largest = publication.latest.groupby("destination")["p50"].sum().nlargest(MOST_IN_ORDER)
        names = [name for name in names if name in largest.index]
    return names


def _errors_by_lead(publication: Publication, _: str) -> Chart | None:
    scores = track.by_horizon(counted_cells(publication))
    rows = [_errors(gettext("month %(number)s", number=one.what), one) for one in scores]
    return _dots(publication, gettext("Error by months ahead"), rows)


def _errors_by_destination(publication: Publication, _: str) -> Chart | None:
    cells = counted_cells(publication)
    scores = track.by_destination(cells, _drawn(publication, cells))
    rows = [_errors(name_of(str(one.what)), one) for one in scores]
    return _dots(publication, gettext("Error by destination"), rows)


def _errors(label: str, one: TrackScore) -> _DotRow:
    return _DotRow(label, (one.wape, one.seasonal_naive, one.last_value), one.cells)


def _backtest_errors(publication: Publication, _: str) -> Chart | None:
    replay = replay_rows(publication)
    scopes: dict[str, dict[str, ScoreRow]] = {}
    for one in replay:
        name = YARDSTICKS[one.model] if one.yardstick else _SERIES[0]
        scopes.setdefault(one.scope, {}).setdefault(name, one)
    rows = [
        _DotRow(
            scope_name(scope),
            tuple(models[name].wape if name in models else float("nan") for name in _SERIES),
            max(one.cells for one in models.values()),
        )
        for scope, models in scopes.items()
    ]
    months = next((one.months for one in replay), "")
    return _dots(
        publication, gettext("Error, months %(months)s ahead together", months=months), rows
    )


def _dots(publication: Publication, title: str, rows: Sequence[_DotRow]) -> Chart | None:
    """Return shares of some rows side by side."""
    rows = [row for row in rows if row.months]
    if not rows:
        return None
    series = [gettext(name) for name in _SERIES]
    values = [
        {
            "what": row.label, "series": name, "share": round(share, 4), "months": row.months,
            "says": row.words,
        }
        for row in rows
        for name, share in zip(series, row.shares, strict=True)
        if math.isfinite(share)
    ]  # fmt: skip
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
        label=f"{title}. {gettext('; ').join(row.words for row in rows)}.",
        rows=values,
        columns=("what", "series", "share", "months"),
        height=_LINE_PX * (len(rows) + 1),
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
