"""Forecast a panel in parts, from a folder into a folder, never holding the whole of it."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from flows.cluster import workers
from flows.console import say
from flows.panel_files import PanelFiles, check_horizon, say_left_out
from flows.part_files import Condensed, condense, forecast_part, moved_by, told_by
from models.engine.spec import EngineSpec
from models.parted import Division, Span, common_of, learned, profile_of
from models.spread import Spread
from sources.month_text import month_label
from sources.panel_file import SPARSE_END
from sources.panel_parts import parts_of
from store.errors import DataError, first_few
from store.settings import Settings


def predict_parts(settings: Settings, files: PanelFiles, *, horizon: int, out: Path | None) -> None:
    """Write the forecasts of a panel in parts to a folder of parts.

    The folder is there only when it is whole.

    Raises:
        DataError: The panel, what goes with it or the folder cannot be used.
    """
    check_horizon(horizon)
    target = _target(files, out)
    parts = parts_of(files.panel)
    scratch = target.with_name(f".{target.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    spec = EngineSpec(threads=settings.threads)
    try:
        with workers(settings) as spread:
            rows = _forecast(parts, scratch, horizon=horizon, spec=spec, spread=spread)
        (scratch / "forecasts").replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    say(f"wrote {rows:,} rows to {target}")


def _forecast(
    parts: Sequence[Path], scratch: Path, *, horizon: int, spec: EngineSpec, spread: Spread
) -> int:
    """Write the forecasts below a folder of our own and return their number."""
    blocks = scratch.absolute() / "blocks"
    paths = [part.absolute() for part in parts]
    read = list(spread(partial(condense, folder=blocks), paths, "parts read"))
    sound = _told(read)
    span = _span(sound)
    division = Division.of([one.names for one in sound])
    teachers = division.teachers(spec)
    work = list(zip(sound, teachers, strict=True))
    told = list(spread(partial(told_by, span=span), work, "parts' seasons"))
    profile = profile_of(told, division)
    momenta = spread(partial(moved_by, span=span, profile=profile), sound, "parts' gauges")
    common = common_of(list(momenta), profile)
    engine = learned(told, teachers, division, span=span, horizon=horizon, spec=spec)
    del told
    out = scratch.absolute() / "forecasts"
    last = partial(forecast_part, span=span, engine=engine, common=common, out=out)
    found = list(spread(last, sound, "parts forecast"))
    rows = sum(count for count, _ in found)
    if not rows:
        raise DataError(
            "No series has a value in the year before the cutoff. Expected at least one. "
            "Take an earlier cutoff."
        )
    say_left_out({name for _, names in found for name in names})
    return rows


def _target(files: PanelFiles, out: Path | None) -> Path:
    """Return where the forecasts go.

    Raises:
        DataError: There is no place for them, or the panel cannot be forecast part by part.
    """
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


def _told(read: Sequence[Condensed]) -> list[Condensed]:
    """Say which series were refused and what was noted; return the parts that have any left.

    Raises:
        DataError: None has.
    """
    refused = {name: reason for one in read for name, reason in one.refused.items()}
    told = [f"{name}: {reason}" for name, reason in refused.items()]
    if refused:
        say(f"panel: {len(refused)} series refused, the others are forecast: {first_few(told)}")
    noted = [one for one in read if one.notes]
    if noted:
        said = first_few([f"{one.part.name}: {'; '.join(one.notes)}" for one in noted[:1]])
        say(f"panel: notes on {len(noted)} of {len(read)} parts, the first: {said}")
    sound = [one for one in read if one.span is not None]
    if not sound:
        raise DataError(
            f"No part has a series that can be used. {first_few(told)}. Expected a series name, a "
            "month as YYYY-MM and one number of at least 0 a row. Correct the rows."
        )
    return sound


def _span(sound: Sequence[Condensed]) -> Span:
    """Return the months of the panel and say so if few series reach the last."""
    spans = [one.span for one in sound if one.span is not None]
    span = Span(min(one.first for one in spans), max(one.last for one in spans))
    count = sum(len(one.names) for one in sound)
    reach = int(np.sum([one.reach for one in sound if one.span and one.span.last == span.last]))
    if reach < SPARSE_END * count:
        say(
            f"panel: the last month, {month_label(span.last)}, has a value of {reach} of {count} "
            "series only"
        )
    return span
