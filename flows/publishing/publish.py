"""The last step of a run: what is made is checked, frozen, and published or held for a person."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.months import month_label
from features.origin import Origin
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.provenance import environment
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import store_of
from flows.context.workspace import Workspace
from flows.ingest.side_effects import side_effects_of_ingests
from models.forecasting.plausibility import absurdities, moves, too_far
from models.reconciliation.tree import broken_sums
from sources.bundled.release_calendar import ReleaseCalendar
from store.errors import DataError, first_few
from store.facts.reading import (
    last_reported_month,
    latest_forecast,
    newest_ingest,
    read_calendar,
)
from store.messages import Message, from_json, sentences
from store.publications.integrity import NUMBERS, read_publications
from store.publications.panels import StoredPanel
from store.publications.publishing import (
    PublicationContext,
    RunRecord,
    finish_run,
    hold_forecasts,
    publish_forecasts,
    published_number,
    start_run,
)
from store.settings import Settings
from store.vocabulary import COMMODITY

MONTH: Final = pd.DateOffset(months=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationDraft:
    """A forecast about to be published."""

    settings: Settings
    engine: Engine = field(repr=False)
    as_of: pd.Timestamp
    data_vintage: str
    table: pd.DataFrame = field(repr=False)
    """As ``flows.training.predict.predict`` returns it."""
    origin: Origin | None = field(default=None, repr=False)
    """Its snapshot; None where absurd numbers cannot be recognised."""
    config: RunConfig = MAGNETS
    made_with: Mapping[str, object] = field(default_factory=dict)
    """The publication's own record of its facts."""
    panel: StoredPanel | None = field(default=None, repr=False)
    """What was known of past months."""


def objections(draft: PublicationDraft) -> Message | None:
    """Return what a person must look at before this is published; None if nothing."""
    if wrong := broken_sums(draft.table):
        raise DataError(
            f"The forecast as of {draft.as_of:%Y-%m-%d} does not add up: {first_few(wrong)}. "
            "Expected means of members that add up to their sums; nothing was published. "
            "This is a fault of the program: keep its log, and report it."
        )
    found = tuple(one for one in (*_absurd(draft), _moved(draft), _side_effects(draft)) if one)
    return sentences(*found) if found else None


def publish(draft: PublicationDraft, because: Message | None) -> int:
    """Publish in one transaction, or hold where a check objects; return rows published."""
    frozen, day = _freezing(draft), f"{draft.as_of:%Y-%m-%d}"
    if because:
        number = hold_forecasts(
            draft.engine,
            draft.table,
            as_of=draft.as_of,
            data_vintage=draft.data_vintage,
            because=because,
            commodity=draft.config.published_as,
            context=frozen,
        )
        name = draft.config.published_as
        echo(f"publish   {name} as of {day} is HELD as number {number}: {because}")
        echo(f"          `magnetcast publications approve {number} --reason ...`, or reject it")
        return 0
    rows = publish_forecasts(
        draft.engine,
        draft.table,
        as_of=draft.as_of,
        data_vintage=draft.data_vintage,
        commodity=draft.config.published_as,
        context=frozen,
    )
    echo(f"publish   {draft.config.prefix}{rows} rows as of {day}")
    return rows


def ahead_from(engine: Engine, *, figures: str, now: pd.Timestamp) -> date:
    """Return the first month whose release was still to come at a moment.

    By the calendar as known then, or later where a figure was published before its day.
    """
    last = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now)).last_released(now)
    known = last_reported_month(engine, as_of=now, commodity=figures)
    if known is not None:
        last = max(last, pd.Timestamp(known))
    return (last + MONTH).date()


@dataclass(frozen=True, slots=True)
class HeldPublication:
    """A publication that was held back."""

    number: int
    as_of: pd.Timestamp
    note: str
    """Its state and why."""


def held_like(
    engine: Engine, as_of: pd.Timestamp, data_vintage: str, *, published_as: str = COMMODITY
) -> HeldPublication | None:
    """Return the newest publication up to a moment if it was held or rejected on these facts."""
    known = read_publications(engine, commodity=published_as)
    known = known.loc[known["as_of"] <= as_of]
    if known.empty:
        return None
    last = known.iloc[-1]
    if last["state"] not in {"held", "rejected"} or last["data_vintage"] != data_vintage:
        return None
    note = f"{last['state']}: {last['note'] or from_json(last['held_because'])}"
    return HeldPublication(int(last["id"]), pd.Timestamp(last["as_of"]), note)


def report_folder(
    settings: Settings, config: RunConfig, as_of: pd.Timestamp, number: int | None = None
) -> Path:
    """Return where the report of a publication lies: each of a day has a folder of its own.

    Args:
        number: Of the publication; None is the next of its day.
    """
    known = read_publications(store_of(settings), commodity=config.published_as)
    numbers = known.loc[known["as_of"].dt.floor("D") == as_of.floor("D"), "id"]
    before = numbers if number is None else numbers[numbers < number]
    return config.report_folder(settings, as_of, len(before) + 1)


def draft_folder(draft: PublicationDraft) -> Path:
    """Return where the report of a draft belongs; of numbers published before, beside them."""
    config = draft.config
    number = published_number(
        draft.engine,
        draft.table,
        as_of=draft.as_of,
        data_vintage=draft.data_vintage,
        commodity=config.published_as,
    )
    return report_folder(draft.settings, config, draft.as_of, number)


def held_folder(folder: Path) -> Path:
    """Return where the report of a held publication waits."""
    return folder.with_name(f"{folder.name}-held")


def _freezing(draft: PublicationDraft) -> PublicationContext:
    now = utc_now()
    made_with = {**environment(), "ingest": newest_ingest(draft.engine), **draft.made_with}
    return PublicationContext(
        at=now,
        ahead_from=ahead_from(draft.engine, figures=draft.config.commodity, now=now),
        made_with=json.dumps(made_with, sort_keys=True),
        panel=draft.panel,
    )


def _absurd(draft: PublicationDraft) -> list[Message | None]:
    """Say which series are absurd as they would be published: sums and controls come in last."""
    if draft.origin is None:
        return []
    origin = draft.origin
    months = [month_label(int(month)) for month in origin.targets]
    keys = pd.MultiIndex.from_product([origin.series, months])
    rows = draft.table.set_index(["destination", "period"])[list(NUMBERS)].reindex(keys)
    values = rows.to_numpy(dtype=np.float64).reshape(len(origin.series), len(months), -1)
    return absurdities(values, origin)


def _moved(draft: PublicationDraft) -> Message | None:
    limit = draft.settings.gate_pct
    if limit is None:
        return None
    latest = latest_forecast(draft.engine, as_of=draft.as_of, commodity=draft.config.published_as)
    return too_far(moves(draft.table, latest), limit)


def _side_effects(draft: PublicationDraft) -> Message | None:
    """Say which other destinations figures since the last publication move beyond their band."""
    known = read_publications(draft.engine, commodity=draft.config.published_as)
    stands = known["state"].eq("published") & known["as_of"].le(draft.as_of)
    if draft.panel is None or not stands.any():
        return None
    since = json.loads(known.loc[stands, "made_with"].iloc[-1] or "{}").get("ingest")
    if not since:
        return None
    return side_effects_of_ingests(draft.engine, as_of=draft.as_of, since=int(since))


@contextmanager
def run_entry(known: Workspace) -> Iterator[list[str]]:
    """Keep in the store that a run began, and whether it failed.

    Yields:
        Where to put the name of the model that forecast, where ``known`` fell back to another.
    """
    run_id, models = uuid.uuid4().hex, list[str]()
    start_run(
        known.engine,
        RunRecord(
            run_id=run_id,
            flow=known.config.flow,
            as_of=known.as_of,
            data_vintage=known.data_vintage,
            started_at=utc_now(),
            model_version=known.model_version,
            commodity=known.config.published_as,
        ),
    )
    status = "failed"
    try:
        yield models
        status = "finished"
    finally:
        name = models[0] if models else None
        finish_run(known.engine, run_id, status=status, finished_at=utc_now(), model_version=name)
