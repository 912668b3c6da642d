"""The answer of a page above the fold: the next month, what changed it, what may break it.

Its dates are a calendar too (iCalendar, RFC 5545).
"""

import hashlib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd

from service.charts.fan import Fan, fan_of, scheduled, scheduled_title, touches
from service.http.responses import ORIGIN
from service.language.acts import act_words
from service.language.formats import dated, percentage
from service.language.phrases import gettext, in_a_row
from service.live.publication import Publication
from service.queries.destination_months import MonthRow, month_rows, normal_month
from service.queries.explanation_sentences import rounded
from service.queries.freshness import releases_ahead
from service.web.lever_form import CHANCE
from service.web.median_change import MedianChange, change_of
from service.words import chance_below, home_of, name_of, tonnes
from store.publications.explanations import Announced, StoredExplanation
from store.vocabulary import QUANTILE_COLUMNS, WORLD

_DATES: Final = 3
_SHOWN: Final = 6
"""Acts listed; the policy ledger has all."""


@dataclass(frozen=True, slots=True)
class Risk:
    """Something announced or scheduled for a day within the horizon."""

    when: pd.Timestamp
    title: str
    """Of what kind it is; empty for a date on which something is decided."""
    acts: tuple[str, ...]
    """The summaries of the acts, in English as the ledger has them."""
    chances: str = ""
    """How probable it is, in words; empty for a date on which something is decided."""
    scenarios: tuple[tuple[str, str], ...] = ()
    """Address and label of each scenario of it."""


@dataclass(frozen=True, slots=True)
class Slump:
    """The month most likely to stay below half of what is usual."""

    month: str
    """``YYYY-MM``."""
    chance: float
    usual: float
    """Tonnes of a normal month, estimates included."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """The questions a planner asks of a destination."""

    headline: str
    month: MonthRow | None
    """The first month after that of the reader; None where none is forecast."""
    moved: MedianChange
    change: str
    risks: tuple[Risk, ...]
    dates: tuple[tuple[pd.Timestamp, str], ...]
    """The next days that matter, each with what comes in a few words."""
    slump: Slump | None
    """None where no usual amount is known."""


def briefing_of(publication: Publication, fan: Fan, read_at: pd.Timestamp) -> Briefing:
    """Briefing on one destination for a reader at a moment (UTC)."""
    today = f"{read_at:%Y-%m}"
    month = next((row for row in month_rows(fan) if row.period > today), None)
    period = "" if month is None else month.period
    risks = sorted(
        (
            risk
            for risk in (*_announced(publication, fan), *_scheduled(publication, fan))
            if risk.when >= read_at.tz_localize(None).normalize()
        ),
        key=lambda risk: risk.when,
    )
    change = change_of(publication, fan.destination, period)
    return Briefing(
        headline=_headline(fan, month),
        month=month,
        moved=change,
        change=in_a_row(change.summary, change.causes),
        risks=tuple(risks[:_SHOWN]),
        dates=_dates(publication, risks, read_at),
        slump=slump_of(publication, fan, today),
    )


def _dates(
    publication: Publication, risks: Sequence[Risk], read_at: pd.Timestamp
) -> tuple[tuple[pd.Timestamp, str], ...]:
    if publication.published.calendar is None:
        return ()
    coming = {risk.when: risk.title or act_words(risk.acts[0]) for risk in reversed(risks)}
    releases = {
        day: gettext("figures of %(month)s", month=months)
        for day, months in releases_ahead(publication, now=read_at).items()
    }
    return tuple(sorted([*coming.items(), *releases.items()])[:_DATES])


def _headline(fan: Fan, month: MonthRow | None) -> str:
    name = name_of(fan.destination)
    if month is None:
        return gettext("%(name)s: no month ahead is forecast", name=name)
    return gettext(
        "%(name)s, %(month)s: %(median)s\xa0t (80%%: %(low)s to %(high)s)",
        name=name,
        month=dated(pd.Timestamp(month.period), "long month"),
        median=tonnes(month.p50),
        low=tonnes(month.p10),
        high=tonnes(month.p90),
    )


def slump_of(publication: Publication, fan: Fan, today: str) -> Slump | None:
    """Month after ``today`` with the highest chance of less than half a normal month."""
    usual = normal_month(publication, fan.destination)
    chances = {
        month: chance_below([float(row[name]) for name in QUANTILE_COLUMNS], usual / 2)
        for row in fan.forecast.to_dict("records")
        if (month := f"{row['period']:%Y-%m}") > today
    }
    if not chances or not usual > 0:
        return None
    worst = max(chances, key=chances.__getitem__)
    return Slump(worst, chances[worst], usual)


def _announced(publication: Publication, fan: Fan) -> list[Risk]:
    """Announced acts that affect a destination; acts with the same dates and chances are one."""
    explanation = publication.published.explanation or StoredExplanation()
    groups: dict[object, list[Announced]] = {}
    for act in explanation.announced:
        if fan.destination in (WORLD, *act.destinations):
            key = (act.due, act.is_return, act.chances, not act.event_id, act.importer)
            groups.setdefault(key, []).append(act)
    titles = publication.snapshot.ledger.events.set_index("event_id")["summary"].to_dict()
    return [_risk(acts, titles, fan.destination) for acts in groups.values()]


def _risk(acts: Sequence[Announced], titles: Mapping[Any, Any], destination: str) -> Risk:
    first = acts[0]
    names = [titles[act.event_id].rstrip(".") for act in acts if act.event_id in titles]
    destinations = (
        "" if WORLD in first.destinations else ", ".join(map(name_of, first.destinations))
    )
    if not first.event_id:
        title, names = gettext("Tariff increase in %(destinations)s", destinations=destinations), []
    else:
        title = _control(destinations if destination == WORLD else "", is_return=first.is_return)
    queries = _if_they_come(acts) if first.event_id else _if_it_stays(first)
    links = tuple(
        (f"/what-if?{urlencode([('destination', destination), *fields])}", label)
        for fields, label in queries
    )
    chances = chances_in_words(first.chances)
    return Risk(pd.Timestamp(first.due), title, tuple(names), chances, links)


_Query = tuple[list[tuple[str, str]], str]
"""Fields of the scenario form, and the label of its link."""


def _if_they_come(acts: Sequence[Announced]) -> list[_Query]:
    if acts[0].is_return:
        labels = (
            gettext("Forecast if they return on that day"),
            gettext("Forecast if they do not return"),
        )
    else:
        labels = (
            gettext("Forecast if they start as announced"),
            gettext("Forecast if they do not start"),
        )
    return [
        ([(f"{CHANCE}{act.event_id}", chance) for act in acts], label)
        for chance, label in zip(("100", "0"), labels, strict=True)
    ]


def _if_it_stays(rise: Announced) -> list[_Query]:
    if not rise.importer:
        return []
    late = pd.Timestamp(rise.due) + pd.DateOffset(months=1) - pd.Timedelta(days=1)
    fields = [
        ("tariff_importer", rise.importer),
        ("tariff_rate", f"{rise.rate_before_pct:g}"),
        ("tariff_from", rise.due),
    ]
    scenarios = [([*fields, ("tariff_to", rise.until)], gettext("Forecast without the increase"))]
    if not rise.until or late < pd.Timestamp(rise.until):
        fields.append(("tariff_to", f"{late:%Y-%m-%d}"))
        scenarios.append((fields, gettext("Forecast if the increase starts a month later")))
    return scenarios


def _control(hit: str, *, is_return: bool) -> str:
    """Title of an announced control, with the destinations if the page does not name them."""
    if is_return and hit:
        return gettext(
            "Return of suspended controls on exports to %(destinations)s", destinations=hit
        )
    if is_return:
        return gettext("Return of suspended controls")
    if hit:
        return gettext("Start of controls on exports to %(destinations)s", destinations=hit)
    return gettext("Start of controls")


def chances_in_words(chances: Sequence[float]) -> str:
    """Probabilities of the outcomes of an announcement: as announced, later, weaker, not at all."""
    shares = rounded({str(n): 100 * chance for n, chance in enumerate(chances)}, 100.0)
    announced, late, softened, never = (percentage(f"{share:.0f}") for share in shares.values())
    return gettext(
        "%(announced)s as announced, %(late)s later, %(softened)s in a weaker form, %(never)s "
        "not at all",
        announced=announced,
        late=late,
        softened=softened,
        never=never,
    )


def _scheduled(publication: Publication, fan: Fan) -> list[Risk]:
    """Scheduled days within the horizon that concern a destination."""
    days = scheduled(publication.snapshot.ledger.events)
    rows = days.loc[days["effective_from"].gt(fan.as_of) & days["effective_from"].lt(fan.end)]
    return [
        Risk(
            pd.Timestamp(row["effective_from"]), "", (scheduled_title(row["summary"]).rstrip("."),)
        )
        for row in rows.sort_values("effective_from").to_dict("records")
        if fan.destination == WORLD or touches(fan.destination, str(row["destinations"]).split(";"))
    ]


_LINE: Final = 73
"""Bytes of a line; longer ones are folded. Source: RFC 5545, 3.1, with room for the fold."""


def calendar_of(publication: Publication, destination: str, read_at: pd.Timestamp) -> bytes:
    """Releases expected next and what is announced or scheduled, one day each."""
    name = gettext("Rare-earth magnets: dates for %(name)s", name=name_of(destination))
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//magnetcast//EN",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    address = f"{ORIGIN}{home_of(publication.commodity)}/destinations/{destination}"
    for day, title, details in _all_dates(publication, destination, read_at):
        sign = hashlib.sha256(f"{day:%Y%m%d}{title}".encode()).hexdigest()[:16]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{sign}@magnetcast",
            f"DTSTAMP:{publication.as_of:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"SUMMARY:{_text(title)}",
            f"DESCRIPTION:{_text(details)}",
            f"URL:{address}",
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{_text(title)}",
            "TRIGGER:-P1D",
            "END:VALARM",
            "END:VEVENT",
        ]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"]).encode()


def _all_dates(
    publication: Publication, destination: str, read_at: pd.Timestamp
) -> Iterator[tuple[pd.Timestamp, str, str]]:
    """Yield the day, short title and description of each date."""
    briefing = briefing_of(publication, fan_of(publication, destination), read_at)
    for day, months in releases_ahead(publication, now=read_at).items():
        title = gettext("China's figures of %(month)s", month=months)
        yield (day, title, gettext("China Customs is expected to publish %(month)s", month=months))
    for risk in briefing.risks:
        acts = gettext("; ").join(act_words(act) for act in risk.acts)
        title = risk.title or textwrap.shorten(acts, _TITLE, placeholder="…")
        yield risk.when, title, gettext("; ").join(filter(None, (acts, risk.chances)))


_TITLE: Final = 60
"""Characters of a calendar entry's title."""


def _text(words: str) -> str:
    """Text with the special characters of iCalendar escaped."""
    for sign in ("\\", ";", ","):
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Line in parts of at most ``_LINE`` bytes, never within a character."""
    parts, size = [""], 0
    for sign in line:
        size += len(sign.encode())
        if size > _LINE:
            parts, size = [*parts, ""], len(sign.encode())
        parts[-1] += sign
    return "\r\n ".join(parts)
