"""The panel engine for any data frame, as an estimator of scikit-learn with mlforecast's names."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import reduce
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from flows.panels.panel_files import Sums, months_ahead, opened, refusal
from models.engine.custom_features import CustomFeatures, Function, Transform, lag_features
from models.evaluation.backtest import rolling_origin_backtest
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import FittedPanel, PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import Boosters, texts_of
from models.learning.calibration import TAILS
from models.learning.parameters import PANEL_PRESET, ModelParameters, with_changes
from models.quantile_model import feature_names, mean_of_quantiles
from sources.files.covariates import read_covariates
from sources.files.panel import (
    NIXTLA,
    OURS,
    PART_OF,
    PanelOptions,
    names_in,
    our_names,
    read_panel,
    read_rows,
)
from store.arrays import Floats
from store.errors import DataError, first_few
from store.months import month_label, month_starts
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

_FUNCTIONS: Final = ("models", "features", "lag_transforms", "target_transforms")
"""Arguments that hold functions, which are not saved."""

_LEVELS: Final = np.array(QUANTILES)

_UNUSED: Final = {"static_features", "dropna", "max_horizon", "prediction_intervals", "fitted"}
"""Arguments of mlforecast that change nothing here (docs/tutorials/python.md)."""


@dataclass(eq=False, repr=False)
class Forecaster(BaseEstimator):  # type: ignore[misc]
    """Quantile forecasts of every series of a panel by one global model.

    Takes and returns Nixtla's long format (``unique_id``, ``ds``, ``y``), or ours (``destination``,
    ``period``, ``tonnes``). Names are mlforecast's; docs/tutorials/python.md says what differs. The
    other parameters are the engine's, which ``magnetcast config show`` explains.

    Args:
        models: Base forecasts that the boosters see, by name: functions of the months known
            (months x series) and the number of months ahead, which return months ahead x series.
        freq: ``MS`` or ``ME``; panels are monthly.
        lags: Months before the month to forecast whose value is a feature where it is known.
        lag_transforms: By lag, functions of a table of months x series.
        target_transforms: Pairs of an increasing function and its inverse.
        features: Further features by name, functions as in ``models``, in a unit of their own.
        allow_negative: Whether values below zero are forecast; they are refused otherwise.

    Attributes:
        table_: The panel with its sums, series x month numbers.
        refused_: Reasons by series that cannot be used.
        freq_: ``MS`` or ``ME``, if dates are the first or the last day of months.
    """

    models: Mapping[str, Function] | None = None
    freq: str = "MS"
    _: KW_ONLY
    lags: Sequence[int] | None = None
    lag_transforms: Mapping[int, Sequence[Transform]] | None = None
    target_transforms: Sequence[Any] | None = None
    features: Mapping[str, Function] | None = None
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
        id_col: str | None = None,
        time_col: str | None = None,
        target_col: str | None = None,
        covariates: pd.DataFrame | Path | None = None,
        tree: Sums | None = None,
        **unused: object,  # of mlforecast
    ) -> Self:
        """Check and store a panel; ``predict`` trains, because the boosters depend on the horizon.

        Args:
            df: One row per series and month; not modified. Further columns of numbers are known
                ahead, and ``predict`` takes their future as ``X_df`` unless they never change. A
                series with a bad row is left out with a warning, see ``refused_``.
            id_col: Name of the column of the series, if it differs; ``time_col`` and ``target_col``
                those of dates and values.
            covariates: Values known ahead: series, date, ``name``, ``value`` and optionally
                ``available_at``, or one column per covariate.
            tree: Sums of series: parts by sum, or a table or file of ``destination, part_of``.

        Raises:
            DataError: The panel, the covariates or the tree cannot be used; nothing is stored.
        """
        if unknown := sorted(set(unused) - _UNUSED):
            raise TypeError(f"fit has no argument {', '.join(unknown)}")
        parameters, columns = self._parameters(), None
        lags = lag_features(self.lags or (), self.lag_transforms or {})
        custom = CustomFeatures(self.features or {}, {**lags, **(self.models or {})})
        if id_col or time_col or target_col:
            columns = (id_col or NIXTLA[0], time_col or NIXTLA[1], target_col or NIXTLA[2])
        options = PanelOptions(columns, self.allow_negative or bool(self.target_transforms))
        panel, given = _ours(df, options), self._forward(df, options)
        exogenous = _exogenous(panel, covariates)
        contents = opened(given, covariates=covariates, tree=tree, options=options)
        _warn([*contents.notes, refusal(contents.panel)])
        self.freq_ = "ME" if _ends_months(panel[OURS[1]]) else "MS"
        self.columns_ = columns or (OURS if OURS[0] in df.columns else NIXTLA)
        self.parameters_, self.snapshot_, self.options_ = parameters, contents.snapshot, options
        ids = panel[OURS[0]].drop_duplicates()
        sums = {str(total): total for total in tree} if isinstance(tree, Mapping) else {}
        self.ids_ = {**sums, **dict(zip(names_in(ids), ids, strict=True))}
        self.table_, self.refused_ = contents.snapshot.table, contents.panel.refused
        self._exogenous = exogenous
        self._models: dict[int, tuple[Boosters | None, Mapping[str, object]]] = {}
        self._given = {"panel": df.copy(), "covariates": covariates, "tree": tree}
        self._forecaster = PanelForecaster(parameters, (), options.allow_negative, custom)
        return self

    def predict(
        self,
        h: int | None = None,
        *,
        level: Sequence[float] | None = None,
        quantiles: Sequence[float] | None = None,
        X_df: pd.DataFrame | None = None,  # noqa: N803 - mlforecast's name
    ) -> pd.DataFrame:
        """Forecasts of the months after the panel.

        Args:
            h: Number of months to forecast; 6 if left out.
            level: Percent that bands cover, e.g. ``[80, 95]``.
            quantiles: Levels within 0 and 1; beyond 0.05 and 0.95 with the tail of Student's t.
            X_df: Future values of further columns of the panel.

        Returns:
            One row per series and month: ``unique_id, ds, magnetcast`` (the median),
            ``magnetcast-lo-80`` and ``-hi-80`` for the level 80, ``magnetcast-q-10`` for the
            quantile 0.1; in our format ``destination, cutoff, period, horizon``, ``p10`` for the
            quantile 0.1 (10, 50 and 90 if none is asked for), ``mean``.

        Raises:
            DataError: A level or the horizon cannot be used, or a covariate is not known ahead.
        """
        check_is_fitted(self, "table_")
        named = self._named(level, quantiles)
        fitted = self._trained(self._snapshot(h, X_df))
        forecasts = pd.concat(fitted.predict(), ignore_index=True)
        if silent := sorted(set(fitted.snapshot.series) - set(forecasts["destination"])):
            _warn([f"no value in the last year, not forecast: {first_few(silent)}"])
        return self._as_asked(forecasts, named)

    def cross_validation(
        self,
        df: pd.DataFrame | None = None,
        n_windows: int = 1,
        h: int | None = None,
        *,
        step_size: int | None = None,
        refit: bool | int = True,
        level: Sequence[float] | None = None,
        quantiles: Sequence[float] | None = None,
        **fitting: Any,  # noqa: ANN401 - of fit
    ) -> pd.DataFrame:
        """Forecasts of past months, each from the months up to its cutoff.

        Args:
            df: Panel as for ``fit``, which need not be called; that of ``fit`` if left out.
            n_windows: Number of cutoffs; the last lies ``h`` months before the end of the panel.
            h: Number of months to forecast from each cutoff; 6 if left out.
            step_size: Months between cutoffs; ``h`` if left out.
            refit: Whether each cutoff has a model of its own, or after how many comes a new one.
            level: As in ``predict``, as ``quantiles``.
            fitting: Other arguments of ``fit``.

        Returns:
            Rows of ``predict`` with ``cutoff`` and the actual value, ``y``.
        """
        if df is not None:
            self = clone(self).fit(df, **fitting)  # noqa: PLW0642
        check_is_fitted(self, "table_")
        snapshot, named = self._snapshot(h), self._named(level, quantiles)
        last, step = snapshot.cutoff - snapshot.horizon, step_size or snapshot.horizon
        cutoffs = [last - place * step for place in reversed(range(n_windows))]
        return self._windows(snapshot, cutoffs, named, refit=int(refit))

    def forecast_fitted_values(
        self, *, level: Sequence[float] | None = None, quantiles: Sequence[float] | None = None
    ) -> pd.DataFrame:
        """Each month forecast a month ahead, by a model that learned from all but the last."""
        check_is_fitted(self, "table_")
        snapshot, named = self._snapshot(1), self._named(level, quantiles)
        cutoffs = range(snapshot.first + self.parameters_.least_history - 1, snapshot.cutoff)
        trained = self._forecaster.fit(snapshot.at(cutoffs[-1]))
        return self._windows(snapshot, cutoffs, named, trained=trained).drop(columns="cutoff")

    @property
    def feature_importances_(self) -> "pd.Series[float]":
        """Gain of each feature, summed over the boosters of the last forecast, largest first."""
        check_is_fitted(self, "table_")
        if not self._models:
            self._trained(self._snapshot(None))
        boosters, metadata = list(self._models.values())[-1]
        gains = [booster.feature_importance("gain") for booster in (boosters or {}).values()]
        index = pd.Index(feature_names(metadata), name="feature")
        return pd.Series(sum(gains), index, name="gain").sort_values(ascending=False)

    def score(self, df: pd.DataFrame, y: None = None) -> float:  # noqa: ARG002 - as of ``fit``
        """Negative mean absolute scaled error in the months of ``df`` after those of ``fit``."""
        check_is_fitted(self, "table_")
        table = read_panel(self._forward(df, self.options_), self.options_).table
        truth, last = Snapshot.of_panel(table, 1), self.snapshot_.cutoff
        if truth.cutoff <= last:
            raise DataError(
                f"The rows to score end in {month_label(truth.cutoff)}, those of fit in "
                f"{month_label(last)}. Expected rows of later months. Fit on earlier months; "
                "GridSearchCV takes splits of rows as cv=[(early, late)], not a number of folds."
            )
        snapshot, months = self._snapshot(truth.cutoff - last, df), truth.published_months
        cells = rolling_origin_backtest(self._forecaster, [snapshot], months, label="score").cells
        return -float(cells.loc[cells["model"].eq(MODEL), "scaled_error"].mean())

    def plot(
        self,
        ids: Sequence[object] | None = None,
        h: int | None = None,
        level: float = 80,
        X_df: pd.DataFrame | None = None,  # noqa: N803 - as of ``predict``
    ) -> Any:  # noqa: ANN401 - matplotlib has no types here
        """Matplotlib's figure of series, the first four if left out: months, forecast and band."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - no dependency

        forecasts = pd.concat(self._trained(self._snapshot(h, X_df)).predict(), ignore_index=True)
        bounds = self._values(forecasts, [0.5 - level / 200, 0.5, 0.5 + level / 200])
        names = list(self.table_.index[:4]) if ids is None else [str(name) for name in ids]
        figure = Figure(figsize=(8, 2.5 * len(names)), layout="constrained")
        for name, axis in zip(names, figure.subplots(len(names), squeeze=False)[:, 0], strict=True):
            low, middle, high = bounds[forecasts["destination"] == name].T
            periods, months = forecasts["period"].unique(), self.table_.loc[name]
            axis.plot(month_starts(months.index.to_numpy()), self._backward(months))
            axis.plot(periods, middle)
            axis.fill_between(periods, low, high, alpha=0.3)
            axis.set_title(name)
        return figure

    def save(self, path: Path | str) -> None:
        """Write one JSON file: panel, parameters, and boosters of each horizon trained so far."""
        check_is_fitted(self, "table_")
        parameters = self.get_params(deep=False)
        tables = {
            name: read_rows(part, name) if isinstance(part, Path) else part
            for name, part in self._given.items()
        }
        content = {
            "functions": [name for name in _FUNCTIONS if parameters.pop(name)],
            "parameters": {**parameters, "lags": list(self.lags or ())},
            "columns": self.columns_,
            "tables": {
                name: table.to_json(orient="table", index=False, double_precision=15)
                if isinstance(table, pd.DataFrame)
                else table
                for name, table in tables.items()
            },
            "models": [
                (months, texts_of(boosters or {}), metadata)
                for months, (boosters, metadata) in self._models.items()
            ],
        }
        Path(path).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str, **functions: Any) -> Self:  # noqa: ANN401 - of the constructor
        """Forecaster as it was saved, given the functions that it was made with, by argument."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if set(content["functions"]) != set(functions):
            raise DataError(
                f"{path} was saved with {first_few(content['functions']) or 'no functions'}, which "
                f"it does not hold. Expected the same of load, not {sorted(functions)}. Give them."
            )
        tables: dict[str, Any] = {
            name: pd.read_json(StringIO(table), orient="table", precise_float=True)
            if isinstance(table, str)
            else table
            for name, table in content["tables"].items()
        }
        tables |= zip(("id_col", "time_col", "target_col"), content["columns"], strict=True)
        model = cls(**content["parameters"], **functions).fit(tables.pop("panel"), None, **tables)
        for months, texts, metadata in content["models"]:
            boosters = {name: lgb.Booster(model_str=text) for name, text in texts.items()}
            model._models[months] = boosters or None, metadata
        return model

    def log_model(self, name: str = "forecaster") -> str:
        """Log it to MLflow as a pyfunc, without its functions, and return its address.

        Its input is ``h``, a number of months, beside the future of further columns if there are
        any; its output has bands of 80 and 95 percent.
        """
        import mlflow  # noqa: PLC0415 - takes seconds

        with TemporaryDirectory() as folder:
            self.save(file := Path(folder) / "forecaster.json")
            logged = mlflow.pyfunc.log_model(
                name=name,
                loader_module=__name__,
                data_path=str(file),
                pip_requirements=[f"magnetcast=={version('magnetcast')}"],
            )
        return str(logged.model_uri)

    def _snapshot(self, h: int | None, X_df: pd.DataFrame | None = None) -> Snapshot:  # noqa: N803
        """What is to be forecast, with further columns of the panel and their future."""
        snapshot = self.snapshot_.ahead(months_ahead(h, "h"))
        if (past := self._exogenous) is None:
            return snapshot
        months = pd.DataFrame({"period": month_starts(snapshot.origin.targets)})
        future = None if X_df is None else _ours(X_df, self.options_).filter(list(past))
        lacking = [name for name in past.columns[2:] if future is None or name not in future]
        values = past.groupby(OURS[0])[lacking].nunique().max()
        static = past[[OURS[0], *values.index[values <= 1]]].drop_duplicates(OURS[0])
        rows = pd.concat([past, future, static.merge(months, how="cross")])
        return replace(snapshot, covariates=read_covariates(rows, table=snapshot.table))

    def _trained(self, snapshot: Snapshot) -> FittedPanel:
        """Model of a horizon, trained once."""
        if snapshot.horizon in self._models:
            return self._forecaster.with_model(snapshot, *self._models[snapshot.horizon])
        fitted = self._forecaster.fit(snapshot)
        self._models[snapshot.horizon] = fitted.boosters, fitted.metadata
        return fitted

    def _windows(
        self,
        snapshot: Snapshot,
        cutoffs: Sequence[int],
        named: Mapping[str, float],
        *,
        refit: int = 0,
        trained: FittedPanel | None = None,
    ) -> pd.DataFrame:
        """Forecasts from past cutoffs beside the actual values, by one model or by several."""
        parts: list[pd.DataFrame] = []
        for place, cutoff in enumerate(cutoffs):
            past = snapshot.at(cutoff)
            if trained is None or (refit and place % refit == 0):
                trained = self._forecaster.fit(past)
            else:
                trained = self._forecaster.with_model(past, trained.boosters, trained.metadata)
            parts += trained.predict()
        forecasts = pd.concat(parts).merge(snapshot.published_months, on=["destination", "period"])
        rows, actual = self._as_asked(forecasts, named), self._backward(forecasts["tonnes"])
        if self.columns_ == OURS:
            return rows.assign(**{OURS[2]: actual})
        ends = pd.to_datetime(forecasts["cutoff"])
        rows.insert(2, "cutoff", ends + pd.offsets.MonthEnd(0) if self.freq_ == "ME" else ends)
        rows.insert(3, self.columns_[2], actual)
        return rows

    def _named(
        self, level: Sequence[float] | None, quantiles: Sequence[float] | None
    ) -> dict[str, float]:
        """Levels asked for, by the end of their column's name."""
        if level is None and quantiles is None and self.columns_ == OURS:
            quantiles = (0.1, 0.5, 0.9)
        named = {f"q-{100 * each:g}": float(each) for each in quantiles or ()}
        for word, side in (("lo", -1), ("hi", 1)):
            for each in sorted(level or (), key=lambda each: side * each):
                named[f"{word}-{each:g}"] = round(0.5 + side * each / 200, 9)
        if wrong := [each for each in named.values() if not 0 < each < 1]:
            raise DataError(
                f"quantiles has {', '.join(map(str, wrong))}. Expected levels within 0 and 1, or "
                "percent within 0 and 100 as level=. Correct it."
            )
        return named

    def _as_asked(self, forecasts: pd.DataFrame, named: Mapping[str, float]) -> pd.DataFrame:
        forecasts = forecasts.assign(
            destination=[self.ids_.get(name, name) for name in forecasts["destination"]]
        )
        if self.freq_ == "ME":
            forecasts = forecasts.assign(period=forecasts["period"] + pd.offsets.MonthEnd(0))
        values = self._values(forecasts, [*named.values()])
        if self.columns_ == OURS:
            columns = {f"p{100 * each:02g}": values[:, i] for i, each in enumerate(named.values())}
            if self.target_transforms:
                forecasts["mean"] = mean_of_quantiles(self._values(forecasts, QUANTILES), _LEVELS)
            labels = forecasts[["destination", "cutoff", "period", "horizon"]]
            return labels.assign(**columns, mean=forecasts["mean"])
        columns = {f"{MODEL}-{name}": values[:, i] for i, name in enumerate(named)}
        names = dict(zip(OURS, self.columns_[:2], strict=False))
        labels = forecasts[["destination", "period"]].rename(columns=names)
        return labels.assign(**{MODEL: self._values(forecasts, [0.5])[:, 0]}, **columns)

    def _values(self, forecasts: pd.DataFrame, levels: Sequence[float]) -> Floats:
        """Quantiles of forecasts at any levels, rows x levels, in the unit of the panel."""
        rows = forecasts[list(QUANTILE_COLUMNS)].to_numpy()
        inner = np.array([np.interp(levels, QUANTILES, row) for row in rows])
        wanted, middle = np.array(levels, dtype=float), forecasts[["p50"]].to_numpy()
        edge = np.clip(wanted, QUANTILES[0], QUANTILES[-1])
        tail, outer = (np.where(edge == wanted, 1.0, TAILS.ppf(each)) for each in (wanted, edge))
        values = np.where(edge == wanted, inner, middle + (inner - middle) * tail / outer)
        values = values if self.options_.allow_negative else np.maximum(values, 0.0)
        return np.asarray(self._backward(values))

    def _forward(self, df: pd.DataFrame, options: PanelOptions) -> pd.DataFrame:
        """A panel with transformed values."""
        columns = dict(zip(_ours(df, options), df.columns, strict=True))
        if not self.target_transforms or (target := columns.get(OURS[2])) is None:
            return df
        transforms = [forward for forward, _ in map(_pair, self.target_transforms)]
        return df.assign(**{target: reduce(lambda y, use: use(y), transforms, df[target])})

    def _backward(self, values: Any) -> Any:  # noqa: ANN401 - an array or a column
        inverses = [inverse for _, inverse in map(_pair, self.target_transforms or ())]
        return reduce(lambda y, use: use(y), reversed(inverses), values)

    def _parameters(self) -> ModelParameters:
        if self.freq not in {"MS", "ME", "M"} or not isinstance(self.models or {}, Mapping):
            raise DataError(
                f"freq={self.freq!r} and models={self.models!r} do not fit. Expected months (MS or "
                "ME), and base forecasts by name: the boosters are the engine's. Leave them out."
            )
        changes = self.get_params(deep=False)
        for name in (*_FUNCTIONS, "freq", "lags", "allow_negative"):
            del changes[name]
        return with_changes(PANEL_PRESET, changes, where="Forecaster")


class _Served(NamedTuple):
    """A forecaster as MLflow calls it."""

    forecaster: Forecaster

    def predict(self, rows: pd.DataFrame, params: object = None) -> pd.DataFrame:  # noqa: ARG002
        future = rows.drop(columns="h")
        further = None if future.columns.empty else future
        return self.forecaster.predict(int(rows["h"].max()), level=[80, 95], X_df=further)


def _load_pyfunc(path: str) -> _Served:
    """What MLflow loads; it asks for this name."""
    return _Served(Forecaster.load(path))


def _ours(df: pd.DataFrame, options: PanelOptions) -> pd.DataFrame:
    return df.set_axis(our_names([str(name) for name in df.columns], options.columns), axis=1)


def _exogenous(panel: pd.DataFrame, covariates: object) -> pd.DataFrame | None:
    """Further columns of a panel with series and date; None without any."""
    further = [name for name in panel if name not in {*OURS, PART_OF}]
    texts = [name for name in further if not pd.api.types.is_numeric_dtype(panel[name])]
    if texts or (further and covariates is not None):
        raise DataError(
            f"Panel has {first_few(texts or further)}, which would not be used. Expected series, "
            "date, value and columns of numbers, or covariates= in their place. Drop the column."
        )
    return panel[[*OURS[:2], *further]] if further else None


def _pair(transform: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:  # noqa: ANN401
    if not isinstance(transform, tuple):
        raise DataError(
            f"target_transforms has {transform!r}. Expected pairs of an increasing function and "
            "its inverse, e.g. (np.log1p, np.expm1). Leave it out: the engine forecasts changes."
        )
    return transform


def _ends_months(dates: "pd.Series[Any]") -> bool:
    is_dated = pd.api.types.is_datetime64_any_dtype(dates)
    return is_dated and bool(dates.dropna().dt.is_month_end.all())


def _warn(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        warnings.warn(note, UserWarning, stacklevel=3)
