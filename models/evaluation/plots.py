"""Plots of a backtest, for MLflow and for the folder a backtest is written to."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from models.evaluation.compare import BETTER, WORSE
from models.evaluation.market_regimes import CALM, SHOCK
from models.forecasting.forecaster import MODEL

OWN_COLOUR: Final = "#00507d"
OTHER_COLOURS: Final = ("#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8c6d31", "#7f7f7f")
REGIME_COLOURS: Final = {CALM: "#00507d", SHOCK: "#d55e00"}
VERDICT_COLOURS: Final = {BETTER: "#009e73", WORSE: "#d55e00"}
"""A difference of neither verdict is grey."""
GREY: Final = "#7f868e"

AIM: Final = 0.8
"""Share of months that should lie within p10 and p90."""
NEAR_AIM: Final = (0.76, 0.84)

METRIC_NAMES: Final = {
    "mase": "MASE, scaled error",
    "sql": "SQL, scaled quantile loss",
    "wape": "WAPE, error / tonnes",
}


def score_plots(cells: pd.DataFrame) -> dict[str, Figure]:
    """Return figures of a backtest by name: error by horizon and by origin, each model a line.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns; origins go by ``as_of``, else
            by ``cutoff``.
    """
    is_dated = "as_of" in cells
    origin = cells["as_of"].dt.strftime("%Y-%m") if is_dated else cells["cutoff"]
    return {
        "wape_by_horizon": _lines(cells, "horizon", "months after the cutoff"),
        "wape_by_origin": _lines(
            cells.assign(origin=origin), "origin", "as of" if is_dated else "cutoff"
        ),
    }


def scoreboard_plots(cells: pd.DataFrame, differences: pd.DataFrame) -> dict[str, Figure]:
    """Return figures of a scoreboard by name.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns, with ``regime``.
        differences: As ``models.evaluation.compare.differences`` returns.

    Returns:
        ``mase_by_horizon`` (each model a line), ``mase_by_regime`` (each model a row),
        ``coverage_by_horizon`` (the product's own band in calm and in shock months) and
        ``differences`` (to each baseline, with intervals).
    """
    return {
        "mase_by_horizon": _errors_by_horizon(cells),
        "mase_by_regime": _errors_by_regime(cells),
        "coverage_by_horizon": _coverage_by_horizon(cells),
        "differences": difference_plot(
            differences,
            sorted(differences["baseline"].unique()),
            f"{MODEL} less baseline, 90% interval: below 0 {MODEL} is better (green), "
            "above worse (orange), grey not significant",
        ),
    }


PLOTTED: Final = 14
"""Scopes in the plot of two backtests; the table has all."""


def comparison_plots(cells: pd.DataFrame, scores: pd.DataFrame) -> dict[str, Figure]:
    """Return figures of two backtests by name: error by horizon and by origin, differences.

    Args:
        cells: As ``compare.paired_cells`` of models A and B.
        scores: As ``compare.score_differences``.
    """
    scopes = list(dict.fromkeys(scores["scope"]))[:PLOTTED]
    rows = scores.rename(columns={"scope": "baseline"}).replace(
        {"verdict": {"B better": BETTER, "A better": WORSE}}
    )
    words = "B less A, 90% interval: below 0 B is better (green), above A (orange), grey: unsure"
    return {**score_plots(cells), "differences": difference_plot(rows, scopes, words)}


def _errors_by_horizon(cells: pd.DataFrame) -> Figure:
    figure, axes = _axes(height=4.2)
    _draw_models(axes, _means(cells, "horizon", "model", "scaled_error"))
    _count_months(axes)
    axes.set_ylabel(METRIC_NAMES["mase"])
    return figure


def _errors_by_regime(cells: pd.DataFrame) -> Figure:
    table = _means(cells, "model", "regime", "scaled_error")
    months = cells.groupby("regime")["period"].nunique()
    models = _ordered(table.index)[::-1]
    figure, axes = _axes(height=1.6 + 0.34 * len(models))
    places = np.arange(len(models))
    axes.hlines(places, 0, table.max(axis=1).loc[models], color="#e3e6ea", zorder=0)
    for regime in table.columns:
        label = f"{regime} ({months[regime]} months)"
        colour = REGIME_COLOURS[regime]
        axes.plot(table.loc[models, regime], places, "o", color=colour, label=label)
    _name_rows(axes, models)
    axes.set(xlabel=METRIC_NAMES["mase"], xlim=(0, None))
    _legend_beside(axes)
    return figure


def _coverage_by_horizon(cells: pd.DataFrame) -> Figure:
    own = cells.loc[cells["model"] == MODEL]
    table = _means(own, "horizon", "regime", "is_covered")
    months = own.groupby("regime")["period"].nunique()
    figure, axes = _axes(height=4.2)
    axes.axhspan(*NEAR_AIM, color="#e9ecef", zorder=0)
    axes.axhline(AIM, color=GREY, linewidth=1, linestyle="--", zorder=1)
    for regime in table.columns:
        label = f"{regime} ({months[regime]} months)"
        colour = REGIME_COLOURS[regime]
        axes.plot(table.index, table[regime], color=colour, label=label, marker="o", markersize=4)
    _count_months(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set(ylabel=f"{MODEL}: months within the 80% band", ylim=(0, 1))
    _legend_beside(axes)
    return figure


def difference_plot(differences: pd.DataFrame, rows: Sequence[str], words: str) -> Figure:
    """Return a figure with one panel a metric: a row a baseline, its difference and interval.

    Args:
        differences: As ``models.evaluation.compare.differences`` returns.
    """
    baselines = list(rows)[::-1]
    figure = Figure(figsize=(10, 1.7 + 0.34 * len(baselines)), layout="constrained")
    panels = figure.subplots(1, len(METRIC_NAMES), sharey=True)
    for axes, (metric, name) in zip(panels, METRIC_NAMES.items(), strict=True):
        found = differences.loc[differences["metric"] == metric].set_index("baseline")
        for place, row in enumerate(found.loc[baselines].itertuples()):
            colour = VERDICT_COLOURS.get(str(row.verdict), GREY)
            axes.hlines(place, row.p05, row.p95, color=colour, linewidth=2)
            axes.plot(row.difference, place, "o", color=colour)
        axes.axvline(0, color=GREY, linewidth=1, zorder=0)
        axes.set_title(name, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.margins(x=0.12)
        _name_rows(axes, baselines)
    figure.supxlabel(words, fontsize=9)
    return figure


def _means(cells: pd.DataFrame, by: str, over: str, of: str) -> pd.DataFrame:
    return cells.pivot_table(index=by, columns=over, values=of, dropna=False)


def _axes(*, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _ordered(models: Iterable[str]) -> list[str]:
    return sorted(models, key=lambda model: (model != MODEL, model))


def _colour(model: str, models: Sequence[str]) -> str:
    if model == MODEL:
        return OWN_COLOUR
    others = [name for name in models if name != MODEL]
    return OTHER_COLOURS[others.index(model) % len(OTHER_COLOURS)]


def _count_months(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("months after the cutoff")


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=True, axis="x", alpha=0.3)


def _legend_beside(axes: Axes) -> None:
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _lines(cells: pd.DataFrame, by: str, label: str) -> Figure:
    error, tonnes = (
        cells.pivot_table(index=by, columns="model", values=name, aggfunc="sum")
        for name in ("absolute_error", "tonnes")
    )
    figure, axes = _axes(height=4.2)
    _draw_models(axes, error / tonnes)
    if by == "horizon":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.tick_params(axis="x", rotation=60)
    axes.set(xlabel=label, ylabel=METRIC_NAMES["wape"])
    return figure


def _draw_models(axes: Axes, table: pd.DataFrame) -> None:
    models = _ordered(table.columns)
    for model in models:
        is_own = model == MODEL
        axes.plot(
            table.index,
            table[model],
            color=_colour(model, models),
            label=model,
            linewidth=2.5 if is_own else 1.2,
            marker="o",
            markersize=4,
            zorder=3 if is_own else 2,
        )
    axes.set_ylim(0, None)
    _legend_beside(axes)
