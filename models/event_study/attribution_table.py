"""The tables of an attribution: what is missing by series, way and months."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.months import month_label
from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from models.event_study.counterfactual import CounterfactualForecast, StudiedEvent, revision
from models.event_study.placebo import START_MONTHS, PlaceboWindow, found
from models.event_study.synthetic_control import MORE_HIT
from store.arrays import Floats
from store.vocabulary import AGGREGATES

FORESEEN: Final = "as_of"
"""The way of comparing with what was foreseen just before."""

HIT: Final = "HIT"
"""The destinations an event touches, together, where no published series is just these."""

OTHERS: Final = "OTHERS"
"""The destinations it leaves alone, together."""


@dataclass(frozen=True, slots=True)
class SeriesComparison:
    """One series against one path."""

    way: str
    own: PlaceboWindow
    calm: list[PlaceboWindow]
    """The same at calm fake dates."""
    earlier: list[PlaceboWindow]
    """The same at all fake dates, those with other strong acts in their months too."""


def role_of(name: str, act: StudiedEvent) -> str:
    """Return whether a series is hit, left alone (other) or a sum of both."""
    if name in (HIT, MORE_HIT, OTHERS):
        return "other" if name == OTHERS else "hit"
    inside = [member in act.hit for member in AGGREGATES.get(name, (name,))]
    return "hit" if all(inside) else "sum" if any(inside) else "other"


def totals_of(
    compared: dict[str, SeriesComparison], act: StudiedEvent, months: int, fall: int
) -> Iterator[dict[str, object]]:
    """Yield what is missing of each series in the fall, after it and in all months."""
    length = fall or min(START_MONTHS, months)
    parts = {"fall" if fall else "first": (0, length), "after": (length, months)}
    for name, one in compared.items():
        for part, (start, stop) in {**parts, "all": (0, months)}.items():
            if stop <= start:
                continue
            span = slice(start, stop)
            mine, among = found(one.own, one.calm, span), found(one.own, one.earlier, span)
            yield {
                "destination": name,
                "role": role_of(name, act),
                "way": one.way,
                "part": part,
                "first_period": month_label(act.first + start),
                "last_period": month_label(act.first + stop - 1),
                "path_t": one.own.path[span].sum(),
                "actual_t": one.own.came[span].sum(),
                "missing_t": mine.missing,
                "missing_p10": mine.low,
                "missing_p90": mine.high,
                "rank": mine.rank,
                "dates": mine.dates,
                "earlier_rank": among.rank,
                "earlier_dates": among.dates,
            }


def table_of(
    seen: dict[str, SeriesComparison],
    remade: dict[str, Floats],
    panel: EvidencePanel,
    path: CounterfactualForecast,
    event: tuple[StudiedEvent, int],
) -> pd.DataFrame:
    """Return one row a series and month."""
    act, fall = event
    frames = []
    for name, one in seen.items():
        months = np.arange(len(one.own.path))
        singles = [found(one.own, one.calm, slice(k, k + 1)) for k in months]
        running = [found(one.own, one.calm, slice(0, k + 1)) for k in months]
        missing = np.array([single.missing for single in singles])
        role = role_of(name, act)
        early = months < fall
        columns: dict[str, object] = {
            "destination": name,
            "role": role,
            "period": [month_label(act.first + int(k)) for k in months],
            "part": np.where(early, "fall", "after"),
            "actual_t": one.own.came,
            "actual_stderr_t": one.own.stderr,
            **_published(name, panel, path, act.first, len(months)),
            "without_p50": one.own.path,
            "missing_t": missing,
            "missing_p10": [single.low for single in singles],
            "missing_p90": [single.high for single in singles],
            "lost_t": np.where(early & (role == "hit"), missing, np.nan),
            "recovered_t": np.where(~early & (role == "hit"), -missing, np.nan),
            "displaced_t": np.where(early & (role == "other"), -missing, np.nan),
            "cumulated_t": [one.missing for one in running],
            "cumulated_p10": [one.low for one in running],
            "cumulated_p90": [one.high for one in running],
            "synthetic_t": remade.get(name, np.nan),
        }
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)


def _published(
    name: str, panel: EvidencePanel, path: CounterfactualForecast, first: int, months: int
) -> dict[str, object]:
    """Return what only a published series has: kind of each month and the forecast's band."""
    if name not in PANEL_DESTINATIONS:
        return {"kind": "", **dict.fromkeys(("foreseen_p50", "without_p10", "without_p90"), np.nan)}
    row = PANEL_DESTINATIONS.index(name)
    factor = revision(path, panel)[row]
    kinds = panel.kind[row, first - panel.first :][:months]
    return {
        "kind": np.asarray(KINDS)[kinds],
        "foreseen_p50": path.middle[row, :months],
        "without_p10": path.low[row, :months] * factor,
        "without_p90": path.high[row, :months] * factor,
    }
