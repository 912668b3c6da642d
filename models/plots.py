"""Plots of a backtest for MLflow."""

import pandas as pd
from matplotlib.figure import Figure

from models.rolling import MODEL


def score_plots(cells: pd.DataFrame) -> dict[str, Figure]:
    """Return figures of a backtest by name: error by horizon and by origin, each model a line.

    Args:
        cells: As ``models.scores.cell_scores`` returns, with ``as_of``.
    """
    return {
        "wape_by_horizon": _lines(cells, "horizon", "months after the cutoff"),
        "wape_by_origin": _lines(
            cells.assign(origin=cells["as_of"].dt.strftime("%Y-%m")), "origin", "as of"
        ),
    }


def _lines(cells: pd.DataFrame, by: str, label: str) -> Figure:
    sums = cells.pivot_table(
        index=by, columns="model", values=["absolute_error", "tonnes"], aggfunc="sum"
    )
    wape = sums["absolute_error"] / sums["tonnes"]
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for model in wape.columns:
        axes.plot(wape.index, wape[model], label=model, linewidth=2.5 if model == MODEL else 1.2)
    axes.set(xlabel=label, ylabel="absolute error / tonnes", ylim=(0, None))
    axes.tick_params(axis="x", rotation=60 if by == "origin" else 0)
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    return figure
