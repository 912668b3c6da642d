"""How the service learns what was known: by the same views that models learn from."""

from typing import Final

import pandas as pd

from features.asof import EVENT_KEY, TARIFF_KEY, known_at
from features.build import ALL_FEATURES
from features.months import month_label
from features.panel.evidence import evidence_panel
from flows.analysis.table_explanation_inputs import no_doubts, table_known_at
from models.policy.drawing import Floats, drawn, month_ranks
from service.live.explanation_inputs import ExplanationInputs, KnownState, PolicyLedger
from store.publications.published import Published

_BEYOND_FEATURES: Final = {
    "policy_response": "the answer to a control that no month has felt yet",
    "experts_tonnes": "what smoothing of the past months says",
}
"""Drivers that are no features, as in ``models.explain.contributions``, which loads slowly."""


PATHS: Final = 10_000
SEED: Final = 0
"""The same quantiles always give the same paths."""


def knowledge() -> ExplanationInputs:
    """Return how the service learns what was known at a moment."""
    meanings = {feature.name: feature.meaning for feature in ALL_FEATURES}
    return ExplanationInputs(stand_at, ledger_at, {**meanings, **_BEYOND_FEATURES}, sample_paths)


def stand_at(published: Published, as_of: pd.Timestamp) -> KnownState:
    """Return the trade and the policy as known at a moment."""
    if not published.is_magnets:
        cutoff, known = table_known_at(published, as_of)
        return KnownState(as_of, cutoff, known, no_doubts(), ledger_at(published, as_of))
    panel = evidence_panel(published.observations, as_of=as_of)
    return KnownState(
        as_of=as_of,
        cutoff=month_label(panel.cutoff),
        panel=panel.frame,
        suspicious=panel.suspicious,
        ledger=ledger_at(published, as_of),
    )


def ledger_at(published: Published, as_of: pd.Timestamp) -> PolicyLedger:
    """Return the newest version of each event and tariff step known at a moment."""
    return PolicyLedger(
        events=known_at(published.events, key=EVENT_KEY, as_of=as_of),
        tariffs=known_at(published.tariffs, key=TARIFF_KEY, as_of=as_of),
    )


def sample_paths(quantiles: Floats, carry: float) -> Floats:
    """Return draws of months in a row, paths x months in tonnes.

    Args:
        quantiles: Months x ``QUANTILES`` in tonnes, as published.
        carry: The share of a miss that the next month repeats, 0 to 1.
    """
    at = month_ranks(len(quantiles), carry, PATHS, SEED)
    return drawn(quantiles[None], at[:, None, :])[:, 0]
