"""One state of all that the service shows: made whole, then put in place of the one before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd
from sqlalchemy import Engine

from service.http.responses import Answer, json_answer
from service.live.known_state import KnownState, PolicyLedger, ledger_at, state_at
from service.live.memo import Memo
from service.queries.documents import forecast_document
from service.wording.goods import words_of
from service.wording.names import in_reading_order
from store.database import Mark
from store.errors import DataError
from store.publications.panels import NO_PANEL, StoredPanel, read_panels
from store.publications.published import Published

Panels = dict[str, StoredPanel]
"""Panels read from the store, by digest."""

PublicationKey = tuple[pd.Timestamp, Mark]
"""Names a publication and the rows beside it."""


class NothingPublishedError(DataError):
    """There is no forecast yet."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One state, never changed but for what is drawn of it on demand (``memo``)."""

    published: Published
    as_of: pd.Timestamp
    """Moment of the newest forecast."""
    stands: Mapping[pd.Timestamp, KnownState]
    """What was known at the moment of each published forecast."""
    ledger: PolicyLedger
    """Policy as known when this state was read."""
    meanings: Mapping[str, str]
    """What the name of a driver means, in words."""
    answers: Mapping[str, Answer]
    """The newest forecast of each destination, ready to send."""
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def commodity(self) -> str:
        """Return what it forecasts."""
        return self.published.commodity

    @property
    def goods(self) -> str:
        """Return what it forecasts, in words."""
        return words_of(self.commodity, self.published.labels)

    @property
    def is_magnets(self) -> bool:
        """Tell whether it is of the magnets, whose policy and scenarios are kept."""
        return self.published.is_magnets

    @property
    def key(self) -> PublicationKey:
        """Return what names this state."""
        return self.as_of, self.published.mark

    @property
    def stand(self) -> KnownState:
        """Return what was known at the newest forecast."""
        return self.stands[self.as_of]

    @property
    def latest(self) -> pd.DataFrame:
        """Return the newest forecasts."""
        return self.forecasts_at(self.as_of)

    @property
    def destinations(self) -> list[str]:
        """Return the destinations of the newest forecast, in reading order."""
        return list(self.answers)

    @property
    def moments(self) -> list[pd.Timestamp]:
        """Return the moments forecast at, newest first."""
        return sorted(self.stands, reverse=True)

    def forecasts_at(self, as_of: pd.Timestamp) -> pd.DataFrame:
        """Return the forecasts of one moment."""
        rows = self.published.forecasts
        return rows.loc[rows["as_of"] == as_of]


def read_new_panels(engine: Engine, published: Published, kept: Panels) -> Panels:
    """Return the panels behind what is published; those kept are not read again.

    Args:
        engine: An opened store.
        published: What is published of a commodity.
        kept: Panels read before.
    """
    named = set(published.panels.values())
    known = {digest: kept[digest] for digest in named & set(kept)}
    return known | read_panels(engine, named - set(known))


def make_publication(
    published: Published,
    panels: Mapping[str, StoredPanel],
    *,
    meanings: Mapping[str, str],
    now: pd.Timestamp,
) -> Publication:
    """Make a state whole from rows of one state of the store.

    Args:
        published: The rows.
        panels: The panels behind the forecasts, by digest; without its panel a forecast is shown
            without the months before it.
        meanings: What the name of a driver means.
        now: The moment, for the policy ledger.

    Raises:
        NothingPublishedError: There is no forecast.
    """
    moments = [pd.Timestamp(moment) for moment in published.forecasts["as_of"].unique()]
    if not moments:
        raise NothingPublishedError(
            f"No forecast of {words_of(published.commodity, published.labels)} in the published "
            "forecasts. Expected one. Run `magnetcast run`."
        )
    behind = {moment: panels.get(digest) for moment, digest in published.panels.items()}
    newest = max(moments)
    rows = published.forecasts.loc[published.forecasts["as_of"] == newest]
    answers = {
        name: json_answer(forecast_document(rows, name, meanings))
        for name in in_reading_order(rows["destination"])
    }
    stands = {
        moment: state_at(published, moment, behind.get(moment) or NO_PANEL) for moment in moments
    }
    return Publication(
        published=published,
        as_of=newest,
        stands=MappingProxyType(stands),
        ledger=ledger_at(published, now),
        meanings=meanings,
        answers=MappingProxyType(answers),
    )
