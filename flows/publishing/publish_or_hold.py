"""The last step of a run: the forecast is checked, frozen, and published or held for review."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.provenance import environment
from flows.context.workspace import Workspace
from flows.ingest.doubts import doubts_about_ingests
from models.forecasting.plausibility import absurdities, moves, too_far
from models.reconciliation import broken_sums
from models.registry.champions import read_champions
from store.errors import DataError, StoreError, first_few
from store.facts.reading import (
    last_reported_month,
    latest_forecast,
    newest_ingest,
    read_calendar,
    read_vintages,
)
from store.messages import Message, sentences
from store.months import month_label
from store.publications.integrity import NUMBERS, read_publications
from store.publications.publication_writing import (
    PublicationContext,
    RunRecord,
    finish_run,
    hold_forecasts,
    publish_forecasts,
    start_run,
)
from store.release_calendar import ReleaseCalendar


def objections(workspace: Workspace, table: pd.DataFrame) -> Message | None:
    """Points to review before a forecast is published; None if there are none."""
    if wrong := broken_sums(table):
        raise DataError(
            f"The forecast as of {workspace.as_of:%Y-%m-%d} does not add up: {first_few(wrong)}. "
            "Expected means of members that add up to their sums; nothing was published. "
            "This is a fault of the program: keep its log, and report it."
        )
    checks = [*_absurd(workspace, table), _doubts(workspace)]
    if (limit := workspace.settings.gate_pct) is not None:
        key = workspace.config.published_as
        before = latest_forecast(workspace.engine, as_of=workspace.as_of, commodity=key)
        checks.insert(-1, too_far(moves(table, before), limit))
    messages = tuple(check for check in checks if check)
    return sentences(*messages) if messages else None


def publish(workspace: Workspace, table: pd.DataFrame, because: Message | None) -> int:
    """Publish in one transaction, or hold where a check objects; return rows published."""
    frozen_at, day, config = utc_now(), f"{workspace.as_of:%Y-%m-%d}", workspace.config
    made_with = {**environment(), "ingest": newest_ingest(workspace.engine), **workspace.provenance}
    context = PublicationContext(
        at=frozen_at,
        ahead_from=ahead_from(workspace.engine, figures=config.commodity, now=frozen_at),
        made_with=json.dumps(made_with, sort_keys=True),
        panel=workspace.panel,
    )
    if because:
        number = hold_forecasts(
            workspace.engine,
            table,
            as_of=workspace.as_of,
            data_vintage=workspace.data_vintage,
            because=because,
            commodity=config.published_as,
            context=context,
        )
        name = config.published_as
        echo(f"publish   {name} as of {day} is HELD as number {number}: {because}")
        echo(f"          `magnetcast publications approve {number} --reason ...`, or reject it")
        return 0
    rows = publish_forecasts(
        workspace.engine,
        table,
        as_of=workspace.as_of,
        data_vintage=workspace.data_vintage,
        commodity=config.published_as,
        context=context,
    )
    echo(f"publish   {config.prefix}{rows} rows as of {day}")
    return rows


def ahead_from(engine: Engine, *, figures: str, now: pd.Timestamp) -> date:
    """First month whose release was still to come at a moment.

    By the calendar as known then, or later where a figure was published before its day.
    """
    last = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now)).last_released(now)
    reported = last_reported_month(engine, as_of=now, commodity=figures)
    if reported is not None:
        last = max(last, pd.Timestamp(reported))
    return (last + pd.DateOffset(months=1)).date()


def _absurd(workspace: Workspace, table: pd.DataFrame) -> list[Message | None]:
    """Say which series would be published with implausible medians, after sums and controls."""
    origin = workspace.origin
    months = [month_label(int(month)) for month in origin.targets]
    keys = pd.MultiIndex.from_product([origin.series, months])
    rows = table.set_index(["destination", "period"])[list(NUMBERS)].reindex(keys)
    values = rows.to_numpy(dtype=np.float64).reshape(len(origin.series), len(months), -1)
    return absurdities(values, origin)


def _doubts(workspace: Workspace) -> Message | None:
    """Doubts about the figures since the last publication, or else since the first ingest."""
    publications = read_publications(workspace.engine, commodity=workspace.config.published_as)
    stands = publications["state"].eq("published") & publications["as_of"].le(workspace.as_of)
    if stands.any():
        record = json.loads(publications.loc[stands, "made_with"].iloc[-1] or "{}")
        since = record.get("ingest") if "evidence" in record else None
    elif "evidence" not in workspace.provenance:  # a table's own, which has no panel
        return None
    else:  # the first ingest of a home is of the bundled facts
        ingests = read_vintages(workspace.engine)
        since = ingests.loc[ingests["ingested_at"].eq(ingests["ingested_at"].min()), "id"].max()
    if not since:
        return None
    return doubts_about_ingests(workspace.engine, as_of=workspace.as_of, since=int(since))


@contextmanager
def run_entry(workspace: Workspace) -> Iterator[list[str]]:
    """Record start and end of a run in the store; after a failure name the champion it promoted.

    Yields:
        Where to put the name of the model that forecast, where the workspace fell back to another.
    """
    run_id, models = uuid.uuid4().hex, list[str]()
    start_run(
        workspace.engine,
        RunRecord(
            run_id=run_id,
            flow=workspace.config.flow,
            as_of=workspace.as_of,
            data_vintage=workspace.data_vintage,
            started_at=utc_now(),
            model_version=workspace.model_version,
            commodity=workspace.config.published_as,
        ),
    )
    status = "failed"
    try:
        yield models
        status = "finished"
    except Exception:
        with suppress(StoreError):
            champion = read_champions(
                workspace.settings, workspace.engine, workspace.config.model
            ).champion
            if champion is not None and champion.model_version == workspace.model_version:
                echo(f"run       version {champion.version}, trained on these facts, is champion")
        raise
    finally:
        name = models[0] if models else None
        finish_run(
            workspace.engine, run_id, status=status, finished_at=utc_now(), model_version=name
        )
