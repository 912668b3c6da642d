"""The whole forecast of a model that MLflow serves, as magnetcast would publish it."""

from collections.abc import Mapping

import lightgbm as lgb
import pandas as pd

from flows.clock import utc_now
from flows.context.run_config import RunConfig
from flows.context.workspace import open_workspace
from flows.ingest.ingest import ingest_if_empty
from flows.training.predict import forecast_with
from models.quantile_model import LEARNED_UNTIL, NAMES, PUBLISHED_AS, TrainedModel
from store.asof import until
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import COMMODITY, QUANTILE_COLUMNS


def served_forecast(
    boosters: Mapping[str, lgb.Booster], metadata: Mapping[str, object], cells: pd.DataFrame
) -> pd.DataFrame:
    """Forecasts of a stored model at some moments, as they would be published.

    Args:
        cells: ``as_of``, ``destination`` and ``period`` (first day of a month) unless all are
            meant, and ``vintage``, the last ingest to use, unless later ones count too.

    Returns:
        One row a destination and month: destination, period, quantiles and mean in tonnes.
    """
    settings, model = Settings(), TrainedModel(boosters, metadata)
    ingest_if_empty(settings)
    key = [name for name in ("as_of", "vintage") if name in cells]
    rows = [
        _rows_at(settings, model, names, str(as_of), *[int(str(each)) for each in until])
        for (as_of, *until), names in cells.groupby(key, sort=False)
    ]
    return pd.concat(rows, ignore_index=True)


def _rows_at(
    settings: Settings,
    model: TrainedModel,
    cells: pd.DataFrame,
    as_of: str,
    vintage: int | None = None,
) -> pd.DataFrame:
    moment = until(as_of, now=utc_now())
    if moment < (learned := pd.Timestamp(str(model.metadata[LEARNED_UNTIL]))):
        raise DataError(
            f"The model learned from figures published until {learned:%Y-%m-%d}, which nobody had "
            f"at {as_of}. Expected a moment from then on. `magnetcast predict --as-of` trains on "
            "what was known then."
        )
    config = RunConfig(str(model.metadata.get(PUBLISHED_AS, COMMODITY)))
    workspace = open_workspace(settings, moment, config, until=vintage)
    columns = [*NAMES, *QUANTILE_COLUMNS, "mean"]
    forecast = forecast_with(workspace, model)[columns]
    forecast = forecast.assign(period=pd.to_datetime(forecast["period"]))
    names = [name for name in NAMES if name in cells and cells[name].notna().all()]
    if not names:
        return forecast
    rows = cells[names].drop_duplicates()
    if "period" in names:
        rows = rows.assign(period=pd.to_datetime(rows["period"]).astype(forecast["period"].dtype))
    rows = rows.merge(forecast, on=names, how="left")
    missing = rows.loc[rows["p50"].isna(), names].astype(str).to_numpy().tolist()
    if missing:
        raise DataError(
            f"{' '.join(missing[0])} is not forecast at {as_of}. Expected a code such as USA and "
            "the first day of a month within the horizon. Leave the column out for all."
        )
    return rows[columns]
