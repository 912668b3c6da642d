"""The command line: one verb a flow, results to stdout or a file, messages to stderr."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from cyclopts import App, Parameter

DEFAULTS = {
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "DO_NOT_TRACK": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""For the libraries beneath, unless the environment says otherwise: no telemetry, no tracebacks
beside our own message, patience with a busy machine but not minutes a call for an MLflow that is
away (the ladder answers then), and no threads that spin while they wait."""
for _name, _value in DEFAULTS.items():
    os.environ.setdefault(_name, _value)

from flows.cli.output import Format, write_parts, write_result  # noqa: E402
from flows.clock import utc_today  # noqa: E402 - the environment is read on import
from flows.context.console import say, track  # noqa: E402
from store.errors import DataError, SourceError, StoreError  # noqa: E402
from store.settings import Settings  # noqa: E402

app = App(
    name="magnetcast", help="Forecast China's monthly exports of rare-earth magnets by destination."
)

AsOf = Annotated[
    str | None,
    Parameter(
        name="--as-of",
        help="Day or UTC moment to stand at; facts of that very day are known. Today if left out.",
    ),
]
Out = Annotated[
    Path | None, Parameter(name="--out", help="File for the result; stdout if left out.")
]
Covariates = Annotated[
    Path | None,
    Parameter(
        help="What is known ahead: destination, period, name, value and perhaps available_at."
    ),
]
Controls = Annotated[
    Path | None,
    Parameter(help="Export controls on series of the panel, answered from those on minerals."),
]
Sums = Annotated[
    Path | None, Parameter(help="Which destinations add up to what: destination, part_of.")
]
Commodity = Annotated[
    str | None,
    Parameter(help="Code of a commodity with a full partner table in the store, e.g. 850511."),
]
Form = Annotated[Format, Parameter(name="--format", help="Form of the result.")]


@app.command
def run(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    commodities: Annotated[
        Path | None,
        Parameter(help="Commodities to forecast together: commodity, group, materials, label."),
    ] = None,
) -> None:
    """Run the main job: ingest, backtest, train, predict, publish and report.

    First the same for every full partner table in the store, which is quickly done; with
    --commodity only for that one, without the magnets. With --commodities only for those of the
    file, with one model for each group of them.
    """
    from flows.cli.run_commands import (
        run_and_tell,
        run_file_and_tell,
        run_table_and_tell,
        run_tables_and_tell,
    )

    settings, stand = Settings(), moment(as_of)
    if commodities is not None:
        run_file_and_tell(settings, stand, commodities, commodity=commodity)
        return
    if commodity is not None:
        run_table_and_tell(settings, stand, commodity)
        return
    run_tables_and_tell(settings, stand)
    run_and_tell(settings, stand)


@app.command
def panel(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Write the evidence panel: destination, period, tonnes, stderr_t, kind, available_at.

    With --commodity the partner table of that one instead: destination, period, tonnes.
    """
    from flows.context.workspace import open_workspace

    if commodity is not None:
        from flows.cli.table_commands import table_rows

        write_result(table_rows(Settings(), moment(as_of), commodity), out=out, form=format)
        return
    stand = moment(as_of)
    found = open_workspace(Settings(), stand).history.panel(stand)
    for row in found.suspicious.itertuples(index=False):
        say(
            f"suspicious: {row.statement}, {row.residual_t:+,.0f} t from the rest; {row.source_url}"
        )
    frame = found.frame.assign(
        period=found.frame["period"].dt.strftime("%Y-%m"),
        tonnes=found.frame["tonnes"].round(3),
        stderr_t=found.frame["stderr_t"].round(3),
    )
    write_result(frame, out=out, form=format)


@app.command
def train(
    *,
    as_of: AsOf = None,
    tune: Annotated[
        int | None, Parameter(help="Instead try this many choices of the panel engine.")
    ] = None,
    panel: Annotated[str | None, Parameter(help="Panels to tune on: FILE[,FILE...].")] = None,
    before: Annotated[
        str | None,
        Parameter(help="Last month tuned on, for all panels or each; their own if left out."),
    ] = None,
    horizon: Annotated[
        str, Parameter(help="Months to forecast when tuning, for all panels or each.")
    ] = "6",
    out: Annotated[
        Path | None, Parameter(help="JSON file for the tuned choices; stdout if left out.")
    ] = None,
) -> None:
    """Train the model of a day, register it and let it publish if it passes the gate.

    With --tune search for the choices of the panel engine on early months of panels.
    """
    settings = Settings()
    if tune is not None:
        from flows.panels.tune import TuningRequest, tune_files

        tune_files(settings, TuningRequest(tune, panel, before, horizon), out=out)
        return
    if panel is not None:
        raise DataError(
            f"--panel {panel} without --tune trains nothing. Expected --tune N with it. "
            "Add it, or run `magnetcast predict --panel`, which trains on the panel first."
        )
    from flows.context.workspace import single_writer
    from flows.training.train import train as flow

    stand = moment(as_of)
    with single_writer(settings):
        flow(settings, stand)


@app.command
def backtest(
    *,
    as_of: AsOf = None,
    panel: Annotated[Path | None, Parameter(help="Any panel: destination, period, tonnes.")] = None,
    horizon: Annotated[int, Parameter(help="Months to forecast from each cutoff of a panel.")] = 6,
    cutoffs: Annotated[
        str | None, Parameter(help="Last known months, e.g. 2022-06,2022-12.")
    ] = None,
    covariates: Covariates = None,
    tree: Sums = None,
    controls: Controls = None,
    out: Annotated[
        Path | None, Parameter(help="Folder for forecasts, scores, differences and plots.")
    ] = None,
) -> None:
    """Replay the past: of the evidence panel, or of any panel at given cutoffs.

    A panel that is a folder of parts, as `magnetcast partition` makes it, is replayed part by part,
    against the seasonal naive and the middle of the experts, into a folder.
    """
    from flows.panels.backtest_files import replay_evidence, replay_panel
    from flows.panels.panel_files import PanelFiles

    if panel is None:
        replay_evidence(Settings(), moment(as_of), out=out)
        return
    files = PanelFiles(panel, covariates, tree, controls)
    replay_panel(Settings(), files, horizon=horizon, cutoffs=cutoffs, out=out)


@app.command
def predict(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    panel: Annotated[Path | None, Parameter(help="Any panel: destination, period, tonnes.")] = None,
    horizon: Annotated[int, Parameter(help="Months to forecast of a panel.")] = 6,
    covariates: Covariates = None,
    tree: Sums = None,
    controls: Controls = None,
    teachers: Annotated[
        Literal["sample", "all"],
        Parameter(help="Whose past the trees of a panel in parts see: some series or all parts."),
    ] = "sample",
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Forecast as it could have been made that day, or the months after any panel.

    With --commodity forecast the partner table of that one. A panel that is a folder of parts, as
    `magnetcast partition` makes it, is forecast part by part into a folder.
    """
    from flows.panels.panel_files import PanelFiles, forecast_panel

    if commodity is not None:
        from flows.cli.table_commands import predict_table

        found = predict_table(Settings(), moment(as_of), commodity, panel=panel)
        write_result(found, out=out, form=format)
        return
    if panel is None:
        from flows.panels.backtest_files import predict_evidence

        write_result(predict_evidence(Settings(), moment(as_of)), out=out, form=format)
        return
    files = PanelFiles(panel, covariates, tree, controls)
    if panel.is_dir():
        from flows.panels.parted_panel import predict_parts

        predict_parts(Settings(), files, horizon=horizon, out=out, teachers=teachers)
        return
    parts = forecast_panel(Settings(), files, horizon=horizon, track=track)
    write_parts(parts, out=out, form=format)


app.command("flows.cli.alert_commands:alerts")
app.command("flows.cli.attribute_commands:attribute")
app.command("flows.cli.backup_commands:backup")
app.command("flows.cli.server_commands:down")
app.command("flows.cli.diversion_commands:diversion")
app.command("flows.cli.explain_commands:explain")
app.command("flows.cli.gap_commands:gaps")
app.command("flows.cli.ingest_commands:ingest")
app.command("flows.cli.partition_commands:partition")
app.command("flows.cli.promote_commands:promote")
app.command("flows.cli.promote_commands:rollback")
app.command("flows.cli.publication_commands:publications")
app.command("flows.cli.replay_commands:replay")
app.command("flows.cli.backup_commands:prune")
app.command("flows.cli.backup_commands:restore")
app.command("flows.cli.review_commands:review")
app.command("flows.cli.scenario_commands:recovery")
app.command("flows.cli.scenario_commands:scenario")
app.command("flows.cli.serve_commands:serve")
app.command("flows.monitoring.status:status")
app.command("flows.cli.token_commands:token", help="Make, list or revoke tokens of the service.")
app.command("flows.cli.server_commands:up")
app.command("flows.cli.vintage_commands:vintages", help="List the ingests, oldest first.")
app.command("flows.cli.vintage_commands:diff", help="Tell what changed from one ingest to another.")
app.command("flows.cli.vintage_commands:quarantine", help="See or release what the guards refused.")


def moment(text: str | None, *, option: str = "--as-of") -> pd.Timestamp:
    """Return an as_of, or what another option tells, as a UTC moment.

    A bare day is its first moment, at which facts of that day are known.

    Raises:
        DataError: The text is no date, or lies in the future.
    """
    today = utc_today()
    if text is None:
        return today
    stamp = pd.to_datetime(text, errors="coerce")
    if pd.isna(stamp):
        raise DataError(
            f"{option} {text!r} is no date. Expected YYYY-MM-DD, e.g. 2025-04-10. Correct it."
        )
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    if stamp > today + pd.Timedelta(days=1):
        raise DataError(
            f"{option} {text} lies in the future. Expected today ({today:%Y-%m-%d}) or earlier, "
            "because nobody knows yet what will be published by then."
        )
    return stamp


def main() -> None:
    """Run a command; a known error becomes one message and exit code 1."""
    try:
        app()
    except (DataError, SourceError, StoreError) as err:
        say(f"error: {err}")
        sys.exit(1)
    except OSError as err:
        say(
            f"error: The system refused: {err}. Expected room on the disk and the right to read "
            "and write below MAGNETCAST_HOME and MAGNETCAST_ARTIFACT_DIR. See `magnetcast status`."
        )
        sys.exit(1)
    except Exception as err:
        if not _is_of_prefect(err):
            raise
        say(
            f"error: Prefect's server does not answer ({type(err).__name__}: {str(err)[:200]}). "
            "Expected one that lasts as long as the run. `magnetcast up` starts it; then run again."
        )
        sys.exit(1)


def _is_of_prefect(err: BaseException | None) -> bool:
    """Tell whether Prefect's client, which speaks by httpx, could not reach its server."""
    while err is not None:
        if type(err).__module__.split(".")[0] in {"httpx", "httpcore"}:
            return True
        err = err.__cause__ or err.__context__
    return False
