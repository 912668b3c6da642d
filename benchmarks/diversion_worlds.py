"""Made-up trade with planted diversions whose every tonne is known, for diversion.py."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.months import lunar_new_year_days, month_number
from models.event_study.diversion_paths import DiversionQuestion, TradeFlows

FIRST: Final = month_number("2016-01")
SHARES: Final = {
    "USA": 0.13, "DEU": 0.20, "JPN": 0.05, "KOR": 0.10, "VNM": 0.08,
    "IND": 0.06, "THA": 0.05, "ITA": 0.04, "EU27_REST": 0.14, "ROW": 0.15,
}  # fmt: skip
"""About the shares of 2024."""
HIT: Final = "USA"
KEPT: Final = 0.1
"""Part of its trade that the hit destination keeps."""
WORLD_T: Final = 4_500.0
TAILS: Final = 4
"""Degrees of freedom of single months."""
IMPUTED_STDERR: Final = 0.2
IMPUTED_MONTHS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens in a world."""

    noise: float = 0.18
    """Standard deviation of single months, logs."""
    months: int = 112
    asked: int = 6
    """Months since the act."""
    fall: bool = True
    shock: bool = False
    """Three months since the act in which everybody gets a third of the usual."""
    share: float = 0.0
    """Part of the fall that goes elsewhere."""
    takers: int = 1
    lasting: int = 3
    """Months of diversion."""
    published: float = 1.0
    """Part of the cells that are published; the others are estimated from their neighbours."""
    partners: int = 0
    """Small partners in the place of the named ones, if any."""


@dataclass(frozen=True, slots=True)
class Planted:
    """What a world got beyond its own path."""

    flows: TradeFlows
    question: DiversionQuestion
    takers: frozenset[str]
    tonnes: float
    """Tonnes planted at each taker."""


def make_world(seed: int, plan: Plan) -> Planted:
    """Make a world; the same seed has the same calm world whatever is planted in it."""
    rng = np.random.default_rng(seed)
    shares = partner_shares(rng, plan.partners) if plan.partners else SHARES
    names = tuple(shares)
    tonnes = calm(rng, np.array(list(shares.values())), plan)
    act = plan.months - plan.asked
    if plan.shock:
        tonnes[:, act : act + 3] *= 1 / 3
    lost = (1.0 - KEPT) * tonnes[0, act:] * plan.fall
    tonnes[0, act:] -= lost
    able = [row for row in range(1, len(names)) if names[row] in ("VNM", "THA", "IND", "ROW")]
    takers = rng.choice(able, plan.takers, replace=False) if plan.share else []
    from_month = int(rng.integers(0, plan.asked - plan.lasting + 1))
    span = slice(from_month, from_month + plan.lasting)
    for taker in takers:
        tonnes[taker, act:][span] += plan.share * lost[span] / plan.takers
    question = DiversionQuestion(frozenset([HIT]), FIRST + act, FIRST + act, FIRST + plan.months)
    planted = plan.share * float(lost[span].sum()) / plan.takers
    return Planted(
        published(rng, names, tonnes, plan),
        question,
        frozenset(names[taker] for taker in takers),
        planted,
    )


def partner_shares(rng: np.random.Generator, count: int) -> dict[str, float]:
    """Return shares of the named destinations and of as many smaller ones."""
    size = np.exp(rng.normal(0.0, 2.0, count))
    small = 0.3 * size / size.sum()
    named = {name: share * (1.0 - small.sum()) for name, share in SHARES.items()}
    return named | {f"X{place:03d}": float(share) for place, share in enumerate(small)}


def calm(rng: np.random.Generator, share: np.ndarray, plan: Plan) -> np.ndarray:
    """Return tonnes without any act: seasons, New Year, drift, common moves and heavy tails."""
    months = plan.months
    age = np.arange(months)
    new_year = lunar_new_year_days(FIRST + age) / 30.0
    world = np.cumsum(rng.normal(0.004, 0.03, months)) + rng.normal(0.0, 0.05, 12)[age % 12]
    logs = np.log(WORLD_T * share)[:, None] + world - 0.5 * new_year
    rows = len(share)
    logs = logs + rng.normal(0.0, 0.05, (rows, 12))[:, age % 12]
    logs = logs + np.cumsum(rng.normal(0.0, 0.03, (rows, months)), axis=1)
    wide = rng.standard_t(TAILS, (rows, months)) / np.sqrt(TAILS / (TAILS - 2))
    tonnes = np.exp(logs + plan.noise * wide)
    if plan.partners:  # small partners ship now and then
        often = np.clip(0.3 + 0.3 * np.log1p(WORLD_T * share), 0.2, 1.0)
        tonnes = np.where(rng.random((rows, months)) < often[:, None], tonnes, 0.0)
    return tonnes


def published(
    rng: np.random.Generator, names: tuple[str, ...], tonnes: np.ndarray, plan: Plan
) -> TradeFlows:
    """Return what is known: all, or some cells and estimates that smooth and err for long."""
    result = rng.random(tonnes.shape) < plan.published
    result[0] = True
    level = np.exp(_smooth(np.log(np.maximum(tonnes, 1e-3))))
    err = np.exp(IMPUTED_STDERR * _smooth(rng.normal(0.0, np.sqrt(IMPUTED_MONTHS), tonnes.shape)))
    return TradeFlows(
        names=names,
        first=FIRST,
        tonnes=np.where(result, tonnes, level * err),
        stderr=np.where(result, 0.0, IMPUTED_STDERR),
        is_published=result,
        total_stderr=np.zeros(tonnes.shape[1]),
    )


def _smooth(rows: np.ndarray) -> np.ndarray:
    half = IMPUTED_MONTHS // 2
    wide = np.pad(rows, ((0, 0), (half, half)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(wide, IMPUTED_MONTHS, axis=1).mean(axis=2)
