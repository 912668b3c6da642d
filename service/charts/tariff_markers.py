"""Which tariff steps a chart of one destination marks."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from store.vocabulary import EU27, EU27_MEMBERS

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
"""Letters of steps, as events have numbers; the oldest steps beyond the alphabet are left out."""


@dataclass(frozen=True, slots=True)
class RateStep:
    """The changes of one day in what an importer charges."""

    letter: str
    when: pd.Timestamp
    ahead: bool
    changes: tuple[str, ...]
    sources: tuple[str, ...]


def pick_steps(
    tariffs: pd.DataFrame,
    *,
    destination: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    as_of: pd.Timestamp,
) -> tuple[RateStep, ...]:
    """Return the days on which a rate changed or will, oldest first.

    Args:
        tariffs: Newest version of each step known at ``as_of``; not modified.
        destination: Code of the chart's destination; members of EU27 charge what EU27 does.
        start: First moment of the chart, naive.
        end: Last moment of the chart, naive.
        as_of: Naive moment of the forecast.
    """
    importer = importer_of(destination)
    within = tariffs["effective_from"].between(start, end)
    own = tariffs.loc[tariffs["importer"].eq(importer) & within & tariffs["rate_pct"].notna()]
    days = list(own.groupby("effective_from"))[-len(LETTERS) :]
    return tuple(
        _step(letter, pd.Timestamp(str(day)), rows, as_of)
        for letter, (day, rows) in zip(LETTERS, days, strict=False)
    )


def importer_of(destination: str) -> str:
    """Return who charges tariffs on what a destination imports."""
    return EU27 if destination in {*EU27_MEMBERS, "EU27_REST"} else destination


def _step(letter: str, day: pd.Timestamp, rows: pd.DataFrame, as_of: pd.Timestamp) -> RateStep:
    changes = rows.sort_values(["component", "product_scope"]).to_dict("records")
    return RateStep(
        letter=letter,
        when=day,
        ahead=day > as_of,
        changes=tuple(
            f"{row['component'].replace('_', ' ')} {row['rate_pct']:g} % on {row['product_scope']}"
            for row in changes
        ),
        sources=tuple(
            dict.fromkeys(part for row in changes for part in row["source_url"].split(";"))
        ),
    )
