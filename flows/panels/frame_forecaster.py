"""The panel engine for any data frame, as an estimator of scikit-learn with mlforecast's names."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, field, make_dataclass, replace
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from features.series import seasonal_scale
from flows.panels.panel_files import (
    FORECAST,
    LEAVE_OUT,
    PanelDates,
    PanelFiles,
    Sums,
    check_future,
    check_same,
    constant_columns,
    frames_like,
    further_columns,
    in_numbers,
    left_out,
    levels_by_name,
    models_by_name,
    months_ahead,
    months_to_score,
    part_of_text,
    refusal,
    rows_to_score,
    signature_of,
    text_of,
    transform_pair,
    values_at,
    weights_of,
)
from models.engine import CustomFeatures, Function, Transform, date_features, lag_features
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PanelForecaster, at_ends, fitted_estimator
from models.forecasting.residual_history import PLAIN_SIDE
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import Boosters, parsed_booster, texts_of
from models.learning.parameters import PANEL_PRESET, ModelParameters, with_changes
from models.quantile_model import (
    combined,
    feature_names,
    mean_of_quantiles,
    needed_columns,
    quantiles_of,
)
from sources.files.covariates import read_covariates
from sources.files.panel import NIXTLA, OURS, Names, Table, as_pandas, names_in, our_names
from store.arrays import Floats
from store.errors import DataError, first_few
from store.months import month_starts
from store.vocabulary import QUANTILES

_FUNCTIONS: Final = ("models", "features", "lag_transforms", "target_transforms")
"""Arguments that hold functions and estimators, which are not saved."""

_CELL: Final = ["destination", "cutoff", "period"]

_UNUSED: Final = {"static_features", "dropna", "max_horizon", "prediction_intervals", "fitted"}
"""Arguments of mlforecast that change nothing here (docs/tutorials/python.md)."""

_Engine: Final[Any] = make_dataclass(
    "_Engine",
    [(name, type(value), field(default=value)) for name, value in PANEL_PRESET.by_name.items()],
    kw_only=True,
    eq=False,
    repr=False,
)
"""The parameters of the engine, declared in ``models.learning.parameters``, as arguments."""


@dataclass(eq=False, repr=False)
class Forecaster(_Engine, BaseEstimator):  # type: ignore[misc]
    """Quantile forecasts of every series of a panel by one global model.

    Takes and returns Nixtla's long format (``unique_id``, ``ds``, ``y``), or ours (``destination``,
    ``period``, ``tonnes``). Names are mlforecast's; docs/tutorials/python.md says what differs. The
    other parameters are the engine's, which ``magnetcast config show`` explains.

    Args:
        models: By name, or as a list: base forecasts that the boosters see, functions of the
            months known (months x series) and the number of months ahead, which return months
            ahead x series; estimators of scikit-learn, which get forecasts of their own.
        freq: ``MS`` or ``ME``, or their offsets; panels are monthly.
        num_threads: mlforecast's name of ``threads``.
        lags: Months before the month to forecast whose value is a feature where it is known.
        lag_transforms: By lag, functions of a table of months x series, or mlforecast's.
        date_features: Attributes of pandas' dates, such as ``quarter``, or functions of dates.
        target_transforms: Pairs of an increasing function and its inverse.
        features: Further features by name, functions as in ``models``, in a unit of their own.
        allow_negative: Whether values below zero are forecast; they are refused otherwise.
        stale: Whether series that ended a year or more before the panel are left out
            (``leave_out``) or forecast from their own end (``forecast``), without a ``tree``.

    Attributes:
        table_: The panel with its sums, series x month numbers.
        refused_: Reasons by series that cannot be used.
        left_out_: Table of all series that are not forecast, with the reason of each.
        freq_: ``MS`` or ``ME``, if dates are the first or the last day of months.

    Examples:
        >>> months = pd.date_range("2019-01-01", periods=72, freq="MS")
        >>> df = pd.DataFrame({"unique_id": "a", "ds": months, "y": 100.0 + months.month})
        >>> mc.Forecaster().fit(df).predict(3, level=[80]).shape
        (3, 6)
    """

    models: Any = None
    freq: str | pd.DateOffset = "MS"
    _: KW_ONLY
    num_threads: int | None = None
    lags: Sequence[int] | None = None
    lag_transforms: Mapping[int, Sequence[Transform]] | None = None
    date_features: Sequence[str | Callable[[pd.DatetimeIndex], Any]] | None = None
    target_transforms: Sequence[Any] | None = None
    features: Mapping[str, Function] | None = None
    allow_negative: bool = False
    stale: str = LEAVE_OUT

    def fit(
        self,
        df: Table,
        y: None = None,  # noqa: ARG002 - scikit-learn's searches name it
        *,
        id_col: str | None = None,
        time_col: str | None = None,
        target_col: str | None = None,
        weight_col: str | None = None,
        covariates: Table | Path | None = None,
        tree: Table | Sums | None = None,
        **unused: object,  # of mlforecast
    ) -> Self:
        """Check and store a panel; ``predict`` trains, because the boosters depend on the horizon.

        Args:
            df: One row per series and month, of pandas, polars or Arrow, as forecasts come back;
                not modified. Further columns are known ahead, and ``predict`` takes their future as
                ``X_df`` unless they never change; of texts each of at most 50 is a column of 0 and
                1. A series with a bad row is left out with a warning, see ``refused_``.
            id_col: Name of the column of the series, if it differs; ``time_col`` and ``target_col``
                those of dates and values.
            weight_col: Name of the column of weights in training, of trees and estimators: finite
                numbers of at least 0, 1 where empty; sums of a tree have 1.
            covariates: Values known ahead: series, date, ``name``, ``value`` and optionally
                ``available_at``, or one column per covariate.
            tree: Sums of series: parts by sum, or a table or file of ``destination, part_of``.

        Raises:
            DataError: The panel, the covariates or the tree cannot be used; nothing is stored.
        """
        if unknown := sorted(set(unused) - _UNUSED):
            raise TypeError(f"fit has no argument {', '.join(unknown)}")
        parameters, columns = self._parameters(), None
        if id_col or time_col or target_col:
            columns = (id_col or NIXTLA[0], time_col or NIXTLA[1], target_col or NIXTLA[2])
        self._frames = frames_like(df)
        original = df
        df, covariates, tree = as_pandas(df), as_pandas(covariates), as_pandas(tree)
        allow_negative = self.allow_negative or bool(self.target_transforms)
        forward = self._forward if self.target_transforms else None
        files = PanelFiles(df, covariates, tree, columns, allow_negative, forward, self.stale)
        contents, snapshot = files.open()
        panel = _ours(df, columns)
        weights = None if weight_col is None else weights_of(panel, weight_col)
        panel = panel.drop(columns=weight_col or [])
        exogenous = further_columns(panel, covariates)
        if (held_out := rows_to_score()) is not None:
            months_to_score(files, as_pandas(held_out), snapshot.cutoff)
        self._dates, note = PanelDates.of(panel[OURS[1]].dropna())
        self.freq_ = self._dates.freq
        ended = left_out(contents, snapshot, self.stale).keys() - contents.refused.keys()
        stale = f"ended a year or more ago, not forecast (left_out_): {first_few(sorted(ended))}"
        _warn([*contents.notes, refusal(contents), note, stale if ended else ""])
        lags = lag_features(self.lags or (), self.lag_transforms or {})
        models = models_by_name(self.models)
        self._estimators = {name: each for name, each in models.items() if hasattr(each, "fit")}
        functions = {name: models[name] for name in models if name not in self._estimators}
        of_dates = date_features(self.date_features or (), self._dates.dated)
        custom = CustomFeatures({**of_dates, **(self.features or {})}, {**lags, **functions})
        self.columns_ = columns or (OURS if OURS[0] in df.columns else NIXTLA)
        self.parameters_, self.snapshot_, self._files = (
            parameters,
            snapshot,
            replace(files, panel=df[:0]),
        )
        ids = panel[OURS[0]].drop_duplicates()
        sums = {str(total): total for total in tree} if isinstance(tree, Mapping) else {}
        self.ids_ = {**sums, **dict(zip(names_in(ids), ids, strict=True))}
        is_pandas = isinstance(original, pd.DataFrame)
        self._id_type = _ours(original, columns)[OURS[0]].dtype if is_pandas else None
        self.table_, self.refused_ = snapshot.table, contents.refused
        reasons = sorted(left_out(contents, snapshot, self.stale).items())
        self.left_out_ = pd.DataFrame(
            [(self.ids_.get(name, name), reason) for name, reason in reasons],
            columns=[self.columns_[0], "reason"],
        )
        self._exogenous = exogenous
        self._models: dict[int, _Model] = {}
        self._given = {"panel": df.copy(), "covariates": covariates, "tree": tree}
        self._weight_col = weight_col
        self._forecaster = PanelForecaster(parameters, (), allow_negative, custom, weights)
        return self

    def predict(
        self,
        h: int | None = None,
        *,
        level: Sequence[float] | None = None,
        quantiles: Sequence[float] | None = None,
        X_df: Table | None = None,  # noqa: N803 - mlforecast's name
        ids: Sequence[object] | None = None,
    ) -> Table:
        """Forecasts of the months after the panel.

        Args:
            h: Number of months to forecast; 6 if left out.
            level: Percent that bands cover, e.g. ``[80, 95]``.
            quantiles: Levels within 0 and 1; beyond 0.05 and 0.95 with the tail of Student's t.
            X_df: Future values of further columns of the panel.
            ids: Series to return; all if left out.

        Returns:
            One row per series and month: ``unique_id, ds, magnetcast`` (the median),
            ``magnetcast-lo-80`` and ``-hi-80`` for the level 80, ``magnetcast-q-10`` for the
            quantile 0.1, ``mean``, which adds up over series; in our format ``destination, cutoff,
            period, horizon``, ``p10`` for the quantile 0.1 (10, 50 and 90 if none is asked for),
            ``mean``. Medians and bands of each estimator under its name.

        Raises:
            DataError: A level or the horizon cannot be used, or a covariate is not known ahead.
        """
        check_is_fitted(self, "table_")
        snapshot, named = (
            self._snapshot(h, as_pandas(X_df)),
            levels_by_name(level, quantiles, self.columns_),
        )
        if ids is not None:
            by_id = {series: name for name, series in self.ids_.items()}
            if unknown := [each for each in ids if each not in by_id]:
                raise DataError(
                    f"ids has {first_few(unknown)}, which the panel of fit does not have. Expected "
                    f"some of {first_few([*by_id])}. Correct them."
                )
        forecasts = self._forecast(snapshot)
        if ids is not None:
            asked = [by_id[each] for each in ids]
            forecasts = forecasts.loc[forecasts["destination"].isin(asked)]
        return self._frames(self._as_asked(forecasts, named))

    def update(self, df: Table) -> Self:
        """Append months, or series, to the panel; models trained so far forecast from its new end.

        Raises:
            DataError: As ``fit``; nothing is changed.
        """
        check_is_fitted(self, "table_")
        fitted, months = dict(self._given), as_pandas(df)
        check_same(months, panel := fitted.pop("panel"))
        if (past := self._exogenous) is not None:
            in_numbers(_ours(months, self._files.columns)[list(past)], past)
        fitted |= zip(("id_col", "time_col", "target_col"), self.columns_, strict=True)
        fitted["weight_col"] = self._weight_col
        model = copy(self).fit(pd.concat([panel, months], ignore_index=True), None, **fitted)
        self.__dict__.update(model.__dict__, _models=self._models, _frames=self._frames)
        return self

    def preprocess(self, df: Table, h: int = 1, **fitting: Any) -> Table:  # noqa: ANN401 - of fit
        """Features of each month of a panel as known ``h`` months before, beside its value.

        Args:
            df: Panel as for ``fit``, which need not be called, with its arguments as ``fitting``.
            h: Months ahead.

        Returns:
            One row per series and known month: series, date, value and the engine's features.
        """
        model = clone(self).fit(df, **fitting)
        features = model._forecaster.features(model._snapshot(h))
        ids = [model.ids_.get(name, name) for name in features[OURS[0]]]
        dates = model._dates.dated(pd.DatetimeIndex(features[OURS[1]]))
        values = model._backward(features[OURS[2]])
        labels = dict(zip(OURS, (ids, dates, values), strict=True))
        names = dict(zip(OURS, model.columns_, strict=True))
        return model._frames(features.assign(**labels).rename(columns=names))

    def cross_validation(
        self,
        df: Table | None = None,
        n_windows: int = 1,
        h: int | None = None,
        *,
        step_size: int | None = None,
        refit: bool | int = True,
        level: Sequence[float] | None = None,
        quantiles: Sequence[float] | None = None,
        **fitting: Any,  # noqa: ANN401 - of fit
    ) -> Table:
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
        snapshot, named = self._snapshot(h), levels_by_name(level, quantiles, self.columns_)
        last, step = snapshot.cutoff - snapshot.horizon, step_size or snapshot.horizon
        cutoffs = [last - place * step for place in reversed(range(n_windows))]
        return self._frames(self._windows(snapshot, cutoffs, named, refit=int(refit)))

    def forecast_fitted_values(
        self, *, level: Sequence[float] | None = None, quantiles: Sequence[float] | None = None
    ) -> Table:
        """Each month forecast a month ahead, by a model that learned from all but the last."""
        check_is_fitted(self, "table_")
        snapshot, named = self._snapshot(1), levels_by_name(level, quantiles, self.columns_)
        cutoffs = range(snapshot.first + self.parameters_.least_history - 1, snapshot.cutoff)
        model = self._trained(snapshot.at(cutoffs[-1]))[1]
        windows = self._windows(snapshot, cutoffs, named, model=model)
        return self._frames(windows.drop(columns="cutoff"))

    @property
    def feature_importances_(self) -> "pd.Series[float]":
        """Gain of each feature, summed over the boosters of the last forecast, largest first."""
        check_is_fitted(self, "table_")
        if not self._models:
            self._forecast(self._snapshot(None))
        boosters, metadata, _ = list(self._models.values())[-1]
        gains = [booster.feature_importance("gain") for booster in (boosters or {}).values()]
        index = pd.Index(feature_names(metadata), name="feature")
        return pd.Series(sum(gains), index, name="gain").sort_values(ascending=False)

    def score(self, df: Table, y: None = None) -> float:  # noqa: ARG002 - as of ``fit``
        """Negative mean absolute scaled error in the months of ``df`` after those of ``fit``."""
        check_is_fitted(self, "table_")
        last = self.snapshot_.cutoff
        truth = months_to_score(self._files, df := as_pandas(df), last)
        forecasts = self._forecast(self._snapshot(truth.cutoff - last, df))
        cells = forecasts.query("model == @MODEL").merge(truth.published_months)
        errors = (self._backward(cells["tonnes"]) - self._values(cells, [0.5])[:, 0]).abs()
        unit = seasonal_scale(np.asarray(self._backward(self.table_.to_numpy())))
        scale = pd.Series(unit, self.table_.index).reindex(cells["destination"]).to_numpy()
        return -float((errors / scale)[scale > 0].mean())

    def plot(
        self,
        ids: Sequence[object] | None = None,
        h: int | None = None,
        level: float = 80,
        X_df: Table | None = None,  # noqa: N803 - as of ``predict``
    ) -> Any:  # noqa: ANN401 - matplotlib has no types here
        """Matplotlib's figure of series, the first four if left out: months, forecast and band."""
        from matplotlib.figure import Figure  # noqa: PLC0415 - no dependency

        forecasts = self._forecast(self._snapshot(h, as_pandas(X_df))).query("model == @MODEL")
        bounds = self._values(forecasts, [0.5 - level / 200, 0.5, 0.5 + level / 200])
        by_id = {series: name for name, series in self.ids_.items()}
        some = self.table_.index[:4] if ids is None else ids
        names = [by_id.get(each, str(each)) for each in some]
        figure = Figure(figsize=(8, 2.5 * len(names)), layout="constrained")
        for name, axis in zip(names, figure.subplots(len(names), squeeze=False)[:, 0], strict=True):
            is_its = forecasts["destination"] == name
            low, middle, high = bounds[is_its].T
            periods, months = forecasts.loc[is_its, "period"], self.table_.loc[name]
            axis.plot(month_starts(months.index.to_numpy()), self._backward(months))
            axis.plot(periods, middle)
            axis.fill_between(periods, low, high, alpha=0.3)
            axis.set_title(name)
        return figure

    def save(self, path: Path | str) -> None:
        """Write one JSON file: panel, parameters, and boosters of each horizon trained so far.

        With estimators ``load`` trains anew, because they have no text.
        """
        check_is_fitted(self, "table_")
        parameters, dates = self.get_params(deep=False), list(self.date_features or ())
        functions = [name for name in _FUNCTIONS if parameters.pop(name) not in (None, {}, [], ())]
        if any(map(callable, dates)):
            functions, dates = [*functions, "date_features"], []
        content = {
            "functions": functions,
            "parameters": {
                **parameters,
                "freq": getattr(self.freq, "freqstr", self.freq),
                "lags": list(self.lags or ()),
                "date_features": dates,
            },
            "columns": self.columns_,
            "weight_col": self._weight_col,
            "tables": {name: text_of(part, name) for name, part in self._given.items()},
            "models": [
                (months, texts_of(model.boosters or {}), model.metadata)
                for months, model in self._models.items()
                if not model.estimators
            ],
        }
        text = json.dumps(content, default=lambda number: number.tolist())
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str, **functions: Any) -> Self:  # noqa: ANN401 - of the constructor
        """Forecaster as it was saved, given the functions that it was made with, by argument."""
        try:
            return cls._of(json.loads(Path(path).read_text(encoding="utf-8")), functions, path)
        except (KeyError, IndexError, TypeError, ValueError, lgb.basic.LightGBMError) as err:
            if isinstance(err, DataError):
                raise
            raise DataError(
                f"{path} cannot be read ({type(err).__name__}: {err}). Expected a file as save "
                "wrote it. Save the forecaster anew, or take a copy of the file."
            ) from err

    @classmethod
    def _of(cls, content: Any, functions: Mapping[str, Any], path: Path | str) -> Self:  # noqa: ANN401 - any JSON
        """Forecaster of the content of its file."""
        if set(content["functions"]) != set(functions):
            raise DataError(
                f"{path} was saved with {first_few(content['functions']) or 'no functions'}, which "
                f"it does not hold. Expected the same of load, not {sorted(functions)}. Give them."
            )
        tables = {name: part_of_text(text) for name, text in content["tables"].items()}
        tables |= zip(("id_col", "time_col", "target_col"), content["columns"], strict=True)
        tables["weight_col"] = content["weight_col"]
        parameters = content["parameters"] | functions
        model = cls(**parameters).fit(tables.pop("panel"), None, **tables)
        for months, texts, metadata in content["models"]:
            names = feature_names(metadata)
            boosters = {name: parsed_booster(text, len(names)) for name, text in texts.items()}
            row, zero = pd.DataFrame(1.0, [0], needed_columns(metadata)), np.zeros(1)
            quantiles_of(combined((zero, zero, zero), metadata, row), metadata, row)
            model._models[months] = _Model(boosters or None, metadata, {})
        return model

    def log_model(self, name: str = "forecaster") -> str:
        """Log it to MLflow as a pyfunc, without its functions, and return its address.

        Its input is ``h``, a number of months, beside the future of further columns if there are
        any; its output has bands of 80 and 95 percent.
        """
        import mlflow  # noqa: PLC0415 - takes seconds

        with TemporaryDirectory() as folder, warnings.catch_warnings():
            # MLflow asks for an example beside a signature; it would keep rows of the panel.
            warnings.filterwarnings("ignore", ".*input example")
            self.save(file := Path(folder) / "forecaster.json")
            logged = mlflow.pyfunc.log_model(
                name=name,
                loader_module=__name__,
                data_path=str(file),
                signature=signature_of(self._exogenous, self.columns_),
                pip_requirements=[f"magnetcast=={version('magnetcast')}"],
            )
        return str(logged.model_uri)

    def _snapshot(self, h: int | None, X_df: pd.DataFrame | None = None) -> Snapshot:  # noqa: N803
        """What is to be forecast, with further columns of the panel and their future."""
        snapshot = self.snapshot_.ahead(months_ahead(h, "h"))
        if X_df is not None:
            check_future(_ours(X_df, self._files.columns), self._exogenous, {*self.ids_})
        if (past := self._exogenous) is None:
            return snapshot
        months = pd.DataFrame({"period": month_starts(snapshot.origin.targets)})
        future = None if X_df is None else _ours(X_df, self._files.columns).filter(list(past))
        planned = () if future is None else future
        lacking = [name for name in constant_columns(past) if name not in planned]
        static = past[[OURS[0], *lacking]].drop_duplicates(OURS[0])
        rows = in_numbers(pd.concat([past, future, static.merge(months, how="cross")]), past)
        known = read_covariates(rows, table=snapshot.table, kind="X_df")
        return replace(snapshot, covariates=known)

    def _forecast(self, snapshot: Snapshot) -> pd.DataFrame:
        """Forecasts by model and series, of a horizon's model that is trained once.

        Without sums, a series that ended within the last year is forecast from its own end.
        """
        forecasts, model = self._trained(snapshot, self._models.get(snapshot.horizon))
        self._models[snapshot.horizon] = model
        return at_ends(
            forecasts,
            snapshot,
            lambda past: self._trained(past, model)[0],
            stale=self.stale == FORECAST,
        )

    def _trained(
        self, snapshot: Snapshot, model: "_Model | None" = None
    ) -> tuple[pd.DataFrame, "_Model"]:
        """Forecasts by model and series, and the model, trained unless it is given."""
        if model is None:
            fitted = self._forecaster.fit(snapshot)
            estimators = {
                name: fitted_estimator(each, fitted) for name, each in self._estimators.items()
            }
            model = _Model(fitted.boosters, fitted.metadata, estimators)
        else:
            fitted = self._forecaster.with_model(snapshot, model.boosters, model.metadata)
        parts = [part.assign(model=MODEL) for part in fitted.predict()]
        for name, (estimator, metadata) in model.estimators.items():
            rows = fitted.view.current
            point, features = fitted.view.prediction_rows(rows)
            middle = estimator.predict(np.nan_to_num(features[list(point.names)].to_numpy()))
            distances = middle - PLAIN_SIDE, middle, middle + PLAIN_SIDE
            quantiles = quantiles_of(distances, metadata, features)
            parts.append(fitted.labelled(rows, quantiles).assign(model=name))
        return pd.concat(parts, ignore_index=True), model

    def _windows(
        self,
        snapshot: Snapshot,
        cutoffs: Sequence[int],
        named: Mapping[str, float],
        *,
        refit: int = 0,
        model: "_Model | None" = None,
    ) -> pd.DataFrame:
        """Forecasts from past cutoffs beside the actual values, by one model or by several."""
        parts = []
        for place, cutoff in enumerate(cutoffs):
            is_new = refit and place % refit == 0
            forecasts, model = self._trained(snapshot.at(cutoff), None if is_new else model)
            parts.append(forecasts)
        forecasts = pd.concat(parts).merge(snapshot.published_months, on=["destination", "period"])
        if silent := sorted({*snapshot.series} - {*forecasts["destination"]}):
            _warn([f"no value in the months of the windows, not forecast: {first_few(silent)}"])
        cells = forecasts.query("model == @MODEL")
        rows, actual = self._as_asked(forecasts, named), self._backward(cells["tonnes"].to_numpy())
        if self.columns_ == OURS:
            return rows.assign(**{OURS[2]: actual})
        rows.insert(2, "cutoff", self._dates.dated(pd.DatetimeIndex(cells["cutoff"])))
        rows.insert(3, self.columns_[2], actual)
        return rows

    def _as_asked(self, forecasts: pd.DataFrame, named: Mapping[str, float]) -> pd.DataFrame:
        """Forecasts in the format of the panel, with the columns of each model beside another."""
        cells = forecasts.loc[forecasts["model"] == MODEL, [*_CELL, "horizon"]]
        columns: dict[str, Any] = {}
        for model, part in forecasts.groupby("model", sort=False):
            rows = cells.merge(part, how="left", on=_CELL)
            middle, *rest = self._values(rows, [0.5, *named.values()]).T
            if self.columns_ == OURS and model == MODEL:
                levels = [f"p{100 * each:02g}" for each in named.values()]
                columns = dict(zip(levels, rest, strict=True))
            else:
                names = [f"{model}-{name}" for name in named]
                columns |= {str(model): middle, **dict(zip(names, rest, strict=True))}
            if model == MODEL:
                columns["mean"] = rows["mean"].to_numpy()
                if self.target_transforms:
                    values = self._values(rows, QUANTILES)
                    columns["mean"] = mean_of_quantiles(values, np.array(QUANTILES))
        ids = [self.ids_.get(name, name) for name in cells["destination"]]
        dates = self._dates.dated(pd.DatetimeIndex(cells["period"]))
        labels = cells.assign(destination=ids, period=dates).reset_index(drop=True)
        if self._id_type is not None and not isinstance(self._given["tree"], Mapping):
            labels["destination"] = labels["destination"].astype(self._id_type)
        if self.columns_ != OURS:
            names_of = dict(zip(OURS, self.columns_[:2], strict=False))
            labels = labels[["destination", "period"]].rename(columns=names_of)
        return labels.assign(**columns)

    def _values(self, forecasts: pd.DataFrame, levels: Sequence[float]) -> Floats:
        """Quantiles of forecasts at any levels, rows x levels, in the unit of the panel."""
        values = values_at(forecasts, levels)
        values = values if self._files.allow_negative else np.maximum(values, 0.0)
        return np.asarray(self._backward(values))

    def _forward(self, values: "pd.Series[float]") -> "pd.Series[float]":
        """Transformed values of a panel; not finite where a transform cannot take one."""
        transforms = [forward for forward, _ in map(transform_pair, self.target_transforms or ())]
        with np.errstate(all="ignore"):
            return reduce(lambda y, use: use(y), transforms, values)

    def _backward(self, values: Any) -> Any:  # noqa: ANN401 - an array or a column
        inverses = [inverse for _, inverse in map(transform_pair, self.target_transforms or ())]
        return reduce(lambda y, use: use(y), reversed(inverses), values)

    def _parameters(self) -> ModelParameters:
        if getattr(self.freq, "freqstr", self.freq) not in {"MS", "ME", "M"}:
            raise DataError(
                f"freq={self.freq!r} is not monthly. Expected MS or ME. Add the panel up by month."
            )
        changes = {name: getattr(self, name) for name in PANEL_PRESET.by_name}
        changes |= {"threads": self.num_threads} if self.num_threads else {}
        return with_changes(PANEL_PRESET, changes, where="Forecaster")


class _Model(NamedTuple):
    """What is trained for a horizon."""

    boosters: Boosters | None
    metadata: Mapping[str, object]
    estimators: Mapping[str, tuple[Any, Mapping[str, object]]]
    """Estimators by name, each with the metadata of its bands."""


class _Served(NamedTuple):
    """A forecaster as MLflow calls it."""

    forecaster: Forecaster

    def predict(self, rows: pd.DataFrame, params: object = None) -> Table:  # noqa: ARG002
        future = rows.drop(columns="h")
        further = None if future.columns.empty else future
        return self.forecaster.predict(int(rows["h"].max()), level=[80, 95], X_df=further)


def _load_pyfunc(path: str) -> _Served:
    """What MLflow loads; it asks for this name."""
    return _Served(Forecaster.load(path))


def _ours(df: pd.DataFrame, names: Names | None) -> pd.DataFrame:
    return df.set_axis(our_names([str(name) for name in df.columns], names), axis=1)


def _warn(notes: Sequence[str]) -> None:
    for note in filter(None, notes):
        warnings.warn(note, UserWarning, stacklevel=3)
