"""What changed a median since the publication before."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from publication.language.phrases import gettext
from publication.queries.explanation_sentences import causes_of_change, moved_by
from publication.queries.freshness import publication_words
from publication.state import Publication
from publication.words import address_key
from store.months import month_number
from store.publications.explanations import NewFigure
from store.vocabulary import CHANGES

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

    def _effect(self, figure: NewFigure) -> float:
        """Whole tonnes by which a figure moved the median; 0 if not computed."""
        return round(moved_by(figure, self.destination, [self.month]) or 0.0)

    @property
    def _by_size(self) -> list[NewFigure]:
        """Figures with an effect, and those of the destination, largest first after its newest."""
        shown = [
            figure
            for figure in self.figures
            if self._effect(figure) or (figure.destination == self.destination and not figure.moved)
        ]
        return sorted(shown, key=lambda row: (row is not self.own, -abs(self._effect(row))))

    @property
    def listed(self) -> list[NewFigure]:
        """Largest effects: those of the destination first, the newest first; none of 0 t."""

        def order(row: NewFigure) -> int:
            return -month_number(row.last) if row.destination == self.destination else 0

        return sorted(self._by_size[:MOST_LISTED], key=order)

    @property
    def smaller(self) -> list[float]:
        """Whole tonnes of the effects that are not listed; none of 0 t."""
        return [self._effect(row) for row in self._by_size[MOST_LISTED:] if self._effect(row)]

    @property
    def uncomputed(self) -> int:
        """How many figures have no effect computed for this month."""
        effects = [moved_by(row, self.destination, [self.month]) for row in self.figures]
        return effects.count(None)

    @property
    def total(self) -> float:
        """Tonnes that the listed effects add up to."""
        return sum(self._effect(figure) for figure in self.listed)

    @property
    def own(self) -> NewFigure | None:
        """Newest figure of the destination itself that was forecast before."""
        outcomes = [
            figure
            for figure in self.figures
            if figure.destination == self.destination
            and figure.expected_t is not None
            and figure.published_t is not None
        ]
        return max(outcomes, key=lambda figure: figure.last, default=None)

    def band(self, figure: NewFigure) -> tuple[float, float]:
        """Ends of the 80% band of a figure in the publication before, in tonnes."""
        rows = self.previous
        row = rows[rows["destination"].eq(figure.destination) & rows["period"].eq(figure.first)]
        return float(row["p10"].sum()), float(row["p90"].sum())

    def is_cause(self, figure: NewFigure) -> bool:
        """Whether a figure moved the median to the side to which it went."""
        return self._effect(figure) * (self.after - self.before) > 0

    @property
    def largest(self) -> NewFigure | None:
        """Figure that moved the median most to that side, besides the own newest."""
        causes = [row for row in self.listed if row is not self.own and self.is_cause(row)]
        return max(causes, key=lambda figure: abs(self._effect(figure)), default=None)

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
