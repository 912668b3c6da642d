"""The panel engine as a forecaster of any panel: from a file, or a partner table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from features.build import OriginFeatures
from features.series import mean_known
from features.statistical.base_forecasts import BASELINES, PANEL_FORECASTS
from models import quantile_model
from models.engine import (
    CustomFeatures,
    PanelView,
    before_validation,
    trained,
    training_rows,
    validation_start,
)
from models.forecasting.model_names import BASE_MEDIAN, LAST_VALUE, MODEL, REFERENCE
from models.forecasting.residual_history import PLAIN_SIDE, plain_distances
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import FURTHEST_OUTCOME, Boosters, TrainingSet, too_few
from models.learning.calibration import PastErrors, metadata_of
from models.learning.parameters import PANEL_PRESET, ModelParameters
from models.quantile_model import TrainedModel, quantiles_of
from models.reconciliation import reconciled
from sources.files.covariates import Covariates
from store.arrays import Flags, Floats, Ints
from store.errors import DataError
from store.months import YEAR, month_label, month_starts
from store.progress import Progress, untracked
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

VIEWS: Final = ("there", "less_year", "less_now", "later_less_there")
"""Of each covariate: its value in the target month, less the mean of the last year, less the last
known value, and the mean of the planned months after the target less that month's."""


@dataclass(frozen=True, slots=True)
class KnownFuture:
    """Covariates as the engine takes them; call it with an origin."""

    covariates: Covariates
    horizon: int
    units: Floats
    """Usual change of each covariate over a year, in its own unit."""

    @classmethod
    def at(cls, covariates: Covariates, *, last: int, horizon: int, needed: Flags) -> "KnownFuture":
        """Features for a cutoff.

        Args:
            last: Column of the cutoff in the panel's table.
            horizon: Months to forecast.
        """
        past_values = covariates.at(covariates.first + last, horizon, needed=needed)
        change = np.abs(past_values[:, :, YEAR:] - past_values[:, :, :-YEAR]).reshape(
            len(past_values), -1
        )
        count = np.isfinite(change).sum(axis=1)
        usual = np.nan_to_num(change).sum(axis=1) / np.maximum(count, 1)
        return cls(covariates, horizon, np.where(usual > 0, usual, 1.0))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{name}_{view}" for name in self.covariates.names for view in VIEWS)

    def __call__(self, origin: int, rows: Ints | slice) -> NDArray[np.float32]:
        """Covariate features at an origin, series x months x names, in scales; NaN if unknown then.

        Args:
            origin: Column of the last month known.
        """
        view = self.covariates.view(self.covariates.first + origin, self.horizon)[:, rows]
        pairs = zip(view, self.units, strict=True)
        parts = [_views(covariate / unit, self.horizon) for covariate, unit in pairs]
        return np.concatenate(parts, axis=2).astype(np.float32)


def _views(values: Floats, horizon: int) -> Floats:
    """Features of one covariate up to the last month to forecast, series x months x ``VIEWS``."""
    target_values = values[:, -horizon:]
    past = values[:, :-horizon]
    mean = mean_known(past[:, -YEAR:])
    months_left = np.arange(horizon)[::-1]
    after = np.cumsum(target_values[:, ::-1], axis=1)[:, ::-1] - target_values
    later = np.where(months_left > 0, after / np.maximum(months_left, 1) - target_values, 0.0)
    return np.stack(
        [target_values, target_values - mean[:, None], target_values - past[:, -1:], later], axis=2
    )


def shift_of(values: Floats) -> Floats:
    """Offset that lifts each series above zero, as the engine forecasts ratios.

    A series that falls below zero is lifted until its lowest value is as far above zero as its
    highest is above its lowest; others stay as they are.

    Args:
        values: Series x months, NaN where missing.
    """
    lowest, highest = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    return np.asarray(np.where(lowest < 0, highest - 2 * lowest, 0.0))


ALL_BASE_FORECASTS: Final = (BASE_MEDIAN, *PANEL_FORECASTS)
"""Baselines of a panel from a file."""

PLAIN: Final = (BASE_MEDIAN, REFERENCE, LAST_VALUE)
"""Baselines of partner tables."""

CHUNK: Final = 4096
"""Series forecast at a time; bounds the memory."""

MOST_CELLS: Final = 20_000
"""Past errors that a band is read from, at most."""


@dataclass(frozen=True, slots=True)
class PanelForecaster:
    """The panel engine's forecaster: one model a panel."""

    parameters: ModelParameters = field(default=PANEL_PRESET)
    baselines: Sequence[str] = ALL_BASE_FORECASTS
    """Base forecasts that it is compared with, ``BASE_MEDIAN`` or ``LAST_VALUE``."""
    shifts_negative: bool = False
    """Whether series with values below zero are forecast above zero, by ``shift_of``, and the
    forecasts moved back; not together with a tree."""
    custom: CustomFeatures = field(default_factory=CustomFeatures)
    weights: pd.DataFrame | None = None
    """Weight of months in training, series x period numbers; 1 where there is none."""

    def fit(self, snapshot: Snapshot) -> "FittedPanel":
        """Model trained on a panel."""
        view, shift = self.view(snapshot)
        boosters, metadata, training_set = trained(view, self.parameters)
        return FittedPanel(
            snapshot, view, self.parameters, boosters, metadata, training_set, self.baselines, shift
        )

    def with_model(
        self, snapshot: Snapshot, boosters: Boosters | None, metadata: Mapping[str, object]
    ) -> "FittedPanel":
        """Model trained before, at a moment of its panel."""
        view, shift = self.view(snapshot)
        return FittedPanel(snapshot, view, self.parameters, boosters, metadata, None, (), shift)

    def view(self, snapshot: Snapshot) -> tuple[PanelView, Floats | None]:
        """Panel as the engine sees it, and what was added to each series."""
        values, shift = snapshot.tonnes, None
        if self.shifts_negative:
            shift = shift_of(values)
            values = values + shift[:, None]
        if (covariates := snapshot.covariates) is None:
            planned, names = None, self.custom.names
        else:
            needed = np.asarray(np.isfinite(values[:, -YEAR:]).any(axis=1))
            planned = KnownFuture.at(
                covariates, last=values.shape[1] - 1, horizon=snapshot.horizon, needed=needed
            )
            names = (*planned.names, *self.custom.names)

        def extra(origin: int, rows: Ints | slice, point: OriginFeatures) -> NDArray[np.float32]:
            parts = [] if planned is None else [planned(origin, rows)]
            if self.custom.names:
                parts.append(self.custom.at(values[rows, : origin + 1], snapshot.first, point))
            return np.concatenate(parts, axis=2)

        further = extra if names else None
        weights = None
        if self.weights is not None:
            months = range(snapshot.first, snapshot.cutoff + 1)
            table = self.weights.reindex(index=snapshot.series, columns=months)
            weights = table.fillna(1.0).to_numpy(dtype=float)
        view = PanelView(values, snapshot.first, snapshot.horizon, further, names, weights=weights)
        return view, shift

    def features(self, snapshot: Snapshot) -> pd.DataFrame:
        """Features of each known month as known the snapshot's horizon before.

        Returns:
            One row per series and month: destination, period, tonnes and a column a feature.
        """
        (view, _), tables = self.view(snapshot), []
        for column in range(self.parameters.least_history + view.horizon - 1, view.last + 1):
            rows = np.flatnonzero(np.isfinite(view.tonnes[:, column]))
            point = view.at(column - view.horizon, rows)
            table = pd.DataFrame(point.features[:, -1], columns=list(point.names))
            labels = {
                "destination": np.array(snapshot.series, dtype=object)[rows],
                "period": month_starts(np.array([view.first + column]))[0],
                "tonnes": snapshot.tonnes[rows, column],
            }
            tables.append(pd.concat([pd.DataFrame(labels), table], axis=1))
        if tables:
            return pd.concat(tables).sort_values(["destination", "period"], ignore_index=True)
        raise too_few(snapshot.cutoff)

    def train(self, snapshot: Snapshot) -> TrainedModel:
        """Model trained on a panel."""
        fitted = self.fit(snapshot)
        if fitted.boosters is None:
            raise too_few(snapshot.cutoff)
        return TrainedModel(fitted.boosters, fitted.metadata)

    def baseline_metadata(self, snapshot: Snapshot, name: str) -> Mapping[str, object]:
        """Metadata by which a baseline gets its bands, as in a comparison."""
        view, shift = self.view(snapshot)
        rows = training_rows(view, self.parameters)
        panel = FittedPanel(snapshot, view, self.parameters, None, {}, rows, (), shift)
        return panel.baseline_metadata(name)


@dataclass(frozen=True, slots=True)
class FittedPanel:
    """A panel and the model trained on it."""

    snapshot: Snapshot
    view: PanelView = field(repr=False)
    parameters: ModelParameters
    boosters: Boosters | None = field(repr=False)
    """None with too little to train on."""
    metadata: Mapping[str, object] = field(repr=False)
    """Metadata by which distances become quantiles (see ``models.quantile_model``)."""
    training_set: TrainingSet | None = field(repr=False)
    """Training rows of past origins; None where it is not compared."""
    baselines: Sequence[str] = ()
    shift: Floats | None = field(default=None, repr=False)
    """What was added to each series of the panel."""

    def predict(self, track: Progress = untracked) -> Iterator[pd.DataFrame]:
        """Yield the forecasts, some series at a time, all in one order.

        With a tree all come at once, because sums need every part.

        Yields:
            destination, cutoff, period, horizon, quantiles, mean.
        """
        if self.snapshot.tree is not None:
            parts = [self.forecast(rows) for rows in self._some()]
            yield self._coherent(self.view.current, pd.concat(parts, ignore_index=True))
            return
        for rows in track(self.chunks(), "series"):
            yield self.labelled(rows, self.forecast(rows))

    def from_own_ends(self, track: Progress = untracked, *, stale: bool = False) -> pd.DataFrame:
        """Forecasts as ``predict`` yields them, each series from its own end, as ``at_ends``."""
        forecasts = pd.concat(list(self.predict(track)) or [self.nothing()], ignore_index=True)
        return at_ends(
            forecasts,
            self.snapshot,
            lambda past: pd.concat(self._until(past).predict()),
            stale=stale,
        )

    def _until(self, past: Snapshot) -> "FittedPanel":
        """Trained model at an earlier cutoff of its panel."""
        months = self.view.tonnes[:, : past.tonnes.shape[1]]
        return replace(self, snapshot=past, view=replace(self.view, tonnes=months))

    def forecast(self, rows: Ints) -> pd.DataFrame:
        """Quantiles and means of some series, by series, then month, before any sums."""
        return self._model(*self.view.prediction_rows(rows))

    def chunks(self) -> list[Ints]:
        """Rows of the series with a value in the last year, in chunks of ``CHUNK``."""
        rows = self.view.current
        return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]

    def _some(self) -> list[Ints]:
        if chunks := self.chunks():
            return chunks
        raise DataError(
            "No series has a value in the year before the cutoff. Expected at least one. "
            "Take an earlier cutoff."
        )

    def compare(self) -> pd.DataFrame:
        """Forecasts of the product and of the baselines, with a column ``model``."""
        metadata_by_model = {name: self.baseline_metadata(name) for name in self.baselines}
        forecasts: dict[str, list[pd.DataFrame]] = {
            name: [] for name in (MODEL, *metadata_by_model)
        }
        for rows in self._some():
            point, features = self.view.prediction_rows(rows)
            forecasts[MODEL].append(self._model(point, features))
            for name, metadata in metadata_by_model.items():
                values = plain_distances(self._tonnes(name, rows, point).reshape(-1), features)
                forecasts[name].append(quantiles_of(values, metadata, features))
        tables = {name: pd.concat(parts, ignore_index=True) for name, parts in forecasts.items()}
        rows = self.view.current
        coherent = self._coherent(rows, tables.pop(MODEL)).assign(model=MODEL)
        baselines = [
            self.labelled(rows, table).assign(model=name) for name, table in tables.items()
        ]
        return pd.concat([coherent, *baselines], ignore_index=True)

    def on(self, table: pd.DataFrame) -> "FittedPanel":
        """Trained model for other series of the panel from which its training series come.

        Args:
            table: Series x months; months outside those of the training are left out.
        """
        table = table.reindex(columns=self.snapshot.table.columns)
        values, shift = table.to_numpy(dtype=float), None
        if self.shift is not None:
            shift = shift_of(values)
            values = values + shift[:, None]
        view = replace(self.view, tonnes=values, common=self.view.at_cutoff())
        return replace(
            self, snapshot=Snapshot.of_panel(table, self.snapshot.horizon), view=view, shift=shift
        )

    def nothing(self) -> pd.DataFrame:
        """Empty table with the columns of ``predict``."""
        quantiles = pd.DataFrame(
            np.empty((0, len(QUANTILES) + 1)), columns=[*QUANTILE_COLUMNS, "mean"]
        )
        return self.labelled(np.empty(0, dtype=np.int64), quantiles)

    def on_none(self) -> "FittedPanel":
        """Trained model without series and training rows, small enough to send."""
        return replace(self.on(self.snapshot.table.iloc[:0]), training_set=None)

    def _model(self, point: OriginFeatures, features: pd.DataFrame) -> pd.DataFrame:
        """Quantiles and means of the product's own model."""
        if self.boosters is None:
            values = plain_distances(point.base.reshape(-1), features)
        else:
            quantile_model.check_columns(self.metadata, features)
            values = quantile_model.booster_distances(self.boosters, self.metadata, features)
        return quantiles_of(
            quantile_model.combined(values, self.metadata, features), self.metadata, features
        )

    def _tonnes(self, name: str, rows: Ints, point: OriginFeatures) -> Floats:
        if name == LAST_VALUE:
            return BASELINES[name](self.view.tonnes[rows], self.view.horizon)
        return point.base if name == BASE_MEDIAN else point.base_forecasts[name]

    def baseline_metadata(self, name: str) -> dict[str, object]:
        """Metadata of a baseline, whose medians stay as they are."""
        unmoved = replace(self.parameters, bias_correction=0.0)
        return metadata_of((), self._errors(name), unmoved, self.view.horizon)

    def _errors(self, name: str) -> PastErrors:
        """Errors of a baseline at past origins; those of the seasonal naive for the last value."""
        training_set = self.training_set
        assert training_set is not None  # noqa: S101 - only what was trained here is compared
        of = REFERENCE if name == LAST_VALUE else name
        error = (
            training_set.target
            if name == BASE_MEDIAN
            else training_set.target - training_set.base_forecasts[of]
        )
        return self.plain_errors(training_set, error)

    def plain_errors(self, training_set: TrainingSet, error: Floats) -> PastErrors:
        """Errors of a point forecast, from those of training rows, NaN where it is not scored."""
        scored = np.flatnonzero(np.isfinite(error))
        scored = scored[:: max(1, len(scored) // MOST_CELLS)]
        return PastErrors(
            horizon=training_set.horizon[scored].astype(float),
            age=(self.view.last - training_set.origin[scored]).astype(float),
            distance=error[scored],
            spread=np.full(len(scored), PLAIN_SIDE),
        )

    def _coherent(self, rows: Ints, forecast: pd.DataFrame) -> pd.DataFrame:
        """Forecast in the order of series, with means that add up if there is a tree."""
        if self.snapshot.tree is None:
            return self.labelled(rows, forecast)
        summed = reconciled(forecast, self.snapshot.origin, self.snapshot.tree)
        return self.labelled(*summed)

    def labelled(self, rows: Ints, forecast: pd.DataFrame) -> pd.DataFrame:
        """Forecasts of some series with their names and months."""
        months, targets = self.view.horizon, month_starts(self.snapshot.origin.targets).to_numpy()
        if self.shift is not None:
            forecast = forecast.sub(np.repeat(self.shift[rows], months), axis=0)
        labels = pd.DataFrame(
            {
                "destination": np.repeat(
                    np.array(self.snapshot.series, dtype=object)[rows], months
                ),
                "cutoff": month_label(self.snapshot.cutoff),
                "period": np.tile(targets, len(rows)),
                "horizon": np.tile(np.arange(1, months + 1), len(rows)),
            }
        )
        return pd.concat([labels, forecast.reset_index(drop=True)], axis=1)


def at_ends(
    forecasts: pd.DataFrame,
    snapshot: Snapshot,
    forecast_at: Callable[[Snapshot], pd.DataFrame],
    *,
    stale: bool = False,
) -> pd.DataFrame:
    """Forecasts in which series that ended within the last year are forecast from their own end.

    Sums need all series in the same months: with a tree nothing changes.

    Args:
        forecasts: Of the snapshot, all from its cutoff.
        forecast_at: Forecasts of an earlier snapshot by the same model.
        stale: Whether series that ended earlier are forecast so too.
    """
    known = np.isfinite(snapshot.tonnes)
    months_ago = known[:, ::-1].argmax(axis=1)
    if snapshot.tree is not None or not months_ago.any():
        return forecasts
    names = pd.Index(snapshot.series if stale else forecasts["destination"].unique())
    ended = pd.Series(months_ago, list(snapshot.series)).reindex(names)
    parts = [forecasts.loc[forecasts["destination"].isin(names[ended.eq(0)])]]
    for ago in sorted({*ended} - {0}):
        part = forecast_at(snapshot.at(snapshot.cutoff - ago))
        parts.append(part.loc[part["destination"].isin(names[ended.eq(ago)])])
    return pd.concat(parts).sort_values("destination", kind="stable", ignore_index=True)


def fitted_estimator(estimator: object, fitted: FittedPanel) -> tuple[Any, Mapping[str, object]]:
    """An estimator that learned distances from the base, in scales, and the metadata of its bands.

    Bands are calibrated as those of the baselines are, on a window that it did not learn from.
    """
    rows, view = fitted.training_set, fitted.view
    if rows is None or fitted.boosters is None:
        raise too_few(fitted.snapshot.cutoff)
    features, is_weighted = np.nan_to_num(rows.features), view.weights is not None

    def trained(some: Flags) -> Any:  # noqa: ANN401 - an estimator
        weight = {"sample_weight": rows.weight[some]} if is_weighted else {}
        return clone(estimator, safe=False).fit(features[some], target[some], **weight)

    target = np.clip(rows.target, -FURTHEST_OUTCOME, FURTHEST_OUTCOME)
    start = validation_start(view.last, view.horizon, fitted.parameters)
    before, window = before_validation(rows, start), rows.origin >= start
    error = np.full(len(rows), np.nan)
    if before.any():
        model = trained(before)
        error[window] = rows.target[window] - model.predict(features[window])
    errors, plain = fitted.plain_errors(rows, error), replace(fitted.parameters, bias_correction=0)
    metadata = metadata_of((), errors, plain, view.horizon)
    return trained(np.ones(len(rows), dtype=bool)), metadata
