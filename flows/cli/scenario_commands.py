"""``magnetcast scenario`` and ``recovery``: effects of assumed acts, months until recovery."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from flows.cli.options import AsOf, Form, Out, moment
from flows.context.console import echo
from flows.context.output import write_result
from sources.files.file_reader import content_of, read_scenario
from store.settings import Settings

UNSHOWN = ("base_mean", "scenario_mean", "warning")
"""Columns left out on a terminal; warnings are printed separately."""


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
    from flows.analysis.scenario_start import scenario_snapshot
    from flows.ingest.ingest import ingest_if_empty
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
    table = result.table.drop(columns=list(UNSHOWN)) if is_shown else result.table
    write_result(_rounded(table), out=out, form=format)


def recovery(*, as_of: AsOf = None, out: Out = None, format: Form = "table") -> None:
    """Estimate months until exports are back at 80% of their level before each export control.

    Months count from the day a control takes effect; the estimate uses the months observed so far
    and past controls.
    """
    from flows.context.workspace import open_evidence
    from models.policy.recovery import recoveries_at, recovery_words

    workspace = open_evidence(Settings(), moment(as_of))
    origin = workspace.origin
    estimates = recoveries_at(origin, workspace.history.analogs(workspace.as_of))
    for row in estimates.to_dict("records"):
        echo(f"recovery  {recovery_words(row)}")
    if estimates.empty:
        echo("recovery  no export control on magnets was known by then")
    write_result(_rounded(estimates), out=out, form=format)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    return table.round(dict.fromkeys(table.select_dtypes("number"), 3))
