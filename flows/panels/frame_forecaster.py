"""The panel engine for any data frame, as an estimator of scikit-learn."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from flows.panels.panel_files import Sums, months_ahead, opened, refusal
from models.evaluation.backtest import backtest_panel, rolling_origin_backtest
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET, ModelParameters, with_changes
from sources.files.panel import NIXTLA, OURS, PART_OF, PanelOptions, names_in, our_names, read_panel
from store.errors import DataError, first_few
from store.months import month_label
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Quantile forecasts of every series of a panel by one global model.

    Takes and returns Nixtla's long format (``unique_id``, ``ds``, ``y``), or ours (``destination``,
    ``period``, ``tonnes``). Parameters are those of the engine (docs/adr/0005) and are checked by
    ``fit``.

    Args:
        learning_rate: Share of each tree's correction that is applied.
        num_leaves: Maximum number of leaves of a tree.
        min_data_in_leaf: Minimum number of rows in a leaf.
        feature_fraction: Share of the features available to a tree.
        half_life_months: Age in months at which the weight of a past origin is halved.
        span: Months back to the earliest past origin, in addition to the horizon.
        step: Months between past origins.
        ensemble_weight: Weight of the boosters, 0 to 1; the base forecasts have the rest.

    Attributes:
        table_: The panel with its sums, series x month numbers.
        refused_: Reasons by series that cannot be used.
        freq_: pandas' alias of the panel's dates: ``MS`` or ``ME`` for the first or last day of
            months.
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
        """Check and store a panel; ``predict`` trains, because the boosters depend on the horizon.

        Args:
            df: One row per series and month, no other columns; not modified. A series with a bad
                row is left out with a warning, see ``refused_``.
            covariates: Values known ahead: series, date, ``name``, ``value`` and optionally
                ``available_at``, or one column per covariate.
            tree: Sums of series: parts by sum, or a table or file of ``destination, part_of``.
            columns: Names of the columns of series, date and value, if they differ.

        Raises:
            DataError: The panel, the covariates or the tree cannot be used; nothing is stored.
        """
        parameters = self._parameters()
        options = PanelOptions(columns, self.allow_negative)
        _check_used(df, columns)
        contents = opened(df, covariates=covariates, tree=tree, options=options)
        _warn([*contents.notes, refusal(contents.panel)])
        self.freq_ = "ME" if _ends_months(df, columns) else "MS"
        self.columns_ = columns or (OURS if OURS[0] in df.columns else NIXTLA)
        self.parameters_, self.snapshot_, self.options_ = parameters, contents.snapshot, options
        ids = df.iloc[:, _place(df, columns, OURS[0])].drop_duplicates()
        sums = {str(total): total for total in tree} if isinstance(tree, Mapping) else {}
        self.ids_ = {**sums, **dict(zip(names_in(ids), ids, strict=True))}
        self.table_, self.refused_ = contents.snapshot.table, contents.panel.refused
        return self

    def predict(
        self, h: int | None = None, *, quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    ) -> pd.DataFrame:
        """Forecasts of the months after the panel.

        Args:
            h: Number of months to forecast; 6 if left out.
            quantiles: Levels from 0.05 to 0.95; interpolated between those of the model.

        Returns:
            One row per series and month. In Nixtla's format ``unique_id, ds, magnetcast`` (the
            median) and ``magnetcast-q-10`` for the level 0.1; in ours ``destination, cutoff,
            period, horizon``, ``p10`` for the level 0.1, and ``mean``.

        Raises:
            DataError: A level or the horizon cannot be used, or a covariate is not known ahead.
            NotFittedError: ``fit`` was not called.
        """
        check_is_fitted(self, "table_")
        levels = _levels(quantiles)
        snapshot = self.snapshot_.ahead(months_ahead(h, "h"))
        forecasts = pd.concat(self._forecaster.fit(snapshot).predict(), ignore_index=True)
        if silent := sorted(set(snapshot.series) - set(forecasts["destination"])):
            _warn([f"no value in the last year, not forecast: {first_few(silent)}"])
        return self._as_asked(forecasts, levels)

    def cross_validation(
        self,
        h: int | None = None,
        *,
        n_windows: int = 1,
        step_size: int = 1,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ) -> pd.DataFrame:
        """Forecasts of past months, each from the months up to its cutoff.

        Args:
            h: Number of months to forecast from each cutoff; 6 if left out.
            n_windows: Number of cutoffs; the last lies ``h`` months before the end of the panel.
            step_size: Months between cutoffs.

        Returns:
            Rows of ``predict`` with ``cutoff`` and the actual value, ``y``.
        """
        check_is_fitted(self, "table_")
        snapshot = self.snapshot_.ahead(months_ahead(h, "h"))
        last = snapshot.cutoff - snapshot.horizon
        cutoffs = [last - place * step_size for place in reversed(range(n_windows))]
        cells = backtest_panel(self._forecaster, snapshot, cutoffs).cells
        model_cells = cells.loc[cells["model"].eq(MODEL)].reset_index(drop=True)
        forecasts = self._as_asked(model_cells, _levels(quantiles))
        forecasts = forecasts.assign(**{self.columns_[2]: model_cells["tonnes"]})
        if self.columns_ == OURS:
            return forecasts
        ends = pd.to_datetime(model_cells["cutoff"])
        return forecasts.assign(
            cutoff=ends + pd.offsets.MonthEnd(0) if self.freq_ == "ME" else ends
        )

    def score(self, df: pd.DataFrame, y: None = None) -> float:  # noqa: ARG002 - as of ``fit``
        """Negative mean absolute scaled error in the months of ``df`` after those of ``fit``."""
        check_is_fitted(self, "table_")
        truth = Snapshot.of_panel(read_panel(df, self.options_).table, 1)
        last = self.snapshot_.cutoff
        if truth.cutoff <= last:
            raise DataError(
                f"The rows to score end in {month_label(truth.cutoff)}, those of fit in "
                f"{month_label(last)}. Expected rows of later months. Fit on earlier months; "
                "GridSearchCV takes splits of rows as cv=[(early, late)], not a number of folds."
            )
        snapshot = self.snapshot_.ahead(months_ahead(truth.cutoff - last, "h"))
        months = truth.published_months
        cells = rolling_origin_backtest(self._forecaster, [snapshot], months, label="score").cells
        return -float(cells.loc[cells["model"].eq(MODEL), "scaled_error"].mean())

    @property
    def _forecaster(self) -> PanelForecaster:
        return PanelForecaster(self.parameters_, baselines=(), shifts_negative=self.allow_negative)

    def _as_asked(self, forecasts: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
        forecasts = forecasts.assign(
            destination=[self.ids_.get(name, name) for name in forecasts["destination"]]
        )
        if self.freq_ == "ME":
            forecasts = forecasts.assign(period=forecasts["period"] + pd.offsets.MonthEnd(0))
        rows = forecasts[list(QUANTILE_COLUMNS)].to_numpy()
        between = np.array([np.interp(levels, QUANTILES, row) for row in rows])
        quantiles = dict(zip(levels, between.T, strict=True))
        if self.columns_ == OURS:
            named = {f"p{100 * level:02g}": values for level, values in quantiles.items()}
            labels = forecasts[["destination", "cutoff", "period", "horizon"]]
            return labels.assign(**named, mean=forecasts["mean"])
        named = {f"magnetcast-q-{100 * level:g}": values for level, values in quantiles.items()}
        names = dict(zip(OURS, self.columns_[:2], strict=False))
        labels = forecasts[["destination", "period"]].rename(columns=names)
        return labels.assign(magnetcast=forecasts["p50"], **named)

    def _parameters(self) -> ModelParameters:
        values: dict[str, Any] = self.get_params(deep=False)
        del values["allow_negative"]
        return with_changes(PANEL_PRESET, values, where="Forecaster")


def _place(df: pd.DataFrame, columns: tuple[str, str, str] | None, column: str) -> int:
    return our_names([str(name) for name in df.columns], columns).index(column)


def _check_used(df: pd.DataFrame, columns: tuple[str, str, str] | None) -> None:
    names = [str(name) for name in df.columns]
    ours = zip(names, our_names(names, columns), strict=True)
    if unused := sorted(their for their, our in ours if our not in {*OURS, PART_OF}):
        raise DataError(
            f"Panel has {first_few(unused)}, which would not be used. Expected series, date and "
            "value. Drop the column, or pass values known ahead as covariates=."
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
            f"{QUANTILES[-1]}, the range of the model's bands. Leave others out."
        )
    return levels


def _warn(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        warnings.warn(note, UserWarning, stacklevel=3)
