"""Lists of pages and files: ingests, scores, publications, commodities, policy, unknowns."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import pandas as pd

from publication.charts.fan import scheduled
from publication.language.formats import dated, listed, months_between
from publication.language.phrases import Sentence, gettext, ngettext
from publication.queries.freshness import newest_act, published_at, published_later
from publication.state import Publication
from publication.tables import (
    COMMODITY_ROW,
    EVENT_ROW,
    FIGURE_ROW,
    PUBLICATION_ROW,
    SCORE_ROW,
    TARIFF_ROW,
    VINTAGE_ROW,
    Record,
    records,
)
from publication.words import LABELS, in_reading_order, name_of
from store.vocabulary import MONTHS_AHEAD, WORLD

SUSPICIOUS_COLUMNS: Final = ("statement", "residual_t", "z", "source_url")

AFTERWARDS: Final = pd.Timedelta(days=7)
"""A forecast published so long after its moment may come from a newer method."""


def vintages(publication: Publication) -> list[Record]:
    """Ingests, newest first."""
    rows = publication.published.vintages.sort_values("id", ascending=False)
    return records(rows[list(VINTAGE_ROW)])


def suspicious(publication: Publication) -> list[Record]:
    """Published figures inconsistent with the others, worst first."""
    return records(publication.snapshot.suspicious[list(SUSPICIOUS_COLUMNS)])


def scores(publication: Publication) -> list[Record]:
    """Scores of backtests, the newest moment first."""
    rows = publication.published.scores[list(SCORE_ROW)]
    return records(rows.sort_values("as_of", ascending=False, kind="stable"))


def publications(publication: Publication) -> list[Record]:
    """One row a publication, newest first."""
    rows = publication.published.every
    groups = rows.groupby(["as_of", "publication"], sort=True)
    summaries = [_summary(publication, part) for _, part in groups]
    return records(pd.DataFrame(summaries[::-1], columns=list(PUBLICATION_ROW)))


def _summary(publication: Publication, rows: pd.DataFrame) -> Record:
    extent, ended = _extent(rows), published_at(publication, rows)
    return {
        **extent,
        "publication": int(rows["publication"].iloc[0]),
        "published_at": ended,
        "afterwards": ended is not None and ended - extent["as_of"] > AFTERWARDS,
        "models": "; ".join(sorted(set(rows["model"]))),
        "statuses": "; ".join(sorted(set(rows["status"]))),
        "data_vintage": "; ".join(sorted(set(rows["data_vintage"]))),
    }


def commodity_row(publication: Publication) -> Record:
    """Row of a commodity with its newest forecast."""
    rows, code = publication.latest, publication.commodity
    about = {
        **_extent(rows),
        "commodity": code,
        "label": LABELS.get(code) or publication.published.labels.get(code, ""),
        "months": rows["period"].nunique(),
        "status": rows["status"].max(),
    }
    return records(pd.DataFrame([about], columns=list(COMMODITY_ROW)))[0]


def _extent(rows: pd.DataFrame) -> Record:
    return {
        "as_of": rows["as_of"].iloc[0],
        "cutoff": rows["cutoff"].max(),
        "first_period": rows["period"].min(),
        "last_period": rows["period"].max(),
        "destinations": rows["destination"].nunique(),
    }


def events(publication: Publication) -> list[Record]:
    """Newest version of each event, latest announcement first."""
    order = ["announced_on", "severity", "event_id"]
    rows = publication.ledger.events.sort_values(order, ascending=False)
    return records(rows[list(EVENT_ROW)])


def unreported(publication: Publication, now: pd.Timestamp) -> list[Record]:
    """Scheduled events that are past but later than the newest announcement in the data."""
    rows, newest = scheduled(publication.ledger.events), newest_act(publication)
    if newest is None:
        return []
    day = rows["effective_from"]
    due = rows.loc[day.gt(newest) & day.le(now.tz_convert("UTC").tz_localize(None))]
    return records(due.sort_values("effective_from")[list(EVENT_ROW)])


@dataclass(frozen=True, slots=True)
class UnknownReturn:
    """Suspended acts of which the data do not say what followed their suspension."""

    acts: str
    """As their issuers name them."""
    suspended_to: pd.Timestamp
    """Last day on file, which is past."""
    assumed_to: pd.Timestamp
    """Last day for the forecast."""
    query: str
    """Of the scenario in which they are in force from now on."""


def unknown_returns(publication: Publication, now: pd.Timestamp) -> list[UnknownReturn]:
    """Acts that the forecast takes as suspended past the last day on file, with no act since."""
    explained, newest = publication.published.explanation, newest_act(publication)
    if explained is None or newest is None:
        return []
    last = {act.event_id: pd.Timestamp(act.last) for act in explained.announced if act.is_return}
    rows = publication.ledger.events
    last_days = rows["suspended_to"]
    rows = rows.loc[last_days.ge(newest) & last_days.lt(now.tz_convert("UTC").tz_localize(None))]
    rows = rows.assign(assumed_to=rows["event_id"].map(last)).dropna(subset="assumed_to")
    day = f"{publication.as_of:%Y-%m-%d}"
    return [
        UnknownReturn(
            listed([text.partition(" (")[0] for text in part["legal_reference"]]),
            pd.Timestamp(str(ended)),
            pd.Timestamp(str(assumed)),
            urlencode({f"events.{name}.suspended_to": day for name in part["event_id"]}),
        )
        for (ended, assumed), part in rows.groupby(["suspended_to", "assumed_to"])
    ]


def tariffs(publication: Publication) -> list[Record]:
    """Newest version of each tariff step, latest start first."""
    order = ["effective_from", "importer", "component"]
    rows = publication.ledger.tariffs.sort_values(order, ascending=[False, True, True])
    return records(rows[list(TARIFF_ROW)])


def figures(publication: Publication) -> list[Record]:
    """Published figures, newest first; a revision is a further row."""
    rows = publication.published.observations
    newest = rows.sort_values("available_at", ascending=False, kind="stable")
    shown = newest[list(FIGURE_ROW)]
    months = {n: shown[n].dt.strftime("%Y-%m") for n in ("period_from", "period_to")}
    return records(shown.assign(**months))


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
