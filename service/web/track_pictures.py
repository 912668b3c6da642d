"""The pictures of the track record: errors, coverage, calibration; backtest and record apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from models.evaluation.scores import Coverage
from service.charts.dot_plots import DotPlot, DotRow, dot_plot_svg
from service.charts.record_charts import outcome_svg, reliability_svg
from service.charts.replay_chart import replay_svg
from service.language.phrases import gettext, marked
from service.live.publication import MOST_IN_ORDER, Publication
from service.queries import track
from service.queries.track import TrackScore
from service.report.backtest_view import YARDSTICKS, ScoreRow
from service.wording import name_of, scope_name

SERIES = ("magnetcast", marked("seasonal naive"), marked("last value"))
BAND = 0.8
"""Share of months that should come in within the band drawn."""


@dataclass(frozen=True, slots=True)
class TrackPictures:
    """Drawings for the page; empty text where there is nothing to draw."""

    outcomes: tuple[str, ...]
    """What was forecast and what came, by destination."""
    errors_by_lead: str
    errors_by_destination: str
    coverage_by_lead: str
    calibration: str
    replayed: tuple[str, ...]
    """What the backtest forecast and what came, by destination."""
    backtest_errors: str
    backtest_coverage: str


def pictures_of(
    publication: Publication,
    cells: pd.DataFrame,
    replay: Sequence[ScoreRow],
    held_before: Sequence[Coverage],
) -> TrackPictures:
    """Return the pictures.

    Args:
        publication: The newest publication.
        cells: Scored months that are shown, as ``track.cells_of``; not modified.
        replay: Scores of the newest backtest, of our model and the simple rules.
        held_before: Coverage of all destinations in the backtest.
    """
    names = _drawn(publication, cells)
    replayed = publication.published.cells
    held = track.coverage(cells, [])
    return TrackPictures(
        outcomes=tuple(outcome_svg(publication, cells, name) for name in names),
        errors_by_lead=_errors("lead", gettext("Error by months ahead"), track.by_horizon(cells)),
        errors_by_destination=_errors(
            "destination", gettext("Error by destination"), track.by_destination(cells, names)
        ),
        coverage_by_lead=_coverage("held", held[0].coverage if held else ()),
        calibration=reliability_svg(cells),
        replayed=tuple(replay_svg(replayed, name) for name in _drawn(publication, replayed)),
        backtest_errors=_backtest(replay),
        backtest_coverage=_coverage("backtest-held", held_before),
    )


def _drawn(publication: Publication, cells: pd.DataFrame) -> list[str]:
    """Return the destinations of some cells, the largest where there are too many to draw."""
    names = [name for name in publication.destinations if name in set(cells["destination"])]
    if publication.is_wide:
        largest = publication.latest.groupby("destination")["p50"].sum().nlargest(MOST_IN_ORDER)
        names = [name for name in names if name in largest.index]
    return names


def _errors(name: str, axis: str, scores: Sequence[TrackScore]) -> str:
    rows = tuple(
        DotRow(
            name_of(one.what)
            if name == "destination"
            else gettext("month %(number)s", number=one.what),
            (one.wape, one.seasonal_naive, one.last_value),
            one.cells,
        )
        for one in scores
        if one.cells
    )
    return dot_plot_svg(DotPlot(name, axis, _series(), rows))


def _coverage(name: str, groups: Sequence[Coverage]) -> str:
    rows = tuple(
        DotRow(
            gettext("months %(first)s to %(last)s", first=one.horizon_from, last=one.horizon_to),
            (one.pooled_share,),
            one.pooled_forecasts,
        )
        for one in groups
        if one.pooled_forecasts
    )
    axis = gettext("Inside the 80%% band, by months ahead")
    return dot_plot_svg(DotPlot(name, axis, _series()[:1], rows, target=BAND))


def _backtest(replay: Sequence[ScoreRow]) -> str:
    """Draw the errors of all scopes, each model's side by side."""
    rows: dict[str, dict[str, ScoreRow]] = {}
    for one in replay:
        name = YARDSTICKS[one.model] if one.yardstick else SERIES[0]
        rows.setdefault(one.scope, {}).setdefault(name, one)
    drawn = tuple(
        DotRow(
            scope_name(scope),
            tuple(models[name].wape if name in models else float("nan") for name in SERIES),
            max(one.cells for one in models.values()),
        )
        for scope, models in rows.items()
    )
    months = next((one.months for one in replay), "")
    axis = gettext("Error, months %(months)s ahead together", months=months)
    return dot_plot_svg(DotPlot("backtest", axis, _series(), drawn))


def _series() -> tuple[str, ...]:
    return tuple(map(gettext, SERIES))
