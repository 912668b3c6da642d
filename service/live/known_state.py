"""What was known at a moment: the stored panel behind a forecast, and the policy ledger."""

from dataclasses import dataclass

import pandas as pd

from store.asof import EVENT_KEY, TARIFF_KEY, known_at
from store.publications.panels import StoredPanel
from store.publications.published import Published


@dataclass(frozen=True, slots=True)
class PolicyLedger:
    """Policy as known at one moment: the newest version of each event and tariff step."""

    events: pd.DataFrame
    tariffs: pd.DataFrame


@dataclass(frozen=True, slots=True)
class KnownState:
    """The trade and the policy as known at one moment; nothing in here is modified."""

    as_of: pd.Timestamp
    cutoff: str
    """Last month known, ``YYYY-MM``."""
    panel: pd.DataFrame
    """``PANEL_COLUMNS``."""
    suspicious: pd.DataFrame
    """``statement, residual_t, z, source_url``, worst first."""
    ledger: PolicyLedger


def state_at(published: Published, as_of: pd.Timestamp, panel: StoredPanel) -> KnownState:
    """Return what was known at the moment of a forecast.

    Args:
        published: What is published of its commodity.
        as_of: The moment.
        panel: The panel behind it.
    """
    own = published.forecasts["as_of"] == as_of
    return KnownState(
        as_of=as_of,
        cutoff=str(published.forecasts.loc[own, "cutoff"].max()),
        panel=panel.frame,
        suspicious=panel.contradictions,
        ledger=ledger_at(published, as_of),
    )


def ledger_at(published: Published, as_of: pd.Timestamp) -> PolicyLedger:
    """Return the newest version of each event and tariff step known at a moment."""
    return PolicyLedger(
        events=known_at(published.events, key=EVENT_KEY, as_of=as_of),
        tariffs=known_at(published.tariffs, key=TARIFF_KEY, as_of=as_of),
    )
