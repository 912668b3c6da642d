"""What stands in the store and which model publishes."""

import pandas as pd

from flows.workspace import store_of
from models import registry
from store.database import shown_address
from store.reading import latest_forecast, read_runs, read_vintages
from store.settings import Settings


def status_table(settings: Settings) -> pd.DataFrame:
    """Return what is known of data, forecast, model and runs, one row a fact."""
    engine = store_of(settings)
    vintages, runs, latest = read_vintages(engine), read_runs(engine), latest_forecast(engine)
    champion = registry.champion(settings)
    facts = {
        "database": shown_address(settings.url),
        "files ingested": str(len(vintages)),
        "rows ingested": str(int(vintages["rows"].sum())) if len(vintages) else "0",
        "runs": str(len(runs)),
        "last run": f"{runs['started_at'].max():%Y-%m-%d %H:%M} UTC" if len(runs) else "none",
        "champion": "none"
        if champion is None
        else f"version {champion.version}, {champion.model_version}",
        "forecast as of": f"{latest['as_of'].max():%Y-%m-%d}" if len(latest) else "none",
        "cutoff": str(latest["cutoff"].iloc[0]) if len(latest) else "none",
        "months": f"{latest['period'].min()} to {latest['period'].max()}"
        if len(latest)
        else "none",
    }
    return pd.DataFrame({"fact": list(facts), "value": list(facts.values())})
