"""Needs, alert rules, alerts and overrides: what is shown of them, and how planners write them."""

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, Final, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from service.errors import NothingPublishedError
from service.http.responses import Record, records
from service.live.live import LivePublication, PlanningState
from service.live.publication import Publication
from service.planning.models import (
    AlertResponse,
    AuditEntryResponse,
    OverrideResponse,
    RuleResponse,
)
from service.queries.history import known_moment
from service.queries.models import columns_of
from service.queries.track import TRUTH
from store.errors import DataError
from store.messages import message
from store.planning.audit import Actor
from store.planning.entries import AlertRule, OverrideRow, add_override, add_rule
from store.vocabulary import COMMODITY

_KEY: Final = ["destination", "period", "as_of"]


def rules(planning: PlanningState, commodity: str | None = None) -> list[Record]:
    """Return the active alert rules of one commodity, or of all if None, newest first."""
    own = _of(planning.rules, commodity)
    return records(own[columns_of(RuleResponse)].sort_values("id", ascending=False))


def alerts(planning: PlanningState, commodity: str | None = None) -> list[Record]:
    """Return the alerts, newest first; evaluations without an alert are left out.

    For one commodity, or for all if None.
    """
    fired = planning.rows.alerts.loc[planning.rows.alerts["fired"]]
    rule = planning.rows.rules.set_index("id")
    columns = {"rule": rule["name"], "commodity": rule["commodity"]}
    rows = fired.assign(**{n: fired["rule_id"].map(v).astype("str") for n, v in columns.items()})
    order = ["as_of", "rule_id"]
    own = _of(rows, commodity)
    return records(own[columns_of(AlertResponse)].sort_values(order, ascending=[False, True]))


def audit(planning: PlanningState) -> list[Record]:
    """Return the audit trail, newest first."""
    return records(
        planning.rows.audit[columns_of(AuditEntryResponse)].sort_values("id", ascending=False)
    )


def override_cells(publication: Publication, planning: PlanningState) -> pd.DataFrame:
    """Return every override of a commodity beside median and actual: ``OverrideResponse``.

    Of each month and publication the newest counts. The newest of those made before the month's
    figure was published is scored. Newest first; ``period`` is the
    first day of the month.
    """
    rows = planning.overrides_of(publication.commodity)
    medians = publication.published.forecasts
    medians = medians.assign(period=pd.to_datetime(medians["period"]))[[*_KEY, "p50"]]
    panel = publication.snapshot.panel
    truth = panel.loc[panel["kind"] == TRUTH].rename(
        columns={"tonnes": "actual", "available_at": "out_at"}
    )
    # Microseconds as in the store: a merge needs equal types.
    found = rows.astype({"as_of": medians["as_of"].dtype, "period": medians["period"].dtype})
    found = found.merge(medians, on=_KEY, how="left", validate="many_to_one")
    found = found.merge(
        truth[["destination", "period", "actual", "out_at"]],
        on=["destination", "period"], how="left", validate="many_to_one",
    ).sort_values("available_at", kind="stable")  # fmt: skip
    in_time = found["out_at"].notna() & (found["available_at"] < found["out_at"])
    newest = ~found.duplicated(_KEY, keep="last")
    last_in_time = found.loc[in_time].drop_duplicates(_KEY, keep="last").index
    marked = found.assign(counts=newest, scored=found.index.isin(last_in_time))
    return marked[columns_of(OverrideResponse)].iloc[::-1].reset_index(drop=True)


def overrides(publication: Publication, planning: PlanningState) -> list[Record]:
    """Return all overrides of a commodity, newest first."""
    cells = override_cells(publication, planning)
    return records(cells.assign(period=cells["period"].dt.strftime("%Y-%m")))


def value_added(publication: Publication, planning: PlanningState) -> dict[str, float] | None:
    """Return the value added by overrides, None if none is scored yet.

    Returns:
        ``cells``; ``override`` and ``model``, absolute errors as a share of actual tonnes;
        ``better``, the share of months in which the override was closer; ``value_added``, 1 minus
        the ratio of the two errors, above 0 where overriding helped.
    """
    cells = override_cells(publication, planning)
    scored = cells.loc[cells["scored"] & cells["p50"].notna()]
    actual = float(scored["actual"].sum())
    if scored.empty or actual <= 0:
        return None
    override = (scored["tonnes"] - scored["actual"]).abs().to_numpy(float)
    model = (scored["p50"] - scored["actual"]).abs().to_numpy(float)
    ratio = override.sum() / model.sum() if model.sum() > 0 else float("nan")
    return {
        "cells": len(scored),
        "override": float(override.sum() / actual),
        "model": float(model.sum() / actual),
        "better": float(np.mean(override < model)),
        "value_added": float(1 - ratio),
    }


def _of(rows: pd.DataFrame, commodity: str | None) -> pd.DataFrame:
    return rows if commodity is None else rows.loc[rows["commodity"] == commodity]


_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def write(
    live: LivePublication,
    act: Callable[Concatenate[Engine, _Given], _Made],
    *given: _Given.args,
    **named: _Given.kwargs,
) -> _Made:
    """Do what writes planning rows, and show it at once."""
    made = act(live.engine, *given, **named)
    live.refresh_planning()
    return made


def create_rule(live: LivePublication, who: Actor, rule: AlertRule) -> int:
    """Record an alert rule and return its number; as ``store.planning.entries.add_rule``."""
    since = _newest(live, _watched(live, rule))
    return write(live, add_rule, rule, who=who, at=live.clock(), since=since)


def record_override(
    live: LivePublication,
    who: Actor,
    destination: str,
    period: pd.Timestamp,
    as_of: str | None,
    *,
    tonnes: float,
    reason: str,
    commodity: str,
) -> OverrideRow:
    """Record an override and return it; as ``store.planning.entries.add_override``.

    Without a moment it is for the newest publication.
    """
    publication = live.of(commodity)
    moment = known_moment(publication, as_of)
    panel = publication.snapshot.panel
    own = panel["destination"].eq(destination) & panel["period"].eq(period)
    if (panel.loc[own, "kind"] == TRUTH).any():
        raise DataError(
            message(
                "An override of %(destination)s in %(month)s, whose figure is already published. "
                "Expected a month that is not yet known. Choose a later one.",
                destination=destination,
                month=f"{period:%Y-%m}",
            )
        )
    made = OverrideRow(destination, period, moment, tonnes, reason, commodity)
    write(live, add_override, made, who=who, at=live.clock())
    return made


def _watched(live: LivePublication, rule: AlertRule) -> str:
    needs = live.planning.needs
    own = needs.loc[needs["id"].isin([rule.need_id]), "commodity"]
    return rule.commodity or next(iter(own.astype(str)), COMMODITY)


def _newest(live: LivePublication, commodity: str) -> datetime | None:
    try:
        return live.of(commodity).as_of.to_pydatetime()
    except NothingPublishedError:
        return None
