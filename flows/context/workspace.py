"""The store and the history of one as_of, shared by the flows of a process."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.build import catalogue_digest
from features.evidence_history import EvidenceHistory
from features.origin import Origin
from features.panel.evidence_panel import EvidencePanel
from features.panel.partner_table import PartnerHistory, PartnerTable, partner_table
from features.panel.system import PRIOR, PanelPrior
from flows.context.console import track
from flows.context.parameter_sources import parameters_for
from flows.context.run_config import MAGNETS, RunConfig, config_of
from flows.context.stores import store_of
from flows.context.tables import other_tables, table_panel
from models.executor import Executor
from models.forecasting.forecaster import MODEL
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET, PANEL_PRESET, ModelParameters
from store.asof import require_time_zone
from store.digest_cache import DigestCache
from store.errors import DataError
from store.facts.evidence import evidence_digests, read_evidence, read_labels
from store.facts.reading import read_events, read_observations, read_table, read_tariffs
from store.messages import Message
from store.months import last_complete_month, month_label
from store.publications.panels import StoredPanel, panel_behind
from store.schema.tables import analog_events
from store.settings import Settings
from store.vocabulary import MONTHS_AHEAD

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything known of some goods at one as_of, and how to model it."""

    settings: Settings
    as_of: pd.Timestamp
    data_vintage: str
    """Digest of every row that counts and was known at as_of."""
    parameters: ModelParameters
    engine: Engine = field(repr=False)
    facts: EvidenceHistory | PartnerHistory = field(repr=False)
    config: RunConfig

    @property
    def history(self) -> EvidenceHistory:
        assert isinstance(self.facts, EvidenceHistory)  # noqa: S101 - only the magnets are asked
        return self.facts

    @property
    def table(self) -> PartnerTable:
        assert isinstance(self.facts, PartnerHistory)  # noqa: S101 - only goods in tables are asked
        return self.facts.current

    @property
    def origin(self) -> Origin:
        return self.snapshot.origin

    @property
    def panel(self) -> StoredPanel:
        """What was known of past months, as it is kept beside a publication."""
        if isinstance(self.facts, PartnerHistory):
            return table_panel(self.facts.current)
        return self.facts.panel(self.as_of).stored

    @property
    def made_with(self) -> Mapping[str, object]:
        """What a forecast rests on: facts, prior, parameters not at their default."""
        changed = {"parameters": self.parameters.changed} if self.parameters.changed else {}
        if not self.config.is_main:
            return changed
        found = evidence_digests(self.engine, as_of=self.as_of)
        return {"evidence": dict(found.tables), "prior": asdict(PRIOR), **changed}

    @property
    def executor(self) -> Executor:
        return Executor(track, self.settings.processes)

    @property
    def snapshot(self) -> Snapshot:
        if isinstance(self.facts, PartnerHistory):
            return Snapshot.of_table(self.facts.current)
        return Snapshot.of_evidence(self.facts, self.as_of)

    @property
    def parameters_digest(self) -> str:
        return f"{self.parameters.digest}-{catalogue_digest()[:6]}"

    @property
    def model_version(self) -> str:
        kind = MODEL if self.config.is_main else "partners"
        return f"{kind}-{self.parameters_digest}-{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"

    @property
    def last_period(self) -> str:
        if isinstance(self.facts, PartnerHistory):
            return month_label(self.facts.current.cutoff + self.facts.current.horizon)
        return month_label(last_complete_month(self.as_of) + MONTHS_AHEAD)

    @property
    def notes(self) -> list[Message]:
        """What is odd about a table and its past, in sentences."""
        return self.facts.notes if isinstance(self.facts, PartnerHistory) else []


def known_of(
    settings: Settings,
    as_of: pd.Timestamp,
    config: RunConfig = MAGNETS,
    parameters: ModelParameters | None = None,
) -> Workspace:
    """Return what was known of the goods of a configuration.

    Args:
        parameters: Of a model trained on it; those of the champion if left out.
    """
    parameters = parameters or parameters_for(settings, as_of, config=config).parameters
    return open_workspace(settings, as_of, config, parameters=parameters)


def known_with(
    settings: Settings,
    as_of: pd.Timestamp,
    commodity: str | None,
    given: Mapping[str, float],
    file: str | None = None,
) -> Workspace:
    """Return what was known of the magnets, or of the table of a commodity, with parameters.

    Args:
        given: Parameters by name, laid over those of ``file``, else of the champion.
    """
    config, changes = config_of(commodity), [f"{name}={value}" for name, value in given.items()]
    parameters = parameters_for(settings, as_of, file, changes, config=config).parameters
    return open_workspace(settings, as_of, config, parameters=parameters)


def open_workspace(
    settings: Settings,
    as_of: pd.Timestamp,
    config: RunConfig = MAGNETS,
    *,
    until: int | None = None,
    parameters: ModelParameters | None = None,
    prior: PanelPrior = PRIOR,
) -> Workspace:
    """Return the workspace of an as_of; rows that became known later are not even read.

    Args:
        until: Leave out what later ingests than this one brought; None takes all.
        parameters: The preset of the commodity if left out.
        prior: Of the evidence panel's months that no figure fixes.
    """
    require_time_zone(as_of)
    engine = store_of(settings)
    if not config.is_main:
        facts = _partner_history(settings, as_of, config.commodity, until)
        key = config_of(config.commodity).published_as
        named = RunConfig(key, read_labels(engine).get(key, ""))
        return Workspace(
            settings, as_of, facts.current.digest, parameters or PANEL_PRESET, engine, facts, named
        )
    data_vintage = evidence_digests(engine, as_of=as_of, until=until).digest
    kept = settings.origins_dir, settings.origins_cache_mb
    history = _history(as_of, data_vintage, engine, until, (*kept, prior))
    return Workspace(
        settings, as_of, data_vintage, parameters or MAGNETS_PRESET, engine, history, config
    )


def _partner_history(
    settings: Settings, as_of: pd.Timestamp, commodity: str, until: int | None
) -> PartnerHistory:
    engine = store_of(settings)
    figures = read_observations(engine, as_of=as_of, commodity=commodity, until=until)
    try:
        return PartnerHistory(partner_table(figures, commodity=commodity, as_of=as_of), figures)
    except DataError as err:
        raise DataError(f"{err} {other_tables(settings, as_of, commodity)}") from err


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
        history.add_panel(EvidencePanel.from_stored(stored, as_of))
    return history
