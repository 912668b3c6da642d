"""The store and the history of one as_of, shared by the flows of a process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.build import catalogue_digest
from features.history import EvidenceHistory
from features.months import last_complete_month, month_label
from features.origin import Origin
from features.panel.evidence_panel import EvidencePanel
from features.panel.system import PRIOR, PanelPrior
from flows.context.console import track
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import store_of
from models.executor import SharedExecutor
from models.forecasting.snapshot import Snapshot
from models.learning.spec import MAGNETS_SPEC, Spec
from store.asof import require_time_zone
from store.digest_cache import DigestCache
from store.facts.evidence import evidence_digests, read_evidence
from store.facts.reading import read_events, read_table, read_tariffs
from store.publications.panels import StoredPanel, panel_behind
from store.schema.tables import analog_events
from store.settings import Settings
from store.vocabulary import MONTHS_AHEAD

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything known at one as_of, and how to model it."""

    settings: Settings
    as_of: pd.Timestamp
    data_vintage: str
    """Digest of every row known at as_of."""
    spec: Spec
    engine: Engine = field(repr=False)
    history: EvidenceHistory = field(repr=False)
    config: RunConfig = field(default=MAGNETS, init=False)

    @property
    def origin(self) -> Origin:
        return self.history.origin(self.as_of)

    @property
    def panel(self) -> StoredPanel:
        """What was known of past months, as it is kept beside a publication."""
        return self.history.panel(self.as_of).stored

    @property
    def made_with(self) -> Mapping[str, object]:
        """What a forecast rests on: facts, prior, parameters not at their default."""
        found = evidence_digests(self.engine, as_of=self.as_of)
        made_with = {"evidence": dict(found.tables), "prior": asdict(PRIOR)}
        return {**made_with, **({"parameters": self.spec.changed} if self.spec.changed else {})}

    @property
    def executor(self) -> SharedExecutor:
        return SharedExecutor(self.settings.processes, track)

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.of_evidence(self.history, self.as_of)

    @property
    def recipe(self) -> str:
        return f"{self.spec.digest}-{catalogue_digest()[:6]}"

    @property
    def model_version(self) -> str:
        return f"magnetcast-{self.recipe}-{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def last_period(self) -> str:
        return month_label(last_complete_month(self.as_of) + MONTHS_AHEAD)


def open_workspace(
    settings: Settings,
    as_of: pd.Timestamp,
    *,
    until: int | None = None,
    spec: Spec | None = None,
    prior: PanelPrior = PRIOR,
) -> Workspace:
    """Return the workspace of an as_of; rows that became known later are not even read.

    Args:
        until: Leave out what later ingests than this one brought; None takes all.
        prior: Of the panels' months that no figure fixes.
    """
    require_time_zone(as_of)
    engine = store_of(settings)
    data_vintage = evidence_digests(engine, as_of=as_of, until=until).digest
    kept = settings.origins_dir, settings.origins_cache_mb
    history = _history(as_of, data_vintage, engine, until, (*kept, prior))
    return Workspace(settings, as_of, data_vintage, spec or MAGNETS_SPEC, engine, history)


def known_facts(
    engine: Engine, as_of: pd.Timestamp, *, until: int | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return all versions known at a moment of figures, acts, tariffs, and acts on other minerals.

    Args:
        until: Leave out what later ingests than this one brought; None takes all.
    """
    return (
        read_evidence(engine, as_of=as_of, until=until),
        read_events(engine, as_of=as_of, until=until),
        read_tariffs(engine, as_of=as_of, until=until),
        read_table(engine, analog_events, as_of=as_of, until=until),
    )


@lru_cache(maxsize=2)
def _history(
    as_of: pd.Timestamp,
    data_vintage: str,
    engine: Engine,
    until: int | None,
    how: tuple[Path, int, PanelPrior],
) -> EvidenceHistory:
    folder, megabytes, prior = how
    cache = DigestCache(folder, megabytes * MEGABYTE)
    facts = known_facts(engine, as_of, until=until)
    history = EvidenceHistory(*facts, cache=cache, prior=prior)
    stored = panel_behind(engine, as_of=as_of, data_vintage=data_vintage)
    if stored is not None:
        # Published from these very facts: the panel is the one that was solved then.
        history.keep(EvidencePanel.from_stored(stored, as_of))
    return history
