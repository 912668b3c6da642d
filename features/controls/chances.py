"""What a scenario may assume of an act; the chances that it comes as announced."""

from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from features.announcements import announcement_of, rises_of
from features.origin import Origin
from features.track_record import CERTAIN, TrackRecord

SCENARIO: Final = "SCENARIO"
"""Component of tariff steps added by a scenario."""

KEPT_PCT: Final = "kept_pct"
"""Column of events added by scenarios: the share of trade assumed to continue."""

PROBABILITY: Final = "probability"
"""Column of events added by scenarios: the chance assumed that an act comes as announced."""


def passing_of(act: Mapping[Hashable, Any]) -> float | None:
    """Return the share of trade a scenario assumes to continue, or None."""
    assumed = act.get(KEPT_PCT)
    return None if assumed is None or pd.isna(assumed) else float(assumed) / 100.0


def chances_of(act: Mapping[Hashable, Any], due: pd.Timestamp, origin: Origin) -> tuple[float, ...]:
    """Return the chances of ``OUTCOMES`` of an act that is announced for a day.

    What a scenario assumes takes the place of the first; the others keep their proportions.
    """
    record, assumed = origin.record, act.get(PROBABILITY)
    if record is not None and due <= record.day:
        return CERTAIN
    known = CERTAIN if record is None else record.chances(announcement_of(act, due))
    if assumed is None or pd.isna(assumed):
        return known
    others = np.array(known[1:])
    others = others / others.sum() if others.any() else np.array([0.0, 0.0, 1.0])
    return (float(assumed), *((1.0 - float(assumed)) * others).tolist())


def chances_of_rises(tariffs: pd.DataFrame, record: TrackRecord) -> dict[str, tuple[float, ...]]:
    """Return the chances of ``OUTCOMES`` of each importer's first rise that is still to come.

    Those with a rate that a scenario assumes are left out: it is certain.

    Args:
        tariffs: Tariff steps as known; of a scenario too.
        record: How announced acts turned out.
    """
    assumed = set(tariffs.loc[tariffs["product_scope"].eq(SCENARIO), "importer"])
    found: dict[str, tuple[float, ...]] = {}
    for one in sorted(rises_of(tariffs), key=lambda rise: rise.due):
        (importer,) = one.destinations
        if one.due > record.day and importer not in assumed:
            found.setdefault(importer, record.chances(one))
    return found
