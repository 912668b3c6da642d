"""Panels too large for one process, from Parquet to Parquet through Dask.

The engine is trained on a sample of the series and forecasts all series, partition by partition.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow.dataset as pads

from flows.context.console import echo
from flows.panels.panel_files import FORECAST, PanelFiles, months_ahead
from models.engine import training_series
from models.forecasting.model_names import forecast_file
from models.forecasting.panel_forecaster import FittedPanel, PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import ModelParameters
from sources.files.panel import OURS, Panel, names_in, our_names
from store.errors import DataError, first_few
from store.settings import Settings

if TYPE_CHECKING:
    import dask.dataframe as dd

LOCAL: Final = "local"
HOST: Final = "127.0.0.1"


def predict_folder(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    out: Path | None,
    parameters: ModelParameters,
) -> None:
    """Forecast a folder of Parquet files into a new one, which appears when it is complete."""
    target = _target(files, out)
    unfinished = target.absolute().with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with _scheduler(settings.dask):
            rows, partitions = _opened(files)
            fitted = _trained(rows, partitions, files, horizon=horizon, parameters=parameters)
            meta = _texts(forecast_file(fitted.nothing(), status="panel"))
            forecasts = rows.map_partitions(forecast_rows, fitted.on_none(), files, meta=meta)
            forecasts.to_parquet(str(unfinished), write_index=False)
        count = pads.dataset(unfinished).count_rows()
        unfinished.replace(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    echo(f"wrote {count:,} rows to {target}")


def forecast_rows(rows: pd.DataFrame, fitted: FittedPanel, files: PanelFiles) -> pd.DataFrame:
    """Forecasts of a partition, with the columns of a forecast file."""
    on_rows = fitted if rows.empty else fitted.on(files.read(rows).table)
    return _texts(
        forecast_file(on_rows.from_own_ends(stale=files.stale == FORECAST), status="panel")
    )


def _texts(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.astype(dict.fromkeys(("destination", "cutoff", "period", "model", "status"), "str"))


def _opened(files: PanelFiles) -> "tuple[dd.DataFrame, list[Panel]]":
    """A panel with each series in one partition, and its partitions."""
    import dask.dataframe as dd  # noqa: PLC0415 - loaded for folders only
    from dask.base import compute  # noqa: PLC0415
    from dask.delayed import delayed  # noqa: PLC0415

    rows = dd.read_parquet(str(files.panel), index=False, split_row_groups=False)
    names = our_names([str(name) for name in rows.columns], files.columns)
    place = names.index(OURS[0]) if OURS[0] in names else 0
    series = rows.columns[place]
    wanted = [column for column, name in zip(rows.columns, names, strict=True) if name in OURS]
    rows = rows[wanted]
    counts = rows.map_partitions(lambda part: part[[series]].drop_duplicates()).compute()
    if counts[series].duplicated().any():
        echo("panel     series are spread over several files: Dask moves each into one partition")
        rows = rows.shuffle(series)
    look = delayed(panel_ends)
    results = compute(*[look(part, files) for part in rows.to_delayed()])
    partitions = [partition for partition in results if partition is not None]
    refused = [
        f"{name}: {reason}"
        for partition in partitions
        for name, reason in partition.refused.items()
    ]
    if refused:
        echo(f"panel: {len(refused)} series refused, the others are forecast: {first_few(refused)}")
    return rows, partitions


def panel_ends(rows: pd.DataFrame, files: PanelFiles) -> Panel | None:
    """Panel of a partition with its first and its last month alone, from the first pass.

    A copy: a view would keep every month of every partition in memory.
    """
    if rows.empty:
        return None
    panel = files.read(rows)
    return replace(panel, table=panel.table.iloc[:, [0, -1]].copy())


def _trained(
    rows: "dd.DataFrame",
    partitions: Sequence[Panel],
    files: PanelFiles,
    *,
    horizon: int | None,
    parameters: ModelParameters,
) -> FittedPanel:
    forecaster = PanelForecaster(parameters, baselines=(), shifts_negative=files.allow_negative)
    names = np.array(
        sorted(name for partition in partitions for name in partition.table.index), dtype=object
    )
    sample_places = training_series(len(names), parameters)
    some = names if sample_places is None else names[sample_places]
    place = our_names([str(name) for name in rows.columns], files.columns).index(OURS[0])
    column, sampled = rows.columns[place], set(some)
    sample = rows.map_partitions(lambda part: part[names_in(part[column]).isin(sampled)]).compute()
    months = range(
        min(int(partition.table.columns[0]) for partition in partitions),
        max(int(partition.table.columns[-1]) for partition in partitions) + 1,
    )
    table = files.read(sample).table.reindex(columns=months)
    return forecaster.fit(Snapshot.of_panel(table, months_ahead(horizon)))


def _target(files: PanelFiles, out: Path | None) -> Path:
    beside = {"--covariates": files.covariates, "--tree": files.tree}
    if unsupported := [name for name, path in beside.items() if path is not None]:
        raise DataError(
            f"Panel {files.panel} is a folder and cannot be forecast with "
            f"{first_few(unsupported)}, which need all series at once. Expected a panel in one "
            "file. Use one, or leave the options out."
        )
    if out is None or out.exists():
        raise DataError(
            f"--out {out} cannot hold forecasts of a folder. Expected a new folder. Name one."
        )
    return out


@contextmanager
def _scheduler(dask: str | None) -> Iterator[None]:
    """Run Dask in this process, on a local cluster, or on the named scheduler."""
    try:
        import dask as library  # noqa: PLC0415 - loaded for folders only
        from distributed import Client, LocalCluster  # noqa: PLC0415
    except ImportError as err:
        raise DataError(
            "A folder is forecast by Dask, which is not installed. Install it with pip install "
            "'magnetcast[dask]', or forecast the panel as one file."
        ) from err
    with ExitStack() as opened:
        if dask is None:
            opened.enter_context(library.config.set(scheduler="synchronous"))
        else:
            place: str | LocalCluster = dask
            if dask.startswith(LOCAL):
                count = dask.partition(":")[2]
                place = LocalCluster(
                    n_workers=int(count) if count else None,
                    threads_per_worker=1,
                    host=HOST,
                    dashboard_address=None,
                )
                opened.enter_context(place)
            try:
                opened.enter_context(Client(place, timeout="10s"))
            except OSError as err:
                raise DataError(
                    f"Dask's scheduler at {dask} cannot be reached: {err}. Expected a running one. "
                    "Start it, or unset MAGNETCAST_DASK."
                ) from err
        yield
