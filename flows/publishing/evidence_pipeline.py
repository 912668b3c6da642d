"""The magnets: backtest, train and forecast on the evidence panel, with its fallback chain."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import pandas as pd

from features.months import last_complete_month, month_label
from features.origin import Origin
from features.panel.system import PRIOR
from flows.context.console import echo
from flows.context.recipes import magnets_recipe
from flows.context.workspace import Workspace, open_workspace
from flows.ingest.ingest import ingest
from flows.publishing.publish import RunEntry
from flows.publishing.run_config import MAGNETS, RunConfig
from flows.training.backtest import backtest
from flows.training.predict import BacktestedForecast, predict
from flows.training.train import train
from models.evaluation.backtest import EvidenceBacktest
from models.registry import registry
from service.report.view import unknowns
from store.asof import EVENT_KEY, known_at
from store.errors import DataError, StoreError
from store.facts.evidence import evidence_digests
from store.facts.reading import read_events, read_runs
from store.publications.panels import StoredPanel
from store.settings import Settings

_MOST_LATE: Final = 12
"""Months without figures after which nothing is published any more."""


@dataclass(frozen=True, slots=True)
class EvidencePipeline:
    """The main job's own steps."""

    snapshot: Workspace
    config: RunConfig = MAGNETS

    def is_current(self, models: set[str]) -> bool:
        """Tell whether who would publish now had a say in it: not so after a rollback, say."""
        try:
            champion = registry.champion(self.snapshot.settings)
        except StoreError:
            return True  # nobody else could be asked
        if champion is None or not _was_trained(self.snapshot):
            return False
        if pd.Timestamp(champion.as_of) > self.snapshot.as_of:
            return True
        return champion.model_version in models

    def forecast(self, entry: RunEntry) -> BacktestedForecast:  # noqa: ARG002 - of all pipelines
        """Backtest, train, and forecast by whoever may publish then."""
        settings, as_of, spec = self.snapshot.settings, self.snapshot.as_of, self.snapshot.spec
        result = backtest(settings, as_of, spec)
        made = predict(settings, as_of, result, _trained(self.snapshot, result), spec)
        return BacktestedForecast(made.table, made.model_version, result)

    def fallback(self, error: Exception) -> None:
        """Return nothing: its fallback chain answers destination by destination."""

    def plausible_at(self) -> Origin:
        """Return the origin that forecasts must be plausible at."""
        return self.snapshot.history.origin(self.snapshot.as_of)

    def panel(self) -> StoredPanel:
        """Return what was known of past months, as it is kept beside the publication."""
        return self.snapshot.history.panel(self.snapshot.as_of).stored

    def made_with(self) -> Mapping[str, object]:
        """Return what the forecast rests on: facts, prior, parameters not at their default."""
        found = evidence_digests(self.snapshot.engine, as_of=self.snapshot.as_of)
        changed = self.snapshot.spec.changed
        made_with = {"evidence": dict(found.tables), "prior": asdict(PRIOR)}
        return {**made_with, **({"parameters": changed} if changed else {})}

    def unknowns(self) -> list[str]:
        """Return what the forecast could not know, in sentences."""
        return unknowns(self.panel().frame, self.events(), as_of=self.snapshot.as_of)

    def events(self) -> pd.DataFrame:
        """Return the newest version of each policy event known then."""
        as_of = self.snapshot.as_of
        return known_at(read_events(self.snapshot.engine, as_of=as_of), key=EVENT_KEY, as_of=as_of)


def open_evidence(settings: Settings, as_of: pd.Timestamp) -> EvidencePipeline:
    """Ingest the bundled figures and return the main job as of a moment, by the recipe in force."""
    ingest(settings)
    recipe = magnets_recipe(settings, as_of).spec
    workspace = open_workspace(settings, as_of, spec=recipe)
    _check_not_ancient(workspace)
    return EvidencePipeline(workspace)


def _check_not_ancient(workspace: Workspace) -> None:
    known = workspace.history.panel(workspace.as_of).cutoff
    late = last_complete_month(workspace.as_of) - known
    if late > _MOST_LATE:
        raise DataError(
            f"The newest figures are of {month_label(known)}, {late} months before "
            f"{workspace.as_of:%Y-%m-%d}. Expected at most {_MOST_LATE}: beyond, a forecast would "
            "be nonsense. Look at this machine's clock, then at the ingests; nothing was published."
        )


def _was_trained(workspace: Workspace) -> bool:
    """Return whether a run with these facts and choices ended well, whoever it made champion."""
    runs = read_runs(workspace.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(workspace.data_vintage)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(workspace.recipe, regex=False).any())


def _trained(workspace: Workspace, result: EvidenceBacktest) -> int | None:
    try:
        return train(workspace.settings, workspace.as_of, result, workspace.spec)
    except StoreError as err:
        echo(f"train     nothing was registered: {err}")
        return None
