"""One state of the planners' desk: what they need, watch and expect, and who wrote it."""

from dataclasses import dataclass, field

import pandas as pd

from service.http.responses import Record, records
from service.live.memo import Memo
from store.planning.planning_rows import PlanningRows


@dataclass(frozen=True, slots=True)
class PlanningState:
    """One state, never changed but for the pages kept of it (``memo``)."""

    rows: PlanningRows
    memo: Memo = field(default_factory=Memo, repr=False, compare=False)

    @property
    def needs(self) -> pd.DataFrame:
        """Return the needs in force."""
        return _in_force(self.rows.needs)

    @property
    def rules(self) -> pd.DataFrame:
        """Return the alert rules in force."""
        return _in_force(self.rows.rules)

    def is_overridden(self, commodity: str, destination: str, as_of: pd.Timestamp) -> bool:
        """Tell whether anything is expected beside a published forecast; asked at every answer."""
        rows = self.rows.overrides
        known: set[tuple[str, str, pd.Timestamp]] = self.memo.make(
            "overridden",
            lambda: set(zip(rows["commodity"], rows["destination"], rows["as_of"], strict=True)),
        )
        return (commodity, destination, as_of) in known

    def overrides_of(self, commodity: str) -> pd.DataFrame:
        """Return every override ever made of a commodity, oldest first."""
        rows = self.rows.overrides
        return rows.loc[rows["commodity"] == commodity]

    def newest_overrides(
        self, commodity: str, destination: str, as_of: pd.Timestamp
    ) -> dict[str, Record]:
        """Return the override that counts of each month of a published forecast.

        Args:
            commodity: What is forecast.
            destination: A code.
            as_of: Moment of the publication.

        Returns:
            By month, ``YYYY-MM``: tonnes, author, reason and available_at of the newest.
        """
        rows = self.overrides_of(commodity)
        own = rows.loc[(rows["destination"] == destination) & (rows["as_of"] == as_of)]
        shown = own[["period", "tonnes", "author", "reason", "available_at"]]
        return {row.pop("period")[:7]: row for row in records(shown.sort_values("available_at"))}


def _in_force(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.loc[rows["ended_at"].isna()]
