"""Options that many verbs share, and how a moment is read."""

import sys
from pathlib import Path
from typing import Annotated, cast, get_args

import pandas as pd
from cyclopts import Parameter
from rich.prompt import Prompt

from flows.clock import last_of_day, utc_now
from flows.context.console import CONSOLE
from flows.context.output import Format
from sources.providers.customs import Flow
from store.errors import DataError

AsOf = Annotated[
    str | None,
    Parameter(
        name="--as-of",
        help="Day or UTC moment: only what was known by then is used. Now if left out.",
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
RecipeFile = Annotated[
    str | None,
    Parameter(
        name="--recipe",
        help="Parameters from a TOML file or from what --tune found; `default` for the defaults.",
    ),
]


def moment(text: str | None, *, option: str = "--as-of") -> pd.Timestamp:
    """Return a UTC moment; a bare day is its first moment, at which facts of that day are known.

    Args:
        text: What was typed; now if None, so that figures of today count.
    """
    now = utc_now()
    if text is None:
        return now
    # pandas would take a quarter, 2026Q1, for its first day.
    stamp = pd.NaT if "Q" in text.upper() else pd.to_datetime(text, errors="coerce")
    if pd.isna(stamp) or stamp.year <= 1:  # pandas reads years that no store can hold
        raise DataError(
            f"{option} {text!r} is no date. Expected YYYY-MM-DD, e.g. 2025-04-10. Correct it."
        )
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    stamp = stamp.floor("s")
    if stamp > now:
        raise DataError(
            f"{option} {text} lies in the future. Expected {now:%Y-%m-%dT%H:%M}Z or earlier, "
            "because nobody knows yet what will be published by then."
        )
    return stamp


def publication_moment(text: str | None, *, option: str = "--as-of") -> pd.Timestamp:
    """Return up to when the newest publication is meant; of a bare day the whole day."""
    stamp = moment(text, option=option)
    is_day = text is not None and len(text) <= len("2025-04-10")
    return last_of_day(stamp) if is_day else stamp


DryRun = Annotated[bool, Parameter(negative="", help="Show what would change, and write nothing.")]


def asked_flow(file: Path) -> Flow:
    """Ask whether a download holds exports or imports."""
    if not (CONSOLE.is_terminal and sys.stdin.isatty()):
        raise DataError(
            f"{file.name} does not say whether it holds exports or imports: the customs write the "
            "same headings for both. Expected --flow export or --flow import. Look which one was "
            "asked of the site, and add it."
        )
    question = f"Does {file.name} hold China's exports or imports? The file does not say."
    answer = Prompt.ask(question, choices=list(get_args(Flow)), console=CONSOLE)
    return cast("Flow", answer)
