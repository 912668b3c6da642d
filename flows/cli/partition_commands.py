"""Divide a panel into parts, so that it need never be held whole."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.context.console import say


def partition(
    *,
    panel: Annotated[
        Path, Parameter(help="CSV or Parquet file, or folder of Parquet files: destination, ...")
    ],
    out: Annotated[Path, Parameter(help="New folder for the parts.")],
    parts: Annotated[
        int | None, Parameter(help="Number of parts; about half a million rows each if left out.")
    ] = None,
) -> None:
    """Divide a panel by series into parts for `predict --panel FOLDER`."""
    from sources.files.panel_parts import write_parts

    count = write_parts(panel, out, count=parts)
    say(f"divided {panel} into {count} parts in {out}")
