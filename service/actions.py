"""What a planner may do, over the API and on the pages alike."""

from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from service.publication import NothingPublishedError
from service.queries.history import known_moment
from service.queries.track import TRUTH
from service.state import State
from store.audit import Who
from store.errors import DataError
from store.needs import Need, add_need, end_need
from store.overrides import Override, add_override
from store.rules import Rule, add_rule, end_rule


@dataclass(frozen=True, slots=True)
class Expected:
    """An override as it is asked for; without a moment it speaks of the newest publication."""

    destination: str
    period: pd.Timestamp
    as_of: pd.Timestamp | None
    tonnes: float
    reason: str


def state_need(state: State, who: Who, need: Need) -> int:
    """Keep a need and return its number; as ``store.needs.add_need``."""
    number = add_need(state.live.engine, need, who=who, at=state.live.clock())
    state.live.refresh_desk()
    return number


def drop_need(state: State, who: Who, number: int) -> None:
    """End a need; as ``store.needs.end_need``."""
    end_need(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_desk()


def watch(state: State, who: Who, rule: Rule) -> tuple[int, str]:
    """Keep an alert rule and return its number and its secret, empty without a webhook.

    As ``store.rules.add_rule``.
    """
    url = rule.url.strip()
    if url:
        url = state.hooks.checked(url)
    made = replace(rule, url=url)
    number, uid = add_rule(
        state.live.engine, made, who=who, at=state.live.clock(), since=_newest(state)
    )
    state.live.refresh_desk()
    return number, state.hooks.secret(uid) if url else ""


def unwatch(state: State, who: Who, number: int) -> None:
    """End an alert rule; as ``store.rules.end_rule``."""
    end_rule(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_desk()


def expect(state: State, who: Who, told: Expected) -> Override:
    """Keep an override and return it; as ``store.overrides.add_override``.

    Raises:
        DataError: The month's figure is out: there is nothing to expect.
    """
    publication = state.live.publication
    as_of = known_moment(publication, told.as_of)
    panel = publication.stand.panel
    own = panel["destination"].eq(told.destination) & panel["period"].eq(told.period)
    if (panel.loc[own, "kind"] == TRUTH).any():
        raise DataError(
            f"An override of {told.destination} in {told.period:%Y-%m}, whose figure is out. "
            "Expected a month that is not yet known. Take a later one."
        )
    made = Override(told.destination, told.period, as_of, told.tonnes, told.reason)
    add_override(state.live.engine, made, who=who, at=state.live.clock())
    state.live.refresh_desk()
    return made


def _newest(state: State) -> datetime | None:
    """Return the moment of the newest publication, None while there is none."""
    try:
        return state.live.publication.as_of.to_pydatetime()
    except NothingPublishedError:
        return None
