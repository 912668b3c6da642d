"""``magnetcast run``, ``predict`` and ``backtest``: forecasts and their past errors."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, ParametersFile, Sets, first_origin, moment
from flows.context.console import track
from flows.context.output import write_result
from flows.context.parameter_sources import panel_parameters, parameters_for
from flows.context.prefect_runs import in_prefect
from flows.context.run_config import config_of
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS

Covariates = Annotated[
    Path | None,
    Parameter(
        help="Values known ahead: destination, period, name, value, optionally available_at."
    ),
]
Sums = Annotated[
    Path | None, Parameter(help="Table of sums and their parts: destination, part_of.")
]

PanelFile = Annotated[Path | None, Parameter(help="Panel file: destination, period, tonnes.")]

Columns = Annotated[
    str | None,
    Parameter(
        help="Names of the columns of series, date and value, e.g. sku,month,sales; not needed for "
        "destination,period,tonnes or unique_id,ds,y."
    ),
]

Negative = Annotated[
    bool, Parameter(help="Forecast series with negative values; they are refused otherwise.")
]


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


def predict(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    panel: PanelFile = None,
    columns: Columns = None,
    allow_negative: Negative = False,
    horizon: Annotated[
        int | None, Parameter(help="Months to forecast for a panel; 6 if left out.")
    ] = None,
    covariates: Covariates = None,
    tree: Sums = None,
    set: Sets = None,
    parameters: ParametersFile = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Forecast without publishing: from data known on a day, or for any panel file.

    --commodity forecasts the partner table of that commodity instead of the magnets. --set or
    --parameters trains a model with these parameters for this forecast; otherwise the champion is
    used. Dask forecasts a panel that is a folder of Parquet files into a new folder of such files.
    """
    settings, changes = Settings(), (parameters, set or ())
    if panel is None:
        as_of_time, config = moment(as_of), config_of(commodity)
        values = parameters_for(settings, as_of_time, *changes, config=config).parameters
        from flows.context.workspace import workspace_of
        from flows.ingest.ingest import ingest_if_empty
        from flows.training.predict import predict as flow
        from flows.training.predict import trial_forecast

        ingest_if_empty(settings)
        if any(changes):
            forecasts = trial_forecast(
                workspace_of(settings, as_of_time, config, parameters=values)
            )
        else:
            forecasts = flow(settings, as_of_time, config)
        write_result(forecasts[list(FORECAST_COLUMNS)], out=out, form=format)
        return
    values = panel_parameters(settings, *changes).parameters
    from flows.panels.panel_files import PanelFiles, forecast_panel
    from sources.files.panel import PanelOptions, names_of

    files = PanelFiles(panel, covariates, tree, PanelOptions(names_of(columns), allow_negative))
    if panel.is_dir():
        from flows.panels.partitions import predict_folder

        predict_folder(settings, files, horizon=horizon, out=out, parameters=values)
        return
    write_result(
        forecast_panel(files, horizon=horizon, track=track, parameters=values), out=out, form=format
    )


def backtest(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    panel: PanelFile = None,
    columns: Columns = None,
    allow_negative: Negative = False,
    horizon: Annotated[
        int | None, Parameter(help="Months to forecast from each cutoff of a panel; 6 if left out.")
    ] = None,
    cutoffs: Annotated[
        str | None, Parameter(help="Last known months of a panel, e.g. 2022-06,2022-12.")
    ] = None,
    covariates: Covariates = None,
    tree: Sums = None,
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
    """Forecast past months from data known then and score them: magnets, a table or any panel.

    The model of magnets or of a --commodity has the champion's parameters, changed by --set, unless
    --parameters names a file.
    """
    settings, changes = Settings(), (parameters, set or ())
    if panel is None:
        as_of_time, config = moment(as_of), config_of(commodity)
        first = first_origin(since, as_of_time)
        values = parameters_for(settings, as_of_time, *changes, config=config).parameters
        from flows.context.workspace import workspace_of
        from flows.panels.backtest_files import write_files
        from flows.training.backtest_records import backtest as flow

        # Without data this fails before Prefect records a run.
        workspace = workspace_of(settings, as_of_time, config, parameters=values)
        result = in_prefect(
            "backtest",
            lambda: flow(workspace, first),
            home=settings.home,
            as_of=as_of_time,
            about=config.published_as,
        )
        if out is not None:
            write_files(result, out)
        return
    values = panel_parameters(settings, *changes).parameters
    from flows.panels.backtest_files import replay_panel
    from flows.panels.panel_files import PanelFiles
    from sources.files.panel import PanelOptions, names_of

    files = PanelFiles(panel, covariates, tree, PanelOptions(names_of(columns), allow_negative))
    replay_panel(settings, files, horizon=horizon, cutoffs=cutoffs, out=out, parameters=values)
