"""Options that many verbs share, and how a moment is read."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from cyclopts import Parameter

from flows.clock import utc_now
from flows.context.output import Format
from store.asof import until

AsOf = Annotated[
    str | None,
    Parameter(
        name="--as-of",
        help="Day, which counts whole, or UTC moment: only what was known by then is used. Now if "
        "left out.",
    ),
]
Out = Annotated[
    Path | None, Parameter(name="--out", help="File for the result; stdout if left out.")
]
Form = Annotated[
    Format,
    Parameter(name="--format", help="Format of the result; a file gets CSV unless JSON is named."),
]
Commodity = Annotated[
    str | None,
    Parameter(help="Code of a commodity with a full partner table in the store, e.g. 850511."),
]
Reason = Annotated[
    str, Parameter(name=("--reason", "--note"), help="Why; kept in the audit trail.")
]

Sets = Annotated[
    list[str] | None,
    Parameter(
        name="--set",
        negative="",
        help="A parameter of the model, NAME=VALUE, e.g. learning_rate=0.1; repeat for more.",
    ),
]
ParametersFile = Annotated[
    str | None,
    Parameter(
        name=("--parameters", "--recipe"),
        help="File of parameters, TOML or as --tune wrote it; `default` for the preset.",
    ),
]


def moment(text: object, *, option: str = "--as-of") -> pd.Timestamp:
    """Return up to which moment (UTC) things count as known: now if None, else ``store.asof``'s."""
    now = utc_now()
    return now if text is None else until(str(text), now=now, name=option)


DryRun = Annotated[bool, Parameter(negative="", help="Show what would change, and write nothing.")]
