"""Deletion of old MLflow runs and raw answers of providers."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.stores import single_writer, store_of
from models.registry.registry import OldRun, forget, old_runs
from store.facts.reading import published_models
from store.publications.integrity import read_publications
from store.settings import Settings

KEEP_RUNS: Final = 100
"""Newest MLflow runs that pruning keeps."""

KEEP_DAYS: Final = 180
"""Runs and raw answers of providers younger than this are kept."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    runs: tuple[OldRun, ...]
    answers: tuple[Path, ...]
    """Files of the cache."""
    bytes: int
    """Their size."""


def prune(
    settings: Settings,
    now: pd.Timestamp,
    *,
    keep_runs: int = KEEP_RUNS,
    keep_days: int = KEEP_DAYS,
    dry_run: bool = False,
) -> Pruned:
    """Delete old runs of MLflow and old raw answers, while no run is in progress.

    Args:
        keep_runs: How many of the newest runs stay whatever their age.
    """
    before = now - pd.Timedelta(days=keep_days)
    with single_writer(settings):
        engine = store_of(settings)
        published = published_models(engine)
        # What is held may be published yet.
        for models in read_publications(engine)["models"]:
            published |= set(models.split("; "))
        runs = old_runs(
            settings,
            published=published,
            keep=keep_runs,
            before_ms=int(before.timestamp() * 1000),
        )
        answers = old_answers(settings.http_cache_dir, before)
        size = sum(file.stat().st_size for file in answers)
        if not dry_run:
            forget(settings, runs)
            _sweep(settings.reports_dir, now)
            for file in answers:
                file.unlink()
    return Pruned(tuple(runs), tuple(answers), size)


def _sweep(reports: Path, now: pd.Timestamp) -> None:
    """Remove the unfinished folders that runs left when they were killed, a day ago or more."""
    before = (now - pd.Timedelta(days=1)).timestamp()
    for left in reports.glob(".*"):
        if left.is_dir() and left.stat().st_mtime < before:
            shutil.rmtree(left, ignore_errors=True)


def old_answers(cache: Path, before: pd.Timestamp) -> list[Path]:
    """Return the notes last written before a moment, and the bodies that no younger note names."""
    moment = before.timestamp()
    notes = {file: file.stat().st_mtime < moment for file in cache.rglob("*.json")}
    named = {_body_of(file) for file, is_old in notes.items() if not is_old}
    bodies = [
        file
        for file in cache.rglob("*.body")
        if file not in named and file.stat().st_mtime < moment
    ]
    return sorted([*(file for file, is_old in notes.items() if is_old), *bodies])


def _body_of(note: Path) -> Path | None:
    try:
        return note.with_name(f"{json.loads(note.read_text(encoding='utf-8'))['sha256']}.body")
    except (OSError, ValueError, KeyError, TypeError):
        return None
