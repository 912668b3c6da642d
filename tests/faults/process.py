"""``python -m tests.faults.process SECONDS WORDS``: the command line, its clock that far ahead."""

import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pandas as pd


def main() -> None:
    ahead = pd.Timedelta(seconds=float(sys.argv.pop(1)))
    now = pd.Timestamp.now  # noqa: TID251 - the clock that is moved
    moment = SimpleNamespace(now=lambda tz: now(tz=tz) + ahead)
    moved: Any = SimpleNamespace(Timestamp=moment, Timedelta=pd.Timedelta)
    app = import_module("flows.cli.command_line")  # sets what Prefect reads on import: first
    import_module("flows.clock").pd = moved
    app.main()


if __name__ == "__main__":
    main()
