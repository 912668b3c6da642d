"""What a run leaves behind, and whether the forecast that stands is what it would publish."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from flows.context.console import echo
from flows.publishing.pipelines import Pipeline
from flows.publishing.publish import day_of, held_folder, held_like
from store.facts.reading import latest_forecast
from store.publications.decisions import held_forecasts
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run left behind."""

    commodity: str = COMMODITY
    """Key it is published under."""
    forecasts: pd.DataFrame
    report: Path
    rows_published: int = 0
    verdict: str = ""
    unknowns: list[str] = field(default_factory=list)
    is_new: bool = False
    held: str = ""
    """Why the forecast waits for a person; the one before it still stands."""

    @property
    def is_main(self) -> bool:
        """Tell whether the main job left it."""
        return self.commodity == COMMODITY


def unchanged(pipeline: Pipeline) -> RunOutcome | None:
    """Return the forecast that the same facts, months and choices made already; None if new."""
    return _published_already(pipeline) or _held_already(pipeline)


def _published_already(pipeline: Pipeline) -> RunOutcome | None:
    snapshot, config = pipeline.snapshot, pipeline.config
    day = day_of(snapshot.as_of)
    latest = latest_forecast(snapshot.engine, as_of=day, commodity=config.published_as)
    if latest.empty or set(latest["data_vintage"]) != {snapshot.data_vintage}:
        return None
    page = config.report_folder(snapshot.settings, latest["as_of"].iloc[0]) / "index.html"
    if not page.exists() or not _is_like(pipeline, latest):
        return None
    since = f"{latest['as_of'].iloc[0]:%Y-%m-%d}"
    echo(
        f"run       {config.prefix}nothing new since the forecast of {since}; nothing was published"
    )
    return RunOutcome(commodity=config.published_as, forecasts=latest, report=page)


def _held_already(pipeline: Pipeline) -> RunOutcome | None:
    snapshot, config = pipeline.snapshot, pipeline.config
    key = config.published_as
    found = held_like(snapshot.engine, snapshot.as_of, snapshot.data_vintage, published_as=key)
    if found is None:
        return None
    table = held_forecasts(snapshot.engine, found.number)
    if not _is_like(pipeline, table):
        return None
    echo(f"run       {config.prefix}nothing new; publication {found.number} is {found.note}")
    folder = held_folder(config.report_folder(snapshot.settings, found.as_of))
    return RunOutcome(commodity=key, forecasts=table, report=folder / "index.html", held=found.note)


def _is_like(pipeline: Pipeline, rows: pd.DataFrame) -> bool:
    """Tell whether a run now would reach as far, by the same models."""
    reaches = rows["period"].max() == pipeline.snapshot.last_period
    return reaches and pipeline.is_current(set(rows["model"]))
