"""The parts of a panel on disk: condensed once, read in every pass, forecast into a part each.

Whatever is written stands under its name only when it is whole, so that work that is done again
after a worker was lost finds nothing half done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from models.engine.forecast import Engine
from models.engine.quantiles import Quantiles
from models.engine.series_stats import PanelStats
from models.forecasting.forecaster import MODEL, forecast_file
from models.learning.spec import EngineSpec
from models.parts import (
    Block,
    Names,
    PanelMonths,
    PartCells,
    PartSummary,
    first_pass,
    part_cells,
    part_totals,
    predict_pass,
    second_pass,
)
from models.statistical.pretrained import marked
from sources.files.panel import PanelOptions, read_part
from sources.files.panel_parts import check_homes
from store.arrays import Floats, Ints, take


@dataclass(frozen=True, slots=True)
class CondensedPart:
    """A part as a dense block on disk, and what was noted of it."""

    part: Path
    block: Path
    names: Names
    span: PanelMonths | None
    """Months with a value; None where no series is sound."""
    reach: int
    """Series with a value in the last of them."""
    refused: dict[str, str]
    notes: tuple[str, ...]


def condense(part: Path, *, folder: Path, options: PanelOptions) -> CondensedPart:
    """Read and check a part and write its sound series as a block.

    Raises:
        DataError: The part cannot be read, or has series that belong elsewhere.
    """
    panel = read_part(part, options)
    table = panel.table
    check_homes(part, [*map(str, table.index), *panel.refused])
    block = folder / f"{part.name}.arrow"
    names = table.index.to_numpy(dtype=object)
    if not len(table):
        return CondensedPart(part, block, names, None, 0, panel.refused, panel.notes)
    values = table.to_numpy(dtype=float)
    _write_block(block, values)
    span = PanelMonths(int(table.columns[0]), int(table.columns[-1]), panel.frequency)
    reach = int(np.isfinite(values[:, -1]).sum())
    return CondensedPart(part, block, names, span, reach, panel.refused, panel.notes)


def read_block(found: CondensedPart, span: PanelMonths) -> Block:
    """Return a condensed part with the months of a span, all of the panel or those to a cutoff."""
    assert found.span is not None  # noqa: S101 - only parts with series are worked on
    own = found.span
    with pa.OSFile(str(found.block)) as file:
        flat = pa.ipc.open_file(file).read_all().column("tonnes").combine_chunks()
    dense = flat.to_numpy().reshape(len(found.names), own.width)
    values = np.full((len(found.names), span.width), np.nan)
    first, end = max(own.first, span.first), min(own.last, span.last) + 1
    if first < end:
        values[:, first - span.first : end - span.first] = dense[
            :, first - own.first : end - own.first
        ]
    return Block(found.names, values)


def summary_of(work: tuple[CondensedPart, Ints], *, span: PanelMonths) -> PartSummary:
    """Return what a part contributes in the first pass, given the rows to train on."""
    found, rows = work
    return first_pass(read_block(found, span), rows, span.frequency.year)


def momentum_of(found: CondensedPart, *, span: PanelMonths, profile: Floats) -> Floats:
    """Return what a part contributes in the second pass."""
    return second_pass(read_block(found, span), profile)


def write_training_rows(
    found: CondensedPart,
    *,
    span: PanelMonths,
    panel_stats: dict[int, PanelStats],
    horizon: int,
    spec: EngineSpec,
) -> tuple[Path, Path, tuple[int, int]]:
    """Write the training rows of a part; return files and counts: before validation, and all."""
    cells = part_cells(read_block(found, span), panel_stats, span=span, horizon=horizon, spec=spec)
    before = take(cells, cells.before)
    files = found.block.with_suffix(".before.npz"), found.block.with_suffix(".all.npz")
    for file, some in zip(files, (before, cells), strict=True):
        write_cells(file, some)
    return *files, (len(before), len(cells))


def read_cells(file: Path) -> PartCells:
    """Return the training rows of a part."""
    with np.load(file) as stored:
        return PartCells(stored["features"], stored["target"], stored["weight"], stored["before"])


def forecast_part(
    found: CondensedPart, *, span: PanelMonths, engine: Engine, common: PanelStats, out: Path
) -> tuple[int, list[str]]:
    """Write the forecasts of a part; return their number and the series without one."""
    forecasts = predict_pass(read_block(found, span), engine, common, bands={})
    status = marked("panel", is_used=engine.is_pretrained)
    return _write_own(found, forecasts, known=span, status=status, out=out)


def score_part(
    found: CondensedPart,
    *,
    span: PanelMonths,
    known: PanelMonths,
    engine: Engine,
    common: PanelStats,
    bands: dict[str, Floats],
    out: Path,
) -> tuple[int, list[str], pd.DataFrame]:
    """Write the forecasts of a part at a past cutoff and score them on what came.

    Args:
        found: The part.
        span: Months of the panel.
        known: Those up to the cutoff; the forecasts see no other.
        engine: Taught at the cutoff.
        common: Of the panel at the cutoff.
        bands: Of the baselines, by name.
        out: Folder for the forecasts of this cutoff.

    Returns:
        The number of forecasts, the series without one, and ``part_totals``.
    """
    whole = read_block(found, span)
    past = Block(whole.names, np.ascontiguousarray(whole.tonnes[:, : known.width]))
    forecasts = list(predict_pass(past, engine, common, bands=bands))
    status = marked("backtest", is_used=engine.is_pretrained)
    written = _write_own(found, forecasts, known=known, status=status, out=out)
    totals = [part_totals(whole, one, known) for one in forecasts]
    return *written, pd.concat(totals) if totals else pd.DataFrame()


def _write_own(
    found: CondensedPart,
    forecasts: Iterable[Mapping[str, Quantiles]],
    *,
    known: PanelMonths,
    status: str,
    out: Path,
) -> tuple[int, list[str]]:
    """Write the forecasts of a part; return the number of rows and the series without."""
    frequency = known.frequency
    tables = (one[MODEL].table(found.names, known.last, frequency) for one in forecasts)
    files = (forecast_file(rows, status=status, frequency=frequency) for rows in tables)
    rows, names = _write_forecasts(
        out / found.part.name / "forecast.parquet", files, beside=found.block.parent
    )
    return rows, [str(name) for name in found.names if name not in names]


def _write_block(path: Path, values: Floats) -> None:
    table = pa.table({"tonnes": pa.array(values.reshape(-1))})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(uuid4().hex)
    with (
        pa.OSFile(str(unfinished), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table)
    unfinished.replace(path)


def write_cells(path: Path, cells: PartCells) -> None:
    """Write the training rows of a part."""
    unfinished = path.with_name(f"{uuid4().hex}.npz")
    np.savez(
        unfinished,
        features=cells.features,
        target=cells.target,
        weight=cells.weight,
        before=cells.before,
    )
    unfinished.replace(path)


def _write_forecasts(
    path: Path, parts: Iterable[pd.DataFrame], *, beside: Path
) -> tuple[int, set[str]]:
    """Write tables one after the other, at first into a folder beside; nothing without a table."""
    rows, names, writer = 0, set[str](), None
    unfinished = beside / uuid4().hex
    for part in parts:
        table = pa.Table.from_pandas(part, preserve_index=False)
        if writer is None:
            texts = ["destination", "cutoff", "period", "model", "status"]
            writer = pq.ParquetWriter(unfinished, table.schema, use_dictionary=texts)
        writer.write_table(table)
        rows += len(part)
        names |= set(part["destination"])
    if writer is not None:
        writer.close()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.replace(path)
    return rows, names
