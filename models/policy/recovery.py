"""How long until most of the trade before a control is back: the licence-lag recovery curve."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from features.controls.analogs import Analog, magnet_analogs
from features.controls.controls import Control, controls_at
from features.origin import Origin
from models.policy.precedents import observed_months
from models.policy.response import ObservedMonths, Response
from store.messages import Message, message

BACK: Final = 0.8
"""Share of the level before from which trade counts as back."""

LONGEST: Final = 36
"""Months looked ahead."""

_COLUMNS: Final = (
    "event_id", "instrument", "bound", "ends", "months_seen", "analogs", "kept_now",
    "months_p10", "months_p50", "months_p90", "chance_not",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recovery:
    """Month after a control binds in which trade is back: 0 if it never went, infinite if later."""

    p10: float
    p50: float
    p90: float
    chance_not: float
    """Probability that it takes longer than ``LONGEST`` months."""

    @property
    def words(self) -> Message:
        low, middle, high = _months(self.p10, self.p50, self.p90)
        return message(
            "Exports it stops take %(count)s months to recover to %(share)s of the level "
            "before (%(low)s to %(high)s).",
            count=middle,
            share=f"{BACK:.0%}",
            low=low,
            high=high,
        )


def _months(*counts: float) -> list[str | Message]:
    most = message("over %(chance)s", chance=LONGEST)
    return [f"{count:.0f}" if np.isfinite(count) else most for count in counts]


def recovery_of(
    response: Response, *, instrument: str, observed: ObservedMonths | None = None
) -> Recovery:
    """Month in which the curve of a control first comes back to ``BACK`` after its lowest month.

    Args:
        response: Curves given the analogs.
        observed: Months already known of it; those that were back are counted as they were.
    """
    age = np.arange(LONGEST, dtype=np.float64) + 0.5
    curve = response.level(age, instrument=instrument, observed=observed)
    lowest = curve.argmin(axis=1)
    back = (curve >= BACK) & (np.arange(LONGEST)[None, :] >= lowest[:, None])
    never_down = (curve >= BACK).all(axis=1)
    months = np.where(back.any(axis=1), back.argmax(axis=1) + 1.0, np.inf)
    months[never_down] = 0.0
    p10, p50, p90 = (float(np.quantile(months, q, method="lower")) for q in (0.1, 0.5, 0.9))
    return Recovery(p10, p50, p90, float(np.isinf(months).mean()))


def recoveries_at(origin: Origin, analogs: tuple[Analog, ...]) -> pd.DataFrame:
    """How long the controls known at an origin keep trade below ``BACK``.

    Args:
        origin: Where the forecaster stands.

    Returns:
        One row a control, first bound first: event_id, instrument, bound, ends (empty if open),
        months_seen, analogs (how many past controls it is answered from), kept_now (share of the
        level before in the last month known, NaN where none is), months_p10, months_p50,
        months_p90 (infinite beyond ``LONGEST``) and chance_not. Of those whom it hits together.
    """
    controls = controls_at(origin)
    examples = magnet_analogs(origin, controls)
    return pd.DataFrame(
        [_row(control, origin, analogs, examples) for control in controls], columns=list(_COLUMNS)
    )


def _row(
    control: Control, origin: Origin, analogs: tuple[Analog, ...], magnets: tuple[Analog, ...]
) -> dict[str, object]:
    others = (*analogs, *(analog for analog in magnets if analog.event_id != control.event_id))
    rows = np.flatnonzero(control.hit & ~origin.is_sum)
    months = None
    if control.seen(origin) > 0 and len(rows):
        months = observed_months(origin, control, list(rows))
    recovery = recovery_of(Response(others), instrument=control.instrument, observed=months)
    is_observed = months is not None and len(months.world) > 0
    return {
        "event_id": control.event_id,
        "instrument": control.instrument,
        "bound": f"{control.bound:%Y-%m-%d}",
        "ends": "" if control.ends is None else f"{control.ends:%Y-%m-%d}",
        "months_seen": control.seen(origin),
        "analogs": len(others),
        "kept_now": float(months.world[-1]) if is_observed and months is not None else np.nan,
        "months_p10": recovery.p10,
        "months_p50": recovery.p50,
        "months_p90": recovery.p90,
        "chance_not": recovery.chance_not,
    }


def recovery_words(row: Mapping[Hashable, Any]) -> str:
    """Say one row of ``recoveries_at`` in a sentence."""
    low, middle, high = _months(row["months_p10"], row["months_p50"], row["months_p90"])
    observed = (
        f"{row['months_seen']} months seen, {row['kept_now']:.0%} kept in the last"
        if row["months_seen"] and not pd.isna(row["kept_now"])
        else "no month seen"
    )
    return (
        f"{row['event_id']} (from {row['bound']}, {observed}): back at {BACK:.0%} of the level "
        f"before in month {middle} ({low} to {high}); {row['chance_not']:.0%} chance of over "
        f"{LONGEST}"
    )
