"""Panels as files of the command line, read, reported on and forecast, and as frames of any make.

Prefect is not imported: its start takes longer than a forecast.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from flows.context.console import echo
from models.forecasting.model_names import forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.calibration import TAILS
from models.learning.parameters import ModelParameters
from models.reconciliation import add_sums, contradictions, tree_of
from sources.files.covariates import read_covariates
from sources.files.panel import (
    NEGATIVE,
    OURS,
    PART_OF,
    TAKES_NEGATIVE,
    Names,
    Panel,
    Table,
    Transform,
    months_in,
    named,
    names_in,
    numbers_of,
    read_panel,
    read_rows,
    require_columns,
    sums_in,
)
from store.arrays import Floats
from store.errors import DataError, first_few
from store.months import YEAR, month_label
from store.progress import Progress
from store.vocabulary import PANEL_HORIZON, QUANTILE_COLUMNS, QUANTILES

MOST_AHEAD: Final = 120
"""Longest horizon, in months."""

LEAVE_OUT: Final = "leave_out"
FORECAST: Final = "forecast"
"""What happens to series that ended more than a year before the panel."""

Sums = pd.DataFrame | Path | Mapping[str, Sequence[str]]
"""Sums of series: parts by sum, or a table or file of ``destination, part_of``."""


@dataclass(frozen=True, slots=True)
class PanelFiles:
    """A panel, its covariates and its tree of sums, as files or tables, and how it is read."""

    panel: Path | pd.DataFrame
    covariates: Path | pd.DataFrame | None = None
    tree: Sums | None = None
    columns: Names | None = None
    allow_negative: bool = False
    transform: Transform | None = None
    stale: str = LEAVE_OUT

    def read(self, panel: Path | pd.DataFrame) -> Panel:
        """A panel, or a part of it, read with these names of columns."""
        return read_panel(
            panel, self.columns, allow_negative=self.allow_negative, transform=self.transform
        )

    def open(self, horizon: int | None = None) -> tuple[Panel, Snapshot]:
        """The panel, with notes on all files, and its snapshot with sums and covariates."""
        if self.stale not in {LEAVE_OUT, FORECAST}:
            raise DataError(
                f"stale {self.stale!r} is unknown. Expected {LEAVE_OUT} or {FORECAST}. Correct it."
            )
        ahead, panel = months_ahead(horizon), self.read(self.panel)
        parts = _parts(panel, self.tree)
        sums = tree_of(parts, panel.table.index) if parts else None
        if sums is not None and self.allow_negative:
            raise DataError(
                "Negative values cannot be combined with sums (tree, part_of), which need values "
                "of at least 0. Expected one of them. Leave one out."
            )
        notes = [f"panel: {note}" for note in panel.notes]
        table, covariates = panel.table, None
        if sums is not None:
            notes += [f"tree: {gap}" for gap in contradictions(table, sums)]
            if early := [*table.index[table.iloc[:, -1].isna()]]:
                notes.append(f"tree: forecast in the months of the others: {first_few(early)}")
            table = add_sums(table, sums)
        if self.covariates is not None:
            covariates = read_covariates(self.covariates, table=table)
            notes += [f"covariates: {note}" for note in covariates.notes]
        snapshot = Snapshot.of_panel(table, ahead, covariates, sums)
        return replace(panel, notes=tuple(notes)), snapshot


def _parts(panel: Panel, tree: Sums | None) -> dict[str, tuple[str, ...]]:
    if isinstance(tree, Mapping):
        pairs = [(part, total) for total, parts in tree.items() for part in parts]
        table = pd.DataFrame(pairs, columns=["destination", "part_of"])
        rows, source = table.assign(destination=names_in(table["destination"])), "tree"
    elif tree is not None:
        rows, source = read_rows(tree, "tree"), named(tree, "tree")
    elif panel.parts is not None:
        rows, source = panel.parts, "the panel"
    else:
        return {}
    return sums_in(rows, source, left_out=panel.refused)


def refusal(panel: Panel) -> str:
    """Line about refused series; empty if there are none."""
    if not panel.refused:
        return ""
    reasons = [f"{series}: {reason}" for series, reason in panel.refused.items()]
    remedy = f". {TAKES_NEGATIVE}" if NEGATIVE in "".join(reasons) else ""
    return f"{len(reasons)} series refused, the others are used: {first_few(reasons)}{remedy}"


def left_out(panel: Panel, snapshot: Snapshot, stale: str) -> dict[str, str]:
    """Series that are not forecast and why: refused ones, and those that ended long ago."""
    reasons, known = dict(panel.refused), np.isfinite(snapshot.tonnes)
    last = snapshot.first + known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    is_old = snapshot.cutoff - last >= YEAR
    if stale == FORECAST and snapshot.tree is None:
        is_old[:] = False
    for row in np.flatnonzero(is_old):
        reasons[snapshot.series[row]] = (
            f"ended in {month_label(int(last[row]))}, a year or more before the panel; "
            "stale='forecast' forecasts it from there"
        )
    return reasons


def panel_snapshot(files: PanelFiles, horizon: int | None) -> tuple[Panel, Snapshot]:
    """Panel and its snapshot to forecast; notes about the files go to stderr."""
    panel, snapshot = files.open(horizon)
    for note in filter(None, [*panel.notes, refusal(panel)]):
        echo(note if note in panel.notes else f"panel: {note}")
    return panel, snapshot


def forecast_panel(
    files: PanelFiles, *, horizon: int | None, track: Progress, parameters: ModelParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Forecasts of the months after a panel, and what is left out.

    Returns:
        Rows of a forecast file; destination and reason of each series left out.
    """
    panel, snapshot = panel_snapshot(files, horizon)
    fitted = PanelForecaster(parameters, shifts_negative=files.allow_negative).fit(snapshot)
    forecasts = fitted.from_own_ends(track, stale=files.stale == FORECAST)
    reasons = left_out(panel, snapshot, files.stale)
    say_left_out(set(reasons) - set(panel.refused))
    table = pd.DataFrame(sorted(reasons.items()), columns=["destination", "reason"])
    return forecast_file(forecasts, status="panel"), table


def months_ahead(months: int | None, option: str = "--horizon") -> int:
    """Number of months to forecast, checked; the default if None."""
    ahead = PANEL_HORIZON if months is None else months
    if not 1 <= ahead <= MOST_AHEAD:
        raise DataError(
            f"{option} {ahead} is out of range. Expected 1 to {MOST_AHEAD} months. Correct it."
        )
    return ahead


def say_left_out(names: set[str]) -> None:
    """Report series without a value in the year before the cutoff, which are not forecast."""
    if names:
        echo(f"no value in the year before the cutoff, not forecast: {first_few(sorted(names))}")


MOST_KINDS: Final = 50
"""Texts in a further column, at most: each is a column of its own."""


class PanelDates(NamedTuple):
    """How a panel dates its months."""

    freq: str
    after: pd.Timedelta
    """Of each date, after the first of its month; none if the dates are the last of months."""
    zone: Any

    @classmethod
    def of(cls, dates: "pd.Series[Any]") -> tuple["PanelDates", str]:
        """As dates of a panel are, and a note where forecasts cannot be dated the same."""
        if not pd.api.types.is_datetime64_any_dtype(dates):
            dates = pd.to_datetime(dates.astype("str"), format="ISO8601", errors="coerce")
        zone, local = dates.dt.tz, dates.dt.tz_localize(None)
        if local.dt.is_month_end.all():
            return cls("ME", pd.Timedelta(0), zone), ""
        after = (local - local.dt.to_period("M").dt.to_timestamp()).dropna().unique()
        if len(after) <= 1:
            return cls("MS", pd.Timedelta(0) if len(after) == 0 else after[0], zone), ""
        note = "dates lie on several days of the month, forecasts on the first"
        return cls("MS", pd.Timedelta(0), zone), note

    def dated(self, months: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """First days of months as the panel dates them."""
        ends = pd.offsets.MonthEnd(0) if self.freq == "ME" else self.after
        return (months + ends).as_unit(months.unit).tz_localize(self.zone)


def frames_like(table: Table) -> Callable[[pd.DataFrame], Table]:
    """What turns forecasts into frames of the make of a table."""
    frame = nw.from_native(table, pass_through=True)
    if not isinstance(frame, nw.DataFrame | nw.LazyFrame) or frame.implementation.is_pandas():
        return lambda forecasts: forecasts
    make: Any = frame.implementation
    return lambda forecasts: nw.from_arrow(forecasts, backend=make).to_native()


def check_same(df: pd.DataFrame, panel: pd.DataFrame) -> None:
    """Refuse months to append whose columns are not those of the panel."""
    if differing := sorted({*map(str, df.columns)} ^ {*map(str, panel.columns)}):
        raise DataError(
            f"update has or lacks {first_few(differing)}. Expected the columns of fit: "
            f"{', '.join(map(str, panel.columns))}. Correct it, or fit anew."
        )


def further_columns(panel: pd.DataFrame, covariates: object) -> pd.DataFrame | None:
    """Further columns of a panel with series and date; None without any."""
    further = [name for name in panel if name not in {*OURS, PART_OF}]
    if further and covariates is not None:
        raise DataError(
            f"Panel has {first_few(further)}, which would not be used. Expected covariates= or "
            "further columns. Drop the column."
        )
    for name in further:
        kinds, is_number = panel[name].dropna(), pd.api.types.is_numeric_dtype(panel[name])
        mixed = len({isinstance(kind, str) for kind in kinds}) > 1
        if mixed or (not is_number and kinds.nunique() > MOST_KINDS):
            values = "texts and numbers mixed" if mixed else f"more than {MOST_KINDS} texts"
            raise DataError(
                f"Panel has {name}, a column of {values}, which cannot be used. Expected numbers, "
                f"booleans or at most {MOST_KINDS} texts. Correct or drop the column."
            )
    return panel[[*OURS[:2], *further]] if further else None


def in_numbers(rows: pd.DataFrame, past: pd.DataFrame) -> pd.DataFrame:
    """Further columns as numbers; of texts and categories a column of 0 and 1 for each in ``past``.

    One that ``past`` does not have is refused.
    """
    columns: dict[str, Any] = {name: rows[name] for name in OURS[:2]}
    for name in rows.columns[2:]:
        if pd.api.types.is_numeric_dtype(past[name]):
            columns[name] = pd.to_numeric(rows[name], errors="coerce").astype(float)
            kinds, is_known = ["numbers"], columns[name].notna()
        else:
            texts, kinds = rows[name].astype("str"), sorted({*past[name].dropna().astype("str")})
            is_known, is_missing = texts.isin(kinds), rows[name].isna()
            for kind in kinds:
                columns[f"{name}={kind}"] = texts.eq(kind).astype(float).mask(is_missing)
        if unknown := sorted({*rows.loc[~is_known & rows[name].notna(), name].astype("str")}):
            raise DataError(
                f"Column {name} has {first_few(unknown)}, which the panel of fit never had. "
                f"Expected {first_few(kinds)}. Correct it, or fit anew."
            )
    return pd.DataFrame(columns)


def weights_of(panel: pd.DataFrame, name: str) -> pd.DataFrame:
    """Weights of a panel in training, series x month numbers; 1 where there is none."""
    require_columns("Panel", panel, [*OURS[:2], name])
    weights, wrong = numbers_of(panel[name])
    bad = wrong | np.isinf(weights) | (weights < 0)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"Panel has {panel[name].iloc[row]} as {name} in row {row}. Expected finite "
            "numbers of at least 0. Correct it."
        )
    rows = panel.assign(destination=names_in(panel[OURS[0]]))
    cells = pd.DataFrame(
        {"destination": rows["destination"], "month": months_in(rows, "Panel")[0], "w": weights}
    )
    return cells.pivot_table(index="destination", columns="month", values="w", aggfunc="first")


def check_future(rows: pd.DataFrame, past: pd.DataFrame | None, series: set[str]) -> None:
    """Refuse series and further columns that the panel does not have."""
    named = set() if OURS[0] not in rows else {*names_in(rows[OURS[0]].dropna())}
    planned = set() if past is None else {*past}
    if unknown := [*sorted(named - series), *sorted({*rows} - planned - {*OURS, PART_OF})]:
        raise DataError(
            f"X_df has {first_few(unknown)}, which the panel of fit does not have. Expected "
            "its series and further columns. Leave them out, or fit with them."
        )


def constant_columns(past: pd.DataFrame) -> list[str]:
    """Further columns that never change within a series."""
    counts = past.groupby(OURS[0])[list(past.columns[2:])].nunique().max()
    return list(counts.index[counts <= 1])


def signature_of(past: pd.DataFrame | None, names: Names) -> Any:  # noqa: ANN401 - MLflow's
    """MLflow's signature: ``h``, and the columns that ``X_df`` must have, if some change."""
    from mlflow.models import ModelSignature  # noqa: PLC0415 - takes seconds
    from mlflow.types import ColSpec, Schema  # noqa: PLC0415

    columns, types = [ColSpec("long", "h")], {"i": "long", "f": "double", "b": "boolean"}
    changing = [] if past is None else [*past.columns[2:].difference(constant_columns(past))]
    if past is not None and changing:
        theirs = dict(zip(OURS, names, strict=True))
        for name, kind in past.filter([*OURS[:2], *changing]).dtypes.items():
            mlflow_type = types.get(kind.kind, "datetime" if kind.kind == "M" else "string")
            columns.append(ColSpec(mlflow_type, theirs.get(str(name), str(name))))
    return ModelSignature(Schema([*columns]))


def rows_to_score() -> Table | None:
    """Rows that a search of scikit-learn keeps to score the fit it is at, None outside of one.

    It turns errors of ``score`` into gaps, so ``fit`` refuses rows that cannot be scored.
    """
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "_fit_and_score":
        frame = frame.f_back
    return frame and frame.f_locals["X_test"]


def months_to_score(files: PanelFiles, df: pd.DataFrame, last: int) -> Snapshot:
    """Rows to score, which must reach beyond ``last``, the last month of fit."""
    truth = Snapshot.of_panel(files.read(df).table, 1)
    if truth.cutoff > last:
        return truth
    raise DataError(
        f"The rows to score end in {month_label(truth.cutoff)}, those of fit in "
        f"{month_label(last)}. Expected rows of later months. Fit on earlier months; "
        "GridSearchCV takes splits of rows as cv=[(early, late)], not a number of folds."
    )


def text_of(part: Any, name: str) -> Any:  # noqa: ANN401 - as of ``Forecaster.fit``
    """A table as JSON, a tree as pairs, whose keys keep their types."""
    if isinstance(part, Mapping):
        return [*part.items()]
    if part is None:
        return None
    rows = read_rows(part, name) if isinstance(part, Path) else part
    return rows.to_json(orient="table", index=False, double_precision=15)


def part_of_text(text: Any) -> Any:  # noqa: ANN401 - as of ``Forecaster.fit``
    """Table or tree that ``text_of`` wrote."""
    if isinstance(text, str):
        return pd.read_json(StringIO(text), orient="table", precise_float=True)
    return text and dict(text)


def values_at(forecasts: pd.DataFrame, levels: Sequence[float]) -> Floats:
    """Quantiles of forecasts at any levels, rows x levels."""
    rows = forecasts[list(QUANTILE_COLUMNS)].to_numpy()
    inner = np.array([np.interp(levels, QUANTILES, row) for row in rows])
    wanted, middle = np.array(levels, dtype=float), forecasts[["p50"]].to_numpy()
    edge = np.clip(wanted, QUANTILES[0], QUANTILES[-1])
    tail, outer = (np.where(edge == wanted, 1.0, TAILS.ppf(each)) for each in (wanted, edge))
    return np.where(edge == wanted, inner, middle + (inner - middle) * tail / outer)


def transform_pair(transform: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:  # noqa: ANN401
    """A function of ``target_transforms`` and its inverse."""
    if not isinstance(transform, tuple):
        raise DataError(
            f"target_transforms has {transform!r}. Expected pairs of an increasing function and "
            "its inverse, e.g. (np.log1p, np.expm1). Leave it out: the engine forecasts changes."
        )
    return transform


def levels_by_name(
    level: Sequence[float] | None, quantiles: Sequence[float] | None, columns: Names
) -> dict[str, float]:
    """Levels asked for, by the end of their column's name."""
    if level is None and quantiles is None and columns == OURS:
        quantiles = (0.1, 0.5, 0.9)
    if shares := [each for each in level or () if each < 1]:
        raise DataError(
            f"level has {', '.join(map(str, shares))}, which is less than one percent. Expected "
            f"percent, such as {100 * shares[0]:g} for {shares[0]:g}; of quantiles quantiles=. "
            "Correct it."
        )
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


def models_by_name(models: Any) -> dict[str, Any]:  # noqa: ANN401 - as of ``Forecaster``
    """Models by name; those of a list are named as mlforecast names them."""
    if models is None or isinstance(models, Mapping):
        return dict(models or {})
    each = [*models] if isinstance(models, Sequence) else [models]
    names = [getattr(model, "__name__", type(model).__name__) for model in each]
    counts = [names[:place].count(name) for place, name in enumerate(names)]
    named = [f"{name}{n + 1}" if n else name for name, n in zip(names, counts, strict=True)]
    return dict(zip(named, each, strict=True))
