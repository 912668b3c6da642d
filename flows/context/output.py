"""Results of commands: a table for people, CSV or JSON for programs."""

import sys
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from store.numbers import visible

Format = Literal["table", "csv", "json"]

QUIET: Final = {"sha256", "origin", "note"}
"""Columns a terminal has no room for; files hold them."""

NO_EDGE: Final = 10_000
"""Characters in a line that nobody reads at once."""


def write_result(frame: pd.DataFrame, *, out: Path | None, form: Format) -> None:
    """Write a table to a file, as CSV unless JSON was asked for, or to stdout."""
    if out is None and form == "table":
        show(_table(frame))
        return
    text = (
        frame.to_json(orient="records", indent=1, date_format="iso")
        if form == "json"
        else frame.to_csv(index=False, lineterminator="\n")
    )
    write_text(text, out=out)


def write_text(text: str, *, out: Path | None) -> None:
    """Write a text to stdout, or atomically to a file whose folder is created if missing."""
    if out is None:
        sys.stdout.write(text)
        return
    if out.exists() and not out.is_file():  # a pipe or a device must not be replaced
        out.write_text(text, encoding="utf-8")
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    target = out.resolve()  # replaces the target of a link, not the link
    unfinished = target.with_name(f".{target.name}.part")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def show(table: Table) -> None:
    """Print a table to stdout; a pipe or file, which has no edge, gets every word whole."""
    console = Console()
    if not console.is_terminal:
        needed = console.measure(table, options=console.options.update(max_width=NO_EDGE))
        console.width = max(console.width, needed.maximum)
    console.print(table)


def readable(frame: pd.DataFrame, form: Format, out: Path | None) -> pd.DataFrame:
    """Frame with its times formatted for reading; for the terminal without quiet columns."""
    times = frame.select_dtypes(["datetime", "datetimetz"]).columns
    written = frame.assign(**{name: _written(frame[name]) for name in times})
    if form != "table" or out is not None:
        return written
    shown = written[[name for name in written.columns if name not in QUIET]]
    return shown.astype(object).where(shown.notna(), "")


def _written(times: pd.Series) -> pd.Series:
    """Write days as days and moments to the second, UTC."""
    return pd.Series(times.dt.strftime("%Y-%m-%d" if times.dt.tz is None else "%Y-%m-%dT%H:%M:%SZ"))


def _table(frame: pd.DataFrame) -> Table:
    table = Table(box=None, header_style="bold")
    for name in frame.columns:
        table.add_column(_plain(str(name)))
    for row in frame.itertuples(index=False):
        table.add_row(*(_plain(_cell(value)) for value in row))
    return table


def _plain(text: str) -> Text:
    return Text(visible(text))


def _cell(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
