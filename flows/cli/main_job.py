"""The main job as a person sees it: progress, then the forecast and where to look next."""

import pandas as pd

from flows.cli.output import show
from flows.context.console import say
from flows.run import RunOutcome, run
from service.report.terminal_tables import forecast_table
from store.database import shown_address
from store.settings import Settings


def run_and_tell(settings: Settings, as_of: pd.Timestamp) -> None:
    """Run the main job and print its forecast to stdout and the rest to stderr."""
    say(f"magnetcast as of {as_of:%Y-%m-%d}")
    outcome = run(settings, as_of)
    show(forecast_table(outcome.forecasts))
    _tell(settings, outcome)


def _tell(settings: Settings, outcome: RunOutcome) -> None:
    if outcome.is_new:
        say(f"\nHow good was it?  {outcome.verdict}.")
        say("What it could not know:")
        for sentence in outcome.unknowns:
            say(f"  - {sentence}")
    say("\nWhere to look next:")
    say(f"  report    {outcome.report}")
    say(f"  runs      .venv/bin/mlflow ui --backend-store-uri {settings.tracking_uri}")
    say(f"  database  {shown_address(settings.url)}")
