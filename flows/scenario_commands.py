"""The command that answers what if."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from flows.cli import AsOf, Commodity, Form, Out, moment
from flows.console import say
from flows.output import write_result
from flows.standing import standing_at, table_standing
from models.scenario import paired
from sources.csvtable import content_of
from sources.scenario_file import read_scenario
from store.settings import Settings


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
    asked = read_scenario(file.name, content, standing.ground)
    found = paired(standing, asked)
    say(f"scenario  {asked.name}. {asked.description}".rstrip())
    for note in found.notes:
        say(f"scenario  {note}")
    for warning in found.table["warning"].drop_duplicates().loc[lambda text: text != ""]:
        say(f"warning   {warning}")
    write_result(_rounded(found.table), out=out, form=format)


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    tonnes = table.select_dtypes("number").columns
    return table.assign(**{str(name): table[name].round(3) for name in tonnes})
