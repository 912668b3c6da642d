"""What changed a median since the publication before: the line of the first page, and the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from service.language.formats import dated
from service.language.phrases import as_sentence, gettext, in_a_row, marked, ngettext
from service.live.publication import Publication
from service.queries.explanation_sentences import causes_of_change, in_brief, moved_by
from service.queries.freshness import publication_words
from service.words import address_key, signed_percent, signed_tonnes, tonnes
from store.publications.explanations import NewFigure
from store.vocabulary import CHANGES

NOT_COMPUTED: Final = marked(
    "The causes of the change have not been computed for this publication."
)


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
        """Figures since; without an explanation those of the destination itself."""
        stored = self.publication.published.explanation
        if stored is not None and stored.since == self._number:
            return stored.figures
        panel, medians = self.publication.snapshot.panel, self._own.set_index("period")["p50"]
        is_new = panel["destination"].eq(self.destination) & panel["kind"].eq("observed")
        is_new &= panel["available_at"].gt(self.previous["as_of"].max())
        return tuple(
            NewFigure(
                self.destination, month, month, "net_weight_t", row["tonnes"],
                f"{row['available_at']:%Y-%m-%dT%H:%M:%SZ}", "", "", is_revision=False,
                expected_t=float(medians[month]), published_t=row["tonnes"],
            )
            for row in panel.loc[is_new].to_dict("records")
            for month in [f"{row['period']:%Y-%m}"]
            if month in medians.index
        )  # fmt: skip

    @property
    def _number(self) -> int:
        return int(self.previous["publication"].max()) if len(self.previous) else 0

    @property
    def _own(self) -> pd.DataFrame:
        return self.previous.loc[self.previous["destination"].eq(self.destination)]

    def effect(self, figure: NewFigure) -> float | None:
        """Tonnes by which a figure moved the median; None if not computed."""
        return moved_by(figure, self.destination, [self.month])

    @property
    def listed(self) -> list[NewFigure]:
        """Figures of the destination, the newest first, then others by effect; none of 0 t."""
        own = [figure for figure in self.figures if figure.destination == self.destination]
        other = [figure for figure in self.figures if figure.destination != self.destination]
        own.sort(key=lambda figure: (figure.last, figure.first), reverse=True)
        other.sort(key=lambda figure: -abs(self.effect(figure) or 0.0))
        shown = [figure for figure in own if self.effect(figure) is None or self._moves(figure)]
        return [*shown, *filter(self._moves, other)]

    def _moves(self, figure: NewFigure) -> bool:
        return round(self.effect(figure) or 0.0) != 0

    def rest(self, listed: Sequence[NewFigure]) -> str:
        """Sentence on what the listed effects leave over; empty without a change or any."""
        if not self.before or not listed:
            return ""
        total = sum(round(self.effect(figure) or 0.0) for figure in listed)
        values = {"sum": signed_tonnes(total), "change": signed_tonnes(self.after - self.before)}
        if further := len(self.figures) - len(listed):
            return ngettext(
                "The effects listed add up to %(sum)s\xa0t of a change of %(change)s\xa0t. %(n)s "
                "further figure is not listed: its effect is small or was not computed on its own.",
                "The effects listed add up to %(sum)s\xa0t of a change of %(change)s\xa0t. %(n)s "
                "further figures are not listed: their effects are small or were not computed one "
                "by one.",
                further,
                **values,
            )
        return gettext(
            "The effects listed add up to %(sum)s\xa0t of a change of %(change)s\xa0t; the rest "
            "has other causes.",
            **values,
        )

    @property
    def line(self) -> str:
        """Medians before and now, with the own newest figure, then what else moved them most."""
        if not self.before:
            return self.summary
        figures = self.figures
        outcomes = [
            figure
            for figure in figures
            if figure.destination == self.destination
            and figure.expected_t is not None
            and figure.published_t is not None
        ]
        own = max(outcomes, key=lambda figure: figure.last, default=None)
        moved = self.after - self.before
        other = [
            figure
            for figure in self.listed
            if figure is not own and round(self.effect(figure) or 0.0) * moved > 0
        ]
        largest = max(other, key=lambda figure: abs(self.effect(figure) or 0.0), default=None)
        medians = gettext(
            "Since %(forecast)s, %(month)s: %(before)s\xa0t → %(after)s\xa0t (%(share)s)",
            forecast=publication_words(self.publication, self.previous),
            month=dated(pd.Timestamp(self.month), "long month"),
            before=tonnes(self.before),
            after=tonnes(self.after),
            share=signed_percent((self.after - self.before) / self.before),
        )
        return in_a_row(
            self._with_own(medians, own) if own else as_sentence(medians),
            in_brief(largest, self.destination, self.month) if largest else "",
        )

    def _with_own(self, medians: str, figure: NewFigure) -> str:
        """Medians, and the newest figure of the destination beside what was expected of it."""
        value, expected = float(figure.published_t or 0.0), float(figure.expected_t or 0.0)
        rows = self._own.loc[self._own["period"].eq(figure.first)]
        low, high = (float(rows[name].sum()) for name in ("p10", "p90"))
        side = _BELOW if value < low else _ABOVE if value > high else _INSIDE
        is_cause = (self.effect(figure) or 0.0) * (self.after - self.before) > 0
        return gettext(
            _BECAUSE if is_cause else _BESIDE,
            medians=medians,
            month=dated(pd.Timestamp(figure.first), "long month"),
            value=tonnes(value),
            expected=tonnes(expected),
            side=gettext(side, low=tonnes(low), high=tonnes(high)),
        )

    @property
    def summary(self) -> str:
        """How far the median moved, as a sentence."""
        if self.previous.empty:
            return gettext("This is the first publication; there is none to compare it with.")
        forecast = publication_words(self.publication, self.previous)
        if not self.before:
            return gettext(
                "Compared with %(forecast)s: it did not reach this month.", forecast=forecast
            )
        return _moved(forecast, self.month, self.after - self.before, self.before)

    @property
    def causes(self) -> str:
        """Causes of the change, if they were computed for it."""
        publication, stored = self.publication, self.publication.published.explanation
        if not self.before or address_key(publication.commodity):  # computed for the magnets only
            return ""
        if stored is None or stored.since != self._number:
            return gettext(NOT_COMPUTED)
        changes = stored.changes.get(self.destination, {}).get(self.month, {})
        return causes_of_change({name: changes.get(name, 0.0) for name in CHANGES}, self.after)


_BECAUSE: Final = marked(
    "%(medians)s, because %(month)s came in at %(value)s\xa0t, expected %(expected)s\xa0t: "
    "%(side)s."
)
_BESIDE: Final = marked(
    "%(medians)s. %(month)s came in at %(value)s\xa0t, expected %(expected)s\xa0t: %(side)s."
)
_BELOW: Final = marked("below the 80%% band (%(low)s to %(high)s)")
_ABOVE: Final = marked("above the 80%% band (%(low)s to %(high)s)")
_INSIDE: Final = marked("inside the 80%% band (%(low)s to %(high)s)")


def change_of(publication: Publication, destination: str, month: str) -> MedianChange:
    """Change of a month's median since the publication before, of the same day or not."""
    rows = publication.published.every
    order = rows[["as_of", "publication"]].drop_duplicates().sort_values(["as_of", "publication"])
    previous, newest = (
        (
            rows[rows["as_of"].eq(as_of) & rows["publication"].eq(number)]
            for as_of, number in order.tail(2).itertuples(index=False)
        )
        if len(order) > 1
        else (rows.iloc[:0], rows)
    )
    before, after = (
        float(part.loc[part["destination"].eq(destination) & part["period"].eq(month), "p50"].sum())
        for part in (previous, newest)
    )
    return MedianChange(publication, destination, month, previous, before, after)


def _moved(forecast: str, month: str, moved: float, before: float) -> str:
    values = {
        "forecast": forecast,
        "month": dated(pd.Timestamp(month), "long month"),
        "tonnes": tonnes(abs(moved)),
        "share": signed_percent(moved / before),
    }
    if not round(moved, 1):
        return gettext(
            "Compared with %(forecast)s, the median of %(month)s is unchanged.", **values
        )
    if moved > 0:
        return gettext(
            "Compared with %(forecast)s, the median of %(month)s is %(tonnes)s\xa0t higher "
            "(%(share)s).",
            **values,
        )
    return gettext(
        "Compared with %(forecast)s, the median of %(month)s is %(tonnes)s\xa0t lower (%(share)s).",
        **values,
    )
