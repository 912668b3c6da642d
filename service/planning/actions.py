"""What a planner may do, over the API and on the pages alike."""

from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from service.live.publication import NothingPublishedError
from service.live.state import State
from service.queries.history import known_moment
from service.queries.track import TRUTH
from store.errors import DataError
from store.planning.alert_rules import AlertRule, add_rule, end_rule
from store.planning.audit import Actor
from store.planning.needs import NeedRow, add_need, end_need
from store.planning.overrides import OverrideRow, add_override
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True)
class ExpectedMonth:
    """An override as it is asked for; without a moment it speaks of the newest publication."""

    destination: str
    period: pd.Timestamp
    as_of: pd.Timestamp | None
    tonnes: float
    reason: str
    commodity: str = COMMODITY


def state_need(state: State, who: Actor, need: NeedRow) -> int:
    """Keep a need and return its number; as ``store.planning.needs.add_need``."""
    number = add_need(state.live.engine, need, who=who, at=state.live.clock())
    state.live.refresh_desk()
    return number


def drop_need(state: State, who: Actor, number: int) -> None:
    """End a need; as ``store.planning.needs.end_need``."""
    end_need(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_desk()


def watch(state: State, who: Actor, rule: AlertRule) -> tuple[int, str]:
    """Keep an alert rule and return its number and its secret, empty without a webhook.

    As ``store.planning.alert_rules.add_rule``.

    Raises:
        UnknownError: There is no forecast of its commodity.
    """
    url = rule.url.strip()
    if url:
        url = state.hooks.checked(url)
    made, since = replace(rule, url=url), _newest(state, _watched(state, rule))
    number, uid = add_rule(state.live.engine, made, who=who, at=state.live.clock(), since=since)
    state.live.refresh_desk()
    return number, state.hooks.secret(uid) if url else ""


def unwatch(state: State, who: Actor, number: int) -> None:
    """End an alert rule; as ``store.planning.alert_rules.end_rule``."""
    end_rule(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_desk()


def expect(state: State, who: Actor, told: ExpectedMonth) -> OverrideRow:
    """Keep an override and return it; as ``store.planning.overrides.add_override``.

    Raises:
        DataError: The month's figure is out: there is nothing to expect.
        UnknownError: There is no forecast of its commodity.
    """
    publication = state.live.of(told.commodity)
    as_of = known_moment(publication, told.as_of)
    panel = publication.stand.panel
    own = panel["destination"].eq(told.destination) & panel["period"].eq(told.period)
    if (panel.loc[own, "kind"] == TRUTH).any():
        raise DataError(
            f"An override of {told.destination} in {told.period:%Y-%m}, whose figure is out. "
            "Expected a month that is not yet known. Take a later one."
        )
    made = OverrideRow(
        told.destination, told.period, as_of, told.tonnes, told.reason, told.commodity
    )
    add_override(state.live.engine, made, who=who, at=state.live.clock())
    state.live.refresh_desk()
    return made


def _watched(state: State, rule: AlertRule) -> str:
    """Return the commodity that a rule watches."""
    needs = state.live.desk.needs
    own = needs.loc[needs["id"].isin([rule.need_id]), "commodity"]
    return rule.commodity or next(iter(own.astype(str)), COMMODITY)


def _newest(state: State, commodity: str) -> datetime | None:
    """Return the moment of the newest publication of a commodity, None while there is none."""
    try:
        return state.live.of(commodity).as_of.to_pydatetime()
    except NothingPublishedError:
        return None
