"""``magnetcast run``, ``predict`` and ``backtest``: forecasts, and how good they were."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flows.cli.options import AsOf, Commodity, Form, Out, moment
from flows.context.console import track
from flows.context.output import write_parts, write_result
from store.settings import Settings

Covariates = Annotated[
    Path | None,
    Parameter(
        help="Known future values: destination, period, name, value, optionally available_at."
    ),
]
Controls = Annotated[
    Path | None,
    Parameter(
        help="Export controls on series of the panel; their effect is learned from minerals."
    ),
]
Sums = Annotated[
    Path | None, Parameter(help="Which destinations add up to what: destination, part_of.")
]


def run(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    commodities: Annotated[
        Path | None,
        Parameter(help="Commodities to forecast together: commodity, group, materials, label."),
    ] = None,
) -> None:
    """Run the whole job: ingest, backtest, train, forecast, publish and report.

    Full partner tables in the store are forecast first, then the magnets. With --commodity only the
    partner table of that commodity; with --commodities only those of the file, one model per group.
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


def predict(
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    panel: Annotated[
        Path | None, Parameter(help="Panel file: destination, period, tonnes.")
    ] = None,
    horizon: Annotated[int, Parameter(help="Months to forecast for a panel file.")] = 6,
    covariates: Covariates = None,
    tree: Sums = None,
    controls: Controls = None,
    teachers: Annotated[
        Literal["sample", "all"],
        Parameter(help="Series that train the trees of a panel in parts: a sample, or all."),
    ] = "sample",
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Forecast without publishing: from what was known on a day, or for any panel file.

    With --commodity the partner table of that commodity is forecast. A panel that is a folder made
    by `magnetcast partition` is forecast part by part into a folder.
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


def backtest(
    *,
    as_of: AsOf = None,
    panel: Annotated[
        Path | None, Parameter(help="Panel file: destination, period, tonnes.")
    ] = None,
    horizon: Annotated[
        int, Parameter(help="Months to forecast from each cutoff of a panel file.")
    ] = 6,
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
    """Forecast past months from what was known then and score them: magnets or any panel.

    A panel that is a folder made by `magnetcast partition` is scored part by part into a folder,
    against the seasonal naive and the median of the statistical models.
    """
    from flows.panels.backtest_files import replay_evidence, replay_panel
    from flows.panels.panel_files import PanelFiles

    if panel is None:
        replay_evidence(Settings(), moment(as_of), out=out)
        return
    files = PanelFiles(panel, covariates, tree, controls)
    replay_panel(Settings(), files, horizon=horizon, cutoffs=cutoffs, out=out)
