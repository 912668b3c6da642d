"""What a forecast could not know, in plain sentences."""

import pandas as pd

from features.evidence import KINDS, PANEL_DESTINATIONS, EvidencePanel
from features.months import last_complete_month, month_label
from flows.workspace import Workspace
from store.reading import read_events

RECENT_MONTHS = 12


def unknowns(workspace: Workspace, panel: EvidencePanel) -> list[str]:
    """Return what is missing or open at an as_of, most important first."""
    found = [
        _late_months(panel),
        _thin_destinations(panel),
        _coming_ends(read_events(workspace.engine, as_of=workspace.as_of), workspace.as_of),
        "No act announced after this day, and no licence decision that was not published, is in these numbers.",
        "A kind of shock that no month of the history shows cannot have been learned from it.",
    ]
    return [sentence for sentence in found if sentence]


def _late_months(panel: EvidencePanel) -> str:
    complete = last_complete_month(panel.as_of)
    late = complete - panel.cutoff
    if late <= 0:
        return ""
    first, last = month_label(panel.cutoff + 1), month_label(complete)
    span = first if late == 1 else f"{first} to {last}"
    return f"Exports of {span} ({late} complete months): no figure had been published; those months are forecasts too."


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
        f"Most of the last {RECENT_MONTHS} known months of {', '.join(thin)}: hardly any figure was published, "
        "so their history is itself an estimate."
    )


def _coming_ends(events: pd.DataFrame, as_of: pd.Timestamp) -> str:
    day = as_of.tz_localize(None)
    horizon = day + pd.DateOffset(months=12)
    newest = events.sort_values(["event_id", "available_at"]).drop_duplicates(
        "event_id", keep="last"
    )
    ends = newest.loc[newest["suspended_to"].between(day, horizon)]
    if ends.empty:
        return ""
    days = sorted({f"{end:%Y-%m-%d}" for end in ends["suspended_to"]})
    return (
        f"Whether {len(ends)} suspended controls or tariffs come back when their suspension ends "
        f"({', '.join(days)}): the forecast assumes only what is announced."
    )
