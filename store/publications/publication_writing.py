"""Publishing forecasts, or holding them for a person who decides; recording scores and runs.

The rows of a held publication are JSON in its own row, so that readers of forecasts never see them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Connection, Engine, Row, case, exists, func, insert, select, update

from store.database import insert_row, writing
from store.errors import DataError
from store.facts.new_rows import IncomingRows, check_clock, insert_rows, repeats
from store.facts.reading import published_columns, read_table
from store.messages import Message, from_json, message, to_json
from store.publications.integrity import FORECAST_KEY, HELD_ROWS, content_hash, read_publications
from store.publications.panels import StoredPanel, save_panel
from store.schema.database_tables import forecasts, publications, runs, source_columns
from store.schema.frames import as_table, tables_from_json, tables_to_json
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationContext:
    """The circumstances of a publication."""

    at: datetime | None = None
    """The moment; without it nothing proves that the forecast was made before its figures."""
    ahead_from: date | None = None
    """First month not yet released at that moment."""
    made_with: str = ""
    """JSON: packages, platform, threads, code and evidence."""
    panel: StoredPanel | None = field(default=None, repr=False)
    """What was known of past months; stored in the publication's own transaction."""


def approve(
    engine: Engine, number: int, *, at: datetime, ahead_from: object, actor: str, reason: str
) -> int:
    """Publish exactly what was held, record who decided and why, and return the number of rows."""
    with writing(engine) as connection:
        check_clock(connection, publications.c.published_at, at)
        entry = _held(connection, number)
        rows = tables_from_json(entry.payload)[HELD_ROWS]
        if (digest := content_hash(rows)) != entry.sha256:
            raise DataError(
                f"The rows of held publication {number} have SHA-256 {digest[:12]}. Expected "
                f"{entry.sha256[:12]}, as recorded; the rows were changed since, and nothing was "
                f"published. Reject it with `magnetcast publications reject {number}` and run "
                "again."
            )
        _insert(connection, rows, number)
        decided = {"decided_by": actor, "note": reason, "payload": ""}
        _set(
            connection, number, state="published", published_at=at, ahead_from=ahead_from, **decided
        )
        return len(rows)


def reject(engine: Engine, number: int, *, actor: str, reason: str) -> None:
    """Reject a held publication for good; its rows stay, with who decided and why."""
    with writing(engine) as connection:
        _held(connection, number)
        _set(connection, number, state="rejected", decided_by=actor, note=reason)


def held_forecasts(engine: Engine, number: int) -> pd.DataFrame:
    """The rows of a held publication, columns as ``store.facts.reading.read_forecasts``."""
    with engine.begin() as connection:
        entry = _entry(connection, number)
    if not entry.payload:
        raise DataError(
            f"Publication {number} was not held back. Expected one that was. "
            "Its rows are among the published; see `magnetcast publications list`."
        )
    rows = tables_from_json(entry.payload)[HELD_ROWS].reindex(
        columns=[column.name for column in source_columns(forecasts)]
    )
    return published_columns(rows.assign(publication=number))


def held_publications(engine: Engine) -> tuple[Message, ...]:
    """Describe the publications that wait for approval."""
    recorded = read_publications(engine)
    return tuple(
        message(
            "Publication %(number)s as of %(day)s (%(commodity)s) is held: %(reason)s.",
            number=str(publication.id),
            day=f"{publication.as_of:%Y-%m-%d}",
            commodity=str(publication.commodity),
            reason=from_json(str(publication.held_because)),
        )
        for publication in recorded.loc[recorded["state"] == "held"].itertuples(index=False)
    )


def _add(
    connection: Connection, rows: pd.DataFrame, context: PublicationContext, **values: object
) -> int:
    """Add a publication of rows; held ones of its commodity that are no later are superseded."""
    table, commodity, as_of = publications.c, rows["commodity"].iloc[0], rows["as_of"].iloc[0]
    waiting = (table.commodity == commodity, table.state == "held", table.as_of <= as_of)
    connection.execute(update(publications).where(*waiting).values(state="superseded"))
    row = {
        "commodity": commodity,
        "as_of": as_of.to_pydatetime(),
        "data_vintage": rows["data_vintage"].iloc[0],
        "models": "; ".join(dict.fromkeys(rows["model_version"])),
        "sha256": content_hash(rows),
        "rows": len(rows),
        "frozen_at": context.at,
        "ahead_from": context.ahead_from,
        "made_with": context.made_with,
        "panel": "" if context.panel is None else save_panel(connection, context.panel),
    }
    return insert_row(connection, publications, {**row, **values})


def _insert(connection: Connection, rows: pd.DataFrame, number: int) -> None:
    insert_rows(connection, forecasts, as_table(rows.assign(publication=number), forecasts))


def _set(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(publications).where(publications.c.id == number).values(values))


def _entry(connection: Connection, number: int) -> "Row[tuple[object, ...]]":
    entry = connection.execute(select(publications).where(publications.c.id == number)).first()
    if entry is None:
        raise DataError(
            f"No publication {number}. Expected one of `magnetcast publications list`. Take one."
        )
    return entry


def _held(connection: Connection, number: int) -> "Row[tuple[object, ...]]":
    entry = _entry(connection, number)
    if entry.state != "held":
        raise DataError(
            f"Publication {number} is {entry.state}. Expected one that is held. "
            "See `magnetcast publications list`."
        )
    return entry


def publish_forecasts(
    engine: Engine,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    data_vintage: str,
    commodity: str = COMMODITY,
    context: PublicationContext | None = None,
) -> int:
    """Publish forecasts in one transaction and return how many rows are new.

    Publishing the newest publication's numbers again, from the same evidence, does nothing.
    Otherwise the rows become a publication of their own with a digest, beside those before it; it
    supersedes held ones that are no later.

    Args:
        frame: columns of a forecast file, ``model`` being the model's version; ``drivers``
            and ``contributions`` (JSON) and ``reason`` (why the fallback chain went past earlier
            models) if there are any. Not modified.
    """
    rows = _prepared(frame, as_of, data_vintage, commodity)
    context = context or PublicationContext()
    with _publishing(engine, context) as connection:
        if _is_repeated(connection, rows):
            return 0
        number = _add(connection, rows, context, state="published", published_at=context.at)
        _insert(connection, rows, number)
    return len(rows)


def hold_forecasts(
    engine: Engine,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    data_vintage: str,
    because: Message | str,
    commodity: str = COMMODITY,
    context: PublicationContext | None = None,
) -> int:
    """Hold forecasts with their digest until a person decides; return the publication's number.

    One held before for the same moment is superseded, unless it is the same.
    """
    rows = _prepared(frame, as_of, data_vintage, commodity)
    context = context or PublicationContext()
    held = {"payload": tables_to_json({HELD_ROWS: rows}), "held_because": to_json(because)}
    table = publications.c
    same_moment = (table.commodity == commodity, table.as_of == as_of)
    newest = select(table.id, table.sha256).where(*same_moment).order_by(table.id.desc()).limit(1)
    with _publishing(engine, context) as connection:
        stored = connection.execute(newest).first()
        if stored is not None and stored.sha256 == content_hash(rows):
            return int(stored.id)
        return _add(connection, rows, context, state="held", **held)


@contextmanager
def _publishing(engine: Engine, context: PublicationContext) -> Iterator[Connection]:
    with writing(engine) as connection:
        if context.at is not None:
            check_clock(connection, publications.c.published_at, context.at)
        yield connection


def _prepared(
    frame: pd.DataFrame, as_of: datetime, data_vintage: str, commodity: str
) -> pd.DataFrame:
    from store.schema.frame_schemas import validate  # noqa: PLC0415 - pandera: half a second

    checked = validate(frame, "forecasts", where=f"the forecasts of {as_of:%Y-%m-%d}")
    rows = checked.rename(columns={"model": "model_version"}).assign(
        commodity=commodity,
        as_of=pd.Timestamp(as_of),
        data_vintage=data_vintage,
        cutoff=pd.to_datetime(checked["cutoff"], format="%Y-%m"),
        period=pd.to_datetime(checked["period"], format="%Y-%m"),
    )
    return as_table(rows, forecasts)


def _is_repeated(connection: Connection, rows: pd.DataFrame) -> bool:
    """Whether the newest publication of a moment says the same of the same facts."""
    first, of = rows.iloc[0], forecasts.c
    same_moment = (of.commodity == first["commodity"], of.as_of == first["as_of"].to_pydatetime())
    newest = connection.scalar(select(func.max(of.publication)).where(*same_moment))
    stored = read_table(connection, forecasts, wanted=[*same_moment, of.publication == newest])
    incoming = IncomingRows(forecasts, rows, "the published forecasts")
    is_same_data = set(stored["data_vintage"]) == {first["data_vintage"]}
    return is_same_data and repeats(incoming, stored, on=FORECAST_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a flow at its start."""

    run_id: str
    flow: str
    as_of: datetime
    data_vintage: str
    started_at: datetime
    status: str = "running"
    model_version: str | None = None
    commodity: str = COMMODITY


def start_run(engine: Engine, run: RunRecord) -> None:
    """Record that a run started."""
    with writing(engine) as connection:
        connection.execute(insert(runs).values(**asdict(run)))


def finish_run(
    engine: Engine,
    run_id: str,
    *,
    status: str,
    finished_at: datetime,
    model_version: str | None = None,
) -> None:
    """Record how a run ended, and what model forecast if it was not the one that began."""
    ended: dict[str, object] = {"status": status, "finished_at": finished_at}
    if model_version is not None:
        ended["model_version"] = model_version
    change = update(runs).where(runs.c.run_id == run_id)
    with writing(engine) as connection:
        connection.execute(change.values(ended))


def close_runs(engine: Engine, *, at: datetime) -> int:
    """Close the records of runs that were killed, and return how many there were.

    A run that had published counts as finished, others as failed. No run may be active.
    """
    published = exists().where(
        forecasts.c.as_of == runs.c.as_of, forecasts.c.data_vintage == runs.c.data_vintage
    )
    change = update(runs).where(runs.c.status == "running")
    ended = change.values(status=case((published, "finished"), else_="failed"), finished_at=at)
    with writing(engine) as connection:
        return connection.execute(ended).rowcount
