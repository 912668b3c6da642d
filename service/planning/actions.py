"""Writes of planners, the same for API and pages."""

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
class OverrideRequest:
    """An override as requested; without a moment it is for the newest publication."""

    destination: str
    period: pd.Timestamp
    as_of: pd.Timestamp | None
    tonnes: float
    reason: str
    commodity: str = COMMODITY


def record_need(state: State, who: Actor, need: NeedRow) -> int:
    """Record a need and return its number; as ``store.planning.needs.add_need``."""
    number = add_need(state.live.engine, need, who=who, at=state.live.clock())
    state.live.refresh_planning()
    return number


def remove_need(state: State, who: Actor, number: int) -> None:
    """End a need; as ``store.planning.needs.end_need``."""
    end_need(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_planning()


def create_rule(state: State, who: Actor, rule: AlertRule) -> tuple[int, str]:
    """Record an alert rule and return its number and its secret, empty without a webhook.

    As ``store.planning.alert_rules.add_rule``.

    Raises:
        UnknownError: Its commodity has no forecast.
    """
    url = rule.url.strip()
    if url:
        url = state.webhooks.checked(url)
    made, since = replace(rule, url=url), _newest(state, _watched(state, rule))
    number, uid = add_rule(state.live.engine, made, who=who, at=state.live.clock(), since=since)
    state.live.refresh_planning()
    return number, state.webhooks.secret(uid) if url else ""


def remove_rule(state: State, who: Actor, number: int) -> None:
    """End an alert rule; as ``store.planning.alert_rules.end_rule``."""
    end_rule(state.live.engine, number, who=who, at=state.live.clock())
    state.live.refresh_planning()


def record_override(state: State, who: Actor, request: OverrideRequest) -> OverrideRow:
    """Record an override and return it; as ``store.planning.overrides.add_override``.

    Raises:
        DataError: The month's figure is already published.
        UnknownError: Its commodity has no forecast.
    """
    publication = state.live.of(request.commodity)
    as_of = known_moment(publication, request.as_of)
    panel = publication.stand.panel
    own = panel["destination"].eq(request.destination) & panel["period"].eq(request.period)
    if (panel.loc[own, "kind"] == TRUTH).any():
        raise DataError(
            f"An override of {request.destination} in {request.period:%Y-%m}, "
            "whose figure is already published. Expected a month that is not yet known. "
            "Choose a later one."
        )
    made = OverrideRow(
        request.destination,
        request.period,
        as_of,
        request.tonnes,
        request.reason,
        request.commodity,
    )
    add_override(state.live.engine, made, who=who, at=state.live.clock())
    state.live.refresh_planning()
    return made


def _watched(state: State, rule: AlertRule) -> str:
    """Return the commodity that a rule watches."""
    needs = state.live.planning.needs
    own = needs.loc[needs["id"].isin([rule.need_id]), "commodity"]
    return rule.commodity or next(iter(own.astype(str)), COMMODITY)


def _newest(state: State, commodity: str) -> datetime | None:
    """Return the moment of the newest publication of a commodity, None while there is none."""
    try:
        return state.live.of(commodity).as_of.to_pydatetime()
    except NothingPublishedError:
        return None
