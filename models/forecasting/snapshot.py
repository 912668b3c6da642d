"""What every forecaster is fitted to: a panel at one moment, and what it carries.

A forecaster (``evidence_forecaster``, ``panel_forecaster``) implements
:class:`SnapshotForecaster`; backtests, runs and pages know nothing else of it.
"""

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from features.evidence_history import EvidenceHistory
from features.origin import Origin, bare_origin
from features.panel.partner_table import PartnerTable
from models.policy.policy_effect import PolicyEffect, effect_at
from models.reconciliation import Tree, add_sums, tree_of
from sources.files.covariates import Covariates
from store.arrays import Floats
from store.errors import DataError
from store.months import YEAR, month_label, month_starts


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A panel at one moment, ready to be forecast: the evidence, a partner table or any other."""

    origin: Origin = field(repr=False)
    """Its months, with acts, tariffs and a total of the world where it carries them."""
    evidence_moment: tuple[EvidenceHistory, pd.Timestamp] | None = field(default=None, repr=False)
    """Of the evidence its past and the moment; any other panel is its own past."""
    covariates: Covariates | None = None
    tree: Tree | None = None
    """Which of its series add up to which, but for the evidence."""

    @classmethod
    def of_evidence(cls, history: EvidenceHistory, as_of: pd.Timestamp) -> "Snapshot":
        """Snapshot of the evidence panel at a moment."""
        return cls(history.origin(as_of), (history, as_of))

    @classmethod
    def of_table(cls, table: PartnerTable) -> "Snapshot":
        """Snapshot of a partner table: all destinations and their sums.

        A sum without a value in the last year is forecast from the sum of its parts, which is not
        published.
        """
        tree = tree_of(table.parts, table.tonnes.index)
        snapshot = cls.of_panel(add_sums(table.tonnes, tree), table.horizon, tree=tree)
        tonnes_known, parts = (
            snapshot.tonnes,
            table.tonnes.drop(index=[*tree.sum_names], errors="ignore"),
        )
        is_silent = np.isnan(tonnes_known[:, -YEAR:]).all(axis=1, keepdims=True)
        tonnes = np.where(
            is_silent & np.isnan(tonnes_known), add_sums(parts, tree).to_numpy(), tonnes_known
        )
        origin = replace(snapshot.origin, tonnes=tonnes, late_months=table.late_months)
        return replace(snapshot, origin=origin)

    @classmethod
    def of_panel(
        cls,
        table: pd.DataFrame,
        horizon: int,
        covariates: Covariates | None = None,
        tree: Tree | None = None,
    ) -> "Snapshot":
        """Snapshot of a panel without facts.

        Args:
            table: Tonnes, series x consecutive period numbers up to the cutoff, NaN where missing;
                with a tree, its series.
        """
        values, first = table.to_numpy(dtype=float), int(table.columns[0])
        origin = bare_origin(values, first, horizon, tuple(table.index))
        return cls(origin, covariates=covariates, tree=tree)

    @property
    def evidence(self) -> tuple[EvidenceHistory, pd.Timestamp]:
        assert self.evidence_moment is not None  # noqa: S101 - no other panel is asked
        return self.evidence_moment

    @property
    def analogs(self) -> tuple[Analog, ...]:
        if self.evidence_moment is None:
            return ()
        history, as_of = self.evidence_moment
        return history.analogs(as_of)

    @property
    def effect(self) -> PolicyEffect | None:
        """What known policies do to its months; None of a panel that carries none."""
        return None if self.origin.events is None else effect_at(self.origin, self.analogs)

    @property
    def series(self) -> tuple[str, ...]:
        return self.origin.series

    @property
    def first(self) -> int:
        return self.origin.first

    @property
    def cutoff(self) -> int:
        return self.origin.cutoff

    @property
    def horizon(self) -> int:
        return len(self.origin.targets)

    @property
    def tonnes(self) -> Floats:
        return self.origin.tonnes

    @property
    def table(self) -> pd.DataFrame:
        """Its tonnes, series x period numbers."""
        months = range(self.first, self.cutoff + 1)
        return pd.DataFrame(self.tonnes, index=list(self.series), columns=months)

    @property
    def published_months(self) -> pd.DataFrame:
        """Its months with a published level: destination, period, tonnes."""
        row, column = np.nonzero(self.origin.is_observed)
        return pd.DataFrame(
            {
                "destination": np.array(self.series, dtype=object)[row],
                "period": month_starts(self.first + column),
                "tonnes": self.tonnes[row, column],
            }
        )

    def ahead(self, horizon: int) -> "Snapshot":
        """Snapshot with another number of months to forecast."""
        targets = self.cutoff + np.arange(1, horizon + 1)
        return replace(self, origin=replace(self.origin, targets=targets))

    def at(self, cutoff: int) -> "Snapshot":
        """Snapshot of the panel's months up to an earlier cutoff."""
        if not self.first <= cutoff <= self.cutoff:
            raise DataError(
                f"Cutoff {month_label(cutoff)} lies outside the panel, which runs from "
                f"{month_label(self.first)} to {month_label(self.cutoff)}. "
                f"Expected a month within it. Take another --cutoffs."
            )
        past = self.tonnes[:, : cutoff - self.first + 1]
        origin = bare_origin(past, self.first, self.horizon, self.series)
        return replace(self, origin=origin)


class FittedForecaster(Protocol):
    """A forecaster that has learned from one snapshot."""

    def compare(self) -> pd.DataFrame:
        """Forecasts of the product and of its baselines, with a column ``model``."""
        ...


class SnapshotForecaster(Protocol):
    """A way to forecast: features, boosters, base forecasts, bands."""

    def fit(self, snapshot: Snapshot) -> FittedForecaster:
        """Forecaster fitted to a snapshot, on nothing later than its moment."""
        ...
