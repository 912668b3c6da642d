"""Builders of made-up trade with and without diversion, as plain arrays."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.months import month_number
from models.event_study.diversion_paths import DiversionQuestion, TradeFlows

NAMES: Final = ("USA", "DEU", "VNM", "KOR", "JPN", "THA", "IND", "ROW")
SIZES: Final = (600.0, 900.0, 350.0, 450.0, 200.0, 250.0, 300.0, 700.0)
FIRST: Final = month_number("2017-01")
MONTHS: Final = 96
ASKED: Final = 4
ACT: Final = MONTHS - ASKED
"""Column of the month the act binds in."""

Floats = NDArray[np.float64]


def calm_tonnes(seed: int) -> Floats:
    """Build trade in which nothing happens: seasons, drift, common moves, heavy tails."""
    draw = np.random.default_rng(seed)
    shape = (len(NAMES), MONTHS)
    world = np.cumsum(draw.normal(0.003, 0.03, MONTHS))
    season = draw.normal(0.0, 0.06, (len(NAMES), 12))[:, np.arange(MONTHS) % 12]
    drift = np.cumsum(draw.normal(0.0, 0.02, shape), axis=1)
    noise = 0.1 * draw.standard_t(4, shape)
    return np.asarray(np.array(SIZES)[:, None] * np.exp(world + season + drift + noise))


def with_fall(tonnes: Floats, *, part: float = 0.9, diverted: float = 0.0) -> Floats:
    """Return trade in which the USA lose a part and Vietnam gets some of it."""
    changed = tonnes.copy()
    lost = part * tonnes[0, ACT:]
    changed[0, ACT:] -= lost
    changed[NAMES.index("VNM"), ACT:] += diverted * lost
    return changed


def flows_of(tonnes: Floats, *, names: tuple[str, ...] = NAMES) -> TradeFlows:
    """Return trade of which every cell is published."""
    return TradeFlows(
        names=names,
        first=FIRST,
        tonnes=tonnes,
        stderr=np.zeros_like(tonnes),
        is_published=np.isfinite(tonnes),
        total_stderr=np.zeros(tonnes.shape[1]),
    )


def question(
    *, troubled: tuple[int, ...] = (), hit: frozenset[str] | None = None
) -> DiversionQuestion:
    """Return the question about the last months, after an act on the USA."""
    return DiversionQuestion(
        hit=frozenset(["USA"]) if hit is None else hit,
        base_end=FIRST + ACT,
        start=FIRST + ACT,
        end=FIRST + MONTHS,
        troubled=troubled,
    )
