"""What a forecast could not know, in plain sentences."""

from typing import Final

import pandas as pd

from features.months import last_complete_month, month_label
from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from flows.context.workspace import Workspace
from store.asof import EVENT_KEY, known_at
from store.facts.reading import read_events
from store.vocabulary import MONTHS_AHEAD

RECENT_MONTHS: Final = 12


def unknowns(workspace: Workspace, panel: EvidencePanel) -> list[str]:
    """Return what is missing or open at an as_of, most important first."""
    found = [
        _late_months(panel),
        _thin_destinations(panel),
        _coming_ends(read_events(workspace.engine, as_of=workspace.as_of), workspace.as_of),
        "No act announced after this day and no unpublished licence decision is in it.",
        "A kind of shock that no month of the history shows cannot have been learned from it.",
    ]
    return [sentence for sentence in found if sentence]


def _late_months(panel: EvidencePanel) -> str:
    complete = last_complete_month(panel.as_of)
    late = complete - panel.cutoff
    if late <= 0:
        return ""
    first, last = month_label(panel.cutoff + 1), month_label(complete)
    span = f"{first} (a complete month)"
    if late > 1:
        span = f"{first} to {last} ({late} complete months)"
    return f"Exports of {span}: no figure had been published; it is a forecast too."


def _thin_destinations(panel: EvidencePanel) -> str:
    recent = panel.kind[:, -RECENT_MONTHS:] == KINDS.index("estimated")
    thin = [
        name
        for name, months in zip(PANEL_DESTINATIONS, recent.sum(axis=1), strict=True)
        if months > RECENT_MONTHS / 2
    ]
    if not thin:
        return ""
    return (
        f"Most of the last {RECENT_MONTHS} known months of {', '.join(thin)}: hardly any figure "
        "was published, so their history is itself an estimate."
    )


def _coming_ends(events: pd.DataFrame, as_of: pd.Timestamp) -> str:
    """Name the days within a year on which a suspension or an easing act in force ends."""
    today = as_of.tz_localize(None)
    known = known_at(events, key=EVENT_KEY, as_of=as_of)
    known = known.loc[known["evidence"] != "scheduled"]
    eased = known["effective_to"].where(known["direction"] == "easing")
    ends = pd.concat([known["suspended_to"], eased])
    coming = ends.loc[ends.between(today, today + pd.DateOffset(months=MONTHS_AHEAD))]
    if coming.empty:
        return ""
    days = ", ".join(sorted({f"{end:%Y-%m-%d}" for end in coming}))
    return (
        f"What follows the announced ends of {len(coming)} suspensions and truces ({days}): "
        "the forecast assumes only what is announced."
    )
