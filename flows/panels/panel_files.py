"""Panel files of the command line: read, reported on and forecast.

Prefect is not imported: its start takes longer than a forecast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.console import echo
from models.forecasting.model_names import forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import ModelParameters
from models.reconciliation.tree import add_sums, contradictions, tree_of
from sources.files.covariates import read_covariates
from sources.files.panel import (
    NEGATIVE,
    TAKES_NEGATIVE,
    Names,
    Panel,
    Transform,
    named,
    names_in,
    read_panel,
    read_rows,
    sums_in,
)
from store.errors import DataError, first_few
from store.progress import Progress
from store.vocabulary import PANEL_HORIZON

MOST_AHEAD: Final = 120
"""Longest horizon, in months."""

Sums = pd.DataFrame | Path | Mapping[str, Sequence[str]]
"""Sums of series: parts by sum, or a table or file of ``destination, part_of``."""


@dataclass(frozen=True, slots=True)
class PanelFiles:
    """A panel, its covariates and its tree of sums, as files or tables, and how it is read."""

    panel: Path | pd.DataFrame
    covariates: Path | pd.DataFrame | None = None
    tree: Sums | None = None
    columns: Names | None = None
    allow_negative: bool = False
    transform: Transform | None = None

    def read(self, panel: Path | pd.DataFrame) -> Panel:
        """A panel, or a part of it, read with these names of columns."""
        return read_panel(
            panel, self.columns, allow_negative=self.allow_negative, transform=self.transform
        )

    def open(self, horizon: int | None = None) -> tuple[Panel, Snapshot]:
        """The panel, with notes on all files, and its snapshot with sums and covariates."""
        ahead, panel = months_ahead(horizon), self.read(self.panel)
        parts = _parts(panel, self.tree)
        sums = tree_of(parts, panel.table.index) if parts else None
        if sums is not None and self.allow_negative:
            raise DataError(
                "Negative values cannot be combined with sums (tree, part_of), which need values "
                "of at least 0. Expected one of them. Leave one out."
            )
        notes = [f"panel: {note}" for note in panel.notes]
        table, covariates = panel.table, None
        if sums is not None:
            notes += [f"tree: {gap}" for gap in contradictions(table, sums)]
            table = add_sums(table, sums)
        if self.covariates is not None:
            covariates = read_covariates(self.covariates, table=table)
            notes += [f"covariates: {note}" for note in covariates.notes]
        snapshot = Snapshot.of_panel(table, ahead, covariates, sums)
        return replace(panel, notes=tuple(notes)), snapshot


def _parts(panel: Panel, tree: Sums | None) -> dict[str, tuple[str, ...]]:
    if isinstance(tree, Mapping):
        pairs = [(part, total) for total, parts in tree.items() for part in parts]
        table = pd.DataFrame(pairs, columns=["destination", "part_of"])
        rows, source = table.assign(destination=names_in(table["destination"])), "tree"
    elif tree is not None:
        rows, source = read_rows(tree, "tree"), named(tree, "tree")
    elif panel.tree_rows is not None:
        rows, source = panel.tree_rows.reset_index(), "the panel"
    else:
        return {}
    return sums_in(rows, source, left_out=panel.refused)


def refusal(panel: Panel) -> str:
    """Line about refused series; empty if there are none."""
    if not panel.refused:
        return ""
    reasons = [f"{series}: {reason}" for series, reason in panel.refused.items()]
    remedy = f". {TAKES_NEGATIVE}" if NEGATIVE in "".join(reasons) else ""
    return f"{len(reasons)} series refused, the others are used: {first_few(reasons)}{remedy}"


def panel_snapshot(files: PanelFiles, horizon: int | None) -> Snapshot:
    """Snapshot to forecast; notes about the files go to stderr."""
    panel, snapshot = files.open(horizon)
    for note in panel.notes:
        echo(note)
    if text := refusal(panel):
        echo(f"panel: {text}")
    return snapshot


def forecast_panel(
    files: PanelFiles, *, horizon: int | None, track: Progress, parameters: ModelParameters
) -> pd.DataFrame:
    """Forecasts of the months after a panel, with the columns of a forecast file."""
    snapshot = panel_snapshot(files, horizon)
    fitted = PanelForecaster(parameters, shifts_negative=files.allow_negative).fit(snapshot)
    forecasts = pd.concat(list(fitted.predict(track)) or [fitted.nothing()], ignore_index=True)
    say_left_out(set(snapshot.series) - set(forecasts["destination"]))
    return forecast_file(forecasts, status="panel")


def months_ahead(months: int | None, option: str = "--horizon") -> int:
    """Number of months to forecast, checked; the default if None."""
    ahead = PANEL_HORIZON if months is None else months
    if not 1 <= ahead <= MOST_AHEAD:
        raise DataError(
            f"{option} {ahead} is out of range. Expected 1 to {MOST_AHEAD} months. Correct it."
        )
    return ahead


def say_left_out(names: set[str]) -> None:
    """Report series without a value in the year before the cutoff, which are not forecast."""
    if names:
        echo(f"no value in the year before the cutoff, not forecast: {first_few(sorted(names))}")
