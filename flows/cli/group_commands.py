"""What the command line does with many commodities, and what it says of them."""

from pathlib import Path

import pandas as pd

from flows.cli.table_commands import summary
from flows.context.console import say
from flows.publishing.run_many import Told, run_many
from sources.files.commodities import Commodity, read_commodities
from store.errors import DataError, first_few
from store.settings import Settings


def run_many_and_tell(
    settings: Settings, as_of: pd.Timestamp, path: Path, *, commodity: str | None
) -> None:
    """Run the main job on the commodities of a file and tell one line of each.

    Raises:
        DataError: The file is not as it should be, another commodity is named beside it, or some of
            its commodities were not forecast; the others are published.
    """
    if commodity is not None:
        raise DataError(
            f"--commodity {commodity} and --commodities {path} name two things to forecast. "
            "Expected one of them. Leave one out."
        )
    commodities = read_commodities(path)
    say(f"magnetcast as of {as_of:%Y-%m-%d}, {len(commodities)} commodities")
    told = run_many(settings, as_of, commodities)
    names = {one.code: _named(one) for one in commodities}
    for code, outcome in told.items():
        say(_line(names[code], outcome))
    failed = [code for code, outcome in told.items() if isinstance(outcome, str)]
    if failed:
        raise DataError(
            f"{len(failed)} of {len(told)} commodities were not forecast: {first_few(failed)}. "
            "Expected a forecast of each. The lines above say why; the others are published."
        )


def _named(one: Commodity) -> str:
    return f"{one.code} ({one.label})" if one.label else one.code


def _line(name: str, outcome: Told) -> str:
    if isinstance(outcome, str):
        return f"table     {name}: not forecast. {outcome}"
    return summary(outcome).replace(outcome.commodity, name, 1)
