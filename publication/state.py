"""What is shown of a commodity: its publications, and what was known at each of them."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeVar

import pandas as pd
from sqlalchemy import Engine

from publication.language.phrases import marked
from publication.tables import Record, forecast_document
from publication.usual import Usual, usual_at
from publication.words import address_key, goods_name, in_reading_order, slug_of
from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.database import Mark
from store.errors import DataError
from store.messages import message
from store.publications.backtests import CELL_COLUMNS
from store.publications.explanations import StoredExplanation
from store.publications.panels import NO_PANEL, Basis, StoredPanel, bases_of, read_panels
from store.publications.publication_rows import Published, read_other, read_published
from store.schema import database_tables as tables
from store.schema.frames import frame_of
from store.vocabulary import COMMODITY


class UnknownError(DataError):
    """What is asked for does not exist."""


class NothingPublishedError(DataError):
    """There is no forecast yet."""

    title: Final = marked("No forecast yet")


_Value = TypeVar("_Value")


class Memo(dict[Hashable, Any]):
    """Values by key, each computed once."""

    def make(self, key: Hashable, build: Callable[[], _Value]) -> _Value:
        """Value of a key, computed now if it is not there."""
        if key not in self:
            self[key] = build()
        value: _Value = self[key]
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
    usual_months: Mapping[str, Usual]
    """Usual month of each destination in the year of the newest forecast."""
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def commodity(self) -> str:
        return self.published.commodity

    @property
    def commodity_words(self) -> str:
        return goods_name(self.commodity, self.published.labels)

    @property
    def home(self) -> str:
        """Prefix of the addresses of its pages; none for the first commodity of a site."""
        first = min(self.published.commodities, key=address_key)
        return "" if self.commodity == first else f"/goods/{slug_of(self.commodity)}"

    @property
    def data(self) -> str:
        """Folder of its data files below the root of a site."""
        return f"api/v1{self.home}/"

    @property
    def number(self) -> int:
        """Number of the newest publication; 0 before it is published."""
        return int(self.latest["publication"].max())

    @property
    def folder(self) -> str:
        """Folder of the newest publication below the root of a site."""
        return f"publications/{slug_of(self.commodity)}/{self.number}/"

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

    def usual(self, destination: str) -> Usual:
        """Usual month of a destination: what needs, risks and headlines compare with."""
        return self.usual_months.get(destination, Usual())

    def scores_at(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Scores of the newest backtest up to a moment."""
        return newest_scores(self.published.scores, as_of)

    def forecasts_at(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Forecasts of one moment."""
        rows = self.published.forecasts
        return rows.loc[rows["as_of"] == as_of]

    def document_at(self, as_of: pd.Timestamp, destination: str) -> Record:
        """Forecast of a destination at a moment."""
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


def newest_publications(
    engine: Engine, *, meanings: Mapping[str, str], now: pd.Timestamp
) -> list[Publication]:
    """Newest publication of every commodity, the magnets first; policy as known ``now``.

    Raises:
        NothingPublishedError: Nothing is published yet.
    """
    magnets = read_published(engine)
    states = []
    for code in sorted(magnets.commodities, key=address_key) or [magnets.commodity]:
        published = magnets
        if code != magnets.commodity:
            published = read_other(engine, magnets, commodity=code)
        panels = read_panels(engine, set(published.publications["panel"]))
        states.append(make_publication(published, panels, meanings=meanings, now=now))
    return states


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
                goods=goods_name(published.commodity, published.labels),
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
        usual_months=usual_at(
            published.publications, panels, newest, behind.get(newest) or NO_PANEL
        ),
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
    explanation: StoredExplanation | None = None,
    published_at: pd.Timestamp | None = None,
    **facts: pd.DataFrame,
) -> Publication:
    """State of a single publication, or of one that is held.

    Args:
        rows: Of one moment and commodity, as ``store.facts.reading.read_forecasts``.
        scores: Of its backtest.
        facts: ``events``, ``tariffs`` and ``calendar`` as known then; empty or None if not given.
    """
    commodity, as_of = str(rows["commodity"].iloc[0]), rows["as_of"].iloc[0]
    row = {
        "id": int(rows["publication"].iloc[0]), "as_of": as_of, "state": "published",
        "panel": panel.digest, "published_at": published_at, "ahead_from": pd.NaT,
    }  # fmt: skip
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
        publications=pd.DataFrame([row]),
        explanation=explanation,
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
