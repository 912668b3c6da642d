"""When China Customs publishes: recorded releases, and the rule for all others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import pandas as pd

_RELEASE_DAY: Final = 20
"""Day of the following month that detail by destination comes. Source: data/release_dates.csv."""


@dataclass(frozen=True, slots=True)
class ReleaseCalendar:
    """Release days of the detail by destination: recorded ones, and the rule for all others."""

    recorded: Mapping[pd.Timestamp, pd.Timestamp]
    """By first day of the month described."""

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Take the recorded days from a release_calendar frame; of several the last one."""
        recorded: dict[pd.Timestamp, pd.Timestamp] = {}
        details = frame[frame["what"] == "detail"]
        columns = (details[name] for name in ("period_from", "period_to", "released_on"))
        for first, last, day in zip(*columns, strict=True):
            for described in pd.date_range(first, last, freq="MS"):
                recorded[described] = max(day, recorded.get(described, day))
        return cls(recorded)

    def released_on(self, described: pd.Timestamp) -> pd.Timestamp:
        """Day a month was published; January and February are published together."""
        if (day := self.recorded.get(described)) is not None:
            return day
        joint = described.replace(month=2) if described.month == 1 else described
        return joint + pd.DateOffset(months=1, days=_RELEASE_DAY - 1)

    def last_released(self, as_of: pd.Timestamp) -> pd.Timestamp:
        """Last month whose detail was published at ``as_of`` (aware)."""
        today = as_of.tz_convert("UTC").tz_localize(None)
        described = today.normalize().replace(day=1)
        while self.released_on(described) > today:
            described -= pd.DateOffset(months=1)
        return described
