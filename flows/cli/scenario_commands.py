"""``magnetcast scenario`` and ``recovery``: what if, and how long."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from flows.cli.options import AsOf, Form, Out, moment
from flows.context.console import echo
from flows.context.output import write_result
from sources.files.file_reader import content_of
from sources.files.handwritten import read_scenario
from store.settings import Settings

UNSHOWN = ("base_mean", "scenario_mean", "warning")
"""Columns that a table on the terminal leaves out: warnings are printed beside it."""


def scenario(
    file: Annotated[Path, Parameter(help="YAML file of acts and tariff steps, as in scenarios/.")],
    *,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Forecast under a scenario file, beside the baseline, with a band for the difference.

    Nothing is stored.
    """
    from flows.analysis.scenarios import scenario_snapshot
    from flows.ingest.ingest import ingest_if_empty
    from models.policy.scenario import paired

    settings, content, as_of_time = Settings(), content_of(file), moment(as_of)
    ingest_if_empty(settings)
    snapshot = scenario_snapshot(settings, as_of_time)
    asked = read_scenario(file.name, content, snapshot.context)
    found = paired(snapshot, asked)
    echo(f"scenario  {asked.name}. {asked.description}".rstrip())
    for note in found.notes:
        echo(f"scenario  {note}")
    for warning in dict.fromkeys(one for own in found.warnings.values() for one in own):
        echo(f"warning   {warning}")
    is_shown = format == "table" and out is None
    table = found.table.drop(columns=list(UNSHOWN)) if is_shown else found.table
    write_result(_rounded(table), out=out, form=format)


def recovery(
    *,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "table",
) -> None:
    """Estimate months until exports are back at 80% of their level before each export control.

    Counted from the day a control takes effect, from months observed so far and past controls.
    """
    from flows.context.workspace import open_evidence
    from models.policy.recovery import recoveries_at, recovery_words

    workspace = open_evidence(Settings(), moment(as_of))
    origin = workspace.origin
    found = recoveries_at(origin, workspace.history.analogs(workspace.as_of))
    for row in found.to_dict("records"):
        echo(f"recovery  {recovery_words(row)}")
    if found.empty:
        echo("recovery  no export control on magnets was known by then")
    write_result(_rounded(found), out=out, form=format)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    return table.round(dict.fromkeys(table.select_dtypes("number"), 3))
