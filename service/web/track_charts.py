"""Charts of the track record over all destinations: errors and coverage; and what they rest on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from models.evaluation.scores import Coverage, coverage_of
from service.charts.chart import Chart, Spec, chart, ink, layer, share_axis
from service.language.formats import percentage
from service.language.phrases import gettext, marked, ngettext
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries import track
from service.queries.backtest import YARDSTICKS, ScoreRow, score_rows, without_components
from service.queries.track import TrackScore
from service.wording import name_of, scope_name
from store.vocabulary import ALL

Make = Callable[[Publication, str], Chart | None]
"""Makes the chart of a destination; None where there is nothing to draw."""

_SERIES: Final = ("magnetcast", marked("seasonal naive"), marked("last value"))
_SHAPES: Final = ("circle", "diamond", "square")
_INKS: Final = ("median", "earlier", "tariff")
_BAND: Final = 0.8
"""Share of months that should come in within the band drawn."""

_LINE_PX: Final = 22


@dataclass(frozen=True, slots=True)
class _DotRow:
    """One row: shares by series, NaN where there is none."""

    label: str
    shares: tuple[float, ...]
    months: int

    @property
    def words(self) -> str:
        pairs = zip(map(gettext, _SERIES), self.shares, strict=False)
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


def _held(publication: Publication, _: str) -> Chart | None:
    held = track.coverage(counted_cells(publication), [])
    return _coverage(publication, held[0].coverage if held else ())


def _backtest_held(publication: Publication, _: str) -> Chart | None:
    return _coverage(publication, coverage_of(publication.scores_at(publication.as_of), ALL, ""))


def _coverage(publication: Publication, groups: Sequence[Coverage]) -> Chart | None:
    rows = [
        _DotRow(
            gettext("months %(first)s to %(last)s", first=one.horizon_from, last=one.horizon_to),
            (one.pooled_share,),
            one.pooled_forecasts,
        )
        for one in groups
    ]
    title = gettext("Inside the 80%% band, by months ahead")
    return _dots(publication, title, rows, target=_BAND)


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


def _dots(
    publication: Publication, title: str, rows: Sequence[_DotRow], target: float | None = None
) -> Chart | None:
    """Return shares of some rows side by side; ``target`` is the share that would be right."""
    rows = [row for row in rows if row.months]
    if not rows:
        return None
    series = [gettext(name) for name in _SERIES[: len(rows[0].shares)]]
    values = [
        {
            "what": row.label, "series": name, "share": round(share, 4), "months": row.months,
            "says": row.words,
        }
        for row in rows
        for name, share in zip(series, row.shares, strict=True)
        if math.isfinite(share)
    ]  # fmt: skip
    right = gettext("should be %(share)s", share=_percent(target or 0.0))
    wanted = [] if target is None else [{"share": target}]
    span = {"field": "share", "type": "quantitative", "aggregate": "min"}
    end = {"field": "share", "aggregate": "max"}
    layers = [
        layer("rule", values, x=span, x2=end, y="what:N", stroke="faint"),
        layer("point", values, x="share:Q", y="what:N", color="series:N", shape="series:N",
              filled=True, size=65, says=True),
        layer("rule", wanted, x="share:Q", stroke="muted", strokeDash=(4, 2)),
    ]  # fmt: skip
    names = {"title": None, "domain": False, "ticks": False, "labelLimit": 130}
    domain: Spec = {} if target is None else {"domain": [0, 1]}
    return chart(
        layers,
        title=title if target is None else f"{title} ({right})",
        as_of=publication.as_of,
        label=f"{title}. {gettext('; ').join(row.words for row in rows)}.",
        rows=values,
        columns=("what", "series", "share", "months"),
        height=_LINE_PX * (len(rows) + 1),
        x=share_axis(**domain),
        y={"sort": None, "axis": names},
        color=_scaled(series, [ink(name) for name in _INKS]),
        shape=_scaled(series, _SHAPES),
    )


def _scaled(series: Sequence[str], values: Sequence[str]) -> Spec:
    legend = None if len(series) == 1 else {"title": None, "orient": "bottom"}
    return {"legend": legend, "scale": {"domain": series, "range": values[: len(series)]}}


OVER_ALL: Final[Mapping[str, Make]] = {
    "errors-by-lead": _errors_by_lead,
    "errors-by-destination": _errors_by_destination,
    "coverage": _held,
    "backtest-errors": _backtest_errors,
    "backtest-coverage": _backtest_held,
}
"""Kinds of charts that are of no one destination."""
