"""One state of all that the service shows: made whole, then put in place of the one before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pandas as pd

from service.http.responses import Answer, json_answer
from service.live.explanation_inputs import ExplanationInputs, KnownState, PathsOf, PolicyLedger
from service.live.memo import Memo
from service.queries.documents import forecast_document
from service.wording.goods import words_of
from service.wording.names import in_reading_order
from store.errors import DataError
from store.publications.published import Published
from store.schema.change_marks import Mark

StandKey = tuple[pd.Timestamp, str]
Stands = dict[StandKey, KnownState]
"""Stands made before, by moment and digest of the figures known then."""


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
    paths_of: PathsOf
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


def make_publication(
    published: Published, knowledge: ExplanationInputs, *, now: pd.Timestamp, kept: Stands
) -> Publication:
    """Make a state whole from rows of one state of the store.

    Args:
        published: The rows.
        knowledge: How to learn what was known.
        now: The moment, for the policy ledger.
        kept: Stands made before; those made now are added, those of no use any more removed.

    Raises:
        NothingPublishedError: There is no forecast.
    """
    moments = [pd.Timestamp(moment) for moment in published.forecasts["as_of"].unique()]
    if not moments:
        raise NothingPublishedError(
            f"No forecast of {words_of(published.commodity, published.labels)} in the published "
            "forecasts. Expected one. Run `magnetcast run`."
        )
    keys = {moment: _stand_key(published, moment) for moment in moments}
    for key in set(kept) - set(keys.values()):
        del kept[key]
    for moment, key in keys.items():
        if key not in kept:
            kept[key] = knowledge.stand_of(published, moment)
    newest = max(moments)
    rows = published.forecasts.loc[published.forecasts["as_of"] == newest]
    answers = {
        name: json_answer(forecast_document(rows, name, knowledge.meanings))
        for name in in_reading_order(rows["destination"])
    }
    return Publication(
        published=published,
        as_of=newest,
        stands=MappingProxyType({moment: kept[key] for moment, key in keys.items()}),
        ledger=knowledge.ledger_of(published, now),
        meanings=knowledge.meanings,
        paths_of=knowledge.paths_of,
        answers=MappingProxyType(answers),
    )


def _stand_key(published: Published, moment: pd.Timestamp) -> StandKey:
    """Name what was known at a moment by the rows known of it now."""
    digest = hashlib.sha256()
    for rows in (published.observations, published.events, published.tariffs):
        known = rows.loc[rows["available_at"] <= moment]
        digest.update(pd.util.hash_pandas_object(known, index=False).to_numpy().tobytes())
    return moment, digest.hexdigest()
