"""Policy features: acts on a destination in the target month, as announced at the origin.

The strength of an act follows from its instrument and coverage, never from ``severity``, which was
rated afterwards. See docs/features.md.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.origin import LEVEL_MONTHS, Feature, Origin
from store.arrays import Flags, Floats
from store.months import Months, month_numbers, month_starts
from store.schema.scenario import ACT_DAYS

INSTRUMENT_STRENGTH: Final = {
    "export_ban": 1.0,
    "export_control": 0.8,
    "tariff_increase": 0.6,
    "tariff_decrease": 0.6,
    "export_licence_relaxation": 0.6,
    "truce": 0.5,
    "entity_list": 0.3,
    "quota": 0.3,
    "trade_talks": 0.2,
    "legal_ruling": 0.2,
    "supply_deal": 0.1,
    "stockpile": 0.1,
    "subsidy": 0.1,
    "investigation": 0.1,
    "other": 0.1,
}
"""Strength of an instrument by its nature: a stop, a licence, a price, a list, an announcement."""

CONTROLS: Final = ("export_ban", "export_control", "entity_list", "quota")

TARIFF_ACTS: Final = ("tariff_increase",)

STRONG: Final = 0.5
"""Strength from which a control counts as a shock."""


def act_strength(events: pd.DataFrame) -> Floats:
    """Strength of each act on the exports it covers, 0 to 1: of its instrument, times their share.

    The exports are those of magnets, or of an act's own mineral in ``analog_events``.
    """
    nature = events["instrument"].map(INSTRUMENT_STRENGTH).astype(float)
    return covered_share(events) * nature.to_numpy(dtype=np.float64)


def covered_share(events: pd.DataFrame) -> Floats:
    """Share of trade that each act covers, 0 to 1; 0 where it is not known."""
    return events["covered_share"].fillna(0.0).to_numpy(dtype=np.float64)


Dates = NDArray[np.datetime64]

_LEDGER: Final = "policy events"
_ANNOUNCED: Final = "from the day the act (or its end, or its suspension) was announced"


def _entry(name: str, meaning: str) -> Feature:
    return Feature(name, "strength", meaning, _LEDGER, _ANNOUNCED, "policy")


FEATURES: Final = (
    _entry(
        "policy_control_exposure", "export controls, bans and lists in force in the target month"
    ),
    _entry("policy_easing_exposure", "licence relaxations, truces and other easing in force then"),
    _entry(
        "policy_control_change",
        "control exposure of the target month less that of the level's months",
    ),
    _entry(
        "policy_easing_change",
        "easing exposure of the target month less that of the level's months",
    ),
    _entry("policy_threat", "restrictive acts announced but not in force in the target month"),
)


_OPEN: Final = pd.Timestamp("2100-01-01")


def compute(origin: Origin) -> dict[str, Floats]:
    """Policy features, each series x targets or series x 1; none for a bare panel."""
    if origin.events is None:
        return {}
    events = origin.events
    strength, reach = act_strength(events), _reach(events, origin)
    months = np.arange(origin.cutoff - LEVEL_MONTHS + 1, origin.targets[-1] + 1)
    force = _months_in_force(events, months)

    def acts_of(instruments: tuple[str, ...], direction: str) -> Flags:
        is_match = events["instrument"].isin(instruments) & events["direction"].eq(direction)
        return is_match.to_numpy()

    def exposure(acts: Flags) -> tuple[Floats, Floats]:
        """Strength in force in each target month, and its change from the months of the level."""
        by_month = reach[:, acts] @ (strength[acts, None] * force[acts])
        ahead = by_month[:, origin.targets - months[0]]
        return ahead, ahead - by_month[:, :LEVEL_MONTHS].mean(axis=1, keepdims=True)

    control, control_change = exposure(acts_of(CONTROLS, "restrictive"))
    easing, easing_change = exposure(acts_of(tuple(INSTRUMENT_STRENGTH), "easing"))
    start = month_numbers(events["effective_from"].fillna(_OPEN))
    threats = np.where(acts_of((*CONTROLS, *TARIFF_ACTS), "restrictive"), strength, 0.0)
    return {
        "policy_control_exposure": control,
        "policy_easing_exposure": easing,
        "policy_control_change": control_change,
        "policy_easing_change": easing_change,
        "policy_threat": reach @ (threats[:, None] * (start[:, None] > origin.targets)),
    }


def _reach(events: pd.DataFrame, origin: Origin) -> Floats:
    """Share of each series that each act affects, series x acts."""
    affected = np.zeros((len(origin.series), len(events)))
    for act, places in enumerate(events["destinations"]):
        inside = origin.affected_by(places)
        affected[:, act] = [float(series in inside) for series in origin.series]
    reach = affected.copy()
    for row, members in enumerate(origin.groups):
        if len(members) > 1:
            weight = np.nan_to_num(origin.level[members])
            reach[row] = weight @ affected[members] / max(weight.sum(), 1e-9)
    return reach


def _months_in_force(events: pd.DataFrame, months: Months) -> Floats:
    start, end, paused, resumed = (
        events[bound].fillna(_OPEN).to_numpy().astype("datetime64[D]") for bound in ACT_DAYS[1:]
    )
    in_force = _overlap(start, end, months)
    suspended = _overlap(np.maximum(start, paused), np.minimum(end, resumed), months)
    return np.clip(in_force - suspended, 0.0, 1.0)


def _overlap(start: Dates, end: Dates, months: Months) -> Floats:
    """Share of each month within closed date ranges, ranges x months."""
    first = month_starts(months).to_numpy().astype("datetime64[D]")
    after = month_starts(months + 1).to_numpy().astype("datetime64[D]")
    low = np.maximum(start[:, None], first)
    high = np.minimum(end[:, None] + np.timedelta64(1, "D"), after)
    days: Floats = np.maximum((high - low).astype(float), 0.0)
    length: Floats = (after - first).astype(float)
    return days / length
