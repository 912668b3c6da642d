"""Settings of the libraries beneath, applied before they load."""

import os
from typing import Final

DEFAULTS: Final = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "magnetcast",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_CLIENT_MAX_RETRIES": "3",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "600",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""Unless the environment sets them otherwise: no telemetry, our messages on Prefect's page of a run
as on the terminal (``flows.context.console.LOG``) and no tracebacks of its own beside them there,
patience with a busy machine but not minutes per call for a Prefect server or an MLflow that is gone
(the fallback chain forecasts then), none of the ten processes by which MLflow's server judges
language models, and no threads that spin while they wait."""


def set_defaults() -> None:
    """Set what the environment does not; Prefect and MLflow read it when they are loaded."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
