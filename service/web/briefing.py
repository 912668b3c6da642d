"""What changed since the publication before, what may break a forecast, and what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from service.charts.fan import Fan, months_ahead
from service.charts.markers import SCHEDULED_PREFIX, scheduled_title, touches
from service.language.formats import dated, percentage
from service.language.phrases import gettext, marked
from service.live.publication import Publication
from service.queries.explain import causes_of_change, figure_sentence, moved_by
from service.report.view import MONTHS_IN_HEADLINE, MonthRow, month_rows, span_of
from service.web.lever_form import CHANCE
from service.wording import name_of, signed_percent, tonnes
from store.publications.explanations import Announced, StoredExplanation
from store.vocabulary import CHANGES, WORLD

_SHOWN: Final = 6
"""Figures and acts listed; the API and the policy ledger have all."""

NOT_COMPUTED: Final = marked(
    "The causes of the change have not been computed for this publication."
)


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
class Briefing:
    """Three of the five questions a planner asks of a destination."""

    change: str
    figures: tuple[tuple[str, str], ...]
    """What became known meanwhile, what of it was expected and moved here, with its address."""
    further: int
    """Figures that are not listed."""
    risks: tuple[Risk, ...]
    riskiest: MonthRow | None
    """The month most likely to fall below the year before; None where no chance is known."""


def briefing_of(publication: Publication, fan: Fan) -> Briefing:
    """Return the briefing of one destination."""
    ahead = months_ahead(fan)
    months = [f"{period:%Y-%m}" for period in ahead["period"]]
    risks = (*_announced(publication, fan), *_scheduled(publication, fan))
    rows = [row for row in month_rows(fan) if not row.past and not np.isnan(row.chance_below)]
    figures = _figures(publication, fan.destination, months[:MONTHS_IN_HEADLINE])
    return Briefing(
        change=_change(publication, fan.destination, months[:MONTHS_IN_HEADLINE]),
        figures=figures[:_SHOWN],
        further=len(figures[_SHOWN:]),
        risks=tuple(sorted(risks, key=lambda risk: risk.when)[:_SHOWN]),
        riskiest=max(rows, key=lambda row: row.chance_below, default=None),
    )


def _figures(
    publication: Publication, destination: str, months: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the figures since the publication before, those that moved most here first."""
    found = publication.published.explanation or StoredExplanation()
    order = sorted(found.figures, key=lambda one: -abs(moved_by(one, destination, months) or 0.0))
    return tuple((figure_sentence(one, destination, months), one.source_url) for one in order)


def _change(publication: Publication, destination: str, months: Sequence[str]) -> str:
    """Return by how much the medians of some months moved since the publication before, and why."""
    rows = publication.published.every
    order = rows[["as_of", "publication"]].drop_duplicates().sort_values(["as_of", "publication"])
    if len(order) < 2:  # noqa: PLR2004 - it and the one before
        return gettext("This is the first publication; there is none to compare it with.")
    (day, before), (as_of, number) = order.tail(2).itertuples(index=False)
    whose = _named(day, is_same_day=day == as_of)
    own = rows[rows["destination"].eq(destination)]
    then, now = (
        own[own["as_of"].eq(moment) & own["publication"].eq(one)].set_index("period")["p50"]
        for moment, one in ((day, before), (as_of, number))
    )
    moved = (now - then).reindex(list(months)).dropna()
    if moved.empty:
        return gettext("The %(forecast)s before it did not reach these months.", forecast=whose)
    median = float(now[moved.index].sum())
    why = _why(publication, destination, int(before), median, list(moved.index))
    return f"{_moved(whose, moved, median)} {why}".rstrip()


def _named(moment: pd.Timestamp, *, is_same_day: bool) -> str:
    day = dated(moment, "long day")
    if is_same_day:
        return gettext("earlier forecast of %(day)s", day=day)
    return gettext("forecast of %(day)s", day=day)


def _why(
    publication: Publication, destination: str, before: int, median: float, months: list[str]
) -> str:
    """Return the causes of a change as far as they were computed for it."""
    found = publication.published.explanation
    if found is None or found.since != before or not publication.is_magnets:
        return gettext(NOT_COMPUTED) if publication.is_magnets else ""
    own = found.changes.get(destination, {})
    parts = {name: sum(own.get(month, {}).get(name, 0.0) for month in months) for name in CHANGES}
    return causes_of_change(parts, median)


def _moved(whose: str, moved: pd.Series, median: float) -> str:
    total = float(moved.sum())
    share = f" ({signed_percent(total / (median - total))})" if median > total else ""
    values = {
        "forecast": whose,
        "months": span_of(pd.to_datetime(pd.Series(sorted(moved.index)))),
        "tonnes": tonnes(abs(total)),
        "share": share,
    }
    if not round(total, 1):
        return gettext(
            "Compared with the %(forecast)s, the medians of %(months)s are unchanged in "
            "sum%(share)s.",
            **values,
        )
    if total > 0:
        return gettext(
            "Compared with the %(forecast)s, the medians of %(months)s are %(tonnes)s\xa0t higher "
            "in sum%(share)s.",
            **values,
        )
    return gettext(
        "Compared with the %(forecast)s, the medians of %(months)s are %(tonnes)s\xa0t lower in "
        "sum%(share)s.",
        **values,
    )


def _announced(publication: Publication, fan: Fan) -> list[Risk]:
    """Return the announced acts that affect a destination; those that share their fate once."""
    found = publication.published.explanation or StoredExplanation()
    together: dict[object, list[Announced]] = {}
    for one in found.announced:
        if fan.destination in (WORLD, *one.destinations):
            key = (one.due, one.is_return, one.chances, not one.event_id, one.importer)
            together.setdefault(key, []).append(one)
    titles = publication.snapshot.ledger.events.set_index("event_id")["summary"].to_dict()
    return [_risk(acts, titles, fan.destination) for acts in together.values()]


def _risk(acts: Sequence[Announced], titles: Mapping[Any, Any], destination: str) -> Risk:
    first = acts[0]
    names = [str(titles.get(one.event_id, one.event_id)).rstrip(".") for one in acts]
    hit = "" if WORLD in first.destinations else ", ".join(map(name_of, first.destinations))
    if not first.event_id:
        title, names = gettext("Tariff increase in %(destinations)s", destinations=hit), []
    else:
        title = _control(hit if destination == WORLD else "", is_return=first.is_return)
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
        labels = gettext("Forecast if they return"), gettext("Forecast if they do not")
    else:
        labels = (
            gettext("Forecast if they start as announced"),
            gettext("Forecast if they never start"),
        )
    return [
        ([(f"{CHANCE}{one.event_id}", chance) for one in acts], label)
        for chance, label in zip(("1", "0"), labels, strict=True)
    ]


def _if_it_stays(rise: Announced) -> list[_Query]:
    if not rise.importer:
        return []
    late = pd.Timestamp(rise.due) + pd.DateOffset(months=1) - pd.Timedelta(days=1)
    fields = [
        ("tariff_importer", rise.importer),
        ("tariff_kind", "rate"),
        ("tariff_value", f"{rise.rate_before_pct:g}"),
        ("tariff_from", rise.due),
    ]
    found = [([*fields, ("tariff_to", rise.until)], gettext("Forecast if it does not come"))]
    if not rise.until or late < pd.Timestamp(rise.until):
        fields.append(("tariff_to", f"{late:%Y-%m-%d}"))
        found.append((fields, gettext("Forecast if it comes a month later")))
    return found


def _control(hit: str, *, is_return: bool) -> str:
    """Return what is announced, and for whom where that is not clear from the page."""
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
    """Return the chances of what is announced: as announced, later, weaker, not at all."""
    announced, late, softened, never = (percentage(f"{100 * chance:.0f}") for chance in chances)
    return gettext(
        "%(announced)s as announced, %(late)s later, %(softened)s in a weaker form, %(never)s "
        "not at all",
        announced=announced,
        late=late,
        softened=softened,
        never=never,
    )


def _scheduled(publication: Publication, fan: Fan) -> list[Risk]:
    """Return the scheduled days within the horizon that concern a destination."""
    events = publication.snapshot.ledger.events
    ahead = events["effective_from"].gt(fan.as_of) & events["effective_from"].lt(fan.end)
    rows = events.loc[ahead & events["event_id"].str.startswith(SCHEDULED_PREFIX)]
    return [
        Risk(
            pd.Timestamp(row["effective_from"]), "", (scheduled_title(row["summary"]).rstrip("."),)
        )
        for row in rows.sort_values("effective_from").to_dict("records")
        if fan.destination == WORLD or touches(fan.destination, str(row["destinations"]).split(";"))
    ]
