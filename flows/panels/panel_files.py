"""Panels from files for the command line: read, reported on and forecast.

Loads no Prefect, which take longer to start than a panel to forecast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from features.statistical.pretrained import marked
from flows.context.console import echo
from models.forecasting.forecaster import forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import ModelParameters
from models.reconciliation.tree import add_sums, contradictions, tree_of
from sources.files.covariates import read_covariates
from sources.files.hierarchy import sums_in
from sources.files.panel import READ_AS_IS, Panel, PanelOptions, named, read_panel, read_rows
from store.errors import DataError, first_few
from store.progress import Progress
from store.vocabulary import PANEL_HORIZON

_NEGATIVE: Final = " is negative"
"""In the reason why a series is refused."""

MOST_AHEAD: Final = 120
"""Months that may be forecast."""

Sums = pd.DataFrame | Path | Mapping[str, Sequence[str]]
"""Which series add up to what: by sum its parts, or a table or file of ``destination, part_of``."""


@dataclass(frozen=True, slots=True)
class PanelFiles:
    """Where a panel and what goes with it lie."""

    panel: Path
    covariates: Path | None = None
    tree: Path | None = None
    options: PanelOptions = READ_AS_IS


@dataclass(frozen=True, slots=True)
class OpenedPanel:
    """A panel with its sums and covariates, and what was noted of them."""

    panel: Panel
    snapshot: Snapshot
    notes: tuple[str, ...]


def opened(
    source: Path | pd.DataFrame,
    *,
    horizon: int | None = None,
    covariates: Path | pd.DataFrame | None = None,
    tree: Sums | None = None,
    options: PanelOptions = READ_AS_IS,
) -> OpenedPanel:
    """Return what to forecast."""
    ahead = months_ahead(horizon)
    panel = read_panel(source, options)
    parts = _parts(panel, tree)
    sums = tree_of(parts, panel.table.index) if parts else None
    if sums is not None and options.allow_negative:
        raise DataError(
            "Values below zero do not go with sums (tree, part_of), which are about tonnes of at "
            "least 0. Expected one of them. Leave one out."
        )
    notes = [f"panel: {note}" for note in panel.notes]
    table, known = panel.table, None
    if sums is not None:
        notes += [f"tree: {gap}" for gap in contradictions(table, sums)]
        table = add_sums(table, sums)
    if covariates is not None:
        known = read_covariates(covariates, table=table)
        notes += [f"covariates: {note}" for note in known.notes]
    return OpenedPanel(panel, Snapshot.of_panel(table, ahead, known, sums), tuple(notes))


def _parts(panel: Panel, tree: Sums | None) -> dict[str, tuple[str, ...]]:
    if isinstance(tree, Mapping):
        pairs = [(part, whole) for whole, parts in tree.items() for part in parts]
        rows, what = pd.DataFrame(pairs, columns=["destination", "part_of"]), "tree"
    elif tree is not None:
        rows, what = read_rows(tree, "tree"), named(tree, "tree")
    elif panel.tree_rows is not None:
        rows, what = panel.tree_rows.reset_index(), "the panel"
    else:
        return {}
    return sums_in(rows, what, left_out=panel.refused)


def refusal(panel: Panel) -> str:
    """Say which series were refused; empty where none was."""
    if not panel.refused:
        return ""
    reasons = [f"{series}: {reason}" for series, reason in panel.refused.items()]
    return f"{len(reasons)} series refused, the others are used: {first_few(reasons)}"


def panel_snapshot(files: PanelFiles, horizon: int | None) -> Snapshot:
    """Return what to forecast, with what was read reported."""
    found = opened(
        files.panel,
        horizon=horizon,
        covariates=files.covariates,
        tree=files.tree,
        options=files.options,
    )
    for note in found.notes:
        echo(note)
    if text := refusal(found.panel):
        echo(f"panel: {text}")
    if any(_NEGATIVE in reason for reason in found.panel.refused.values()):
        echo("panel: `magnetcast predict --allow-negative` forecasts values below zero too")
    return found.snapshot


def forecast_panel(
    files: PanelFiles, *, horizon: int | None, track: Progress, parameters: ModelParameters
) -> pd.DataFrame:
    """Return the forecasts of the months after a panel, in the columns of a forecast file."""
    snapshot = panel_snapshot(files, horizon)
    fitted = PanelForecaster(parameters, shifts_negative=files.options.allow_negative).fit(snapshot)
    status = marked("panel", is_used=bool(parameters.pretrained))
    made = pd.concat(list(fitted.predict(track)) or [fitted.nothing()], ignore_index=True)
    say_left_out(set(snapshot.series) - set(made["destination"]))
    return forecast_file(made, status=status)


def months_ahead(given: int | None, option: str = "--horizon") -> int:
    """Return how many months are to be forecast."""
    ahead = PANEL_HORIZON if given is None else given
    if not 1 <= ahead <= MOST_AHEAD:
        raise DataError(
            f"{option} {ahead} is no number of months to forecast. Expected 1 to "
            f"{MOST_AHEAD}. Take another."
        )
    return ahead


def say_left_out(names: set[str]) -> None:
    """Say which series were not forecast, having no value in the year before the cutoff."""
    if names:
        echo(f"no value in the year before the cutoff, not forecast: {first_few(sorted(names))}")
