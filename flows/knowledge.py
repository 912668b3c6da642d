"""How the service learns what was known: by the same views that models learn from."""

from typing import Final

import pandas as pd

from features.asof import EVENT_KEY, TARIFF_KEY, known_at
from features.build import ALL_FEATURES
from features.evidence import evidence_panel
from features.months import month_label
from service.knowledge import Knowledge, Ledger, Stand
from store.published import Published

_BEYOND_FEATURES: Final = {
    "policy_response": "the answer to a control that no month has felt yet",
    "experts_tonnes": "what smoothing of the past months says",
}
"""Drivers that are no features, by the names of ``models.explain``, which takes seconds to load."""


def knowledge() -> Knowledge:
    """Return how the service learns what was known at a moment."""
    meanings = {feature.name: feature.meaning for feature in ALL_FEATURES}
    return Knowledge(stand_at, ledger_at, {**meanings, **_BEYOND_FEATURES})


def stand_at(published: Published, as_of: pd.Timestamp) -> Stand:
    """Return the trade and the policy as known at a moment."""
    panel = evidence_panel(published.observations, as_of=as_of)
    return Stand(
        as_of=as_of,
        cutoff=month_label(panel.cutoff),
        panel=panel.frame,
        suspicious=panel.suspicious,
        ledger=ledger_at(published, as_of),
    )


def ledger_at(published: Published, as_of: pd.Timestamp) -> Ledger:
    """Return the newest version of each event and tariff step known at a moment."""
    return Ledger(
        events=known_at(published.events, key=EVENT_KEY, as_of=as_of),
        tariffs=known_at(published.tariffs, key=TARIFF_KEY, as_of=as_of),
    )
