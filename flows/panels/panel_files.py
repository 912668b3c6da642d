"""Panels from files for the command line: read, reported on and forecast.

Loads neither Prefect nor plots, which take longer to start than a panel to forecast.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from features.controls.controls import INSTRUMENTS
from flows.context.console import echo
from models.executor import Progress
from models.forecasting.forecaster import forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.panel_snapshot import PanelSnapshot
from models.learning.spec import EngineSpec
from models.policy.policy_response import PanelResponse
from models.reconciliation.tree import Tree, add_sums, contradictions, tree_of
from models.statistical.pretrained import marked
from sources.bundled.all_tables import load_bundled
from sources.files.controls import read_controls
from sources.files.covariates import Covariates
from sources.files.covariates_file import read_covariates
from sources.files.panel import READ_AS_IS, Panel, PanelOptions, read_panel
from sources.files.tree import read_tree, tree_of_panel
from store.errors import DataError, first_few
from store.frequency import MONTHLY, Frequency
from store.settings import Settings

NEGATIVE: Final = "tonnes is negative"
"""In the reason why a series is refused."""


@dataclass(frozen=True, slots=True)
class PanelFiles:
    """Where a panel and what goes with it lie."""

    panel: Path
    covariates: Path | None = None
    tree: Path | None = None
    controls: Path | None = None
    options: PanelOptions = READ_AS_IS


def forecast_panel(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    track: Progress,
    spec: EngineSpec | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of the periods after a panel, some series at a time.

    Raises:
        DataError: The panel or what goes with it cannot be used.
    """
    snapshot = panel_snapshot(settings, files, horizon)
    forecast: set[str] = set()
    allow_negative = files.options.allow_negative
    forecaster = replace(forecaster_of(settings, spec), shifts_negative=allow_negative)
    status = marked("panel", is_used=bool(forecaster.spec.pretrained))
    for fitted in forecaster.fit(snapshot):
        for part in fitted.predict(track):
            forecast |= set(part["destination"])
            yield forecast_file(part, status=status, frequency=snapshot.frequency)
    say_left_out(set(snapshot.series) - forecast)


def forecaster_of(settings: Settings, spec: EngineSpec | None = None) -> PanelForecaster:
    """Return the forecaster of panels from files, of the default choices if none are given."""
    return PanelForecaster(spec or EngineSpec(threads=settings.threads))


def check_parts(files: PanelFiles) -> None:
    """Check that nothing is asked of a panel in parts that only a file can do.

    Raises:
        DataError: Its columns are named, or its values may be negative.
    """
    if replace(files.options, freq=None) != READ_AS_IS:
        raise DataError(
            f"Panel {files.panel} is in parts, for which --columns and --allow-negative do not "
            "hold. Expected one file. Forecast that, or leave these options out."
        )


MOST_AHEAD: Final = 520
"""Periods that may be forecast: ten years of weeks."""


def periods_ahead(given: int | str | None, frequency: Frequency) -> int:
    """Return how many periods are to be forecast, by their frequency where nothing is given.

    Raises:
        DataError: It is no number, less than one or beyond ``MOST_AHEAD``.
    """
    if given is None:
        return frequency.horizon
    text = str(given)
    ahead = int(text) if text.isdecimal() and len(text) <= len(str(MOST_AHEAD)) else 0
    if not 1 <= ahead <= MOST_AHEAD:
        raise DataError(
            f"--horizon {text[:40]} is no number of {frequency.period}s to forecast. Expected 1 to "
            f"{MOST_AHEAD}. Take another."
        )
    return ahead


def panel_snapshot(settings: Settings, files: PanelFiles, horizon: int | None) -> PanelSnapshot:
    """Return what to forecast, with what was read reported.

    Raises:
        DataError: The panel, what goes with it or the horizon cannot be used.
    """
    periods_ahead(horizon, MONTHLY)
    panel = read_reported(files.panel, options=files.options)
    frequency = panel.frequency
    table, tree = _with_sums(panel, files)
    covariates = None
    if files.covariates is not None:
        covariates = _covariates(files.covariates, table, frequency)
    response = _response(settings, files, table)
    if files.options.allow_negative and (tree is not None or response is not None):
        raise DataError(
            "--allow-negative does not go with sums (--tree, part_of) or --controls, which are "
            "about tonnes of at least 0. Leave one out."
        )
    if response is not None and tree is not None:
        raise DataError(
            f"Controls {files.controls} cannot be answered where destinations add up to sums. "
            "Expected a panel without a tree. Forecast its leaves alone, or leave --controls out."
        )
    ahead = periods_ahead(horizon, frequency)
    return PanelSnapshot(table, ahead, frequency, covariates, tree, response)


def _covariates(path: Path, table: pd.DataFrame, frequency: Frequency) -> Covariates:
    """Return the covariates of a file, with what was read reported."""
    read = read_covariates(path, table=table, frequency=frequency)
    covariates, filled = read.carried(table)
    for note in covariates.notes:
        echo(f"covariates: {note}")
    if filled:
        echo(
            f"covariates: {filled:,} {frequency.period}s without trade take the value of the "
            f"{frequency.period} before"
        )
    return covariates


def _response(settings: Settings, files: PanelFiles, table: pd.DataFrame) -> PanelResponse | None:
    """Return the answer to the controls of a file, from the bundled ones on other minerals."""
    if files.controls is None:
        return None
    names = [str(name) for name in table.index]
    controls = read_controls(files.controls, names, instruments=INSTRUMENTS)
    bundled = load_bundled(settings.data_dir)
    return PanelResponse(controls, bundled.frame("analog_events"), bundled.frame("observations"))


def _with_sums(panel: Panel, files: PanelFiles) -> tuple[pd.DataFrame, Tree | None]:
    """Return the table with the sums of a tree, if a file or the panel itself tells of one."""
    table = panel.table
    if files.tree is not None:
        parts = read_tree(files.tree, list(table.index), left_out=panel.refused)
    elif panel.tree_rows is not None:
        rows = panel.tree_rows.rename_axis("destination").rename("part_of").reset_index()
        parts = tree_of_panel(rows, file=f"Panel {files.panel}") or {}
    else:
        parts = {}
    if not parts:
        return table, None
    tree = tree_of(parts, table.index)
    for gap in contradictions(table, tree, panel.frequency):
        echo(f"tree: {gap}")
    return add_sums(table, tree), tree


def read_reported(path: Path, *, name: str = "panel", options: PanelOptions = READ_AS_IS) -> Panel:
    """Return the panel of a file, and say which series were refused and what else was noted of it.

    Raises:
        DataError: It cannot be used.
    """
    panel = read_panel(path, options)
    if panel.frequency.period != "month":
        echo(f"{name}: read as {panel.frequency.period}s, {panel.frequency.alias}")
    for note in panel.notes:
        echo(f"{name}: {note}")
    if panel.refused:
        reasons = [f"{series}: {reason}" for series, reason in panel.refused.items()]
        echo(
            f"{name}: {len(reasons)} series refused, the others are forecast: {first_few(reasons)}"
        )
        if any(NEGATIVE in reason for reason in reasons):
            echo(f"{name}: `magnetcast predict --allow-negative` forecasts values below zero too")
    return panel


def say_left_out(names: set[str]) -> None:
    """Say which series were not forecast, having no value in the year before the cutoff."""
    if names:
        echo(f"no value in the year before the cutoff, not forecast: {first_few(sorted(names))}")
