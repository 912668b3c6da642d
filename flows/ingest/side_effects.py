"""Side effects of figures on other destinations: named at ingest, held at publication."""

import pandas as pd
from sqlalchemy import Engine

from features.panel.estimation import side_effects
from store.errors import SHOWN
from store.facts.evidence import read_evidence
from store.messages import Message, few, message


def side_effects_of_ingests(engine: Engine, *, as_of: pd.Timestamp, since: int) -> Message | None:
    """Say what figures of the ingests after one move beyond its 80% band; None if nothing.

    Args:
        as_of: The moment (UTC).
        since: Number of the last ingest whose figures are taken as known.
    """
    known, every = (read_evidence(engine, as_of=as_of, until=until) for until in (since, None))
    new = pd.concat([every, known]).drop_duplicates(keep=False)
    found = side_effects(known, new, as_of=as_of)
    if not found:
        return None
    named = sorted({f"{row.destination} {row.period_from:%Y-%m}" for row in new.itertuples()})
    moves = tuple(
        message(
            "%(destination)s %(month)s %(before)s to %(after)s t (%(low)s to %(high)s)",
            destination=move.destination,
            month=move.month,
            before=f"{move.before:,.0f}",
            after=f"{move.after:,.0f}",
            low=f"{move.low:,.0f}",
            high=f"{move.high:,.0f}",
        )
        for move in found[:SHOWN]
    )
    return message(
        "New figures (%(figures)s) move what they say nothing about beyond its 80%% band: "
        "%(moves)s.",
        figures=few(named),
        moves=moves,
    )
