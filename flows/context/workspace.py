"""What is known of a commodity at one moment, and how its model learns from it.

Of the magnets it is the evidence panel and its past, of any other commodity a full partner table.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Final

import pandas as pd
from sqlalchemy import Engine

from features.build import catalogue_digest
from features.evidence_history import EvidenceHistory
from features.origin import Origin
from features.panel.evidence_panel import KINDS
from features.panel.partner_table import PartnerHistory, PartnerTable
from features.panel.system import PRIOR, PanelPrior
from flows.context.console import LOG, echo, track
from flows.context.known_facts import evidence_history, partner_history, table_panel
from flows.context.parameter_sources import parameters_for
from flows.context.run_config import MAGNETS, RunConfig, config_of
from flows.context.stores import store_of
from models.evaluation.backtest import Backtest, backtest_evidence, rolling_origin_backtest
from models.executor import Executor
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.fallback import remembered
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PLAIN, PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.calibration import metadata_of
from models.learning.parameters import ModelParameters
from models.quantile_model import TrainedModel
from store.asof import require_time_zone
from store.errors import DataError
from store.facts.commodities import evidence_digests, read_labels
from store.facts.reading import read_calendar, read_events, read_tariffs
from store.messages import Message
from store.months import last_complete_month, month_label
from store.publications.panels import StoredPanel
from store.settings import Settings
from store.vocabulary import MAX_HORIZON, MONTHS_AHEAD

MOST_LATE: Final = 12
"""Months without figures of the world after which no forecast is published."""


@dataclass(frozen=True, slots=True)
class Workspace(ABC):
    """Everything known of a commodity at one as_of, and how to model it."""

    settings: Settings
    as_of: pd.Timestamp
    data_vintage: str
    """Digest of every row that counts and was known at as_of."""
    parameters: ModelParameters
    engine: Engine = field(repr=False)
    config: RunConfig

    model_kind: ClassVar[str]
    """First part of the names of its models."""
    is_always_trained: ClassVar[bool]
    """Whether each run trains a model; a short partner table may have too few months for one."""
    is_explained: ClassVar[bool]
    """Whether each published row stores its drivers and contributions."""
    calibrates_fallback: ClassVar[bool]
    """Whether a backtest, which is not stored, sets the bands of forecasts without a model."""

    @property
    @abstractmethod
    def snapshot(self) -> Snapshot: ...

    @property
    @abstractmethod
    def panel(self) -> StoredPanel:
        """Past months as known at as_of, as they are stored beside a publication."""

    @property
    @abstractmethod
    def dataset(self) -> str:
        """Name of the panel in MLflow."""

    @property
    @abstractmethod
    def last_period(self) -> str:
        """Last month that is forecast, ``YYYY-MM``."""

    @abstractmethod
    def backtest(self, since: pd.Timestamp | None = None) -> Backtest:
        """Forecasts from past origins, of the magnets since a moment, scored on what was known."""

    @abstractmethod
    def train(self, backtest: Backtest | None = None) -> TrainedModel:
        """Model of what was known; a backtest, run here if left out, sets the magnets' bands."""

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        """Computations before a forecast, unless they are cached, by name; each logs its result."""
        return {}

    @property
    def notes(self) -> list[Message]:
        """Oddities of its figures, in sentences."""
        return []

    @property
    def reported_facts(self) -> Mapping[str, pd.DataFrame]:
        """Tables that a report shows beside the forecast."""
        return {}

    @abstractmethod
    def check_recent(self) -> None:
        """Refuse figures so old that a forecast from them would be nonsense."""

    @abstractmethod
    def rule_metadata(self, name: str, result: Backtest | None) -> Mapping[str, object]:
        """Metadata of a simple rule: its past errors set its bands, as in a backtest."""

    @property
    def history(self) -> EvidenceHistory:
        """Past of the evidence panel, which only the magnets have."""
        raise DataError(
            f"Commodity {self.config.published_as} has a partner table and no evidence panel. "
            "Expected the magnets. Leave --commodity out."
        )

    @property
    def origin(self) -> Origin:
        return self.snapshot.origin

    @property
    def digests(self) -> Mapping[str, object]:
        """Digests and priors of the figures, which a publication's record keeps."""
        return {}

    @property
    def provenance(self) -> Mapping[str, object]:
        """What a forecast rests on: figures, and parameters that differ from the preset."""
        changed = {"parameters": self.parameters.changed} if self.parameters.changed else {}
        return {**self.digests, **changed}

    @property
    def executor(self) -> Executor:
        return Executor(track, self.settings.processes)

    @property
    def parameters_digest(self) -> str:
        """Digest of parameters and features, which names of models carry."""
        return f"{self.parameters.digest}-{catalogue_digest()[:6]}"

    @property
    def model_version(self) -> str:
        facts = f"{self.data_vintage[:8]}-{self.as_of:%Y%m%d}"
        return f"{self.model_kind}-{self.parameters_digest}-{facts}"


@dataclass(frozen=True, slots=True)
class EvidenceWorkspace(Workspace):
    """The magnets: an evidence panel from all figures, with acts, tariffs and its own past."""

    history: EvidenceHistory = field(repr=False)
    until: int | None = None
    """Last ingest whose rows are read; None reads all."""

    model_kind = MODEL
    is_always_trained = True
    is_explained = True
    calibrates_fallback = True
    dataset = "evidence panel"

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.of_evidence(self.history, self.as_of)

    @property
    def panel(self) -> StoredPanel:
        return self.history.panel(self.as_of).stored

    @property
    def last_period(self) -> str:
        return month_label(last_complete_month(self.as_of) + MONTHS_AHEAD)

    @property
    def digests(self) -> Mapping[str, object]:
        digests = evidence_digests(self.engine, as_of=self.as_of)
        return {"evidence": dict(digests.tables), "prior": asdict(PRIOR)}

    @property
    def reported_facts(self) -> Mapping[str, pd.DataFrame]:
        return {
            "events": read_events(self.engine, as_of=self.as_of, until=self.until),
            "tariffs": read_tariffs(self.engine, as_of=self.as_of, until=self.until),
            "calendar": read_calendar(self.engine, as_of=self.as_of),
        }

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        return {"evidence-panel": self._show_panel, "analogs": self._show_analogs}

    def _show_panel(self) -> None:
        panel = self.history.panel(self.as_of)
        counts = [f"{(panel.kind == place).sum()} {kind}" for place, kind in enumerate(KINDS)]
        LOG.info(
            "panel     %s destinations, the world to %s: %s; %s suspicious statements",
            *(len(panel.kind), month_label(panel.cutoff)),
            *(", ".join(counts), len(panel.suspicious)),
        )

    def _show_analogs(self) -> None:
        count = len(self.history.analogs(self.as_of))
        LOG.info("analogs   %s controls on other minerals", count)

    def backtest(self, since: pd.Timestamp | None = None) -> Backtest:
        """One origin a month, from the evidence panel as it was known then."""
        return backtest_evidence(
            self.history,
            self.as_of,
            parameters=self.parameters,
            since=since,
            executor=self.executor,
        )

    def train(self, backtest: Backtest | None = None) -> TrainedModel:
        """Quantile models with bands from the errors of the backtest."""
        residuals = (backtest or self.backtest()).residuals
        return EvidenceForecaster(self.parameters, residuals).train(self.snapshot)

    def check_recent(self) -> None:
        """Refuse a world that ends more than ``MOST_LATE`` months ago."""
        cutoff = self.origin.cutoff
        late = last_complete_month(self.as_of) - cutoff
        if late > MOST_LATE:
            raise DataError(
                f"The newest figures are of {month_label(cutoff)}, {late} months before "
                f"{self.as_of:%Y-%m-%d}. Expected at most {MOST_LATE}: beyond, a forecast would "
                "be nonsense. Look at this machine's clock, then at the ingests; nothing was "
                "published."
            )

    def rule_metadata(self, name: str, result: Backtest | None) -> Mapping[str, object]:
        """Metadata from errors of the backtest, or of the two years before, forecast anew."""
        if result is None:
            echo("predict   the fallback must forecast: learning its bands from the past")
        history = result.residuals if result else remembered(self.history, self.as_of)
        errors = history.residuals(name, self.origin)
        return metadata_of((), errors, self.parameters, MAX_HORIZON)


@dataclass(frozen=True, slots=True)
class PartnerTableWorkspace(Workspace):
    """Any other commodity: its full partner table, and how it looked at earlier moments."""

    tables: PartnerHistory = field(repr=False)

    model_kind = "partners"
    is_always_trained = False
    is_explained = False
    calibrates_fallback = False

    @property
    def table(self) -> PartnerTable:
        return self.tables.current

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.of_table(self.table)

    @property
    def panel(self) -> StoredPanel:
        return table_panel(self.table)

    @property
    def dataset(self) -> str:
        return f"partner table {self.config.published_as}"

    @property
    def last_period(self) -> str:
        return month_label(self.table.cutoff + self.table.horizon)

    @property
    def notes(self) -> list[Message]:
        return self.tables.notes

    def check_recent(self) -> None:
        """Nothing is refused: the forecast of an old table has the status ``stale``."""

    def backtest(self, since: pd.Timestamp | None = None) -> Backtest:
        """The table as it was known a few months apart."""
        if since is not None:
            raise DataError(
                f"A first origin does not go with commodity {self.config.published_as}: every past "
                "table is replayed. Leave --since out."
            )
        for note in self.notes:
            echo(f"table     {note}")
        return rolling_origin_backtest(
            PanelForecaster(self.parameters, PLAIN),
            [Snapshot.of_table(table) for table in self.tables.past()],
            self.snapshot.published_months,
            label="past tables",
            executor=Executor(track),
        )

    def train(self, backtest: Backtest | None = None) -> TrainedModel:  # noqa: ARG002 - no errors
        """Quantile models with bands from a validation window of the table."""
        return PanelForecaster(self.parameters).train(self.snapshot)

    def rule_metadata(self, name: str, result: Backtest | None) -> Mapping[str, object]:  # noqa: ARG002
        """Metadata from errors at past months of the table."""
        return PanelForecaster(self.parameters).baseline_metadata(self.snapshot, name)


def open_workspace(
    settings: Settings,
    as_of: pd.Timestamp,
    config: RunConfig = MAGNETS,
    *,
    parameters: ModelParameters | None = None,
    until: int | None = None,
    prior: PanelPrior = PRIOR,
) -> Workspace:
    """Workspace of a commodity at an as_of; rows that became known later are not even read.

    Args:
        parameters: Those of the champion if left out.
        until: Leave out what later ingests than this one brought; None takes all.
        prior: Of the evidence panel's months that no figure fixes.
    """
    require_time_zone(as_of)
    parameters = parameters or parameters_for(settings, as_of, config=config).parameters
    if config.table_key:  # only of magnets are there figures beside a table
        return _of_table(settings, as_of, config, parameters, until)
    engine = store_of(settings)
    data_vintage = evidence_digests(engine, as_of=as_of, until=until).digest
    cache = settings.home / "cache" / "origins", settings.origins_cache_mb
    history = evidence_history(as_of, data_vintage, engine, until, (*cache, prior))
    return EvidenceWorkspace(
        settings, as_of, data_vintage, parameters, engine, MAGNETS, history, until
    )


def _of_table(
    settings: Settings,
    as_of: pd.Timestamp,
    config: RunConfig,
    parameters: ModelParameters,
    until: int | None,
) -> PartnerTableWorkspace:
    engine = store_of(settings)
    tables = partner_history(engine, config.commodity, as_of, until=until)
    key = config_of(config.commodity).published_as
    named = RunConfig(key, read_labels(engine).get(key, ""))
    digest = tables.current.digest
    return PartnerTableWorkspace(settings, as_of, digest, parameters, engine, named, tables)
