"""Other commodities than the magnets: read when somebody asks, the last ones asked for kept."""

import threading
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from service.live.explanation_inputs import ExplanationInputs
from service.live.memo import Recent
from service.live.publication import Publication, Stands, make_publication
from service.wording.goods import known_commodity
from store.publications.published import read_other

MOST: Final = 16
"""Commodities kept; docs/service.md says what one takes."""


class CommodityCache:
    """Makes the publication of another commodity beside that of the magnets."""

    def __init__(self, engine: Engine, knowledge: ExplanationInputs) -> None:
        """Begin empty."""
        self._engine = engine
        self._knowledge = knowledge
        self._made = Recent(MOST)
        self._making = threading.Lock()

    def beside(self, magnets: Publication, commodity: str, *, clock: pd.Timestamp) -> Publication:
        """Return what is published of a commodity, made now if the store changed since.

        Args:
            magnets: The state to stand beside.
            commodity: A code; the magnets' own gives ``magnets``.
            clock: The moment.

        Raises:
            UnknownError: There is no forecast of it.
        """
        if commodity == magnets.commodity:
            return magnets
        known_commodity(commodity, magnets.published.commodities)
        found = self._fresh(magnets, commodity)
        if found is None:
            # One at a time: who asks for the same waits for it.
            with self._making:
                found = self._fresh(magnets, commodity) or self._make(magnets, commodity, clock)
        return found

    def _fresh(self, magnets: Publication, commodity: str) -> Publication | None:
        kept: tuple[Publication, Stands] | None = self._made.get(commodity)
        if kept is None or kept[0].published.mark != magnets.published.mark:
            return None
        return kept[0]

    def _make(self, magnets: Publication, commodity: str, clock: pd.Timestamp) -> Publication:
        published = read_other(self._engine, magnets.published, commodity=commodity)
        before: tuple[Publication, Stands] | None = self._made.get(commodity)
        stands: Stands = {} if before is None else before[1]
        made = make_publication(published, self._knowledge, now=clock, kept=stands)
        self._made.keep(commodity, (made, stands))
        return made
