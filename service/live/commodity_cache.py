"""Other commodities than the magnets: read when somebody asks, the last ones asked for kept."""

import threading
from collections.abc import Mapping
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from service.live.memo import Recent
from service.live.publication import Panels, Publication, make_publication, read_new_panels
from service.wording.goods import known_commodity
from store.publications.published import read_other

MOST: Final = 16
"""Commodities kept; docs/service.md says what one takes."""


class CommodityCache:
    """Makes the publication of another commodity beside that of the magnets."""

    def __init__(self, engine: Engine, meanings: Mapping[str, str]) -> None:
        """Begin empty."""
        self._engine = engine
        self._meanings = meanings
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
        kept: tuple[Publication, Panels] | None = self._made.get(commodity)
        if kept is None or kept[0].published.mark != magnets.published.mark:
            return None
        return kept[0]

    def _make(self, magnets: Publication, commodity: str, clock: pd.Timestamp) -> Publication:
        published = read_other(self._engine, magnets.published, commodity=commodity)
        before: tuple[Publication, Panels] | None = self._made.get(commodity)
        panels = read_new_panels(self._engine, published, {} if before is None else before[1])
        made = make_publication(published, panels, meanings=self._meanings, now=clock)
        self._made.keep(commodity, (made, panels))
        return made
