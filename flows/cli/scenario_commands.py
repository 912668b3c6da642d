"""The commands that answer what if, and how long."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from flows.cli.app import AsOf, Commodity, Form, Out, moment
from flows.cli.output import write_result
from flows.context.console import say
from flows.context.workspace import open_workspace
from flows.publishing.scenario_snapshot import standing_at, table_standing
from models.policy.recovery import recoveries_at, recovery_words
from models.policy.scenario import paired
from sources.files.csv_table import content_of
from sources.files.scenario import read_scenario
from store.settings import Settings

TOLD = ("base_mean", "scenario_mean", "warning")
"""Columns that a table on the terminal leaves out: warnings are told beside it."""


def scenario(
    file: Annotated[Path, Parameter(help="YAML file of acts and tariff steps, as in scenarios/.")],
    *,
    as_of: AsOf = None,
    commodity: Commodity = None,
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Answer a scenario: forecasts as known and under it, and the difference with its own band.

    Nothing of it is stored.
    """
    settings, stand = Settings(), moment(as_of)
    content = content_of(file)
    standing = (
        standing_at(settings, stand)
        if commodity is None
        else table_standing(settings, stand, commodity)
    )
    asked = read_scenario(file.name, content, standing.context)
    found = paired(standing, asked)
    say(f"scenario  {asked.name}. {asked.description}".rstrip())
    for note in found.notes:
        say(f"scenario  {note}")
    for warning in found.table["warning"].drop_duplicates().loc[lambda text: text != ""]:
        say(f"warning   {warning}")
    table = found.table.drop(columns=list(TOLD)) if format == "table" else found.table
    write_result(_rounded(table), out=out, form=format)


def recovery(
    *,
    as_of: AsOf = None,
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Tell how many months each known control takes until 80 % of the level before is back.

    Counted from the day it binds, with the months already seen and those of past controls.
    """
    workspace = open_workspace(Settings(), moment(as_of))
    origin = workspace.history.origin(workspace.as_of)
    found = recoveries_at(origin, workspace.history.analogs(workspace.as_of))
    for row in found.to_dict("records"):
        say(f"recovery  {recovery_words(row)}")
    if found.empty:
        say("recovery  no control on magnets is known by then")
    write_result(_rounded(found), out=out, form=format)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    tonnes = table.select_dtypes("number").columns
    return table.assign(**{str(name): table[name].round(3) for name in tonnes})
