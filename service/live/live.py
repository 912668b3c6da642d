"""The publication in memory: refreshed by one thread, replaced whole when the store changes."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from service.live.commodity_cache import CommodityCache
from service.live.publication import (
    NothingPublishedError,
    Panels,
    Publication,
    make_publication,
    read_new_panels,
)
from service.planning.planning_state import PlanningState
from store.database import Mark
from store.planning.audit import scopes_in_force
from store.planning.overrides import read_planning, read_planning_mark
from store.publications.published import read_mark, read_published

_LOG: Final = logging.getLogger("magnetcast.service")

Warm = Callable[[Publication], Iterable[object]]
"""Draws the most requested charts, one a step."""


class LivePublication:
    """Holds the newest publication; readers take it whole and keep it as long as they need.

    When a new state cannot be built, the previous one stays and ``trouble`` has the reason.
    """

    def __init__(
        self,
        engine: Engine,
        meanings: Mapping[str, str],
        *,
        clock: Callable[[], pd.Timestamp],
        refresh_s: float,
    ) -> None:
        """Take the store and what the names of drivers mean; ``start`` reads the store."""
        self.clock = clock
        self.engine = engine
        self._meanings = meanings
        self._refresh_s = refresh_s
        self._others = CommodityCache(engine, meanings)
        self._panels: Panels = {}
        self._seen: tuple[Mark, date] | None = None
        self._publication: Publication | None = None
        self._planning: PlanningState | None = None
        self._planning_guard = threading.Lock()
        self._warm: Warm | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.tokens: Mapping[str, frozenset[str]] = MappingProxyType({})
        self.trouble = ""

    @property
    def publication(self) -> Publication:
        """Return the newest publication.

        Raises:
            NothingPublishedError: There is none yet.
        """
        found = self._publication
        if found is None:
            raise NothingPublishedError(
                self.trouble
                or "The store has not been read yet. Expected a forecast. Try again in a moment."
            )
        return found

    def of(self, commodity: str) -> Publication:
        """Return the newest publication of a commodity; all but the magnets are read on demand.

        Raises:
            NothingPublishedError: The magnets have no forecast yet.
            UnknownError: The commodity has no forecast.
        """
        return self._others.beside(self.publication, commodity, clock=self.clock())

    @property
    def planning(self) -> PlanningState:
        """Return the newest state of planning."""
        return self._planning or self.refresh_planning()

    def refresh_planning(self) -> PlanningState:
        """Read the newest needs, rules and overrides; called after each write."""
        with self._planning_guard:
            found = self._planning
            if found is None or found.rows.mark != read_planning_mark(self.engine):
                found = self._planning = PlanningState(read_planning(self.engine))
            return found

    def start(self, warm: Warm | None = None) -> None:
        """Read the store, then follow its changes; ``warm`` draws the most requested charts."""
        self._warm = warm
        self.refresh()
        self._thread = threading.Thread(target=self._look_after, name="refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> bool:
        """Check the store once for a change, load it, and tell whether there was one."""
        self.tokens = MappingProxyType(dict(scopes_in_force(self.engine)))
        self.refresh_planning()
        now = self.clock()
        if (read_mark(self.engine), now.date()) == self._seen:
            return False
        published = read_published(self.engine)
        seen = (published.mark, now.date())
        try:
            panels = read_new_panels(self.engine, published, self._panels)
            made = make_publication(published, panels, meanings=self._meanings, now=now)
        except NothingPublishedError as err:
            self._seen, self.trouble = seen, str(err)
            return False
        self._panels = panels
        self._publication, self._seen, self.trouble = made, seen, ""
        return True

    def _look_after(self) -> None:
        """Refresh until stopped; failures are logged and tried again."""
        fresh = self._publication is not None
        while not self._stop.is_set():
            try:
                if fresh:
                    self._draw()
                self._stop.wait(self._refresh_s)
                fresh = self.refresh()
            except Exception as err:  # noqa: BLE001 - the thread must outlive any trouble
                self.trouble = f"{type(err).__name__}: the newest state could not be read"
                _LOG.exception("refresh failed; the previous publication stays")
                fresh = False
                self._stop.wait(self._refresh_s)

    def _draw(self) -> None:
        """Draw the most requested charts until the thread is stopped."""
        if self._warm is not None:
            for _ in self._warm(self.publication):
                if self._stop.is_set():
                    return
