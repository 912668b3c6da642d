"""How soon what is published followed the figures; nothing here is solved or measured anew."""

from typing import Final

import pandas as pd

from models.monitoring.readings import Reading
from models.monitoring.slo import PublishedMoment, freshness
from sources.bundled.release_calendar import ReleaseCalendar
from store.vocabulary import ORIGIN

MAIN: Final = "run"
"""Flow whose runs publish."""


def slo_readings(
    forecasts: pd.DataFrame,
    runs: pd.DataFrame,
    figures: pd.DataFrame,
    calendar: ReleaseCalendar,
    now: pd.Timestamp,
) -> list[Reading]:
    """Return the freshness of the published forecasts, as of this moment.

    Args:
        forecasts: As ``read_forecasts``.
        runs: As ``read_runs``.
        figures: Of magnets, known by now.
        calendar: As known by now.
        now: The moment (UTC).
    """
    own = figures.loc[(figures["origin"] == ORIGIN) & figures["usable"]]
    return freshness(_stood(forecasts, runs), own, calendar, now=now)


def _stood(forecasts: pd.DataFrame, runs: pd.DataFrame) -> list[PublishedMoment]:
    """Return when each published moment could first be read: its run's end, else the moment."""
    done = runs.loc[runs["flow"].eq(MAIN) & runs["status"].eq("finished")]
    ended = done.groupby("as_of")["finished_at"].min()
    moments = [pd.Timestamp(moment) for moment in forecasts["as_of"].unique()]
    return [PublishedMoment(one, max(one, pd.Timestamp(ended.get(one, one)))) for one in moments]
