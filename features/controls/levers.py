"""An origin with the acts and tariff steps of a scenario added."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from features.controls.controls import (
    DIVERTED_PCT,
    INSTRUMENTS,
    KEPT_PCT,
    PROBABILITY,
    SCENARIO,
    controls_at,
)
from features.families.policy import STRONG, act_strength
from features.families.tariffs import importer_rate, importer_rates
from features.origin import Origin
from features.track_record import RELAXATION, TRUCES
from store.messages import Message, message
from store.months import month_label, month_number
from store.schema.scenario import ACT_DAYS, Scenario, ScenarioAct, ScenarioTariff
from store.vocabulary import HISTORY_START, importer_of

LAST_DAY: Final = pd.Timestamp("2099-12-31")

EPOCH: Final = pd.Timestamp("1970-01-01")

_EMPTY_ACT: Final = {
    "issuer": "scenario", "legal_reference": "", "severity": 0, "summary": "", "source_urls": "",
    "confidence": "low", "evidence": "primary", "note": "", "products": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScenarioWarning:
    """A limitation of a scenario's result."""

    destinations: tuple[str, ...]
    """Affected destinations; all if empty."""
    text: Message


def announcement_months(scenario: Scenario, origin: Origin) -> list[int]:
    """Months in which parts of a scenario are announced, none before the origin's own.

    Ascending month numbers.
    """
    return sorted({max(_touched_from(lever), origin.today) for lever in scenario.levers})


BOOKING_DAYS: Final = 14
"""Days from the announcement of a tariff to the first shipment that it can touch: what is cleared
before then was ordered without knowing of it."""


def _touched_from(lever: ScenarioAct | ScenarioTariff) -> int:
    if isinstance(lever, ScenarioTariff):
        return month_number(_first_shipment(lever))
    return month_number(lever.announced)


def _first_shipment(lever: ScenarioTariff) -> pd.Timestamp:
    return lever.announced + pd.Timedelta(days=BOOKING_DAYS)


def with_levers(origin: Origin, scenario: Scenario, month: int | None = None) -> Origin:
    """Origin as if a scenario's acts had been announced.

    Rates outside the observed range are moved to its nearest end, see ``warnings_of``.

    Args:
        month: Only what is announced by the end of this month; all if None.
    """
    acts = [lever for lever in scenario.events if month is None or _touched_from(lever) <= month]
    steps = [lever for lever in scenario.tariffs if month is None or _touched_from(lever) <= month]
    return replace(origin, events=_with_acts(origin, acts), tariffs=_with_steps(origin, steps))


def _with_acts(origin: Origin, acts: Sequence[ScenarioAct]) -> pd.DataFrame | None:
    events = origin.events
    if events is None or not acts:
        return events
    numbers = [n for n in (KEPT_PCT, PROBABILITY, DIVERTED_PCT) if n not in events]
    table = events.assign(**dict.fromkeys(numbers, np.nan)).set_index("event_id", drop=False)
    for act in acts:
        if act.event_id in table.index:
            is_assumed = _is_assumed(table.to_dict("index")[act.event_id], act)
            for name, value in act.given.items():
                table.loc[act.event_id, name] = value
            if is_assumed:
                table.loc[act.event_id, PROBABILITY] = 1.0
            continue
        blank = dict.fromkeys(table.columns, pd.NaT) | _EMPTY_ACT
        row = pd.DataFrame([{**blank, "event_id": act.event_id, **act.given}])
        row[PROBABILITY] = row[PROBABILITY].fillna(1.0)
        row = row.astype({name: kind for name, kind in table.dtypes.items() if name in ACT_DTYPES})
        row.index = pd.Index([act.event_id])
        table = pd.concat([table, row])
    return table.reset_index(drop=True)


def _is_assumed(columns: Mapping[Hashable, Any], act: ScenarioAct) -> bool:
    """Whether a scenario gives a known act other days and leaves open how probable it is."""
    if not pd.isna(act.given[PROBABILITY]):
        return False
    return any(
        isinstance(day, pd.Timestamp) and day != columns[name] for name, day in act.given.items()
    )


ACT_DTYPES: Final = frozenset((*ACT_DAYS, KEPT_PCT, PROBABILITY, DIVERTED_PCT, "covered_share"))
"""Columns of acts that keep their type where a new act leaves them empty."""


def _with_steps(origin: Origin, steps: Sequence[ScenarioTariff]) -> pd.DataFrame | None:
    tariffs = origin.tariffs
    if tariffs is None or not steps:
        return tariffs
    highest = highest_rate(origin)
    table = tariffs
    # In order: a later rate replaces an earlier one and is not added to it.
    for number, lever in enumerate(sorted(steps, key=lambda step: step.effective_from)):
        if rows := _step_rows(table, lever, number, highest):
            added = pd.DataFrame(rows).reindex(columns=tariffs.columns)
            table = pd.concat([table, added.astype(tariffs.dtypes.to_dict())], ignore_index=True)
    return table


def _step_rows(
    tariffs: pd.DataFrame, lever: ScenarioTariff, number: int, highest: float
) -> list[dict[str, object]]:
    """Steps of an added component that bring a rate to that of the lever.

    None where the rate does not change: an importer with an unknown rate stays unknown then.
    """
    end = lever.effective_to or LAST_DAY
    days = np.arange((lever.effective_from - EPOCH).days, (end - EPOCH).days + 1)
    rates = np.nan_to_num(importer_rate(tariffs, lever.importer, days))
    # A rate announced for later may be above all rates charged so far.
    added = np.round(np.clip(lever.rate_over(rates), 0.0, np.maximum(rates, highest)) - rates, 9)
    if not added.any():
        return []
    starts = np.flatnonzero(np.diff(added, prepend=np.nan) != 0)
    return [
        {
            "importer": lever.importer,
            "origin": "CHN",
            "component": f"{SCENARIO} {number + 1}",
            "product_scope": SCENARIO,
            "rate_pct": float(added[start]),
            "effective_from": EPOCH + pd.Timedelta(days=int(days[start])),
            "effective_to": end,
            "announced_on": _first_shipment(lever),
            "legal_reference": "", "source_url": "", "confidence": "low", "note": "",
        }
        for start in starts
    ]  # fmt: skip


def highest_rate(origin: Origin) -> float:
    """Highest rate in percent any importer is known to have charged by then."""
    tariffs = origin.tariffs
    if tariffs is None or tariffs.empty:
        return 0.0
    first = (pd.Timestamp(HISTORY_START) - EPOCH).days
    days = np.arange(first, (pd.Timestamp(f"{month_label(origin.today + 1)}-01") - EPOCH).days)
    rates = list(importer_rates(tariffs, days).values())
    return float(np.nan_to_num(np.stack(rates)).max()) if rates else 0.0


def charged_by(origin: Origin) -> dict[str, tuple[str, ...]]:
    """Series that each importer's tariff falls on."""
    series_of: dict[str, list[str]] = {}
    for name, is_sum in zip(origin.series, origin.is_sum, strict=True):
        if not is_sum:
            series_of.setdefault(importer_of(name), []).append(name)
    return {name: tuple(hit) for name, hit in series_of.items()}


def warnings_of(origin: Origin, scenario: Scenario) -> list[ScenarioWarning]:
    """Where a scenario goes beyond what the data can answer."""
    last = month_label(int(origin.targets[-1]))
    warnings = [warned for lever in scenario.tariffs for warned in _of_tariff(origin, lever)]
    warnings += [warned for act in scenario.events for warned in _of_act(origin, act)]
    # A known act moved beyond the last month does have an effect: it no longer falls within it.
    new = [lever for lever in scenario.levers if isinstance(lever, ScenarioTariff) or lever.is_new]
    late = [lever for lever in new if month_number(_start_of(lever)) > origin.targets[-1]]
    warnings += [ScenarioWarning((), _starts_late(lever, last)) for lever in late]
    return warnings


def _start_of(lever: ScenarioAct | ScenarioTariff) -> pd.Timestamp:
    if isinstance(lever, ScenarioTariff):
        return lever.effective_from
    columns = lever.given.items()
    days = [
        day for name, day in columns if name != "announced_on" and isinstance(day, pd.Timestamp)
    ]
    return min(days, default=lever.announced)


def _starts_late(lever: ScenarioAct | ScenarioTariff, last: str) -> Message:
    if isinstance(lever, ScenarioTariff):
        return message(
            "The tariff of %(importer)s starts after %(month)s, the last month forecast, and shows "
            "no effect.",
            importer=lever.importer,
            month=last,
        )
    return message(
        "%(act)s starts after %(month)s, the last month forecast, and shows no effect.",
        act=lever.event_id,
        month=last,
    )


def _of_tariff(origin: Origin, lever: ScenarioTariff) -> list[ScenarioWarning]:
    hit = charged_by(origin).get(lever.importer, ())
    assert origin.tariffs is not None  # noqa: S101 - a scenario needs tariffs
    day = np.array([(lever.effective_from - EPOCH).days])
    rate = float(importer_rate(origin.tariffs, lever.importer, day)[0])
    scenario_rate = lever.rate_over(np.nan_to_num(rate))
    highest = highest_rate(origin)
    texts = []
    if scenario_rate > highest:
        texts.append(
            message(
                "A rate of %(asked)s is above the highest on record, %(highest)s, and is computed "
                "as that.",
                asked=f"{scenario_rate:g}%",
                highest=f"{highest:g}%",
            )
        )
    if scenario_rate < 0:
        below = message(
            "A rate of %(asked)s is below zero and is computed as 0%%.", asked=f"{scenario_rate:g}%"
        )
        texts.append(below)
    if np.isnan(rate):
        unknown = message(
            "The present rate of %(importer)s is not known and counts as 0%%.",
            importer=lever.importer,
        )
        texts.append(unknown)
    return [ScenarioWarning(hit, text) for text in texts]


def _of_act(origin: Origin, act: ScenarioAct) -> list[ScenarioWarning]:
    changed = _with_acts(origin, [act])
    assert changed is not None  # noqa: S101 - a scenario needs events
    row = changed.loc[changed["event_id"] == act.event_id]
    text = _limit_of(replace(origin, events=changed), act, row)
    hit = tuple(origin.affected_by(row["destinations"].iloc[0]))
    return [] if text is None else [ScenarioWarning(hit, text)]


def _limit_of(scenario_origin: Origin, act: ScenarioAct, row: pd.DataFrame) -> Message | None:
    """Limitation of an act's result, given its row among the scenario's events, if any."""
    instrument, direction = row["instrument"].iloc[0], row["direction"].iloc[0]
    is_control = instrument in INSTRUMENTS and direction == "restrictive"
    if is_control and float(act_strength(row)[0]) < STRONG:
        return message(
            "%(act)s covers too little of the trade to count as a control.", act=act.event_id
        )
    if (passing := row[KEPT_PCT].iloc[0]) == passing:
        spells = [
            control for control in controls_at(scenario_origin) if control.event_id == act.event_id
        ]
        if spells and all(control.seen(scenario_origin) for control in spells):
            return message(
                "%(act)s shows in past months; the share assumed to pass is ignored.",
                act=act.event_id,
            )
        return message(
            "Assumed, not estimated: %(share)s of exports still pass.", share=f"{passing:g}%"
        )
    needs_end = instrument in TRUCES and instrument != RELAXATION
    is_easing = act.is_new and act.given.get("direction") == "easing"
    if is_easing and needs_end and pd.isna(row["effective_to"].iloc[0]):
        return message(
            "%(act)s has no effect without an end (effective_to), as a truce needs one.",
            act=act.event_id,
        )
    if not is_control and instrument not in TRUCES and act.is_new:
        return message(
            "No effect of acts of the kind %(instrument)s is computed: no response to one is "
            "known.",
            instrument=instrument,
        )
    return None
