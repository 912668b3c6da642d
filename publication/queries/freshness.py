"""Freshness of the forecast: last published months, next release, notices."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from publication.charts.fan import SCHEDULED_PREFIX
from publication.language.formats import dated, listed, months_between, percentage
from publication.language.phrases import gettext, in_a_row, language, marked
from publication.state import Publication
from publication.tables import Record
from publication.words import as_clause, in_reading_order, model_words, name_of, rendered
from store.messages import from_json
from store.publications.panels import Basis
from store.release_calendar import ReleaseCalendar
from store.vocabulary import WORLD

AGED_DAYS: Final = 35
"""A forecast older than this has missed a monthly release of the customs statistics."""

_RELEASES: Final = 3
"""Months within which releases are listed."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """The stamp of a page; days are naive."""

    reach: str
    """Sentence on the last months with data."""
    data_day: pd.Timestamp | None
    """When the newest figure loaded was published; None where none is stored."""
    policy_day: pd.Timestamp | None
    """When the newest act in the data was announced; None without a ledger."""
    as_of: pd.Timestamp
    number: int
    """Of the publication; 0 where none was given."""
    published_at: pd.Timestamp | None
    """When the run that made the forecast ended; None if no run is recorded."""
    models: tuple[str, ...]
    next_months: str
    """Months whose figures are due next, in words."""
    next_release: pd.Timestamp
    missing: str
    """Releases that were due and are not loaded, a sentence; empty where there is none."""
    notices: tuple[str, ...]
    """What a reader must know: stale, late or made by a fallback."""
    later: tuple[tuple[pd.Timestamp, str], ...]
    """What a reader must know from a day on, unless the page was made anew meanwhile."""


def freshness_of(
    publication: Publication, *, now: pd.Timestamp, destination: str = WORLD
) -> Freshness:
    """Freshness of the newest forecast at a moment (UTC), and what is missing of a destination."""
    key = ("freshness", now, destination, language())
    return publication.memo.make(key, lambda: _freshness(publication, now, destination))


def _freshness(publication: Publication, now: pd.Timestamp, destination: str) -> Freshness:
    today = now.tz_convert("UTC").tz_localize(None).normalize()
    cutoff = pd.Timestamp(f"{publication.snapshot.cutoff}-01")
    due = _due_days(publication, cutoff, today)
    loaded = _loaded(publication, destination)
    late = {month: day for month, day in due.items() if day < today and month not in loaded}
    next_release, next_months = next(iter(releases_ahead(publication, now=now).items()))
    models = publication.latest["model"].unique()
    missing = _late(publication, late, destination)
    return Freshness(
        reach=data_through(publication.snapshot.cutoff, publication.bases),
        data_day=_data_day(publication),
        policy_day=newest_act(publication),
        as_of=publication.as_of,
        number=int(publication.latest["publication"].iloc[0]),
        published_at=published_at(publication, publication.latest),
        models=tuple(str(model) for model in models),
        next_months=next_months,
        next_release=next_release,
        missing=missing,
        notices=(
            *_held(publication),
            *([_stale(publication)] if now > _aged_on(publication) else []),
            *filter(None, [missing]),
            *_statuses(publication),
        ),
        later=_later(publication, now, loaded),
    )


def releases_ahead(publication: Publication, *, now: pd.Timestamp) -> dict[pd.Timestamp, str]:
    """Expected days of the next releases of the world's figures, each with its months in words."""
    key = ("releases", now, language())
    return publication.memo.make(key, lambda: _releases(publication, now))


def _releases(publication: Publication, now: pd.Timestamp) -> dict[pd.Timestamp, str]:
    ahead = _months_ahead(publication, now)
    return {day: months_between(part[0], part[-1]) for day, part in ahead.items()}


def _months_ahead(
    publication: Publication, now: pd.Timestamp
) -> dict[pd.Timestamp, list[pd.Timestamp]]:
    """Expected days of the next releases, each with its months."""
    today = now.tz_convert("UTC").tz_localize(None).normalize()
    cutoff = pd.Timestamp(f"{publication.snapshot.cutoff}-01")
    due = _due_days(publication, cutoff, today + pd.DateOffset(months=_RELEASES))
    months: dict[pd.Timestamp, list[pd.Timestamp]] = {}
    for month, day in due.items():
        if day >= today:
            months.setdefault(day, []).append(month)
    return months


def newest_act(publication: Publication) -> pd.Timestamp | None:
    """Day of the newest announcement in the data; None where there is none."""
    rows = publication.ledger.events
    if rows.empty:
        return None
    announced = rows.loc[~rows["event_id"].str.startswith(SCHEDULED_PREFIX), "announced_on"]
    return None if announced.empty else announced.max()


def _data_day(publication: Publication) -> pd.Timestamp | None:
    """Day of the newest figure known to the publication, as the page of data lists it."""
    days = publication.published.observations["available_at"]
    newest = days.loc[days <= publication.as_of].max()
    return None if pd.isna(newest) else newest.tz_localize(None).normalize()


def _due_days(
    publication: Publication, cutoff: pd.Timestamp, today: pd.Timestamp
) -> dict[pd.Timestamp, pd.Timestamp]:
    """Day on which each month after the cutoff is due, up to the first from today on.

    January and February come together in March.
    """
    rows = publication.published.calendar
    calendar = ReleaseCalendar({}) if rows is None else ReleaseCalendar.from_frame(rows)
    due: dict[pd.Timestamp, pd.Timestamp] = {}
    month = cutoff
    while not due or max(due.values()) < today or month.month == 1:
        month = month + pd.DateOffset(months=1)
        due[month] = calendar.released_on(month)
    return due


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


def _aged_on(publication: Publication) -> pd.Timestamp:
    return publication.as_of.normalize() + pd.Timedelta(days=AGED_DAYS + 1)


def _stale(publication: Publication) -> str:
    return gettext(
        "Stale: this forecast is as of %(day)s; a newer one should have been published.",
        day=dated(publication.as_of, "long day"),
    )


def _loaded(publication: Publication, destination: str) -> set[pd.Timestamp]:
    """Months of a destination that are published, or follow from what is."""
    panel = publication.snapshot.panel
    is_loaded = panel["destination"].eq(destination) & panel["kind"].ne("estimated")
    return {*panel.loc[is_loaded, "period"]}


def _later(
    publication: Publication, now: pd.Timestamp, loaded: Collection[pd.Timestamp]
) -> tuple[tuple[pd.Timestamp, str], ...]:
    """Notices of releases that become overdue, and of the forecast's age, true on any day."""
    coming = [
        (day + pd.Timedelta(days=1), _not_loaded(left, day))
        for day, months in _months_ahead(publication, now).items()
        if publication.published.calendar is not None
        if (left := [month for month in months if month not in loaded])
    ]
    if (aged := _aged_on(publication)) > now:
        coming.append((aged.tz_localize(None), _stale(publication)))
    text = marked("From %(day)s on, unless this page is written anew: %(notice)s")
    return tuple(
        (day, gettext(text, day=dated(day, "long day"), notice=notice)) for day, notice in coming
    )


def _not_loaded(late: Sequence[pd.Timestamp], day: pd.Timestamp) -> str:
    months = months_between(late[0], late[-1])
    if len(late) < len(pd.date_range(late[0], late[-1], freq="MS")):
        months = listed([dated(month, "long month") for month in late])
    return gettext(
        "Not loaded: China's figures of %(months)s, due since %(day)s. What is shown for these "
        "months is a forecast.",
        months=months,
        day=dated(day, "long day"),
    )


def _late(publication: Publication, due: dict[pd.Timestamp, pd.Timestamp], destination: str) -> str:
    """Notice of a destination's months that are overdue; of the world with what is loaded."""
    calendar = publication.published.calendar
    if calendar is None or not due:
        return ""
    is_release = calendar["what"].eq("detail") & calendar["period_to"].isin(list(due))
    releases = calendar.loc[is_release].sort_values("period_to")
    notice = _not_loaded(sorted(due), due[min(due)])
    meanwhile = ""
    if destination == WORLD:
        meanwhile = published_later(publication.snapshot.panel, publication.snapshot.cutoff)
    if releases.empty:
        return in_a_row(notice, meanwhile)
    newest = releases.iloc[-1]
    release = gettext(
        "China Customs published %(month)s on %(day)s; that release has not been loaded yet.",
        month=dated(newest["period_to"], "long month"),
        day=dated(newest["released_on"], "long day"),
    )
    return in_a_row(notice, release, meanwhile)


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
        return gettext("never published; each month estimated to ±%(band)s", band=error)
    month = dated(pd.Timestamp(basis.published_to), "month")
    if not basis.estimated:
        return gettext("last loaded month %(month)s", month=month)
    return gettext(
        "last loaded month %(month)s; of twelve months %(published)s published, %(derived)s "
        "derived, %(estimated)s estimated to ±%(band)s each",
        month=month,
        published=basis.published,
        derived=basis.derived,
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


def destinations(publication: Publication) -> list[Record]:
    """Destinations of the newest forecast, with the basis of their past months."""
    bases = publication.snapshot.bases
    return [
        {"destination": name, "name": name_of(name), **bases[name].record, "usual_t": usual}
        for name in in_reading_order(bases)
        for usual in [publication.usual(name).record]
    ]
