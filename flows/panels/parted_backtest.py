"""Replay the past of a panel in parts, never holding the whole of it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd

from features.months import month_label
from flows.context.console import echo
from flows.context.output import write_result
from flows.panels.cluster import PartsExecutor, open_executor
from flows.panels.panel_files import PanelFiles
from flows.panels.part_files import score_part
from flows.panels.parted_panel import (
    GatheredParts,
    PartedForecast,
    gathered,
    opened,
    tell,
    train_at,
)
from flows.training.backtest import CURVES, compared, log_board, panel_tags
from models.evaluation.backtest import SCORED_HORIZONS
from models.evaluation.scores import ALL, board_of
from models.forecasting.forecaster import MODEL, REFERENCE
from models.forecasting.panel_snapshot import check_cutoff
from models.parts.parts import PanelMonths, bands_of, without_training_rows
from models.parts.scores import BASELINES
from models.registry import tracking
from store.settings import Settings

FORECASTS: Final = "forecasts"
BOARD: Final = "scoreboard.csv"


def replay_parts(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int,
    cutoffs: Sequence[int],
    out: Path | None,
) -> None:
    """Backtest a panel in parts at given cutoffs, log the scores to MLflow and write its files.

    The folder gets ``forecasts/CUTOFF/PART`` and, if a month can be scored, ``scoreboard.csv``. It
    is there only when it is whole.

    Raises:
        DataError: The panel, what goes with it, a cutoff or the folder cannot be used.
    """
    with opened(settings, files, horizon=horizon, out=out) as job:
        with open_executor(settings) as executor:
            totals = _scored(job, executor, cutoffs)
        if len(totals):
            _record(settings, files, job, totals, cutoffs)
    echo(f"wrote {FORECASTS}{f' and {BOARD}' if len(totals) else ''} to {out}")


def _scored(job: PartedForecast, executor: PartsExecutor, cutoffs: Sequence[int]) -> pd.DataFrame:
    """Return the totals of all parts and cutoffs, and write the forecasts."""
    panel = gathered(job, executor)
    for cutoff in cutoffs:
        check_cutoff(cutoff, first=panel.span.first, final=panel.span.last)
    return pd.concat([_scored_at(job, executor, panel, cutoff) for cutoff in cutoffs])


def _scored_at(
    job: PartedForecast, executor: PartsExecutor, panel: GatheredParts, cutoff: int
) -> pd.DataFrame:
    known = PanelMonths(panel.span.first, cutoff)
    engine, common = train_at(job, executor, panel, known)
    score = partial(
        score_part,
        span=panel.span,
        known=known,
        engine=without_training_rows(engine),
        common=common,
        bands=bands_of(engine, BASELINES),
        out=job.made / FORECASTS / month_label(cutoff),
    )
    found = list(executor.map(score, panel.sound, f"parts at {month_label(cutoff)}"))
    tell(sum(one[0] for one in found), (name for one in found for name in one[1]))
    return pd.concat([one[2] for one in found])


def _record(
    settings: Settings,
    files: PanelFiles,
    job: PartedForecast,
    totals: pd.DataFrame,
    cutoffs: Sequence[int],
) -> None:
    """Say how good it was and keep that beside the forecasts and in MLflow."""
    board = board_of(totals)
    write_result(board, out=job.made / BOARD, form="csv")
    near = board_of(totals.loc[totals["horizon"].between(*SCORED_HORIZONS)])
    whole: dict[str, dict[str, float]] = (
        near.loc[near["kind"] == "all"].set_index("model")[list(CURVES)].to_dict("index")  # type: ignore[assignment]
    )
    own = whole[MODEL]
    echo(f"backtest  {compared(own['wape'], whole[REFERENCE]['wape'], own['coverage80'])}")
    tags = panel_tags(
        files.panel, [month_label(one) for one in cutoffs], horizon=job.horizon, spec=job.spec
    )
    with tracking.open_run(settings, name=f"backtest {files.panel.name}", tags=tags) as run:
        run.params(job.spec.choices)
        run.metrics({f"{name}_{ALL}": value for name, value in own.items() if pd.notna(value)})
        log_board(run, board)
        run.table(board, BOARD)
