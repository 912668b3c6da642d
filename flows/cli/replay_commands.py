"""``magnetcast replay``: an old publication made again, bit for bit."""

from typing import Annotated

from cyclopts import Parameter

from flows.cli.app import Commodity, Form, Out, moment
from flows.cli.output import write_result
from store.settings import Settings
from store.vocabulary import COMMODITY, FORECAST_COLUMNS


def replay(
    *,
    as_of: Annotated[str, Parameter(name="--as-of", help="Day or UTC moment it stands at.")],
    commodity: Commodity = None,
    out: Out = None,
    format: Form = "csv",  # noqa: A002 - the option's name
) -> None:
    """Make an old publication again from its facts and models, and hold it against what stands.

    Exit code 0 only if every bit is the same; else it says what is missing, what it ran on then and
    not now, and the largest difference. The rows made again go to --out.
    """
    from flows.publishing.reproduce import reproduce, tell

    found = reproduce(Settings(), moment(as_of), commodity or COMMODITY)
    if out is not None and found.again is not None:
        write_result(found.again[list(FORECAST_COLUMNS)], out=out, form=format)
    tell(found)
    if not found.is_same:
        raise SystemExit(1)
