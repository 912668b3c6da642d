"""Published forecasts on request, their models, and the same forecasts made anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.panel.system import PRIOR, PanelPrior
from flows.context.console import echo
from flows.context.run_config import RunConfig
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from models.forecasting.decomposition import stages_from
from models.forecasting.fallback import NUMBERS, modelled, plain, reason_of
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import rule_of
from models.learning.parameters import with_changes
from models.quantile_model import TrainedModel
from models.registry import model_registry
from store.errors import DataError, OldModelError, StoreError
from store.facts.commodities import evidence_digests
from store.facts.reading import latest_forecast, read_forecasts, read_publication
from store.months import month_label, month_number
from store.publications.integrity import made_with
from store.settings import Settings
from store.vocabulary import COMMODITY, NOT_REPRODUCED

Which: TypeAlias = pd.Timestamp | int
"""How a publication is named: the newest up to a moment (UTC), or by its number."""


@dataclass(frozen=True, slots=True)
class ExplainRequest:
    """What is to be explained."""

    destination: str
    period: str | None
    """``YYYY-MM``; None for all months."""
    as_of: Which
    """The publication."""
    commodity: str = COMMODITY
    """Key it is published under."""


def publication(settings: Settings, which: Which, *, commodity: str = COMMODITY) -> pd.DataFrame:
    """Rows of one publication of a commodity."""
    engine = store_of(settings)
    if isinstance(which, int):
        return numbered(engine, which, commodity=commodity)
    rows = latest_forecast(engine, as_of=which, commodity=commodity)
    if rows.empty:
        moments = read_forecasts(engine, commodity=commodity)["as_of"]
        expected = (
            f"Expected {moments.min():%Y-%m-%d} or later, the first publication"
            if len(moments)
            else "Expected a published forecast, and there is none"
        )
        key = RunConfig(commodity).table_key
        of = f" of {key}" if key else ""
        raise DataError(
            f"Nothing{of} was published by {which:%Y-%m-%d}. {expected}. "
            "Take a later day, or publish with `magnetcast run --as-of`."
        )
    return rows


def numbered(engine: Engine, number: int, *, commodity: str = COMMODITY) -> pd.DataFrame:
    """Rows of the publication with a number."""
    rows = read_publication(engine, number)
    if rows.empty or rows["commodity"].iloc[0] != commodity:
        raise DataError(
            f"No publication {number} of {commodity} was published. Expected a number that "
            "`magnetcast publications list` shows as published under that code. Take one of those."
        )
    return rows


def name_of(rows: pd.DataFrame) -> str:
    """Name of a publication in messages: its day and number."""
    return f"{rows['as_of'].iloc[0]:%Y-%m-%d} (publication {rows['publication'].iloc[0]})"


def facts_until(engine: Engine, rows: pd.DataFrame) -> int | None:
    """Last ingest whose facts a publication of the magnets uses; None if it uses all."""
    digest = evidence_digests(engine, as_of=rows["as_of"].iloc[0]).digest
    if digest == rows["data_vintage"].iloc[0]:
        return None
    ingest = record_of(engine, rows).get("ingest")
    return ingest if isinstance(ingest, int) else None


def record_of(engine: Engine, rows: pd.DataFrame) -> dict[str, Any]:
    """Record of how a publication was computed, empty if none was stored."""
    return made_with(engine, int(rows["publication"].iloc[0]))


def prior_behind(made_with: Mapping[str, Any]) -> PanelPrior:
    """Prior of the panel behind a publication, from its record."""
    return replace(PRIOR, **made_with.get("prior", {}))


def workspace_behind(settings: Settings, rows: pd.DataFrame) -> Workspace:
    """Workspace of a publication, without what was ingested later that day."""
    engine, config = store_of(settings), RunConfig(str(rows["commodity"].iloc[0]))
    record = record_of(engine, rows)
    changed = record.get("parameters", {})
    preset = config.preset(settings.threads)
    return open_workspace(
        settings,
        rows["as_of"].iloc[0],
        config,
        until=facts_until(engine, rows),
        parameters=with_changes(preset, changed, where="Publication"),
        prior=prior_behind(record),
    )


def chosen(table: pd.DataFrame, request: ExplainRequest) -> pd.DataFrame:
    """Requested rows of one forecast, by month."""
    rows = table.loc[table["destination"] == request.destination]
    day = f"{table['as_of'].iloc[0]:%Y-%m-%d}"
    if rows.empty:
        raise DataError(
            f"No forecast for destination {request.destination!r} as of {day}. "
            f"Expected one of {', '.join(sorted(set(table['destination'])))}. Take one of those."
        )
    months = rows["period"]
    if request.period is not None:
        rows = rows.loc[months == _month(request.period)]
    if rows.empty:
        raise DataError(
            f"--period {request.period} is not forecast as of {day}. "
            f"Expected {months.min()} to {months.max()}. Take one of those months."
        )
    return rows.sort_values("period", ignore_index=True)


def common(
    before: pd.DataFrame, after: pd.DataFrame, request: ExplainRequest
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Requested rows of two publications, for the months of both."""
    old, new = (chosen(table, request) for table in (before, after))
    months = sorted(set(old["period"]) & set(new["period"]))
    if not months:
        spans = [f"{table['period'].iloc[0]} to {table['period'].iloc[-1]}" for table in (old, new)]
        raise DataError(
            f"The forecasts as of {old['as_of'].iloc[0]:%Y-%m-%d} ({spans[0]}) and "
            f"{new['as_of'].iloc[0]:%Y-%m-%d} ({spans[1]}) have no month in common. "
            "Expected two that tell of one month. Take days nearer to each other."
        )
    old, new = (
        table.loc[table["period"].isin(months)].reset_index(drop=True) for table in (old, new)
    )
    return old, new


def in_order(rows: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Quantiles and means of a publication by series, then target, as ``features`` has them."""
    keys = pd.MultiIndex.from_arrays(
        [features["destination"], features["period"].dt.strftime("%Y-%m")]
    )
    numbers = rows.set_index(["destination", "period"])[NUMBERS]
    if len(numbers) != len(keys) or not keys.isin(numbers.index).all():
        raise DataError(
            f"The forecast as of {rows['as_of'].iloc[0]:%Y-%m-%d} has {len(numbers)} rows that are "
            f"not the {len(keys)} series and months known there. Expected the same. "
            "Publish anew with `magnetcast run`."
        )
    return numbers.loc[keys].reset_index(drop=True)


def model_of(settings: Settings, rows: pd.DataFrame) -> TrainedModel | None:
    """Model behind published rows; None, and a message, if it is gone."""
    try:
        return _model_behind(settings, rows)
    except StoreError as err:
        echo(f"explain   {err} What only its model could tell is counted as {NOT_REPRODUCED}")
    return None


def _model_behind(settings: Settings, rows: pd.DataFrame) -> TrainedModel:
    name, kind = str(rows["model"].iloc[0]), RunConfig(str(rows["commodity"].iloc[0])).model
    registered = model_registry.named(settings, name, kind)
    if registered is None:
        raise StoreError(f"Model {name} is not in the registry {settings.tracking_uri}.")
    try:
        return model_registry.load(settings, registered.version, kind)
    except OldModelError as err:
        record = record_of(store_of(settings), rows)
        maker = f"magnetcast {record['version']}" if "version" in record else "an older magnetcast"
        raise OldModelError(
            f"The forecast of {name_of(rows)} was made by {maker}, commit "
            f"{record.get('code', 'unknown')}, and this version, {version('magnetcast')}, cannot "
            f"recompute it. {reason_of(err)} Expected that version; the publication stands, and "
            "`magnetcast publications verify` checks it."
        ) from err


def _month(text: str) -> str:
    try:
        return month_label(month_number(pd.Period(text.strip(), freq="M").to_timestamp()))
    except (ValueError, AttributeError) as err:  # of "" and "NaT" pandas makes NaT, without a start
        raise DataError(
            f"--period {text!r} is no month. Expected YYYY-MM, e.g. 2027-01. Correct it."
        ) from err


_SAME = 1e-9
"""Difference up to which a number is reproduced: relative, and in tonnes."""


_CELL: Final = ["destination", "period"]


@dataclass(frozen=True, slots=True)
class Replay:
    """A publication and the same rows recomputed."""

    rows: pd.DataFrame = field(repr=False)
    """As ``store.facts.reading.read_forecasts``."""
    again: pd.DataFrame = field(repr=False)

    @property
    def difference(self) -> str:
        published, recomputed = (
            table[NUMBERS].to_numpy(dtype=float) for table in (self.rows, self.again)
        )
        apart = ~np.isclose(recomputed, published, rtol=_SAME, atol=_SAME)
        if not apart.any():
            return ""
        row, column = np.unravel_index(
            int(np.abs(published - recomputed).argmax()), published.shape
        )
        cell = self.rows.iloc[int(row)]
        return (
            f"{int(apart.sum())} of {apart.size} numbers differ, most of all "
            f"{NUMBERS[int(column)]} of {cell['destination']} in {cell['period']}: "
            f"{published[row, column]:,.3f} published, {recomputed[row, column]:,.3f} now"
        )


def replayed(settings: Settings, rows: pd.DataFrame) -> Replay:
    """Recompute a publication from all its rows."""
    workspace = workspace_behind(settings, rows)
    snapshot = workspace.snapshot
    features = rows_of(snapshot.origin)
    in_order(rows, features)
    forecasts = pd.DataFrame(np.nan, index=features.index, columns=NUMBERS)
    for name, model_rows in rows.groupby("model"):
        forecast = _forecast_of(workspace, str(name), model_rows, features)
        is_forecast = features["destination"].isin(set(model_rows["destination"])).to_numpy()
        forecasts.loc[is_forecast, NUMBERS] = forecast[NUMBERS].to_numpy()[is_forecast]
    published = stages_from(forecasts, snapshot.origin, snapshot.effect, snapshot.tree).published
    months = features["period"].dt.strftime("%Y-%m")
    by_cell = published.set_index([features["destination"], months])
    numbers = by_cell[NUMBERS].loc[pd.MultiIndex.from_frame(rows[_CELL])]
    return Replay(rows, rows.assign(**{name: numbers[name].to_numpy() for name in NUMBERS}))


def _forecast_of(
    workspace: Workspace, name: str, published_rows: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Forecast of each row by the model of a name.

    A fallback is recomputed for partner tables only: the table alone sets its bands there.
    """
    if (rule := rule_of(name)) and not workspace.calibrates_fallback:
        bands = workspace.rule_metadata(rule, None)
        return plain(rule, workspace.origin, features, bands).table
    try:
        model = _model_behind(workspace.settings, published_rows)
    except OldModelError:
        raise
    except StoreError as err:
        raise DataError(
            f"{err} {name} cannot be loaded, so what it forecast cannot be recomputed. Expected a "
            "model of the registry: base forecasts and the seasonal naive without one are not "
            "recomputed. If it was one, restore MLflow's files from a backup."
        ) from err
    return modelled(model, features).table
