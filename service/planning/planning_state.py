"""One state of planning: needs, alert rules, alerts and overrides."""

from dataclasses import dataclass, field

import pandas as pd

from service.http.responses import Record, records
from service.live.memo import Memo
from store.planning.overrides import PlanningRows


@dataclass(frozen=True, slots=True)
class PlanningState:
    """One immutable state, with a cache of documents (``memo``)."""

    rows: PlanningRows
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def needs(self) -> pd.DataFrame:
        """Return the active needs."""
        return _active(self.rows.needs)

    @property
    def rules(self) -> pd.DataFrame:
        """Return the active alert rules."""
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
        """Return the newest override of each month of a published forecast.

        Args:
            commodity: A code.
            destination: A code.
            as_of: Moment of the publication.

        Returns:
            By month, ``YYYY-MM``: tonnes, author, reason and available_at of the newest.
        """
        rows = self.overrides_of(commodity)
        own = rows.loc[(rows["destination"] == destination) & (rows["as_of"] == as_of)]
        shown = own[["period", "tonnes", "author", "reason", "available_at"]]
        return {row.pop("period")[:7]: row for row in records(shown.sort_values("available_at"))}


def _active(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["ended_at"].isna()]
