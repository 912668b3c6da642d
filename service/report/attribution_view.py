"""The attribution of one event for display, with look-ups that words and chart share."""

from dataclasses import dataclass

import pandas as pd

from service.wording.names import name_of

AS_OF = "as_of"
SYNTHETIC = "synthetic"
LESS_HIT = "less_hit"
OTHERS = "OTHERS"
MORE_HIT = "MORE_HIT"
REMAINDERS = ("EU27_REST", "ROW")


@dataclass(frozen=True, slots=True)
class AttributionView:
    """The attribution of one event; dates are naive."""

    event_id: str
    summary: str
    announced: pd.Timestamp
    as_of: pd.Timestamp
    named: str
    """Whom the act names."""
    whole: str
    """The series that is all it touches."""
    hits_all: bool
    fall: int
    """Months of the fall from the announcement's on; 0 if nothing stands out."""
    late: tuple[int, int, int]
    """Months the data were late: before the event, least and most at the fake dates."""
    depth: tuple[float, int, int]
    """What the fall took in months of the path; its rank; calm fake dates and one."""
    companions: tuple[str, ...]
    """Other strong acts of these months that touch the same destinations."""
    table: pd.DataFrame
    totals: pd.DataFrame
    weights: pd.DataFrame
    fit_error: float
    past: pd.DataFrame
    """The panel's months from a year before the event on."""

    @property
    def eve(self) -> pd.Timestamp:
        """Return the day before the announcement, on which the path was foreseen."""
        return self.announced - pd.Timedelta(days=1)

    def total(self, destination: str, way: str, part: str) -> pd.Series | None:
        """Return one row of the totals, None where there is none; ``fall`` is the first part."""
        rows = self.totals
        first = rows["part"].isin(["fall", "first"]) if part == "fall" else rows["part"] == part
        one = rows.loc[(rows["destination"] == destination) & (rows["way"] == way) & first]
        return None if one.empty else one.iloc[0]

    def largest(self, role: str, count: int, *, named: bool = False) -> list[str]:
        """Return destinations of a role (no sums) that differ most from their path at first.

        Args:
            role: hit or other.
            count: How many at most.
            named: Leave out the remainders of the world and of the European Union.
        """
        sums = ("WLD", "EU27", "HIT", OTHERS, MORE_HIT, *(REMAINDERS if named else ()))
        rows = self.totals.loc[
            (self.totals["way"] == AS_OF)
            & (self.totals["role"] == role)
            & self.totals["part"].isin(["fall", "first"])
            & ~self.totals["destination"].isin(sums)
        ]
        order = rows["missing_t"].abs().sort_values(ascending=False, kind="stable").index
        return [str(name) for name in rows.loc[order, "destination"][:count]]

    def main(self, count: int) -> list[str]:
        """Return the series most worth a look: what was hit, the world, what was not."""
        wanted = ["WLD", self.whole, *self.largest("hit", count, named=True)]
        if (self.table["destination"] == OTHERS).any():
            hit = self.largest("hit", 1, named=True)
            wanted = [self.whole, OTHERS, "WLD", *hit, *self.largest("other", 2, named=True)]
        return list(dict.fromkeys(wanted))[:count]


def called(destination: str) -> str:
    """Return a series in words, also those made for one event."""
    made = {
        "HIT": "the destinations hit",
        OTHERS: "the other destinations",
        MORE_HIT: "the destinations hit more",
    }
    return made.get(destination) or ("the world" if destination == "WLD" else name_of(destination))


def months_in_words(first: str, last: str) -> str:
    """Return ``2025-04`` to ``2025-06`` as April-June 2025."""
    start, end = pd.Timestamp(first), pd.Timestamp(last)
    if start == end:
        return f"{start:%B %Y}"
    if start.year == end.year:
        return f"{start:%B}-{end:%B %Y}"
    return f"{start:%B %Y}-{end:%B %Y}"
