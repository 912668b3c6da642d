"""One state of all that the service shows: built whole, then put in place of the last one."""

import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

import pandas as pd
from sqlalchemy import Engine

from service.http.responses import Record
from service.live.documents import forecast_document
from service.request_errors import NothingPublishedError
from service.words import in_reading_order, words_of
from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.database import Mark
from store.messages import message
from store.publications.backtests import CELL_COLUMNS
from store.publications.basis import Basis, bases_of
from store.publications.panels import NO_PANEL, StoredPanel, read_panels
from store.publications.publication_rows import Published
from store.schema import database_tables as tables
from store.schema.frames import frame_of
from store.vocabulary import COMMODITY

_Value = TypeVar("_Value")
_MISSING: Final = object()


class Memo:
    """Values cached by key, each computed once even under concurrent requests.

    Without a limit its keys come from a closed set, as those of a publication.
    """

    def __init__(self, most: int | None = None) -> None:
        """Begin empty; of more than ``most`` values those used last stay, all if None."""
        self._most = most
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable, default: object = None) -> Any:  # noqa: ANN401 - values of any type
        """Value of a key, ``default`` where there is none."""
        with self._guard:
            if (value := self._values.pop(key, _MISSING)) is _MISSING:
                return default
            self._values[key] = value
            return value

    def keep(self, key: Hashable, value: object) -> None:
        """Store a value, and drop the one used least recently if there are too many."""
        with self._guard:
            self._values.pop(key, None)
            self._values[key] = value
            if self._most is not None and len(self._values) > self._most:
                oldest = next(iter(self._values))
                del self._values[oldest]
                self._locks.pop(oldest, None)

    def make(self, key: Hashable, build: Callable[[], _Value]) -> _Value:
        """Value of a key, computed now if it is not there."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            value: _Value = self.get(key, _MISSING)
            if value is _MISSING:
                value = build()
                self.keep(key, value)
            return value


@dataclass(frozen=True, slots=True)
class PolicyLedger:
    """Policy as known at one moment: the newest version of each event and tariff step."""

    events: pd.DataFrame
    tariffs: pd.DataFrame


@dataclass(frozen=True, slots=True)
class KnownState:
    """The trade and the policy as known at one moment; nothing in here is modified."""

    as_of: pd.Timestamp
    cutoff: str
    """Last month of the world, ``YYYY-MM``; destinations have months of their own in ``bases``."""
    panel: pd.DataFrame
    """``PANEL_COLUMNS``."""
    suspicious: pd.DataFrame
    """``statement, residual_t, z, source_url``, worst first."""
    ledger: PolicyLedger
    bases: Mapping[str, Basis]
    """Basis of each destination; empty without a panel."""


def state_at(published: Published, as_of: pd.Timestamp, panel: StoredPanel) -> KnownState:
    """Trade and policy as known at the moment of a forecast."""
    cutoff = str(published.forecasts.loc[published.forecasts["as_of"] == as_of, "cutoff"].max())
    bases, ledger = bases_of(panel.frame, cutoff), ledger_at(published, as_of)
    return KnownState(as_of, cutoff, panel.frame, panel.contradictions, ledger, bases)


def ledger_at(published: Published, as_of: pd.Timestamp) -> PolicyLedger:
    """Newest version of each event and tariff step known at a moment."""
    return PolicyLedger(
        events=known_at(published.events, key=EVENT_KEY, as_of=as_of),
        tariffs=known_at(published.tariffs, key=TARIFF_KEY, as_of=as_of),
    )


MOST_IN_ORDER: Final = 12
"""Above this number of destinations only the largest are drawn, and listed first."""

Panels = dict[str, StoredPanel]
"""Panels read from the store, by digest."""

PublicationKey = tuple[pd.Timestamp, Mark]
"""Names a publication and the rows beside it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One immutable state, with a cache of what is computed from it on demand (``memo``)."""

    published: Published
    as_of: pd.Timestamp
    """Moment of the newest forecast."""
    snapshots: Mapping[pd.Timestamp, KnownState]
    """What was known at the moment of each published forecast."""
    ledger: PolicyLedger
    """Policy as known when this state was read."""
    meanings: Mapping[str, str]
    """Meaning of each driver, in words."""
    destinations: list[str]
    """Destinations of the newest forecast, in reading order."""
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def commodity(self) -> str:
        return self.published.commodity

    @property
    def commodity_words(self) -> str:
        return words_of(self.commodity, self.published.labels)

    @property
    def from_evidence(self) -> bool:
        """Whether its months are solved from scattered figures, not read from a partner table."""
        return self.commodity == COMMODITY

    @property
    def bases(self) -> Mapping[str, Basis]:
        """Basis of each destination; empty for a partner table, whose months are all published."""
        return self.snapshot.bases if self.from_evidence else {}

    @property
    def is_wide(self) -> bool:
        return len(self.destinations) > MOST_IN_ORDER

    @property
    def key(self) -> PublicationKey:
        return self.as_of, self.published.mark

    @property
    def snapshot(self) -> KnownState:
        return self.snapshots[self.as_of]

    @property
    def latest(self) -> pd.DataFrame:
        return self.forecasts_at(self.as_of)

    @property
    def moments(self) -> list[pd.Timestamp]:
        return sorted(self.snapshots, reverse=True)

    def scores_at(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Scores of the newest backtest up to a moment."""
        return newest_scores(self.published.scores, as_of)

    def forecasts_at(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Forecasts of one moment."""
        rows = self.published.forecasts
        return rows.loc[rows["as_of"] == as_of]

    def document_at(self, as_of: pd.Timestamp, destination: str) -> Record:
        """Forecast of a destination at a moment, without those by others."""
        scores, bases = self.scores_at(as_of), self.snapshots[as_of].bases
        return self.memo.make(
            ("document", as_of, destination),
            lambda: forecast_document(
                self.forecasts_at(as_of), destination, self.meanings, scores, bases.get(destination)
            ),
        )


def newest_scores(scores: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Scores of the newest backtest up to a moment."""
    newest = scores.loc[scores["as_of"] <= as_of, "as_of"].max()
    rows: pd.DataFrame = scores.loc[scores["as_of"] == newest]
    return rows


def read_new_panels(engine: Engine, published: Published, cached: Panels) -> Panels:
    """Panels of all published forecasts; cached ones are not read again."""
    digests = set(published.panels.values())
    panels = {digest: cached[digest] for digest in digests & set(cached)}
    return panels | read_panels(engine, digests - set(panels))


def make_publication(
    published: Published,
    panels: Mapping[str, StoredPanel],
    *,
    meanings: Mapping[str, str],
    now: pd.Timestamp,
) -> Publication:
    """State built from the rows of one state of the store, and the panels by digest.

    Without its panel a forecast is shown without the months before it.
    """
    moments = [pd.Timestamp(moment) for moment in published.forecasts["as_of"].unique()]
    if not moments:
        raise NothingPublishedError(
            message(
                "No forecast of %(goods)s in the published forecasts. Expected one. Run "
                "`magnetcast run`.",
                goods=words_of(published.commodity, published.labels),
            )
        )
    behind = {moment: panels.get(digest) for moment, digest in published.panels.items()}
    newest = max(moments)
    rows = published.forecasts.loc[published.forecasts["as_of"] == newest]
    snapshots = {
        moment: state_at(published, moment, behind.get(moment) or NO_PANEL) for moment in moments
    }
    publication = Publication(
        published=published,
        as_of=newest,
        snapshots=MappingProxyType(snapshots),
        ledger=ledger_at(published, now),
        meanings=meanings,
        destinations=in_reading_order(rows["destination"]),
    )
    for name in publication.destinations:  # now, so that rows that cannot be read are never shown
        publication.document_at(newest, name)
    return publication


def of_one_forecast(
    rows: pd.DataFrame,
    panel: StoredPanel,
    scores: pd.DataFrame,
    *,
    meanings: Mapping[str, str],
    label: str = "",
    **facts: pd.DataFrame,
) -> Publication:
    """State of a single forecast, published or not yet.

    Args:
        rows: Of one moment and commodity, as ``store.facts.reading.read_forecasts``.
        scores: Of its backtest.
        facts: ``events``, ``tariffs`` and ``calendar`` as known then; empty or None if not given.
    """
    commodity, as_of = str(rows["commodity"].iloc[0]), rows["as_of"].iloc[0]
    row = {"id": 0, "as_of": as_of, "state": "published", "panel": panel.digest}
    empty = {name: frame_of(None, list(table.columns)) for name, table in _TABLES.items()}
    published = Published(
        **{name: facts.get(name, none) for name, none in empty.items()},
        calendar=facts.get("calendar"),
        mark=(),
        commodity=commodity,
        forecasts=rows,
        every=rows,
        scores=scores.assign(as_of=as_of),
        cells=pd.DataFrame(columns=list(CELL_COLUMNS)),
        publications=pd.DataFrame([{**row, "published_at": pd.NaT, "ahead_from": pd.NaT}]),
        explanation=None,
        commodities=(commodity,),
        labels={commodity: label} if label else {},
    )
    return make_publication(published, {panel.digest: panel}, meanings=meanings, now=as_of)


_TABLES: Final = {
    "runs": tables.runs,
    "observations": tables.observations,
    "events": tables.policy_events,
    "tariffs": tables.tariff_steps,
    "vintages": tables.vintages,
    "quarantine": tables.quarantine,
    "readings": tables.readings,
}
