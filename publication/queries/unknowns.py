"""Sentences on what was unknown at the moment of a forecast."""

from typing import Final

import pandas as pd

from publication.language.formats import dated, listed, months_between
from publication.language.phrases import Sentence, gettext, ngettext
from publication.queries.freshness import published_later
from publication.state import Publication
from publication.words import in_reading_order, name_of
from store.vocabulary import MONTHS_AHEAD, WORLD

_RECENT_MONTHS: Final = 12


def unknowns(publication: Publication) -> list[str]:
    """Sentences on what was missing or open, most important first; none without a panel."""
    if not publication.bases:
        return []
    panel, events = publication.snapshot.panel, publication.snapshot.ledger.events
    today = publication.as_of.tz_convert("UTC").tz_localize(None)
    cutoff = pd.Timestamp(panel.loc[panel["destination"] == WORLD, "period"].max())
    sentences = [
        _late_months(panel, cutoff, today),
        _thin_destinations(panel.loc[panel["period"] <= cutoff], cutoff),
        _uncovered_acts(events),
        _coming_ends(events, today),
        gettext(
            "Acts announced after this day and licence decisions not made public are not included."
        ),
        gettext(
            "A kind of shock that no month of the history shows cannot have been learned from it."
        ),
    ]
    return [sentence for sentence in sentences if sentence]


def _late_months(panel: pd.DataFrame, cutoff: pd.Timestamp, today: pd.Timestamp) -> str:
    missing = pd.date_range(cutoff, today.normalize(), freq="MS", inclusive="right")
    complete = missing[missing + pd.offsets.MonthBegin() <= today]
    if complete.empty:
        return ""
    late = ngettext(
        "Exports of %(months)s (%(n)s complete month): no figure of the world had been published; "
        "it is a forecast too.",
        "Exports of %(months)s (%(n)s complete months): no figure of the world had been published; "
        "they are forecasts too.",
        len(complete),
        months=months_between(complete[0], complete[-1]),
    )
    return Sentence(f"{late} {published_later(panel, f'{cutoff:%Y-%m}')}".rstrip())


def _thin_destinations(panel: pd.DataFrame, cutoff: pd.Timestamp) -> str:
    recent = panel.loc[panel["period"] > cutoff - pd.DateOffset(months=_RECENT_MONTHS)]
    estimated = recent["kind"].eq("estimated").groupby(recent["destination"].astype(str)).sum()
    thin = in_reading_order(estimated.index[estimated > _RECENT_MONTHS / 2])
    if not thin:
        return ""
    return gettext(
        "Most of the last %(count)s months of %(names)s: hardly any figure was published, so "
        "their history is itself an estimate.",
        count=_RECENT_MONTHS,
        names=listed([name_of(name) for name in thin]),
    )


def _uncovered_acts(events: pd.DataFrame) -> str:
    acts = events.loc[events["covered_share"].isna(), "event_id"]
    if acts.empty:
        return ""
    return ngettext(
        "What %(n)s act covers (%(acts)s): the share of the trade has not been entered, so it has "
        "no effect on this forecast.",
        "What %(n)s acts cover (%(acts)s): the shares of the trade have not been entered, so they "
        "have no effect on this forecast.",
        len(acts),
        acts=", ".join(sorted(acts)),
    )


def _coming_ends(events: pd.DataFrame, today: pd.Timestamp) -> str:
    acts = events.loc[events["evidence"] != "scheduled"]
    eased = acts["effective_to"].where(acts["direction"] == "easing")
    ends = pd.concat([acts["suspended_to"], eased])
    coming = ends.loc[ends.between(today, today + pd.DateOffset(months=MONTHS_AHEAD))]
    if coming.empty:
        return ""
    return ngettext(
        "What follows the announced end of %(n)s suspension or truce (%(days)s): the forecast "
        "assumes only what is announced.",
        "What follows the announced ends of %(n)s suspensions and truces (%(days)s): the forecast "
        "assumes only what is announced.",
        len(coming),
        days=", ".join(dated(end, "day") for end in sorted(set(coming))),
    )
