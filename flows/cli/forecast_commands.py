"""``magnetcast run``, ``forecast``, ``backtest``, ``panel`` and ``scenario``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, ParametersFile, Sets, first_origin, moment
from flows.context.console import echo, track
from flows.context.output import write_result
from flows.context.parameter_sources import panel_parameters, parameters_for
from flows.context.prefect_runs import in_prefect
from flows.context.run_config import config_of
from sources.files.file_reader import content_of, read_scenario
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS


def run(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    label: Annotated[
        str, Parameter(help="Name of the commodity on pages from now on; needs --commodity.")
    ] = "",
) -> None:
    """Run the whole job: ingest, backtest, train, forecast, publish and report.

    Full partner tables in the store are forecast first, then the magnets; with --commodity only the
    partner table of that commodity.
    """
    from flows.cli.run_commands import run_and_tell, run_tables_and_tell

    if label and commodity is None:
        raise DataError(f"--label {label!r} needs --commodity. Expected --commodity CODE. Add it.")
    settings, as_of_time = Settings(), moment(as_of)
    if commodity is None:
        run_tables_and_tell(settings, as_of_time)
    run_and_tell(settings, as_of_time, commodity, label)


def forecast(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Forecast from data known on a day, without publishing.

    --commodity forecasts the partner table of that commodity instead of the magnets. --set or
    --parameters trains a model with these parameters for this forecast; otherwise the champion is
    used.
    """
    settings, changes = Settings(), (parameters, set or ())
    as_of_time, config = moment(as_of), config_of(commodity)
    values = parameters_for(settings, as_of_time, *changes, config=config).parameters
    from flows.context.workspace import open_workspace
    from flows.ingest.ingest import ingest_if_empty
    from flows.training.predict import predict as flow
    from flows.training.predict import trial_forecast

    ingest_if_empty(settings)
    if any(changes):
        forecasts = trial_forecast(open_workspace(settings, as_of_time, config, parameters=values))
    else:
        forecasts = flow(settings, as_of_time, config)
    write_result(forecasts[list(FORECAST_COLUMNS)], out=out, form=format)


def backtest(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    since: Annotated[
        str | None,
        Parameter(
            help="Month of the first scored origin of the magnets, e.g. 2021-06; the scores of the "
            "publication stay."
        ),
    ] = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Annotated[
        Path | None, Parameter(help="Folder for forecasts, scores and differences.")
    ] = None,
) -> None:
    """Forecast past months of the magnets or a table from data known then, and score them.

    The model has the champion's parameters, changed by --set, unless --parameters names a file.
    """
    settings, changes = Settings(), (parameters, set or ())
    as_of_time, config = moment(as_of), config_of(commodity)
    first = first_origin(since, as_of_time)
    values = parameters_for(settings, as_of_time, *changes, config=config).parameters
    from flows.context.workspace import open_workspace
    from flows.panels.backtest_files import write_files
    from flows.training.backtest_records import backtest as flow

    # Without data this fails before Prefect records a run.
    workspace = open_workspace(settings, as_of_time, config, parameters=values)
    result = in_prefect(
        "backtest",
        lambda: flow(workspace, first),
        home=settings.home,
        as_of=as_of_time,
        about=config.published_as,
    )
    if out is not None:
        write_files(result, out)


def panel(
    file: Annotated[
        Path,
        Parameter(help="Series by month: destination, period, tonnes; a file or a Parquet folder."),
    ],
    /,
    *,
    columns: Annotated[
        str | None,
        Parameter(
            help="Names of the columns of series, date and value, e.g. sku,month,sales; not needed "
            "for destination,period,tonnes or unique_id,ds,y."
        ),
    ] = None,
    allow_negative: Annotated[
        bool, Parameter(help="Forecast series with negative values; they are refused otherwise.")
    ] = False,
    stale: Annotated[
        str,
        Parameter(
            help="What happens to series that ended a year or more before the panel: leave_out, or "
            "forecast from their own end."
        ),
    ] = "leave_out",
    horizon: Annotated[int | None, Parameter(help="Months to forecast; 6 if left out.")] = None,
    cutoffs: Annotated[
        str | None,
        Parameter(help="Backtest instead, from these last known months, e.g. 2022-06,2022-12."),
    ] = None,
    against: Annotated[
        list[Path] | None,
        Parameter(
            help="Files of other forecasts, scored with --cutoffs on the cells that all have: "
            "destination, cutoff, period, p50, perhaps further quantiles and model."
        ),
    ] = None,
    covariates: Annotated[
        Path | None,
        Parameter(
            help="Values known ahead: destination, period, name, value, optionally available_at."
        ),
    ] = None,
    tree: Annotated[
        Path | None, Parameter(help="Table of sums and their parts: destination, part_of.")
    ] = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Annotated[
        Path | None,
        Parameter(help="File for the forecasts; a folder of a folder or with --cutoffs."),
    ] = None,
    format: Form = "table",
) -> None:
    """Forecast any panel of monthly series in a file, or backtest it with --cutoffs.

    It uses none of the store's facts; `magnetcast data panel` writes the panel of the magnets. Dask
    forecasts a folder of Parquet files into a new folder of such files.
    """
    settings = Settings()
    values = panel_parameters(settings, parameters, set or ()).parameters
    from flows.panels.panel_files import PanelFiles, forecast_panel
    from sources.files.panel import names_of

    files = PanelFiles(file, covariates, tree, names_of(columns), allow_negative, stale=stale)
    if format != "table" and (cutoffs or file.is_dir()):
        raise DataError(
            f"--format {format} has nothing to show: a backtest and a folder are written to --out. "
            "Expected it with one file and no --cutoffs. Leave it out."
        )
    if against and not cutoffs:
        raise DataError(
            "--against needs --cutoffs. Expected the last known months of the forecasts in its "
            "file. Add them."
        )
    if cutoffs:
        from flows.panels.backtest_files import replay_panel

        replay_panel(
            settings,
            files,
            horizon=horizon,
            cutoffs=cutoffs,
            out=out,
            parameters=values,
            others=against or (),
        )
    elif file.is_dir():
        from flows.panels.partitions import predict_folder

        predict_folder(settings, files, horizon=horizon, out=out, parameters=values)
    else:
        forecasts, reasons = forecast_panel(files, horizon=horizon, track=track, parameters=values)
        write_result(forecasts, out=out, form=format)
        if out is not None and len(reasons):
            write_result(reasons, out=out.with_name(f"{out.stem}.left_out.csv"), form="csv")


KEYS = ("destination", "period")
SHOWN = (*KEYS, "base_p50", "scenario_p50", "difference_mean", "difference_p10", "difference_p90")
"""Columns of a scenario on a terminal; warnings are printed separately."""

SHOWN_UNCERTAIN = (
    *KEYS, "base_mean", "certain_mean", "certain_p10", "certain_p90", "never_mean", "never_p10",
    "never_p90", "scenario_mean",
)  # fmt: skip
"""Of one with two outcomes: both, and the mean weighted by its probability."""


def scenario(
    file: Annotated[
        Path, Parameter(help="YAML file of acts and tariff steps, like those in scenarios/.")
    ],
    *,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Forecast under a scenario file beside the baseline, with a band for the difference.

    Nothing is stored.
    """
    from flows.ingest.ingest import ingest_if_empty
    from flows.publishing.scenario_start import scenario_snapshot
    from models.policy.paired_forecast import paired

    settings, content, as_of_time = Settings(), content_of(file), moment(as_of)
    ingest_if_empty(settings)
    snapshot = scenario_snapshot(settings, as_of_time)
    levers = read_scenario(file.name, content, snapshot.context)
    result = paired(snapshot, levers)
    echo(f"scenario  {levers.name}. {levers.description}".rstrip())
    for note in result.notes:
        echo(f"scenario  {note}")
    for warning in dict.fromkeys(
        text for warnings in result.warnings.values() for text in warnings
    ):
        echo(f"warning   {warning}")
    is_shown = format == "table" and out is None
    columns = SHOWN_UNCERTAIN if levers.is_uncertain else SHOWN
    table = result.table[list(columns)] if is_shown else result.table
    write_result(table.round(dict.fromkeys(table.select_dtypes("number"), 3)), out=out, form=format)
