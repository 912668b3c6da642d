"""What can be ingested: where the rows come from, and how they are taken."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import CONSOLE, echo, track
from flows.context.stores import has_store, store_of
from sources.base import MonthRange
from sources.bundled.all_tables import load_bundled
from sources.checks import CELL, mark_new, month_cells, objections
from sources.providers.customs import SUM_NOTE
from sources.providers.live_sources import BY_CODE, live_source
from store.errors import DataError, counted, first_few
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_observations, read_vintages
from store.facts.writing import is_known as ingested_before
from store.facts.writing import write_batch
from store.schema.frames import typed_frame
from store.settings import Settings
from store.vocabulary import COMMODITY, EU27, HS6, WORLD

FIRST_MONTH: Final = "2017-01"
"""First month fetched while the store holds nothing of a source."""

REVISED_MONTHS: Final = 24
"""Months fetched again each time, because providers revise them."""

_MONTH: Final = re.compile(r"(19|20|21)\d{2}-(0[1-9]|1[0-2])", re.ASCII)

Past = Literal["nothing", "source", "magnets"]
"""Which observations of the store a batch is held against: those of its source, all on magnets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestRequest:
    """One ingest to be made."""

    place: str
    """Where new rows would be, for messages: "in the bundled tables", "at comtrade"."""
    receive: Callable[[pd.Timestamp], Sequence[FileRows]]
    """Fetch the rows; called with the moment of the ingest."""
    past: Past = "source"
    revises: bool = True
    """Whether a figure may change without a word on when: the change counts from the ingest, and
    what is unchanged is not written again."""


def bundled(settings: Settings) -> IngestRequest:
    """The request for the bundled tables."""

    def receive(_: pd.Timestamp) -> Sequence[FileRows]:
        return load_bundled(settings.data_dir).files

    return IngestRequest(
        place="in the bundled tables", receive=receive, past="nothing", revises=False
    )


def live(
    settings: Settings, name: str, span: MonthRange, *, codes: Sequence[str] = ()
) -> IngestRequest:
    """The request for months of a provider.

    Args:
        settings: Where the provider is.
        span: The months.
        codes: Six-digit codes, if the provider has any; magnets if none is named.
    """

    def receive(moment: pd.Timestamp) -> list[FileRows]:
        files = []
        for code in codes or [HS6]:
            source = live_source(name, settings, progress=track, commodity=code)
            if notice := source.notice(span):
                echo(f"          {notice}")
            files.append(source.fetch(span, ingested_at=moment))
        return files

    return IngestRequest(place=f"at {name} for {span}", receive=receive)


def by_hand(load: Callable[[pd.Timestamp], FileRows], place: str, *, past: Past) -> IngestRequest:
    """The request for a file or a figure that a person enters.

    Args:
        place: Where it comes from, as messages say.
    """
    return IngestRequest(place=place, receive=lambda moment: [load(moment)], past=past)


def months_to_fetch(
    settings: Settings,
    name: str,
    *,
    since: str | None,
    until: str | None,
    codes: Sequence[str] = (),
) -> MonthRange:
    """The months to fetch; all of them where the store holds nothing of some code."""
    current = pd.Period(utc_now().tz_localize(None), "M")
    last = current if until is None else _month("--until", until)
    first = (
        _usual_first(settings, name, codes, current) if since is None else _month("--since", since)
    )
    if first > current:
        raise DataError(
            f"--since {first} lies in the future. Expected {current} or earlier. Correct it."
        )
    return MonthRange(min(first, last) if since is None else first, last)


def _usual_first(
    settings: Settings, name: str, codes: Sequence[str], current: pd.Period
) -> pd.Period:
    if not has_store(settings):
        return pd.Period(FIRST_MONTH, "M")
    vintages = read_vintages(store_of(settings))
    files = vintages.loc[vintages["source"].eq(name), "file_name"]
    if name in BY_CODE:
        begins = [name if code == HS6 else f"{name} {code}" for code in codes or (HS6,)]
        is_stored = all(files.str.match(rf"{begin} \d{{4}}-").any() for begin in begins)
    else:
        is_stored = len(files) > 0
    return current - REVISED_MONTHS if is_stored else pd.Period(FIRST_MONTH, "M")


def _month(option: str, text: str) -> pd.Period:
    if not _MONTH.fullmatch(text):
        raise DataError(f"{option} {text!r} is no month. Expected YYYY-MM, e.g. 2026-08.")
    return pd.Period(text, "M")


def show_received(place: str, files: Iterable[FileRows]) -> None:
    """Show what was asked, received, left out or refused and why, as a table."""
    _show([line for file in files for line in _lines(place, file, ())])


def preview(settings: Settings, request: IngestRequest | None) -> None:
    """Show what an ingest would do, the bundled tables if no request is given."""
    wanted, moment = request or bundled(settings), utc_now()
    engine = store_of(settings) if has_store(settings) else None
    lines: list[tuple[str, str]] = []
    refused = 0
    for file in wanted.receive(moment):
        if engine is not None and is_known(engine, file, wanted):
            lines.append((file.file_name, "ingested before: nothing would be written"))
            continue
        reasons = objected(engine, file, wanted, moment)
        refused += bool(reasons)
        lines += _lines(wanted.place, file, reasons)
        if "observations" in file.tables:
            lines.append(("  changes", _changes(engine, file.tables["observations"])))
        elif not reasons:
            lines.append(("  changes", _new_rows(engine, file, wanted, moment)))
    _show(lines)
    if refused:
        raise DataError(
            f"{refused} files {wanted.place} would be refused, for the reasons in the table. "
            "Expected files that pass the checks. Correct them, or ingest them and release them "
            "from quarantine; nothing was written."
        )
    echo("ingest    a dry run: nothing was written")


def is_known(engine: Engine, file: FileRows, request: IngestRequest) -> bool:
    """Whether these bytes were ingested before, so that they need no check."""
    with engine.begin() as connection:
        return ingested_before(connection, file, revises=request.revises)


def objected(
    engine: Engine | None, file: FileRows, request: IngestRequest, moment: pd.Timestamp
) -> tuple[str, ...]:
    """Objections to a file, held against the rows of the store."""
    stored = typed_frame([], "observations")
    if request.past != "nothing" and engine is not None:
        is_own = request.past == "source"
        of = (file.source, None) if is_own else (None, COMMODITY)
        stored = read_observations(engine, source=of[0], commodity=of[1])
    return objections(file, stored=stored, ingested_at=moment)


def _lines(place: str, file: FileRows, reasons: Sequence[str]) -> list[tuple[str, str]]:
    """Lines of the request and its rows, then of what was left out or refused."""
    named = file.file_name if file.file_name in place else f"{file.file_name} {place}"
    label = f"{file.source}: {file.asked}" if file.asked else named
    rest = [("  sums", _sums(file)), ("  left out", file.ignored), ("  refused", reasons)]
    return [(label, _came(file)), *((name, first_few(lines)) for name, lines in rest if lines)]


def _sums(file: FileRows) -> list[str]:
    """Sums of the last two months of a table by partner, to compare with the site."""
    if (rows := file.tables.get("observations")) is None:
        return []
    is_part = rows["measure"].eq("net_weight_t") & ~rows["destination"].isin([WORLD, EU27])
    is_part &= rows["source"].eq(file.source)  # a table of reports is none by partner
    sums = []
    for month, part in list(rows[is_part].groupby("period_from"))[-2:]:
        largest = ", ".join(
            f"{row.destination} {row.value:,.1f}" for row in part.nlargest(5, "value").itertuples()
        )
        total, count = part["value"].sum(), counted(len(part), "partner")
        sums.append(f"{month:%Y-%m} {total:,.1f} t, {SUM_NOTE} {count}, the largest {largest}")
    return sums


def _came(file: FileRows) -> str:
    """Describe the rows of a file: how many of each table, and of observations which months."""
    counts = [f"{len(frame):,} {name}" for name, frame in file.tables.items()]
    if file.encoding:
        counts.insert(0, f"read as {file.encoding.upper()}")
    rows = file.tables.get("observations")
    if rows is None or rows.empty:
        return ", ".join(counts)
    first, last = rows["period_from"].min(), rows["period_to"].max()
    places = rows["destination"].nunique()
    return f"{', '.join(counts)}, {first:%Y-%m} to {last:%Y-%m}, {counted(places, 'destination')}"


def _changes(engine: Engine | None, rows: pd.DataFrame) -> str:
    """Count the monthly amounts that are new and those that differ, and name the first of these."""
    stored = typed_frame([], "observations")
    if engine is not None:
        stored = read_observations(engine, commodities=set(rows["commodity"]))
    earlier = month_cells(stored)
    cells = mark_new(earlier, month_cells(rows))
    before = earlier[[*CELL, "value"]].rename(columns={"value": "before"})
    changed = cells[cells["is_new"]].merge(before, on=CELL)
    named = [
        f"{row.destination} {row.period_from:%Y-%m} {row.before:,.6g} to {row.value:,.6g}"
        for row in changed.itertuples()
    ]
    new = int(cells["is_new"].sum()) - len(changed)
    return f"{new:,} new amounts, {len(changed):,} revised{': ' if named else ''}{first_few(named)}"


def _new_rows(
    engine: Engine | None, file: FileRows, request: IngestRequest, moment: pd.Timestamp
) -> str:
    """Count the rows of each table that an ingest would add."""
    new: Mapping[str, int] = {name: len(frame) for name, frame in file.tables.items()}
    if engine is not None:
        new = write_batch(
            engine,
            Batch((file,)),
            ingested_at=moment,
            revises=request.revises,
            is_trial=True,
        ).rows_written
    return ", ".join(f"{rows:,} new {name}" for name, rows in new.items())


def _show(lines: Sequence[tuple[str, str]]) -> None:
    """Print a table of what was asked and received, if anything was."""
    if not lines:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("asked", overflow="fold")
    table.add_column("received", overflow="fold")
    for line in lines:
        table.add_row(*map(escape, line))
    CONSOLE.print(table)
