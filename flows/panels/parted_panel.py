"""Forecast a panel in parts, from a folder into a folder, never holding the whole of it."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from flows.context.console import echo
from flows.panels.cluster import PartsExecutor, open_executor
from flows.panels.panel_files import PanelFiles, periods_ahead, say_left_out
from flows.panels.part_files import (
    CondensedPart,
    condense,
    forecast_part,
    momentum_of,
    summary_of,
    write_training_rows,
)
from models.engine.forecast import Engine
from models.engine.series_stats import PanelStats
from models.engine.training_set import past_panel_stats
from models.learning.quantile_heads import Heads
from models.learning.spec import EngineSpec
from models.parts import (
    Division,
    PanelMonths,
    panel_stats_of,
    profile_of,
    series_to_train,
    trained_engine,
    without_training_rows,
)
from sources.files.panel import SPARSE_END, PanelOptions
from sources.files.panel_parts import parts_of
from store.arrays import Floats
from store.errors import DataError, first_few
from store.frequency import MONTHLY, Frequency
from store.settings import Settings

Teachers = Literal["sample", "all"]
"""What the trees are trained on: some series, as where a panel is held whole, or all parts."""


@dataclass(frozen=True, slots=True)
class PartedForecast:
    """What is asked for."""

    parts: Sequence[Path]
    scratch: Path
    """Folder of our own."""
    made: Path
    """Folder in it for what is to be kept; put in place whole, or not at all."""
    asked: int | None
    """Periods to forecast; None for those of the panel's frequency."""
    spec: EngineSpec
    teachers: Teachers
    options: PanelOptions


@dataclass(frozen=True, slots=True)
class GatheredParts:
    """A panel whose parts were read."""

    sound: Sequence[CondensedPart]
    """The parts with series that can be used."""
    division: Division
    span: PanelMonths
    horizon: int
    """Periods to forecast."""

    @property
    def frequency(self) -> Frequency:
        """Return what the periods are."""
        return self.span.frequency


def predict_parts(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    out: Path | None,
    teachers: Teachers = "sample",
    spec: EngineSpec | None = None,
) -> None:
    """Write the forecasts of a panel in parts to a folder of parts.

    The folder is there only when it is whole.

    Raises:
        DataError: The panel, what goes with it or the folder cannot be used.
    """
    with (
        opened(settings, files, horizon=horizon, out=out, teachers=teachers, spec=spec) as job,
        open_executor(settings) as executor,
    ):
        panel = gathered(job, executor)
        engine, common = train_at(job, executor, panel, panel.span)
        last = partial(
            forecast_part,
            span=panel.span,
            engine=without_training_rows(engine),
            common=common,
            out=job.made,
        )
        found = list(executor.map(last, panel.sound, "parts forecast"))
        rows = sum(count for count, _ in found)
        tell(rows, (name for _, names in found for name in names))
    echo(f"wrote {rows:,} rows to {out}")


@contextmanager
def opened(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    out: Path | None,
    teachers: Teachers = "sample",
    spec: EngineSpec | None = None,
) -> Iterator[PartedForecast]:
    """Give a job whose folder is put in place at the end, if nothing went wrong.

    Raises:
        DataError: The panel, what goes with it or the folder cannot be used.
    """
    periods_ahead(horizon, MONTHLY)
    target = _target(files, out)
    parts = [part.absolute() for part in parts_of(files.panel)]
    scratch = target.absolute().with_name(f".{target.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    choices = spec or EngineSpec(threads=settings.threads)
    try:
        job = PartedForecast(
            parts, scratch, scratch / "made", horizon, choices, teachers, files.options
        )
        yield job
        job.made.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def gathered(job: PartedForecast, executor: PartsExecutor) -> GatheredParts:
    """Return the panel, its parts read and reported.

    Raises:
        DataError: No part has a series that can be used.
    """
    condensed = partial(condense, folder=job.scratch / "blocks", options=job.options)
    sound = _reported(list(executor.map(condensed, job.parts, "parts read")))
    span = _span(sound)
    horizon = periods_ahead(job.asked, span.frequency)
    return GatheredParts(sound, Division.of([one.names for one in sound]), span, horizon)


def train_at(
    job: PartedForecast, executor: PartsExecutor, panel: GatheredParts, span: PanelMonths
) -> tuple[Engine, PanelStats]:
    """Return the engine trained up to the end of a span, and the statistics of all series."""
    engine, profile = _learned(job, executor, panel, span)
    moved = partial(momentum_of, span=span, profile=profile)
    momenta = executor.map(moved, panel.sound, "parts' statistics")
    return engine, panel_stats_of(list(momenta), profile)


def tell(rows: int, left_out: Iterable[str]) -> None:
    """Say which series were not forecast.

    Raises:
        DataError: None was.
    """
    if not rows:
        raise DataError(
            "No series has a value in the year before the cutoff. Expected at least one. "
            "Take an earlier cutoff."
        )
    say_left_out(set(left_out))


def _learned(
    job: PartedForecast, executor: PartsExecutor, panel: GatheredParts, span: PanelMonths
) -> tuple[Engine, Floats]:
    """Return the trained engine, and the panel's season."""
    division = panel.division
    rows = division.training_rows(job.spec)
    work = list(zip(panel.sound, rows, strict=True))
    summaries = list(executor.map(partial(summary_of, span=span), work, "parts' seasons"))
    trained = None
    if job.teachers == "all" and division.count > job.spec.most_series:
        values = series_to_train(summaries, rows, division)
        panel_stats = past_panel_stats(
            values,
            span.width - 1,
            horizon=panel.horizon,
            spec=job.spec.counted_in(span.frequency),
            year=span.frequency.year,
        )
        trained = _trained(job, executor, panel, span, panel_stats)
    engine = trained_engine(
        summaries, rows, division, span=span, horizon=panel.horizon, spec=job.spec, trained=trained
    )
    return engine, profile_of(summaries, division, span.frequency.year)


def _trained(
    job: PartedForecast,
    executor: PartsExecutor,
    panel: GatheredParts,
    span: PanelMonths,
    panel_stats: dict[int, PanelStats],
) -> tuple[Heads, Heads]:
    """Return heads trained on the rows of all parts: before the validation window, and all."""
    rows_of_part = partial(
        write_training_rows,
        span=span,
        panel_stats=panel_stats,
        horizon=panel.horizon,
        spec=job.spec,
    )
    found = list(executor.map(rows_of_part, panel.sound, "parts' training rows"))
    before = executor.train_heads([one[0] for one in found], [one[2][0] for one in found], job.spec)
    whole = executor.train_heads([one[1] for one in found], [one[2][1] for one in found], job.spec)
    return before, whole


def _target(files: PanelFiles, out: Path | None) -> Path:
    """Return where the forecasts go; refuse what cannot be forecast part by part."""
    beside = {
        "--covariates": files.covariates,
        "--tree": files.tree,
        "--controls": files.controls,
    }
    given = [name for name, path in beside.items() if path is not None]
    if given:
        raise DataError(
            f"Panel {files.panel} is a folder and cannot be forecast with {first_few(given)}, "
            "which look at all series at once. Expected a panel in one file. Use one, or leave "
            "them out."
        )
    if out is None or out.exists():
        raise DataError(
            f"--out {out} cannot take the forecasts of a panel in parts. Expected a new folder. "
            "Name one."
        )
    return out


def _reported(read: Sequence[CondensedPart]) -> list[CondensedPart]:
    """Say which series were refused and what was noted; return the parts that have any left."""
    refused = {name: reason for one in read for name, reason in one.refused.items()}
    reasons = [f"{name}: {reason}" for name, reason in refused.items()]
    if refused:
        echo(f"panel: {len(refused)} series refused, the others are forecast: {first_few(reasons)}")
    noted = [one for one in read if one.notes]
    if noted:
        example = first_few([f"{one.part.name}: {'; '.join(one.notes)}" for one in noted[:1]])
        echo(f"panel: notes on {len(noted)} of {len(read)} parts, the first: {example}")
    sound = [one for one in read if one.span is not None]
    if not sound:
        raise DataError(
            f"No part has a series that can be used. {first_few(reasons)}. Expected a series name, "
            "a month as YYYY-MM and one number of at least 0 a row. Correct the rows."
        )
    return sound


def _span(sound: Sequence[CondensedPart]) -> PanelMonths:
    """Return the periods of the panel and say so if few series reach the last.

    Raises:
        DataError: The parts are not of one frequency.
    """
    spans = [one.span for one in sound if one.span is not None]
    frequency = spans[0].frequency
    others = [one for one in sound if one.span and one.span.frequency.alias != frequency.alias]
    if others and others[0].span:
        raise DataError(
            f"Part {others[0].part.name} is of {others[0].span.frequency.alias}, "
            f"{sound[0].part.name} of {frequency.alias}. Expected one frequency in all parts. Say "
            "which with --freq M, Q or W, or mend the part."
        )
    span = PanelMonths(min(one.first for one in spans), max(one.last for one in spans), frequency)
    count = sum(len(one.names) for one in sound)
    reach = int(np.sum([one.reach for one in sound if one.span and one.span.last == span.last]))
    if reach < SPARSE_END * count:
        echo(
            f"panel: the last {frequency.period}, {frequency.label(span.last)}, has a value of "
            f"{reach} of {count} series only"
        )
    return span
