"""Bring facts into the store: received, guarded, then written; what is refused waits in quarantine.

Every source takes this way. A batch is one transaction: all of it is stored, or none. The sum of a
list of partners is taken as the world's total only where the list is complete.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import pandas as pd
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import CONSOLE, echo
from flows.context.prefect_runs import in_prefect, prefect_step
from flows.context.provenance import actor
from flows.context.stores import has_store, made_store, single_writer, store_of
from flows.ingest.doubts import doubts_about, doubts_about_ingests
from flows.ingest.sources import IngestRequest, bundled
from sources.bundled.all_tables import load_bundled
from sources.bundled.notation import COUNTRIES
from sources.checks import CELL, FULL_TABLE, TOLERANCE, mark_new, month_cells, objections
from store.errors import DataError, counted, first_few
from store.facts.batch import SUM_NOTE, Batch, FileRows, WriteReport
from store.facts.commodities import MEASURE, read_evidence, under_china_code
from store.facts.new_rows import check_clock
from store.facts.reading import newest_ingest, read_observations, read_vintages
from store.facts.reviews import quarantine_file
from store.facts.writing import is_known, write_batch
from store.schema.database_tables import vintages
from store.schema.frames import typed_frame
from store.settings import Settings
from store.vocabulary import EU27, HS6, WORLD


@prefect_step("ingest")
def ingest(settings: Settings, request: IngestRequest | None = None) -> WriteReport:
    """Store one request, else the bundled tables; files already known change nothing."""
    wanted, since = request or bundled(settings), newest_ingest(made_store(settings))
    report, engine = _stored(settings, wanted, is_shown=True), store_of(settings)
    echo(f"ingest    {describe(report, wanted.place, engine)}")
    if report.rows_written.get("observations"):
        try:
            moved = str(doubts_about_ingests(engine, as_of=utc_now(), since=since) or "")
        except DataError as err:  # no panel comes of these figures: so says every run
            moved = str(err)
        if moved:
            echo(f"          {moved} Correct them, or the next publication waits for a person.")
    return report


def ingest_if_empty(settings: Settings) -> None:
    """Load the bundled facts, where there are none, and say so."""
    if has_store(settings) and len(read_vintages(store_of(settings))):
        return
    with single_writer(settings, is_first=True):
        wanted = bundled(settings)
        report = _stored(settings, wanted, is_shown=False)
    loaded = describe(report, wanted.place, store_of(settings))
    echo(
        f"ingest    the home {settings.home} was empty, so the bundled facts were loaded: {loaded}"
    )


def _stored(settings: Settings, wanted: IngestRequest, *, is_shown: bool) -> WriteReport:
    engine, author = made_store(settings), actor()
    if utc_now() == read_vintages(engine)["ingested_at"].max():
        time.sleep(1.0)  # two versions of a row have two moments, in whole seconds
    moment = utc_now()
    with engine.begin() as connection:
        check_clock(connection, vintages.c.ingested_at, moment)
    evidence = _evidence(settings, engine, moment)
    received = [with_world(file, evidence) for file in wanted.receive(moment)]
    new = [file for file in received if not is_known(engine, file, revises=wanted.revises)]
    if is_shown:
        _show([line for file in new for line in _lines(wanted.place, file, ())])
    checked = [(file, _objected(engine, file, wanted, moment, evidence)) for file in new]
    if refused := [(file, reasons) for file, reasons in checked if reasons]:
        raise _refusal(engine, refused, wanted, moment=moment, actor=author)
    return write_batch(
        engine, Batch(tuple(received)), ingested_at=moment, actor=author, revises=wanted.revises
    )


def ingest_exclusively(
    settings: Settings, request: IngestRequest | None, *, source: str = ""
) -> None:
    """Ingest a request, or the bundled tables, while no other process writes.

    A source that comes again by itself is recorded in Prefect; what a person hands in has none.
    """
    if request is not None and not source:
        request.receive(utc_now())  # what cannot be read is refused before a home is made
        ingest_if_empty(settings)  # and is held against the bundled facts at least

    def work() -> None:
        with single_writer(settings, is_first=True):
            ingest(settings, request)

    if source:
        in_prefect("ingest", work, home=settings.home, about=source)
    else:  # a person sees it, and the vintage keeps it: no server need be started
        work()


def describe(report: WriteReport, place: str, engine: Engine) -> str:
    """New rows, vintages and months of an ingest, in one line."""
    if report.already_known:
        return f"nothing new {place}"
    written = ", ".join(f"{rows} {table}" for table, rows in report.rows_written.items() if rows)
    summary = (
        f"{counted(report.total, 'new row')} ({written})" if written else f"0 new rows {place}"
    )
    ingests = read_vintages(engine)
    written_now = ingests[ingests["id"].isin(report.vintage_ids)]
    first, last = written_now["period_from"].min(), written_now["period_to"].max()
    months = "" if pd.isna(first) or pd.isna(last) else f", {first:%Y-%m} to {last:%Y-%m}"
    return f"{summary}, vintage {', '.join(map(str, report.vintage_ids))}{months}"


def _refusal(
    engine: Engine,
    refused: Sequence[tuple[FileRows, tuple[str, ...]]],
    request: IngestRequest,
    *,
    moment: pd.Timestamp,
    actor: str,
) -> DataError:
    messages = []
    for file, reasons in refused:
        number = quarantine_file(
            engine, file, reasons=reasons, at=moment, actor=actor, revises=request.revises
        )
        listing = "\n".join(f"  - {reason}" for reason in reasons)
        messages.append(
            f"{file.file_name} is refused and waits in quarantine as number {number}; nothing was "
            f"written:\n{listing}\n  If it is right after all, `magnetcast data quarantine release "
            f"{number}`."
        )
    return DataError("\n".join(messages))


def preview(settings: Settings, request: IngestRequest | None) -> None:
    """Show what an ingest would do, the bundled tables if no request is given."""
    wanted, moment = request or bundled(settings), utc_now()
    engine = store_of(settings) if has_store(settings) else None
    lines: list[tuple[str, str]] = []
    refused = 0
    evidence = _evidence(settings, engine, moment)
    for received in wanted.receive(moment):
        file = with_world(received, evidence)
        if engine is not None and is_known(engine, file, revises=wanted.revises):
            lines.append((file.file_name, "ingested before: nothing would be written"))
            continue
        reasons = _objected(engine, file, wanted, moment, evidence)
        refused += bool(reasons)
        lines += _lines(wanted.place, file, reasons)
        if "observations" in file.tables:
            lines.append(("  changes", _changes(engine, file.tables["observations"])))
            if wanted.past == "magnets" and not reasons:
                rows = file.tables["observations"]
                doubts = doubts_about(rows, evidence, engine, as_of=moment)
                text = f"{doubts} The next publication would wait for a person."
                lines += [("  doubts", text)] if doubts else []
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


def _evidence(settings: Settings, engine: Engine | None, moment: pd.Timestamp) -> pd.DataFrame:
    """Figures that are known; the bundled ones before there are any."""
    rows = pd.DataFrame() if engine is None else read_evidence(engine, as_of=moment)
    return load_bundled(settings.data_dir).frame("observations") if rows.empty else rows


def _objected(
    engine: Engine | None,
    file: FileRows,
    request: IngestRequest,
    moment: pd.Timestamp,
    evidence: pd.DataFrame,
) -> tuple[str, ...]:
    """Objections to a file, held against the rows of the store."""
    stored = typed_frame([], "observations")
    if request.past == "magnets":
        stored = evidence[under_china_code(evidence)]
    elif request.past == "source" and engine is not None:
        stored = read_observations(engine, source=file.source)
    return objections(file, stored=stored, ingested_at=moment)


def _lines(place: str, file: FileRows, reasons: Sequence[str]) -> list[tuple[str, str]]:
    """Lines of the request and its rows, then of what was left out or refused."""
    named = file.file_name if file.file_name in place else f"{file.file_name} {place}"
    label = f"{file.source}: {file.asked}" if file.asked else named
    rest = [
        ("  sums", _sums(file)),
        ("  world", file.world),
        ("  left out", file.ignored),
        ("  refused", reasons),
    ]
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
            engine, Batch((file,)), ingested_at=moment, revises=request.revises, is_trial=True
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


SMALL_SHARE: Final = 1e-3
"""Largest share of a small partner in the newest complete list; one of them must be listed."""

MISSING_SHARE: Final = 0.01
"""Share of the newest complete list that partners who are not listed had at most."""


def with_world(file: FileRows, earlier: pd.DataFrame) -> FileRows:
    """A file with the world of the months whose partners it lists, and words on what was taken.

    A month without a line of totals is taken if its partners are those that made 99% of the newest
    complete list, small ones among them, or a person says so: what they bought does not count.
    Where a world is published, the sum is held against it (``sources.checks``).

    Args:
        earlier: Observations that are known (store contract); not modified.
    """
    rows = file.tables.get("observations", typed_frame([], "observations"))
    totals = rows.loc[rows["destination"].eq(WORLD), "period_from"]
    parts = rows[~rows["destination"].eq(EU27) & ~rows["period_from"].isin(totals)]
    if not file.lists_partners or parts.empty:
        return file
    levels = month_cells(earlier[under_china_code(earlier)])
    levels = levels[levels["measure"].eq(MEASURE)]
    newest = _newest_list(earlier, levels)
    weights = parts[parts["measure"].eq(MEASURE)]
    doubts = {
        pd.Timestamp(str(month)): "" if file.is_complete else _doubt(part, newest)
        for month, part in weights.groupby("period_from")
    }
    is_published = levels["destination"].eq(WORLD) & ~levels["note"].str.startswith(SUM_NOTE)
    published = {*levels.loc[is_published, "period_from"]}
    months = [month for month, doubt in doubts.items() if not doubt]
    partial = "not taken, as the list is partial"
    words = [f"{partial}: {month:%Y-%m}, {doubt}" for month, doubt in doubts.items() if doubt]
    if words:
        words.append("if all are there, load it again with --complete")
    if months:
        before = levels.loc[levels["destination"].eq(WORLD), "period_from"].max()
        newer = "" if max(months) <= before else f"; forecasts start after {max(months):%Y-%m}"
        compared = dict.fromkeys(published, " if it equals the published one")
        named = ", ".join(f"{month:%Y-%m}{compared.get(month, '')}" for month in months)
        words.insert(0, f"taken as the world's total: {named}{newer}")
    worlds = _monthly_sums(parts[parts["period_from"].isin(months)], WORLD)
    tables = {**file.tables, "observations": pd.concat([rows, worlds], ignore_index=True)}
    return replace(file, tables=tables, world=tuple(words))


def _newest_list(earlier: pd.DataFrame, levels: pd.DataFrame) -> "pd.Series[float]":
    """Amounts by partner of the newest month whose partners add up to their world, else year."""
    key = ["source", "period_from"]
    worlds = levels.loc[levels["destination"].eq(WORLD), [*key, "value"]]
    parts = levels[~levels["destination"].isin([WORLD, EU27])]
    parts = parts.merge(worlds, on=key, suffixes=("", "_world"))
    lists = parts.groupby(key)["value"]
    gap = (lists.transform("sum") / parts["value_world"] - 1).abs()
    parts = parts[lists.transform("size").ge(FULL_TABLE) & gap.le(TOLERANCE)]
    if parts.empty:
        is_year = earlier["commodity"].eq(HS6) & earlier["destination"].isin(COUNTRIES)
        parts = earlier[is_year & earlier["period_from"].lt(earlier["period_to"])]
    newest = parts[parts["period_from"].eq(parts["period_from"].max())]
    return newest.groupby("destination")["value"].max().sort_values(ascending=False)


def _doubt(part: pd.DataFrame, newest: "pd.Series[float]") -> str:
    """Why a month's partners are not known to be all; empty if they are."""
    if newest.empty:
        return "no complete list is known to compare it with"
    missing = newest[~newest.index.isin(part["destination"])]
    if (share := missing.sum() / newest.sum()) > MISSING_SHARE:
        return f"it lacks {first_few([*missing.index])}, {share:.0%} of the newest complete list"
    small = newest.index[newest <= SMALL_SHARE * newest.sum()]
    if len(small) and not small.isin(part["destination"]).any():
        return f"it lacks all small partners, such as {first_few([*small])}"
    return ""


def _monthly_sums(parts: pd.DataFrame, destination: str) -> pd.DataFrame:
    """The sum of each month and measure as a row of a destination."""
    key = ["period_from", "measure"]
    cells = parts.groupby(key, sort=False)
    sums = cells.agg(value=("value", "sum"), half_width=("half_width", "sum")).reset_index()
    notes = [f"{SUM_NOTE} {count} partners" for count in cells.size()]
    first = parts.drop_duplicates(key).drop(columns=["value", "half_width"])
    rows = first.merge(sums, on=key).assign(destination=destination, note=notes)
    return typed_frame(rows, "observations")
