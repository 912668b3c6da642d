"""Options shared by verbs, and the reading of moments."""

import re
from pathlib import Path
from typing import Annotated, Final

import pandas as pd
from cyclopts import Parameter

from flows.clock import utc_now
from flows.context.output import Format
from store.asof import until
from store.errors import DataError

AsOf = Annotated[
    str | None,
    Parameter(
        name="--as-of",
        help="Day, counted to its end, or UTC moment; only data known by then is used. Now if left "
        "out.",
    ),
]
Out = Annotated[
    Path | None, Parameter(name="--out", help="File for the result; stdout if left out.")
]
Form = Annotated[
    Format,
    Parameter(name="--format", help="Format of the result; files are CSV unless it is json."),
]
Commodity = Annotated[
    str | None,
    Parameter(help="Code of a commodity whose full partner table is in the store, e.g. 850511."),
]
Reason = Annotated[
    str, Parameter(name=("--reason", "--note"), help="Reason, recorded with the decision.")
]

Sets = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        negative="",
        help="Model parameter, NAME=VALUE, e.g. learning_rate=0.1; repeatable.",
    ),
]
ParametersFile = Annotated[
    str | None,
    Parameter(
        name="--parameters", help="File of parameters, TOML or JSON; `default` for the preset."
    ),
]


def moment(text: object, *, option: str = "--as-of") -> pd.Timestamp:
    """Moment (UTC) up to which data counts as known: now if None, else by ``store.asof``."""
    present = utc_now()
    return present if text is None else until(str(text), now=present, name=option)


FIRST_SINCE: Final = "2020-01"
"""First month that a backtest may score from; from 2021 on a year of origins lies before it."""


def first_origin(month: str | None, as_of: pd.Timestamp) -> pd.Timestamp | None:
    """First scored origin (UTC) of a backtest since a month; None if left out."""
    if month is None:
        return None
    is_month = re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", month)
    if is_month and month >= FIRST_SINCE and f"{month}-25" < f"{as_of:%Y-%m-%d}":
        return pd.Timestamp(month, tz="UTC")
    raise DataError(
        f"since {month!r} leaves no origin to score. Expected a month YYYY-MM from {FIRST_SINCE} "
        f"on whose 25th lies before {as_of:%Y-%m-%d}. Correct it."
    )


DryRun = Annotated[bool, Parameter(negative="", help="Show changes without writing them.")]
