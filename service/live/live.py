"""The publication and the planning in memory: refreshed by one thread, replaced whole."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from service.errors import NothingPublishedError
from service.http.responses import Record, records
from service.live.publication import (
    Memo,
    Panels,
    Publication,
    Recent,
    make_publication,
    read_new_panels,
)
from service.wording import known_commodity
from store.database import Mark
from store.planning.audit import scopes_in_force
from store.planning.entries import PlanningRows, read_planning, read_planning_mark
from store.publications.published import read_mark, read_other, read_published


@dataclass(frozen=True, slots=True)
class PlanningState:
    """One immutable state, with a cache of documents (``memo``)."""

    rows: PlanningRows
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def needs(self) -> pd.DataFrame:
        return _active(self.rows.needs)

    @property
    def rules(self) -> pd.DataFrame:
        return _active(self.rows.rules)

    def is_overridden(self, commodity: str, destination: str, as_of: pd.Timestamp) -> bool:
        """Tell whether a published forecast has an override; called for every response."""
        rows = self.rows.overrides
        known: set[tuple[str, str, pd.Timestamp]] = self.memo.make(
            "overridden",
            lambda: set(zip(rows["commodity"], rows["destination"], rows["as_of"], strict=True)),
        )
        return (commodity, destination, as_of) in known

    def overrides_of(self, commodity: str) -> pd.DataFrame:
        """Return all overrides of a commodity, oldest first."""
        rows = self.rows.overrides
        return rows.loc[rows["commodity"] == commodity]

    def newest_overrides(
        self, commodity: str, destination: str, as_of: pd.Timestamp
    ) -> dict[str, Record]:
        """Return the newest override of each month of a published forecast; every page asks.

        Returns:
            By month, ``YYYY-MM``: tonnes, author, reason and available_at of the newest.
        """
        if not self.is_overridden(commodity, destination, as_of):
            return {}
        rows = self.overrides_of(commodity)
        own = rows.loc[(rows["destination"] == destination) & (rows["as_of"] == as_of)]
        shown = own[["period", "tonnes", "author", "reason", "available_at"]]
        return {row.pop("period")[:7]: row for row in records(shown.sort_values("available_at"))}


def _active(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["ended_at"].isna()]


_MOST: Final = 16
"""Commodities kept; docs/service.md has what one takes."""


class CommodityCache:
    """Makes the publication of another commodity beside that of the magnets."""

    def __init__(self, engine: Engine, meanings: Mapping[str, str]) -> None:
        self._engine = engine
        self._meanings = meanings
        self._made = Recent(_MOST)
        self._making = threading.Lock()

    def beside(self, magnets: Publication, commodity: str, *, clock: pd.Timestamp) -> Publication:
        """Return what is published of a commodity, made now if the store changed since.

        Args:
            commodity: A code; the magnets' own gives ``magnets``.
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


_LOG: Final = logging.getLogger("magnetcast.service")

LOGGED_EVERY_S: Final = 60
"""Seconds between two lines in the log while a trouble lasts."""


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
        self.meanings = meanings
        self._refresh_s = refresh_s
        self._others = CommodityCache(engine, meanings)
        self._panels: Panels = {}
        self._seen: tuple[Mark, date] | None = None
        self._publication: Publication | None = None
        self._planning: PlanningState | None = None
        self._planning_guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.tokens: Mapping[str, frozenset[str]] = MappingProxyType({})
        self.trouble = ""
        self._missing = NothingPublishedError(
            "The store has not been read yet. Expected a forecast. Try again in a moment."
        )

    @property
    def publication(self) -> Publication:
        """Return the newest publication.

        Raises:
            NothingPublishedError: There is none yet.
        """
        found = self._publication
        if found is None:
            raise self._missing
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
        return self._planning or self.refresh_planning()

    def refresh_planning(self) -> PlanningState:
        """Read the newest needs, rules and overrides; called after each write."""
        with self._planning_guard:
            found = self._planning
            if found is None or found.rows.mark != read_planning_mark(self.engine):
                found = self._planning = PlanningState(read_planning(self.engine))
            return found

    def start(self) -> None:
        """Read the store, then follow its changes."""
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
        now = self.clock()
        self.tokens = MappingProxyType(dict(scopes_in_force(self.engine, now)))
        self.refresh_planning()
        if (read_mark(self.engine), now.date()) == self._seen:
            return False
        published = read_published(self.engine)
        seen = (published.mark, now.date())
        try:
            panels = read_new_panels(self.engine, published, self._panels)
            made = make_publication(published, panels, meanings=self.meanings, now=now)
        except NothingPublishedError as err:
            self._seen, self.trouble, self._missing = seen, str(err), err
            return False
        self._panels = panels
        self._publication, self._seen, self.trouble = made, seen, ""
        return True

    def _look_after(self) -> None:
        logged = float("-inf")
        while not self._stop.wait(self._refresh_s):
            try:
                self.refresh()
            except Exception as err:  # noqa: BLE001 - the thread must outlive any trouble
                self.trouble = f"{type(err).__name__}: the newest state could not be read"
                if time.monotonic() >= logged + LOGGED_EVERY_S:
                    reason = " ".join(f"{type(err).__name__}: {err}".split())
                    _LOG.warning("refresh failed (%s); the previous publication stays", reason)
                    logged = time.monotonic()
                self._seen = None
