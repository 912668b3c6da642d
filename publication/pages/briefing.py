"""The answer of a page above the fold: the next month, what moved its median, the risks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd

from publication.charts.fan import Fan, scheduled, scheduled_title, touches
from publication.language.formats import dated, months_between, percentage
from publication.language.phrases import act_words, full_stop, gettext, in_a_row, language, marked
from publication.queries.destination_months import MonthRow, month_rows
from publication.queries.explanation_sentences import (
    amount_of,
    causes_of_change,
    expected_of,
    in_brief,
    moved_by,
    published_of,
    rounded,
    span_of,
)
from publication.queries.freshness import publication_words, releases_ahead
from publication.state import Publication
from publication.words import (
    address_key,
    chance_below,
    name_of,
    signed_percent,
    signed_tonnes,
    tonnes,
)
from store.months import month_number
from store.publications.explanations import Announced, NewFigure, StoredExplanation, runs_of
from store.vocabulary import CHANGES, QUANTILE_COLUMNS, WORLD

Run = tuple[NewFigure, ...]
"""Neighbouring months of one destination, or one figure."""

MOST_LISTED: Final = 6
"""Figures listed; the API has all."""


@dataclass(frozen=True, slots=True)
class MedianChange:
    """Change of the median of one month since the publication before."""

    publication: Publication
    destination: str
    month: str
    previous: pd.DataFrame
    """Rows of the publication before; empty where there is none."""
    before: float
    """Tonnes; 0 where the publication before did not reach the month."""
    after: float

    @property
    def figures(self) -> tuple[NewFigure, ...]:
        """Figures since, as far as they were explained."""
        stored = self.publication.published.explanation
        return stored.figures if stored is not None and stored.since == self._number else ()

    @property
    def _number(self) -> int:
        return int(self.previous["publication"].max()) if len(self.previous) else 0

    @property
    def since(self) -> str:
        """Publication before, in words."""
        return publication_words(self.publication, self.previous)

    @property
    def _runs(self) -> list[Run]:
        """Figures with an effect, and those of the destination, largest first after its newest."""
        shown = [
            run
            for run in runs_of(self.figures)
            if self.effect(run) or (run[0].destination == self.destination and not run[0].moved)
        ]
        newest = [run for run in shown if run[-1] in self.own[:1]]
        return sorted(shown, key=lambda run: (run not in newest, -abs(self.effect(run))))

    def effect(self, run: Run) -> float:
        """Whole tonnes by which figures moved the median; 0 if not computed."""
        return moved_by(run, self.destination, [self.month]) or 0.0

    @property
    def listed(self) -> list[Run]:
        """Largest effects: those of the destination first, the newest first; none of 0 t."""

        def order(run: Run) -> int:
            return -month_number(run[-1].last) if run[0].destination == self.destination else 0

        return sorted(self._runs[:MOST_LISTED], key=order)

    @property
    def smaller(self) -> list[float]:
        """Whole tonnes of the effects that are not listed; none of 0 t."""
        return [self.effect(run) for run in self._runs[MOST_LISTED:] if self.effect(run)]

    @property
    def uncomputed(self) -> int:
        """How many figures have no effect computed for this month."""
        effects = [moved_by([row], self.destination, [self.month]) for row in self.figures]
        return effects.count(None)

    @property
    def total(self) -> float:
        """Tonnes that the listed effects add up to."""
        return sum(self.effect(run) for run in self.listed)

    @property
    def own(self) -> list[NewFigure]:
        """Months of the destination itself that were forecast before, the newest first."""
        outcomes = [
            figure
            for figure in self.figures
            if figure.destination == self.destination
            and figure.expected_t is not None
            and figure.published_t is not None
        ]
        return sorted(outcomes, key=lambda figure: figure.last, reverse=True)

    @property
    def sentence(self) -> str:
        """Both medians, the figure that moved them most, the newest own figures."""
        if not self.before:
            return self.summary
        medians = gettext(
            "Since %(forecast)s, %(month)s: %(before)s\xa0t → %(after)s\xa0t (%(share)s)",
            forecast=self.since,
            month=dated(pd.Timestamp(self.month), "long month"),
            before=tonnes(self.before),
            after=tonnes(self.after),
            share=signed_percent(self.after / self.before - 1),
        )
        causes = [run for run in self.listed if self.effect(run) and not _as_expected(run)]
        largest = max(causes, key=lambda run: abs(self.effect(run)), default=None)
        cause = "" if largest is None else in_brief(largest, self.destination, self.month)
        return in_a_row(f"{medians}{full_stop()}", cause, self._outcome)

    @property
    def _outcome(self) -> str:
        """The newest own figure, if it is inside its band; others stand first on the page."""
        newest = next(iter(self.own), None)
        if newest is None or _as_expected((newest,)) or side_of(newest, self.previous):
            return ""
        return gettext(
            "%(month)s came in at %(value)s\xa0t, expected %(expected)s\xa0t: inside the 80%% "
            "band.",
            month=dated(pd.Timestamp(newest.first), "long month"),
            value=tonnes(newest.published_t or 0.0),
            expected=tonnes(newest.expected_t or 0.0),
        )

    @property
    def summary(self) -> str:
        """Why there is nothing to compare the median with, as a sentence; empty if there is."""
        if self.previous.empty:
            return gettext("This is the first publication; there is none to compare it with.")
        if self.before:
            return ""
        return gettext(
            "Compared with %(forecast)s: it did not reach this month.", forecast=self.since
        )

    @property
    def causes(self) -> str:
        """Causes of the change, if they were computed for it."""
        publication, stored = self.publication, self.publication.published.explanation
        if not self.before or address_key(publication.commodity):  # computed for the magnets only
            return ""
        if stored is None or stored.since != self._number:
            return gettext("The causes of the change have not been computed for this publication.")
        changes = stored.changes.get(self.destination, {}).get(self.month, {})
        return causes_of_change({name: changes.get(name, 0.0) for name in CHANGES}, self.after)


def _as_expected(run: Run) -> bool:
    """Whether months read as they were expected."""
    is_known = all(row.expected_t is not None and row.published_t is not None for row in run)
    return is_known and tonnes(published_of(run)) == tonnes(expected_of(run))


def side_of(figure: NewFigure, previous: pd.DataFrame) -> int:
    """-1 below the 80% band of the publication before, 1 above it, 0 within."""
    is_cell = previous["destination"].eq(figure.destination) & previous["period"].eq(figure.first)
    row, value = previous.loc[is_cell], figure.published_t or 0.0
    return int(value > row["p90"].sum()) - int(value < row["p10"].sum())


@dataclass(frozen=True, slots=True)
class Surprise:
    """Newest months of a destination whose figures lie outside their bands, all on one side."""

    run: Run
    ahead: tuple[str, ...]
    """The next three months, ``YYYY-MM``."""

    side: int
    """As ``side_of``."""

    @property
    def sentence(self) -> str:
        """What came, beside what was expected."""
        published, expected = published_of(self.run), expected_of(self.run)
        share = 100 * (published / expected - 1) if expected else 100.0
        return gettext(
            _CAME[self.side],
            months=span_of(self.run),
            amount=amount_of(self.run, published),
            share=percentage(f"{abs(share):.0f}"),
        )

    @property
    def effect(self) -> str:
        """What it does to the next three months; empty where that was not computed."""
        moved = moved_by(self.run, self.run[0].destination, self.ahead)
        if moved is None or not self.ahead:
            return ""
        return gettext(
            "It moves the medians of %(name)s for %(months)s by %(tonnes)s\xa0t in sum.",
            name=name_of(self.run[0].destination),
            months=months_between(pd.Timestamp(self.ahead[0]), pd.Timestamp(self.ahead[-1])),
            tonnes=signed_tonnes(moved),
        )


_CAME: Final = {
    -1: marked("%(months)s: %(amount)s, %(share)s below what was expected."),
    1: marked("%(months)s: %(amount)s, %(share)s above what was expected."),
}
"""By the side of the band."""


def surprises_of(publication: Publication, read_at: pd.Timestamp) -> dict[str, Surprise]:
    """Surprise of each destination that has one, the largest in tonnes first."""
    return publication.memo.make(("surprises", read_at), lambda: _surprises(publication, read_at))


def _surprises(publication: Publication, read_at: pd.Timestamp) -> dict[str, Surprise]:
    newest: dict[str, Surprise] = {}
    for name in publication.destinations:
        change = change_of(publication, name, "")
        side = side_of(change.own[0], change.previous) if change.own else 0
        if not side:
            continue
        alike = [row for row in change.own if side_of(row, change.previous) == side]
        run = next(run for run in runs_of(alike) if change.own[0] in run)
        rows = publication.latest
        is_ahead = rows["destination"].eq(name) & rows["period"].gt(f"{read_at:%Y-%m}")
        newest[name] = Surprise(run, tuple(sorted(rows.loc[is_ahead, "period"])[:_NEXT]), side)

    def size(name: str) -> float:
        run = newest[name].run
        return -abs(published_of(run) - expected_of(run)) * len(run)

    return {name: newest[name] for name in sorted(newest, key=size)}


_NEXT: Final = 3
"""Months ahead that are shown together."""


def change_of(publication: Publication, destination: str, month: str) -> MedianChange:
    """Change of a month's median since the publication before, of the same day or not."""
    pair = publication.memo.make("newest and previous", lambda: _pair(publication))
    before, after = (
        float(part.loc[part["destination"].eq(destination) & part["period"].eq(month), "p50"].sum())
        for part in pair
    )
    return MedianChange(publication, destination, month, pair[0], before, after)


def _pair(publication: Publication) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of the publication before the newest, empty where there is none, and of the newest."""
    rows = publication.published.every
    parts = [part for _, part in rows.groupby(["as_of", "publication"])]
    return (parts[-2] if len(parts) > 1 else rows.iloc[:0]), parts[-1]


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
    before: float | None
    """The chance in the publication before; None where that does not reach the month."""


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
    key = ("briefing", fan.destination, read_at, language())
    return publication.memo.make(key, lambda: _briefing(publication, fan, read_at))


def _briefing(publication: Publication, fan: Fan, read_at: pd.Timestamp) -> Briefing:
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
        "%(name)s, %(month)s: %(median)s\xa0t (8 in 10: %(low)s to %(high)s\xa0t)",
        name=name,
        month=dated(pd.Timestamp(month.period), "long month"),
        median=tonnes(month.p50),
        low=tonnes(month.p10),
        high=tonnes(month.p90),
    )


def slump_of(publication: Publication, fan: Fan, today: str) -> Slump | None:
    """Month after ``today`` with the highest chance of less than half a normal month."""
    usual = publication.usual(fan.destination).tonnes
    chances = {
        month: chance_below([float(row[name]) for name in QUANTILE_COLUMNS], usual / 2)
        for row in fan.forecast.to_dict("records")
        if (month := f"{row['period']:%Y-%m}") > today
    }
    if not chances or not usual > 0:
        return None
    worst = max(chances, key=chances.__getitem__)
    rows = change_of(publication, fan.destination, worst).previous
    rows = rows.loc[rows["destination"].eq(fan.destination) & rows["period"].eq(worst)]
    earlier = [
        chance_below(row, usual / 2) for row in rows[list(QUANTILE_COLUMNS)].to_numpy().tolist()
    ]
    return Slump(worst, chances[worst], usual, next(iter(earlier), None))


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
        (f"/what-if.html?{urlencode([('destination', destination), *fields])}", label)
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
        ([(f"events.{act.event_id}.probability", chance) for act in acts], label)
        for chance, label in zip(("100", "0"), labels, strict=True)
    ]


def _if_it_stays(rise: Announced) -> list[_Query]:
    if not rise.importer:
        return []
    late = pd.Timestamp(rise.due) + pd.DateOffset(months=1) - pd.Timedelta(days=1)
    fields = [
        ("tariffs.0.importer", rise.importer),
        ("tariffs.0.rate_pct", f"{rise.rate_before_pct:g}"),
        ("tariffs.0.effective_from", rise.due),
    ]
    scenarios = [
        (
            [*fields, ("tariffs.0.effective_to", rise.until)],
            gettext("Forecast without the increase"),
        )
    ]
    if not rise.until or late < pd.Timestamp(rise.until):
        fields.append(("tariffs.0.effective_to", f"{late:%Y-%m-%d}"))
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
