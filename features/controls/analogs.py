"""Exports under past controls: the share retained, by months since the control.

There is no control on magnets before April 2025, so the effect of one is estimated from those on
gallium, germanium, graphite, antimony and others, as published by the as_of. Once months under
a control on magnets are known, it is an analog of the next.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from features.controls.controls import INSTRUMENTS, Control, control_episodes, tonnes_without
from features.families.policy import STRONG, act_strength
from features.origin import LEVEL_MONTHS, Origin
from features.track_record import TrackRecord
from store.arrays import Floats
from store.asof import EVENT_KEY, OBSERVATION_KEY, known_at
from store.months import month_number, month_numbers, months_since
from store.vocabulary import WORLD

Act = Mapping[Hashable, Any]

BEFORE_MONTHS: Final = 24
"""Months before the announcement of a control whose mean is the reference level."""

LEAST_BEFORE: Final = 1
"""Months of those that must be published."""

AFTER_MONTHS: Final = 18
"""Months after a control took effect that are used."""

LICENCE: Final = "export_control"


@dataclass(frozen=True, slots=True)
class Analog:
    """One control on one material, and the share of its exports kept, month by month."""

    event_id: str
    material: str
    """Its name in the figures."""
    instrument: str
    age: Floats
    """Months from its first day to the middle of each month used; above 0."""
    retained: Floats
    """Exports of that month as a share of the monthly level before the control was announced."""
    before_months: float
    """Published months in the reference level."""


def analogs_at(
    events: pd.DataFrame, figures: pd.DataFrame, *, as_of: pd.Timestamp
) -> tuple[Analog, ...]:
    """Controls on other minerals with at least one published month of effect.

    Args:
        events: Controls on other minerals, all versions (``analog_events`` contract); not modified.
        figures: Observations on other minerals, all versions; not modified.

    Returns:
        One analog per control and material with a reference level and at least one month after, by
        event; of several series for one control, the one with most months.
    """
    acts = known_at(events, key=EVENT_KEY, as_of=as_of)
    monthly = _monthly(known_at(figures, key=OBSERVATION_KEY, as_of=as_of))
    series = [(str(name), rows) for name, rows in monthly.groupby("commodity", sort=True)]
    acts = acts.loc[is_strong_control(acts)].sort_values(["effective_from", "event_id"])
    analogs: list[Analog] = []
    for act in acts.to_dict("records"):
        candidates = [
            analog
            for name, rows in series
            if _is_about(act, name) and (analog := _analog(act, name, rows))
        ]
        if candidates and not _is_repeat(act, acts):
            analogs.append(
                max(candidates, key=lambda analog: (len(analog.age), analog.before_months))
            )
    return tuple(analogs)


def is_strong_control(acts: pd.DataFrame) -> "pd.Series[bool]":
    """Which acts are strong controls on all destinations, not merely scheduled ones."""
    is_worldwide = acts["destinations"].str.split(";").map(lambda names: WORLD in names)
    return (
        is_worldwide
        & acts["instrument"].isin(INSTRUMENTS)
        & acts["direction"].eq("restrictive")
        & (act_strength(acts) >= STRONG)
        & acts["evidence"].ne("scheduled")
        & acts["effective_from"].notna()
    )


def _is_repeat(act: Act, acts: pd.DataFrame) -> bool:
    same = acts["material"].eq(act["material"])
    start = act["effective_from"]
    earlier = acts["effective_from"].between(
        start - pd.DateOffset(months=BEFORE_MONTHS), start - pd.Timedelta(days=1)
    )
    return bool((same & earlier).any())


def _is_about(act: Act, figures: str) -> bool:
    """Whether figures of this name are of what an act controls."""
    name = figures.lower()
    is_exempt = any(form in name for form in str(act["exempt"]).split(";") if form)
    return name.startswith(str(act["material"]).lower()) and not is_exempt


def _monthly(figures: pd.DataFrame) -> pd.DataFrame:
    usable = figures["usable"] & figures["destination"].eq(WORLD)
    rows = figures.loc[usable & figures["measure"].eq("net_weight_t")]
    first, last = month_numbers(rows["period_from"]), month_numbers(rows["period_to"])
    months = last - first + 1
    table = rows.assign(first=first, last=last, months=months, tonnes=rows["value"] / months)
    key = ["commodity", "first", "last"]
    order = table.sort_values([*key, "available_at", "tonnes"], kind="stable")
    return order.drop_duplicates(key, keep="last")


def _analog(act: Act, name: str, rows: pd.DataFrame) -> Analog | None:
    announced = month_number(act["announced_on"])
    before = rows.loc[(rows["first"] >= announced - BEFORE_MONTHS) & (rows["last"] < announced)]
    before = _without_overlap(before)
    months = float(before["months"].sum())
    level = float((before["tonnes"] * before["months"]).sum() / months) if months else 0.0
    single = rows.loc[rows["months"].eq(1)]
    age = months_since(act["effective_from"], single["first"].to_numpy())
    until = months_since(_end_of(act), single["first"].to_numpy())
    after = (age > 0) & (age <= AFTER_MONTHS) & (until < 0)
    if months < LEAST_BEFORE or level <= 0 or not after.any():
        return None
    return Analog(
        str(act["event_id"]), name, str(act["instrument"]), age[after],
        single["tonnes"].to_numpy()[after] / level, months,
    )  # fmt: skip


def _end_of(act: Act) -> pd.Timestamp:
    ends = [act["effective_to"], act["suspended_from"]]
    return min((end for end in ends if pd.notna(end)), default=pd.Timestamp("2100-01-01"))


def _without_overlap(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep single months, and longer spans only where none of their months is known singly."""
    single = set(rows.loc[rows["months"].eq(1), "first"])
    clear = [
        months == 1 or not single & set(range(first, last + 1))
        for first, last, months in zip(rows["first"], rows["last"], rows["months"], strict=True)
    ]
    return rows.loc[clear]


MAGNET_MATERIAL: Final = "magnets"


def magnet_analogs(origin: Origin, controls: Sequence[Control]) -> tuple[Analog, ...]:
    """Analog for each control that started an episode, from its observed months.

    The share kept is that of all affected series together.
    """
    members = np.flatnonzero(~origin.is_sum)
    first_controls = {
        control.event_id: control
        for row in members
        for control in control_episodes(controls, int(row), origin)
    }.values()
    analogs = (_magnet_analog(control, origin) for control in first_controls)
    return tuple(analog for analog in analogs if analog is not None)


def _magnet_analog(control: Control, origin: Origin) -> Analog | None:
    rows = np.flatnonzero(control.hit & ~origin.is_sum)
    count = control.seen(origin)
    months = origin.cutoff - count + 1 + np.arange(count)
    before = tonnes_without(origin, control)[rows][:, :count].sum(axis=0)
    age = control.age(months)
    is_used = (age > 0) & (age <= AFTER_MONTHS) & (control.since_end(months) == 0) & (before > 0)
    if not is_used.any():
        return None
    retained = origin.tonnes[rows][:, -count:].sum(axis=0)[is_used] / before[is_used]
    return Analog(
        control.event_id, MAGNET_MATERIAL, control.instrument, age[is_used], retained, LEVEL_MONTHS
    )


MATERIAL: Final = "material"
"""Column of acts on other minerals that names whom they are on, by semicolons."""

HALF_LIFE: Final = 12.0
"""Months after which a month counts half. Of 3, 6, 12, 24 and 36 months and all alike it foretold
the first controls until March 2025 best (docs/adr/0058-bands-that-hold.md)."""

PRIOR: Final = (0.1, 50.0)
"""First controls and months at risk, counted before any record."""


def first_control_rate(record: TrackRecord) -> float:
    """Chance that a mineral without a strong control gets one in a month, 0 to 1.

    Args:
        record: What is known of acts at a moment; 0 where it holds none on other minerals.
    """
    tables = [table for table in record.acts if MATERIAL in table]
    if not tables:
        return 0.0
    acts = pd.concat([known_at(table, key=EVENT_KEY, as_of=record.as_of) for table in tables])
    acts = acts.loc[acts["announced_on"] <= record.day]
    if acts.empty:
        return 0.0
    today, first = month_number(record.day), int(month_numbers(acts["announced_on"]).min())
    strong = acts.loc[is_strong_control(acts)]
    hit = _first_months(strong)
    months = np.arange(first, today + 1)
    weights = 0.5 ** ((today - months) / HALF_LIFE)
    hits, at_risk = PRIOR
    for material in _first_months(acts):
        last = hit.get(material, today)
        at_risk += float(weights[months <= last].sum())
        hits += float(weights[last - first]) if material in hit else 0.0
    return hits / at_risk


def _first_months(acts: pd.DataFrame) -> dict[str, int]:
    named = acts[MATERIAL].str.split(r"\s*;\s*", regex=True)
    months = acts.assign(month=month_numbers(acts["announced_on"]), **{MATERIAL: named})
    firsts = months.explode(MATERIAL).groupby(MATERIAL)["month"].min()
    return {str(name): int(month) for name, month in firsts.items()}
