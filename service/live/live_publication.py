"""Publication and planning in memory, refreshed by one thread and replaced whole."""

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

from models.forecasting.firm_needs import SHIPPING_DAYS, Days
from service.live.publication import Memo, Panels, Publication, make_publication, read_new_panels
from service.request_errors import NothingPublishedError
from service.words import known_commodity
from store.database import Mark
from store.planning.audit import scopes_in_force
from store.planning.planning_rows import PlanningRows, read_planning, read_planning_mark
from store.publications.publication_rows import read_mark, read_other, read_published


@dataclass(frozen=True, slots=True)
class PlanningState:
    """One immutable state, with a cache of documents (``memo``)."""

    rows: PlanningRows
    shipping: Mapping[str, Days] = field(default_factory=lambda: SHIPPING_DAYS)
    """Days from clearance in China to arrival, by destination."""
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def needs(self) -> pd.DataFrame:
        return _active(self.rows.needs)

    @property
    def rules(self) -> pd.DataFrame:
        return _active(self.rows.rules)

    def rivals_of(
        self, commodity: str, destination: str, until: pd.Timestamp | None = None
    ) -> pd.DataFrame:
        """Newest forecast by each other of each month of a destination, by name and month.

        With ``until`` only those that were entered by then.
        """
        rows = self.rows.rivals
        if until is not None:
            rows = rows.loc[rows["available_at"] <= until]
        rows = rows.loc[rows["commodity"].eq(commodity) & rows["destination"].eq(destination)]
        newest = rows.sort_values(["made_on", "id"]).drop_duplicates(
            ["name", "period"], keep="last"
        )
        return newest.sort_values(["name", "period"], ignore_index=True)


def _active(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["ended_at"].isna()]


_MOST: Final = 16
"""Commodities in memory; docs/service.md gives the size of one."""

_LOG: Final = logging.getLogger("magnetcast.service")

LOGGED_EVERY_S: Final = 60
"""Seconds between two log lines while an error lasts."""


class LivePublication:
    """Holds the newest publication; a reader keeps the one it took as long as it needs.

    When a new state cannot be built, the previous one stays and ``trouble`` has the reason.
    """

    def __init__(
        self,
        engine: Engine,
        meanings: Mapping[str, str],
        *,
        clock: Callable[[], pd.Timestamp],
        refresh_s: float,
        shipping: Mapping[str, Days] = SHIPPING_DAYS,
    ) -> None:
        """Take the store and the meanings of drivers; ``start`` reads the store."""
        self.clock = clock
        self.engine = engine
        self.meanings = meanings
        self.shipping = shipping
        self._refresh_s = refresh_s
        self._others = Memo(_MOST)
        self._panels_of_others = Memo(_MOST)
        self._panels: Panels = {}
        self._state: tuple[Mark, date] | None = None
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
        """Newest publication.

        Raises:
            NothingPublishedError: There is none yet.
        """
        publication = self._publication
        if publication is None:
            raise self._missing
        return publication

    def of(self, commodity: str) -> Publication:
        """Newest publication of a commodity; all but the magnets are read on demand.

        Raises:
            NothingPublishedError: The magnets have no forecast yet.
            UnknownError: The commodity has no forecast.
        """
        magnets = self.publication
        if commodity == magnets.commodity:
            return magnets
        known_commodity(commodity, magnets.published.commodities)
        key = magnets.published.mark, commodity
        return self._others.make(key, lambda: self._read_other(magnets, commodity))

    def _read_other(self, magnets: Publication, commodity: str) -> Publication:
        published = read_other(self.engine, magnets.published, commodity=commodity)
        cached = self._panels_of_others.get(commodity, {})
        panels = read_new_panels(self.engine, published, cached)
        self._panels_of_others.keep(commodity, panels)
        return make_publication(published, panels, meanings=self.meanings, now=self.clock())

    @property
    def planning(self) -> PlanningState:
        return self._planning or self.refresh_planning()

    def refresh_planning(self) -> PlanningState:
        """Read the newest needs, rules and forecasts by others; called after each write."""
        with self._planning_guard:
            planning = self._planning
            if planning is None or planning.rows.mark != read_planning_mark(self.engine):
                planning = self._planning = PlanningState(read_planning(self.engine), self.shipping)
            return planning

    def start(self) -> None:
        """Read the store, then follow its changes."""
        self.refresh()
        self._thread = threading.Thread(target=self._follow, name="refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def refresh(self) -> bool:
        """Load the store's newest state; True if there is a new publication."""
        moment = self.clock()
        self.tokens = MappingProxyType(dict(scopes_in_force(self.engine, moment)))
        self.refresh_planning()
        if (read_mark(self.engine), moment.date()) == self._state:
            return False
        published = read_published(self.engine)
        state = (published.mark, moment.date())
        try:
            panels = read_new_panels(self.engine, published, self._panels)
            publication = make_publication(published, panels, meanings=self.meanings, now=moment)
        except NothingPublishedError as err:
            self._state, self.trouble, self._missing = state, str(err), err
            return False
        self._panels = panels
        self._publication, self._state, self.trouble = publication, state, ""
        return True

    def _follow(self) -> None:
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
                self._state = None
