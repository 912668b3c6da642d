"""Attribute the past to an event: find it, compare, hand the result to the service."""

from difflib import get_close_matches
from pathlib import Path
from typing import Final

import pandas as pd

from features.history import EvidenceHistory
from features.months import month_number, month_numbers
from flows.context.output import write_result
from models.event_study.attribution import Attribution, attribute
from models.event_study.counterfactual import StudiedEvent, act_of
from models.executor import Progress, untracked
from models.learning.spec import ModelSpec
from service.report.attribution_chart import AttributionView, attribution_png
from service.report.attribution_page import attribution_page
from store.errors import DataError, first_few
from store.vocabulary import DESTINATIONS, MONTHS_AHEAD

PICTURE: Final = "attribution.png"


def known_act(
    events: pd.DataFrame, event_id: str, *, as_of: pd.Timestamp, later: pd.DataFrame
) -> StudiedEvent:
    """Return the event that somebody names.

    Args:
        events: Every version of the policy events known at ``as_of``; not modified.
        event_id: As typed.
        as_of: Moment up to which facts are known (UTC).
        later: Those known today; read for the words of an error only.

    Raises:
        DataError: It is unknown, with those of like name; or was announced after ``as_of``.
    """
    if event_id in set(events["event_id"]):
        return act_of(events, event_id, as_of=as_of)
    future = later.loc[later["event_id"] == event_id, "announced_on"]
    if len(future):
        raise DataError(
            f"Event {event_id!r} lies in the future of {as_of:%Y-%m-%d}: it was announced on "
            f"{future.iloc[0]:%Y-%m-%d}. Expected a past event. Take a later --as-of."
        )
    names = sorted(set(events["event_id"]))
    near = get_close_matches(event_id, names, n=5, cutoff=0.6)
    near = near or [name for name in names if event_id and event_id in name]
    hint = f" Did you mean: {first_few(near)}?" if near else ""
    raise DataError(
        f"No policy event {event_id!r} is known on {as_of:%Y-%m-%d}. Expected one of "
        f"{len(names)} event_ids of the policy events (data/policy_events.csv and those "
        f"ingested).{hint} Correct it."
    )


def attribution_view(
    history: EvidenceHistory,
    act: StudiedEvent,
    *,
    as_of: pd.Timestamp,
    spec: ModelSpec,
    months: int = MONTHS_AHEAD,
    track: Progress = untracked,
) -> AttributionView:
    """Return what an event did, ready for its sentences.

    Raises:
        DataError: ``months`` is out of range, no month is known yet, or the past is too short.
    """
    if not 1 <= months <= MONTHS_AHEAD:
        raise DataError(
            f"--months {months} is out of range. Expected 1 to {MONTHS_AHEAD}, the months a "
            "forecast reaches. Correct it."
        )
    found = attribute(history, act, as_of=as_of, spec=spec, months=months, track=track)
    return view_of(found)


def view_of(found: Attribution) -> AttributionView:
    """Return an attribution as the service tells it."""
    act = found.act
    return AttributionView(
        event_id=act.event_id,
        summary=act.summary,
        announced=act.announced.tz_localize(None),
        as_of=found.as_of.tz_localize(None),
        named=act.named,
        whole=found.whole,
        hits_all=len(act.hit) == len(DESTINATIONS),
        fall=found.fall,
        late=found.late,
        depth=found.depth,
        companions=_companions(found),
        table=found.table,
        totals=found.totals,
        weights=found.weights,
        fit_error=found.fit_error,
        past=found.past,
    )


def write_attribution(view: AttributionView, folder: Path) -> list[str]:
    """Write table, totals, weights, chart and page into a folder; return the files' names."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "attribution.csv": view.table,
        "totals.csv": view.totals,
        "weights.csv": view.weights,
    }
    for name, frame in tables.items():
        write_result(frame.round(3), out=folder / name, form="csv")
    (folder / PICTURE).write_bytes(attribution_png(view))
    made_by = f"magnetcast attribute {view.event_id} --as-of {view.as_of:%Y-%m-%d}"
    page = attribution_page(view, picture=PICTURE, made_by=made_by)
    (folder / "attribution.md").write_text(page, encoding="utf-8")
    return [*tables, PICTURE, "attribution.md"]


def _companions(found: Attribution) -> tuple[str, ...]:
    """Return other strong acts on the same destinations, from a month before on, nearest first."""
    acts = found.act.shocks
    month = month_numbers(acts["announced_on"]) - month_number(found.act.announced)
    touches = [bool(set(hit) & set(found.act.hit)) for hit in acts["hit"]]
    inside = acts.loc[(month >= -1) & (month < found.months) & touches]
    days = (inside["announced_on"] - found.act.announced.tz_localize(None)).abs()
    return tuple(inside.loc[days.sort_values(kind="stable").index, "event_id"])
