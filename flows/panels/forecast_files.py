"""Forecasts of one's own, from a file or a frame, beside those of the engine."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from flows.panels.panel_files import PanelFiles
from models.evaluation.forecast_comparison import compared_forecasts
from models.forecasting.model_names import MODEL
from sources.files.panel import NIXTLA, Faults, Names, Table, named, read_rows, require_columns
from store.errors import DataError, first_few
from store.months import month_label, month_starts
from store.vocabulary import QUANTILE_COLUMNS

_ENDS: Final = {
    "-lo-50": "p25", "-hi-50": "p75", "-lo-80": "p10", "-hi-80": "p90", "-lo-90": "p05",
    "-hi-90": "p95",
}  # fmt: skip
"""Quantiles by the ends of Nixtla's names of bands."""

_BAND: Final = re.compile("-(lo|hi|q)-")


def compare_forecasts(
    df: Table | Path,
    *forecasts: Table | Path,
    model: str | None = None,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
) -> pd.DataFrame:
    """Scores of forecasts beside each other, on the cells that all of them have.

    Args:
        df: Panel of what came, as for ``Forecaster.fit``, or its file.
        forecasts: Tables or files: series, cutoff, date and ``p50``, perhaps further quantiles,
            ``mean`` and ``model``; or as ``cross_validation`` returns them, a column a model with
            ``-lo-80`` and ``-hi-80`` beside it.
        model: The one that is compared with each other; the first if left out.
        id_col: Names of columns, if they differ, with ``time_col`` and ``target_col``.

    Returns:
        One row per cutoff (``all`` first), other model and metric: mase, sql, wape, bias,
        coverage80, with the interval of the difference; below 0 the model is better.

    Raises:
        DataError: A table cannot be used, or they share no cell.

    Examples:
        >>> months = pd.date_range("2021-01-01", periods=48, freq="MS")
        >>> df = pd.DataFrame({"unique_id": "a", "ds": months, "y": 100.0 + months.month})
        >>> cut = pd.Timestamp("2023-12-01")
        >>> ahead = df[df["ds"] > cut].rename(columns={"y": "p50"}).assign(cutoff=cut)
        >>> high = ahead.assign(p50=1.1 * ahead["p50"])
        >>> found = mc.compare_forecasts(df, ahead, high)
        >>> found.loc[found["metric"].eq("wape"), "difference"].round(2).tolist()[0]
        -0.1
    """
    columns: Names | None = None
    if id_col or time_col or target_col:
        columns = (id_col or NIXTLA[0], time_col or NIXTLA[1], target_col or NIXTLA[2])
    _, snapshot = PanelFiles(df, columns=columns).open()
    tables = [
        read_forecasts(each, columns, f"model {place}") for place, each in enumerate(forecasts, 1)
    ]
    rows = pd.concat(tables, ignore_index=True)
    names = list(dict.fromkeys(rows["model"]))
    if len(names) < 2 or (model or names[0]) not in names:  # noqa: PLR2004 - a pair
        raise DataError(
            f"Forecasts are of {first_few(names)}. Expected two models or more, {model or 'one'} "
            "among them. Give the forecasts of another, or name the model in a column model."
        )
    return compared_forecasts(snapshot, rows, model or names[0])


def read_forecasts(source: Table | Path, columns: Names | None, unnamed: str) -> pd.DataFrame:
    """Forecasts of a file or frame: model, cutoff, destination, period and what each model says.

    Args:
        unnamed: Name of a model that the table does not name.
    """
    name = named(source, "Forecasts")
    rows = read_rows(source, "Forecasts", called=columns)
    require_columns(name, rows, ["destination", "period", "cutoff"])
    if "p50" in rows:
        labelled = rows if "model" in rows else rows.assign(model=unnamed)
        parts = [labelled]
    else:
        models = [
            label
            for label in rows.columns.drop(["destination", "period", "cutoff"])
            if label not in {"tonnes", "mean"} and not _BAND.search(label)
        ]
        require_columns(name, rows, models[:1] or ["p50"])
        parts = [_of_model(rows, label) for label in models]
    table = pd.concat(parts, ignore_index=True)
    faults, of_cutoffs = Faults(table), Faults(table.assign(period=table["cutoff"]))
    periods, cutoffs = faults.months(name, "period"), of_cutoffs.months(name, "cutoff")
    values = [label for label in (*QUANTILE_COLUMNS, "mean") if label in table]
    numbers = {label: faults.numbers(label, label.format)[0] for label in values}
    if reasons := {**faults.reasons(), **of_cutoffs.reasons()}:
        few = first_few([f"{series}: {reason}" for series, reason in reasons.items()])
        raise DataError(
            f"{name} has rows that cannot be read. {few}. Expected months and numbers. Correct "
            "them; nothing was compared."
        )
    labels = {
        "model": table["model"].astype("str"),
        "destination": table["destination"],
        "cutoff": [month_label(int(month)) for month in cutoffs],
        "period": month_starts(periods),
    }
    return pd.DataFrame({**labels, **numbers})


def _of_model(rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Columns of a model, as Nixtla's tools name them."""
    ends = {f"{model}{end}": name for end, name in _ENDS.items() if f"{model}{end}" in rows}
    table = rows[["destination", "period", "cutoff", model, *ends]]
    table = table.rename(columns={model: "p50", **ends}).assign(model=model)
    return table.assign(mean=rows["mean"]) if model == MODEL and "mean" in rows else table


def against(files: PanelFiles, own: pd.DataFrame, paths: Sequence[Path]) -> pd.DataFrame:
    """Scores of the engine's forecasts of past months beside those in files."""
    _, snapshot = files.open()
    theirs = [read_forecasts(path, files.columns, path.stem) for path in paths]
    names = ["model", "cutoff", "destination", "period", *QUANTILE_COLUMNS, "mean"]
    return compared_forecasts(snapshot, pd.concat([own[names], *theirs], ignore_index=True), MODEL)
