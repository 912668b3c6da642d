"""Publishing forecasts, and recording scores and runs."""

from dataclasses import asdict, dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, Engine, case, exists, func, insert, select, update

from store.database import writing
from store.errors import StoreError
from store.facts.new_rows import IncomingRows, check_clock, drop_duplicate_rows, repeats
from store.facts.reading import fetch
from store.facts.writing import insert_new
from store.messages import Message, to_json
from store.publications.decisions import (
    PublicationHeader,
    insert_held,
    insert_published,
    repeated,
)
from store.publications.integrity import PublicationContext
from store.publications.published import add_cells
from store.schema.frame_schemas import validate
from store.schema.frames import as_table
from store.schema.tables import SCORE, forecasts, publications, runs, scores
from store.vocabulary import COMMODITY


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
    header, rows = _prepared(frame, as_of, data_vintage, commodity)
    context = context or PublicationContext()
    with writing(engine) as connection:
        _check_clock(connection, context)
        return insert_published(connection, rows, header, context)


def published_number(
    engine: Engine,
    frame: pd.DataFrame,
    *,
    as_of: datetime,
    data_vintage: str,
    commodity: str = COMMODITY,
) -> int | None:
    """Return the number of the newest publication of a moment if these forecasts repeat it.

    Arguments as for ``publish_forecasts``; None where they would be a publication of their own.
    """
    header, rows = _prepared(frame, as_of, data_vintage, commodity)
    with engine.begin() as connection:
        return repeated(connection, rows.assign(publication=0), header)


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

    Args:
        frame: as for ``publish_forecasts``; not modified.
    """
    header, rows = _prepared(frame, as_of, data_vintage, commodity)
    context = context or PublicationContext()
    with writing(engine) as connection:
        _check_clock(connection, context)
        return insert_held(connection, rows, header, context, because=to_json(because))


def _check_clock(connection: Connection, context: PublicationContext) -> None:
    if context.at is not None:
        check_clock(connection, publications.c.published_at, context.at)


def _prepared(
    frame: pd.DataFrame, as_of: datetime, data_vintage: str, commodity: str
) -> tuple[PublicationHeader, pd.DataFrame]:
    checked = validate(frame, "forecasts", where=f"the forecasts of {as_of:%Y-%m-%d}")
    rows = checked.rename(columns={"model": "model_version"}).assign(
        commodity=commodity,
        as_of=pd.Timestamp(as_of),
        data_vintage=data_vintage,
        cutoff=pd.to_datetime(checked["cutoff"], format="%Y-%m"),
        period=pd.to_datetime(checked["period"], format="%Y-%m"),
    )
    models = "; ".join(dict.fromkeys(checked["model"]))
    return PublicationHeader(commodity, as_of, data_vintage, models), as_table(rows, forecasts)


def write_scores(
    engine: Engine,
    frame: pd.DataFrame,
    *,
    data_vintage: str = "",
    commodity: str = COMMODITY,
    cells: pd.DataFrame | None = None,
) -> int:
    """Save the scores of backtests and return how many rows are new.

    Each moment may have several backtests, numbered in their order; one that only repeats the
    newest of its moment is not written.

    Args:
        frame: ``as_of, model, scope, horizon_from, horizon_to, metric, value, cells``; not
            modified.
        cells: the forecasts scored (``backtests.CELL_COLUMNS``), kept to be drawn.
    """
    rows = frame.assign(commodity=commodity, data_vintage=data_vintage)
    with writing(engine) as connection:
        return sum(_add_backtest(connection, one, cells) for _, one in rows.groupby("as_of"))


def _add_backtest(connection: Connection, frame: pd.DataFrame, cells: pd.DataFrame | None) -> int:
    """Write one backtest unless it repeats the newest of its moment; return how many rows."""
    table, as_of = scores.c, frame["as_of"].iloc[0].to_pydatetime()
    commodity = frame["commodity"].iloc[0]
    own = (table.commodity == commodity, table.as_of == as_of)
    newest = connection.scalar(select(func.max(table.backtest)).where(*own)) or 0
    typed = as_table(frame.assign(backtest=newest), scores)
    incoming = drop_duplicate_rows(IncomingRows(scores, typed, "the scores"))
    stored = fetch(connection, scores, wanted=[*own, table.backtest == newest])
    number = newest if repeats(incoming, stored, on=SCORE) else newest + 1
    if cells is not None:
        add_cells(connection, cells, commodity=commodity, as_of=as_of, backtest=number)
    if number == newest:
        return 0
    rows = incoming.rows.assign(backtest=number)
    return insert_new(connection, scores, rows, where="the scores")


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
    git_commit: str | None = None
    mlflow_run_id: str | None = None
    commodity: str = COMMODITY
    """The commodity it forecasts."""


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
    mlflow_run_id: str | None = None,
) -> None:
    """Record how a run ended."""
    ended = {"status": status, "finished_at": finished_at, "mlflow_run_id": mlflow_run_id}
    change = update(runs).where(runs.c.run_id == run_id)
    with writing(engine) as connection:
        done = connection.execute(change.values(ended))
        if done.rowcount == 0:
            raise StoreError(
                f"No run {run_id!r} in table runs. Expected one noted by start_run. "
                "Start the run first."
            )


def settle_runs(engine: Engine, *, at: datetime) -> int:
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
