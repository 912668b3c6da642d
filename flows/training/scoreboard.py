"""Who was how good, where, and how sure that is: tables and plots, as files and in MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.figure import Figure

from flows.context.output import write_result
from flows.context.prefect_artifacts import key_of, leave_picture
from models.evaluation.backtest import Backtest
from models.evaluation.compare import differences
from models.evaluation.market_regimes import with_regime
from models.evaluation.plots import score_plots, scoreboard_plots
from models.evaluation.scores import scoreboard
from models.forecasting.forecaster import MODEL
from models.registry.tracked_run import TrackedRun
from store.frequency import MONTHLY, Frequency

DPI: Final = 130


EVERY: Final = "all"
"""Regime of a difference over all months."""


CURVES: Final = ("wape", "mase", "sql", "coverage80")
"""Scores of the product's model that MLflow keeps by horizon."""


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """Who was how good, where, and how sure that is."""

    cells: pd.DataFrame
    """As ``models.evaluation.scores.cell_scores``, with regime."""
    board: pd.DataFrame
    """As ``models.evaluation.scores.scoreboard``."""
    differences: pd.DataFrame
    """As ``compare.differences``, with the regime compared in: all, calm or shock."""
    frequency: Frequency = MONTHLY
    """Of the periods forecast."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Return the tables by the name of their file."""
        return {"scoreboard.csv": self.board, "differences.csv": self.differences}

    def figures(self) -> dict[str, Figure]:
        """Return the plots by the name of their file, newly drawn."""
        overall = self.differences.loc[self.differences["regime"] == EVERY]
        period = self.frequency.period
        drawn = score_plots(self.cells, period)
        drawn |= scoreboard_plots(self.cells, overall, period)
        return {f"{name}.png": figure for name, figure in drawn.items()}


def scoreboard_of(
    result: Backtest, table: pd.DataFrame, *, seed: int, frequency: Frequency = MONTHLY
) -> Scoreboard:
    """Return the scoreboard of a backtest that scored at least one cell.

    Args:
        result: The backtest.
        table: Tonnes as known now, series x months, whose shock months are scored apart.
        seed: Of the resamples behind the intervals.
        frequency: Of the periods.
    """
    cells = with_regime(result.cells, table, frequency)
    baselines = sorted(set(cells["model"]) - {MODEL})
    views = [(EVERY, cells), *((str(name), part) for name, part in cells.groupby("regime"))]
    compared = [
        differences(part, MODEL, baselines, seed=seed, frequency=frequency).assign(regime=name)
        for name, part in views
    ]
    board = scoreboard(cells)
    return Scoreboard(cells, board, pd.concat(compared, ignore_index=True), frequency)


def write_scoreboard(board: Scoreboard, folder: Path) -> list[str]:
    """Write tables and plots into a folder and return the names of their files."""
    for name, table in board.tables.items():
        write_result(table, out=folder / name, form="csv")
    figures = board.figures()
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return [*board.tables, *figures]


SHOWN: Final = ("wape_by_origin.png", "mase_by_horizon.png", "coverage_by_horizon.png")
"""Plots that Prefect's page of the run shows too."""


def log_scoreboard(run: TrackedRun, board: Scoreboard, *, pictures: bool) -> None:
    """Keep tables, the product's own curves by horizon and scores by regime in MLflow, and plots.

    Args:
        run: An open run.
        board: What to keep.
        pictures: Whether to keep plots too.
    """
    log_board(run, board.board)
    for name, table in board.tables.items():
        run.table(table, name)
    for name, figure in board.figures().items() if pictures else ():
        run.figure(figure, name)
        if name in SHOWN:
            leave_picture(key_of("backtest", Path(name).stem), figure, "Errors at past origins.")


def log_board(run: TrackedRun, board: pd.DataFrame) -> None:
    """Keep the product's own curves by horizon, and its scores by regime where known."""
    own = board.loc[board["model"] == MODEL]
    for row in own.loc[own["kind"] == "horizon"].to_dict("records"):
        scores = {f"{name}_by_horizon": row[name] for name in CURVES if pd.notna(row[name])}
        run.metrics(scores, step=int(row["value"]))
    for row in own.loc[own["kind"] == "regime"].to_dict("records"):
        run.metrics({f"{name}_{row['value']}": row[name] for name in CURVES if pd.notna(row[name])})
