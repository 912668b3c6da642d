"""Freshness of the forecast: last published months, next release, notices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.http.responses import Record
from service.language.formats import dated, listed, percentage
from service.language.phrases import gettext, ngettext
from service.live.publication import Publication
from service.words import as_clause, in_reading_order, model_words, name_of, rendered
from store.messages import from_json
from store.publications.basis import Basis
from store.vocabulary import WORLD

AGED_DAYS: Final = 35
"""A forecast older than this has missed a monthly release of the customs statistics."""

USUAL_LAG_DAYS: Final = 20
"""Days from the end of a month to the detail by destination. Source: calendar of China's customs,
which names the 18th or 20th; used where the store holds no release."""

_RECENT_MONTHS: Final = 24
_RELEASES: Final = 3
"""Months within which releases are listed."""
LATE_MONTHS: Final = 2
"""Due months without a figure that make the data late; one may be a matter of days."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The stamp of a page; days are naive."""

    reach: str
    """Sentence on the last months with data."""
    data_day: pd.Timestamp | None
    """When the newest figure of the world's last month, or of a later one, was published."""
    as_of: pd.Timestamp
    number: int
    """Of the publication; 0 where none was given."""
    published_at: pd.Timestamp | None
    """When the run that made the forecast ended; None if no run is recorded."""
    models: tuple[str, ...]
    next_month: pd.Timestamp
    """First day of the month whose figures are due next."""
    next_release: pd.Timestamp
    notices: tuple[str, ...]
    """What a reader must know: stale, late or made by a fallback."""


def freshness_of(publication: Publication, *, now: pd.Timestamp) -> Freshness:
    """Freshness of the newest forecast at the moment of a request (UTC)."""
    today = now.tz_convert("UTC").tz_localize(None).normalize()
    cutoff = pd.Timestamp(f"{publication.snapshot.cutoff}-01")
    due = _due_days(publication, cutoff, today)
    next_month = next(month for month, day in due.items() if day > today)
    past = {month: day for month, day in due.items() if day <= today}
    models = publication.latest["model"].unique()
    return Freshness(
        reach=data_through(publication.snapshot.cutoff, publication.bases),
        data_day=_data_day(publication, cutoff),
        as_of=publication.as_of,
        number=int(publication.latest["publication"].iloc[0]),
        published_at=published_at(publication, publication.latest),
        models=tuple(str(model) for model in models),
        next_month=next_month,
        next_release=due[next_month],
        notices=(
            *_held(publication),
            *_aged(publication.as_of, now),
            *_late(publication, past),
            *_statuses(publication),
        ),
    )


def releases_ahead(
    publication: Publication, *, now: pd.Timestamp
) -> dict[pd.Timestamp, pd.Timestamp]:
    """Expected release days of the next months of the world, by month."""
    today = now.tz_convert("UTC").tz_localize(None).normalize()
    cutoff = pd.Timestamp(f"{publication.snapshot.cutoff}-01")
    due = _due_days(publication, cutoff, today + pd.DateOffset(months=_RELEASES))
    return {month: day for month, day in due.items() if day > today}


def _data_day(publication: Publication, cutoff: pd.Timestamp) -> pd.Timestamp | None:
    panel = publication.snapshot.panel
    published = panel.loc[panel["period"] >= cutoff, "available_at"]
    return None if published.empty else published.max().tz_localize(None).normalize()


def _due_days(
    publication: Publication, cutoff: pd.Timestamp, today: pd.Timestamp
) -> dict[pd.Timestamp, pd.Timestamp]:
    """Day on which each month after the cutoff is due, up to the first after today."""
    lag = pd.Timedelta(days=_lag_days(publication))
    due: dict[pd.Timestamp, pd.Timestamp] = {}
    month = cutoff
    while not due or max(due.values()) <= today:
        month = month + pd.DateOffset(months=1)
        due[month] = month + pd.offsets.MonthEnd(0) + lag
    return due


def _lag_days(publication: Publication) -> int:
    calendar = publication.published.calendar
    if calendar is None:
        return USUAL_LAG_DAYS
    detail = calendar.loc[calendar["what"] == "detail"].sort_values("period_to")
    recent = detail.drop_duplicates("period_to").tail(_RECENT_MONTHS)
    if recent.empty:
        return USUAL_LAG_DAYS
    ends = recent["period_to"] + pd.offsets.MonthEnd(0)
    return round(float((recent["released_on"] - ends).dt.days.median()))


def _held(publication: Publication) -> list[str]:
    publications = publication.published.publications
    shown = publication.latest["publication"].iloc[0]
    later = (publications["as_of"] > publication.as_of) | (
        publications["as_of"].eq(publication.as_of) & (publications["id"] > shown)
    )
    newer = publications.loc[(publications["state"] == "held") & later]
    return [
        gettext(
            "Held: a newer forecast, as of %(day)s, awaits approval: %(reason)s.",
            day=dated(held["as_of"], "long day"),
            reason=as_clause(rendered(from_json(held["held_because"]))),
        )
        for held in newer.to_dict("records")
    ]


def _aged(as_of: pd.Timestamp, now: pd.Timestamp) -> list[str]:
    days = (now - as_of).days
    if days <= AGED_DAYS:
        return []
    return [
        ngettext(
            "Stale: this forecast is %(n)s day old; a newer one should have been published.",
            "Stale: this forecast is %(n)s days old; a newer one should have been published.",
            days,
        )
    ]


def _late(publication: Publication, due: dict[pd.Timestamp, pd.Timestamp]) -> list[str]:
    """Notice of months of the world that are overdue, with what is published meanwhile."""
    calendar = publication.published.calendar
    if calendar is None or len(due) < LATE_MONTHS:
        return []
    first, last = min(due), max(due)
    is_release = calendar["what"].eq("detail") & calendar["period_to"].between(first, last)
    releases = calendar.loc[is_release].sort_values("period_to")
    notice = gettext(
        "Late data: the world's figures for %(first)s to %(last)s were due by %(day)s and have "
        "not been loaded; these months are forecasts too.",
        first=dated(first, "long month"),
        last=dated(last, "long month"),
        day=dated(due[last], "long day"),
    )
    meanwhile = published_later(publication.snapshot.panel, publication.snapshot.cutoff)
    if releases.empty:
        return [f"{notice} {meanwhile}".rstrip()]
    newest = releases.iloc[-1]
    release = gettext(
        "China Customs published %(month)s on %(day)s; that release has not been loaded yet.",
        month=dated(newest["period_to"], "long month"),
        day=dated(newest["released_on"], "long day"),
    )
    return [f"{notice} {release} {meanwhile}".rstrip()]


def _statuses(publication: Publication) -> list[str]:
    """Notices of destinations forecast by a fallback, and why."""
    rows = publication.latest.fillna({"reason": ""})
    other = rows.loc[rows["status"] != "champion"].drop_duplicates(["destination", "status"])
    notices = []
    for (status, reason), group in other.groupby(["status", "reason"]):
        is_all = not publication.bases and len(group) == len(publication.destinations)
        names = (
            gettext("all destinations") if is_all else ", ".join(map(name_of, group["destination"]))
        )
        words = model_words(str(status))
        notices.append(
            gettext(
                "%(model)s: %(destinations)s%(reason)s.",
                model=f"{words[:1].upper()}{words[1:]}",
                destinations=gettext("all destinations") if is_all else names,
                reason=f" ({reason})" if reason else "",
            )
        )
    return notices


def published_at(publication: Publication, rows: pd.DataFrame) -> pd.Timestamp | None:
    """When a forecast was published, or its run ended; None if neither is recorded."""
    publications = publication.published.publications
    moments = publications.loc[publications["id"] == rows["publication"].iloc[0], "published_at"]
    if moments.notna().any():
        return pd.Timestamp(moments.iloc[0])
    runs = publication.published.runs
    is_own = runs["commodity"].eq(publication.commodity) & runs["as_of"].eq(rows["as_of"].iloc[0])
    ended = runs.loc[is_own & runs["status"].eq("finished"), "finished_at"]
    return None if ended.isna().all() else pd.Timestamp(ended.max())


def publication_words(publication: Publication, rows: pd.DataFrame) -> str:
    """Number, day and time of a publication, in words; there may be several a day."""
    moment, at = pd.Timestamp(rows["as_of"].iloc[0]), published_at(publication, rows)
    if at is None:
        return gettext("the forecast of %(day)s", day=dated(moment, "day"))
    return gettext(
        "publication %(number)s (%(day)s, %(time)s UTC)",
        number=int(rows["publication"].iloc[0]),
        day=dated(at, "day"),
        time=f"{at:%H:%M}",
    )


def basis_words(basis: Basis | None) -> str:
    """Last published month of a destination, in a few words; empty if unknown."""
    if basis is None:
        return ""
    error = "" if not basis.estimated else percentage(f"{100 * basis.error:.0f}")
    if not basis.published_to and not basis.estimated:
        return gettext("never published, derived from other figures")
    if not basis.published_to:
        return gettext("never published; estimated, ±%(band)s", band=error)
    month = dated(pd.Timestamp(basis.published_to), "month")
    if basis.since:
        return gettext(
            "last published month %(month)s; estimated since, ±%(band)s", month=month, band=error
        )
    if not basis.estimated:
        return gettext("last published month %(month)s", month=month)
    return gettext(
        "last published month %(month)s; %(estimated)s of twelve months estimated, ±%(band)s",
        month=month,
        estimated=basis.estimated,
        band=error,
    )


_MOST_NAMED: Final = 3


def data_through(cutoff: str, bases: Mapping[str, Basis]) -> str:
    """Sentence on the last month with data, of the world (``cutoff``) and of destinations.

    A partner table, whose destinations all end together, has no ``bases``.
    """
    month = dated(pd.Timestamp(cutoff), "long month")
    months = {name: basis.published_to for name, basis in bases.items() if name != WORLD}
    newest = max(months.values(), default="")
    if not newest or set(months.values()) == {cutoff}:
        return gettext("Data through %(month)s.", month=month)
    names = in_reading_order(name for name, to in months.items() if to == newest)[:_MOST_NAMED]
    return gettext(
        "Data: world to %(month)s; %(names)s to %(newest)s; others by destination.",
        month=month,
        names=listed([name_of(name) for name in names]),
        newest=dated(pd.Timestamp(newest), "long month"),
    )


def published_later(panel: pd.DataFrame, cutoff: str) -> str:
    """Sentence on destinations' months published after the world's ``cutoff``; may be empty."""
    is_later = panel["period"].gt(pd.Timestamp(cutoff)) & panel["kind"].eq("observed")
    months = {
        str(name): listed([dated(month, "long month") for month in rows["period"]])
        for name, rows in panel.loc[is_later].groupby("destination")
    }
    if not months:
        return ""
    phrases = [f"{name_of(name)}: {months[name]}" for name in in_reading_order(months)]
    return gettext(
        "Published of single destinations meanwhile: %(months)s.",
        months=gettext("; ").join(phrases),
    )


def destinations(publication: Publication, *, moment: pd.Timestamp) -> list[Record]:
    """Destinations of the forecast of a moment, with the basis of their past months."""
    bases = publication.snapshots[moment].bases
    return [
        {"destination": name, "name": name_of(name), **bases[name].record}
        for name in in_reading_order(bases)
    ]
