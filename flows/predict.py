"""Forecast at an as_of: by the champion if it stood by then, else by one trained as of that day."""

from dataclasses import dataclass

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features.build import frame_of
from features.months import month_label
from flows.console import say, track
from flows.workspace import Workspace, open_workspace
from models import registry
from models.backtest import Backtest, replay
from models.explain import drivers
from models.rolling import MODEL, coherent
from models.rolling import train as fit
from models.scores import hit_rates
from models.served import predict_quantiles
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, MAX_HORIZON, MONTHS_AHEAD


@dataclass(frozen=True, slots=True)
class Forecast:
    """A coherent forecast, ready to publish."""

    table: pd.DataFrame
    """``FORECAST_COLUMNS`` and drivers, band_hit_rate."""
    model_version: str


@flow(name="predict", validate_parameters=False)
def predict(settings: Settings, as_of: pd.Timestamp, result: Backtest | None = None) -> Forecast:
    """Return the forecast of an as_of from nothing that became known later."""
    workspace = open_workspace(settings, as_of)
    return forecast_task(workspace, result)


def forecast(workspace: Workspace, result: Backtest | None) -> Forecast:
    """Return quantiles of every destination and month, made coherent, with what moved each most."""
    origin = workspace.history.origin(workspace.as_of)
    rows = frame_of(origin)
    champion = registry.champion(workspace.settings)
    if champion is not None and pd.Timestamp(champion.as_of) <= workspace.as_of:
        model = registry.load(workspace.settings, champion.version)
        heads, raw = model.heads, model.quantiles(rows)
        version, status = champion.model_version, "champion"
    else:
        say("predict   no champion stood by then: training as of that day")
        seen = result or replay(
            workspace.history, workspace.as_of, spec=workspace.spec, track=track
        )
        trained = fit(workspace.history, workspace.as_of, spec=workspace.spec, memory=seen.memory)
        heads, raw = trained.heads, predict_quantiles(trained.heads, trained.card, rows)
        version, status = workspace.model_version, "replay"
    table = coherent(raw, origin)
    late = origin.late_months > MAX_HORIZON - MONTHS_AHEAD
    labels = rows[["destination", "horizon"]].assign(
        cutoff=month_label(origin.cutoff),
        period=rows["period"].dt.strftime("%Y-%m"),
        horizon=rows["horizon"].astype(int),
        model=version,
        status="stale" if late else status,
    )
    published = pd.concat([labels, table], axis=1)[list(FORECAST_COLUMNS)]
    published["drivers"] = drivers(heads, rows, table["p50"])
    if result is not None and len(result.cells):
        published["band_hit_rate"] = published["destination"].map(hit_rates(result.cells, MODEL))
    return Forecast(published, version)


forecast_task = task(name="forecast", cache_policy=NO_CACHE)(forecast)
