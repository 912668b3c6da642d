"""``magnetcast scenario``: effects of assumed acts."""

from pathlib import Path
from typing import Annotated

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
    write_result(table.round(dict.fromkeys(table.select_dtypes("number"), 3)), out=out, form=format)
