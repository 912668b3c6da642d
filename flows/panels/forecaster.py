"""The panel engine for any table of series, with parameters as scikit-learn's estimators have."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from features.statistical import pretrained
from flows.panels.panel_files import Sums, months_ahead, opened, refusal
from models.evaluation.backtest import backtest_panel, rolling_origin_backtest
from models.forecasting.forecaster import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET, ModelParameters, with_changes
from sources.files.panel import NIXTLA, OURS, PART_OF, PanelOptions, our_names, read_panel
from store.errors import DataError, first_few
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Forecasts every series of a panel with quantiles, by one model of all of them.

    Takes and returns Nixtla's long format (``unique_id``, ``ds``, ``y``), or ours (``destination``,
    ``period``, ``tonnes``). Parameters are those of the engine (docs/adr/0005); nothing is computed
    or checked before ``fit``.

    Args:
        learning_rate: Share of a tree's correction that is taken.
        num_leaves: Leaves of a tree, at most.
        min_data_in_leaf: Rows in a leaf, at least.
        feature_fraction: Share of the features that a tree sees.
        half_life_months: Age at which a past origin counts half, in months.
        span: Months back to the earliest past origin, besides the horizon.
        step: Months between past origins.
        ensemble_weight: Weight of the trees, 0 to 1; the base forecasts have the rest.
        pretrained: 1 adds a pretrained network to the experts, which needs
            ``magnetcast[pretrained]`` and warns that public panels may have trained it.

    Attributes:
        table_: The panel, series x numbers of months, sums of a tree among them.
        refused_: Series that cannot be used, and why.
        freq_: pandas' name of the dates of forecasts: ``MS`` or ``ME`` for the first or last day of
            months, as those of the panel.
    """

    num_iterations: int = PANEL_PRESET.num_iterations
    learning_rate: float = PANEL_PRESET.learning_rate
    num_leaves: int = PANEL_PRESET.num_leaves
    min_data_in_leaf: int = PANEL_PRESET.min_data_in_leaf
    lambda_l2: float = PANEL_PRESET.lambda_l2
    feature_fraction: float = PANEL_PRESET.feature_fraction
    half_life_months: float = PANEL_PRESET.half_life_months
    span: int = PANEL_PRESET.span
    step: int = PANEL_PRESET.step
    ensemble_weight: float = PANEL_PRESET.ensemble_weight
    pretrained: int = PANEL_PRESET.pretrained
    seed: int = PANEL_PRESET.seed
    threads: int = PANEL_PRESET.threads
    allow_negative: bool = False

    def fit(
        self,
        df: pd.DataFrame,
        y: None = None,  # noqa: ARG002 - scikit-learn's searches name it
        *,
        covariates: pd.DataFrame | Path | None = None,
        tree: Sums | None = None,
        columns: tuple[str, str, str] | None = None,
    ) -> "Forecaster":
        """Check and keep a panel; ``predict`` trains, because the trees depend on the horizon.

        Args:
            df: One row a series and month, no other columns; not modified. A series with a bad row
                is left out with a warning, see ``refused_``.
            covariates: What is known ahead: series, date, ``name``, ``value`` and perhaps
                ``available_at``, or one column a covariate.
            tree: Which series add up to what: by sum its parts, or a table or file of
                ``destination, part_of``.
            columns: Names of the columns of series, date and value, if they are others.

        Raises:
            DataError: The panel or what goes with it cannot be used; nothing is kept.
        """
        parameters = self._parameters()
        options = PanelOptions(columns, self.allow_negative)
        _check_used(df, columns)
        found = opened(df, covariates=covariates, tree=tree, options=options)
        used = pretrained.tags(is_used=bool(parameters.pretrained)).values()
        _warn([*found.notes, refusal(found.panel), *used])
        self.freq_ = "ME" if _ends_months(df, columns) else "MS"
        self.columns_ = columns or (OURS if OURS[0] in df.columns else NIXTLA)
        self.parameters_, self.snapshot_, self.options_ = parameters, found.snapshot, options
        names = df.iloc[:, _place(df, columns, OURS[0])].dropna().unique()
        self.ids_ = {str(one): one for one in names}
        self.table_, self.refused_ = found.snapshot.table, found.panel.refused
        return self

    def predict(
        self, h: int | None = None, *, quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    ) -> pd.DataFrame:
        """Return forecasts of the months after the panel.

        Args:
            h: Months to forecast; 6 if left out.
            quantiles: Levels from 0.05 to 0.95; between those of the model they are interpolated.

        Returns:
            One row a series and month. In Nixtla's format ``unique_id, ds, magnetcast`` (the
            median) and ``magnetcast-q-10`` for the level 0.1; in ours ``destination, cutoff,
            period, horizon``, ``p10`` for the level 0.1, and ``mean``.

        Raises:
            DataError: A level or the horizon cannot be used, or a covariate is not known ahead.
            NotFittedError: ``fit`` was not called.
        """
        check_is_fitted(self, "table_")
        levels = _levels(quantiles)
        snapshot = self.snapshot_.ahead(months_ahead(h, "h"))
        made = pd.concat(self._forecaster.fit(snapshot).predict(), ignore_index=True)
        if silent := sorted(set(snapshot.series) - set(made["destination"])):
            _warn([f"no value in the last year, not forecast: {first_few(silent)}"])
        return self._as_asked(made, levels)

    def cross_validation(
        self,
        h: int | None = None,
        *,
        n_windows: int = 1,
        step_size: int = 1,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ) -> pd.DataFrame:
        """Return forecasts of past months, each from the months up to its cutoff alone.

        Args:
            h: Months to forecast from each cutoff; 6 if left out.
            n_windows: Cutoffs; the months after the last are the panel's last ``h``.
            step_size: Months between cutoffs.

        Returns:
            As ``predict``, with ``cutoff`` and the actual value, ``y``.
        """
        check_is_fitted(self, "table_")
        known = self.snapshot_.ahead(months_ahead(h, "h"))
        last = known.cutoff - known.horizon
        cutoffs = [last - place * step_size for place in reversed(range(n_windows))]
        cells = backtest_panel(self._forecaster, known, cutoffs).cells
        own = cells.loc[cells["model"].eq(MODEL)].reset_index(drop=True)
        made = self._as_asked(own, _levels(quantiles))
        made = made.assign(**{self.columns_[2]: own["tonnes"]})
        if self.columns_ == OURS:
            return made
        ends = pd.to_datetime(own["cutoff"])
        return made.assign(cutoff=ends + pd.offsets.MonthEnd(0) if self.freq_ == "ME" else ends)

    def score(self, df: pd.DataFrame, y: None = None) -> float:  # noqa: ARG002 - as of ``fit``
        """Return minus the error (MASE) in the months of a panel after those of ``fit``."""
        check_is_fitted(self, "table_")
        truth = Snapshot.of_panel(read_panel(df, self.options_).table, 1)
        known = self.snapshot_.ahead(months_ahead(truth.cutoff - self.snapshot_.cutoff, "h"))
        months = truth.published_months
        cells = rolling_origin_backtest(self._forecaster, [known], months, label="score").cells
        return -float(cells.loc[cells["model"].eq(MODEL), "scaled_error"].mean())

    @property
    def _forecaster(self) -> PanelForecaster:
        return PanelForecaster(self.parameters_, baselines=(), shifts_negative=self.allow_negative)

    def _as_asked(self, made: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
        made = made.assign(destination=[self.ids_.get(one, one) for one in made["destination"]])
        if self.freq_ == "ME":
            made = made.assign(period=made["period"] + pd.offsets.MonthEnd(0))
        rows = made[list(QUANTILE_COLUMNS)].to_numpy()
        between = np.array([np.interp(levels, QUANTILES, row) for row in rows])
        asked = dict(zip(levels, between.T, strict=True))
        if self.columns_ == OURS:
            named = {f"p{100 * level:02g}": values for level, values in asked.items()}
            labels = made[["destination", "cutoff", "period", "horizon"]]
            return labels.assign(**named, mean=made["mean"])
        named = {f"magnetcast-q-{100 * level:g}": values for level, values in asked.items()}
        names = dict(zip(OURS, self.columns_[:2], strict=False))
        labels = made[["destination", "period"]].rename(columns=names)
        return labels.assign(magnetcast=made["p50"], **named)

    def _parameters(self) -> ModelParameters:
        """Parameters of the engine."""
        given: dict[str, Any] = self.get_params(deep=False)
        del given["allow_negative"]
        return with_changes(PANEL_PRESET, given, where="Forecaster")


def _place(df: pd.DataFrame, columns: tuple[str, str, str] | None, name: str) -> int:
    return our_names([str(one) for one in df.columns], columns).index(name)


def _check_used(df: pd.DataFrame, columns: tuple[str, str, str] | None) -> None:
    names = [str(one) for one in df.columns]
    ours = zip(names, our_names(names, columns), strict=True)
    if more := sorted(their for their, our in ours if our not in {*OURS, PART_OF}):
        raise DataError(
            f"Panel has {first_few(more)}, which nothing would use. Expected series, date and "
            "value. Drop it, or give what is known ahead as covariates=."
        )


def _ends_months(df: pd.DataFrame, columns: tuple[str, str, str] | None) -> bool:
    dates = df.iloc[:, _place(df, columns, OURS[1])]
    is_dated = pd.api.types.is_datetime64_any_dtype(dates)
    return is_dated and bool(dates.dropna().dt.is_month_end.all())


def _levels(quantiles: Sequence[float]) -> list[float]:
    levels = [float(level) for level in quantiles]
    if wrong := [level for level in levels if not QUANTILES[0] <= level <= QUANTILES[-1]]:
        raise DataError(
            f"quantiles has {', '.join(map(str, wrong))}. Expected levels from {QUANTILES[0]} to "
            f"{QUANTILES[-1]}, which the model's bands are checked for. Leave others out."
        )
    return levels


def _warn(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        warnings.warn(note, UserWarning, stacklevel=3)
