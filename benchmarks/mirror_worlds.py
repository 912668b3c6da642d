"""Made-up worlds whose every tonne is known, with a release calendar, for mirror.py."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.months import month_number, month_start, month_starts
from store.vocabulary import COMMODITY, DESTINATIONS, EU27, ORIGIN, WORLD

FIRST, TARGET, LAST = (month_number(m) for m in ("2016-01", "2019-06", "2019-07"))
HEADLINE_DAYS, DETAIL_DAYS = 20, 95
"""Days after a month's end at which China's world total and its table by destination come out."""

SHARES = dict(
    zip(DESTINATIONS, (0.13, 0.17, 0.06, 0.08, 0.07, 0.05, 0.05, 0.03, 0.11, 0.25), strict=True)
)
PARTNER_DAYS = {"JPN": 29, "USA": 36, "KOR": 36, "DEU": 52, "ITA": 52, EU27: 52}
"""Days after a month's end at which partners tell their imports."""
SOURCES = {"USA": ("census", "US8505110070"), "JPN": ("comtrade_mirror", "850511")}
NEAR = ("JPN", "KOR")
WILD = 0.03
"""Share of a partner's months that are wild."""

CALM, SHOCK, BREAK = "calm", "shock", "break"
KINDS = (CALM, SHOCK, BREAK)


@dataclass(frozen=True, slots=True)
class World:
    """What happened, and what was published of it when."""

    truth: dict[str, float]
    """Tonnes of the target month by destination and sum."""
    published: pd.DataFrame
    records: pd.DataFrame


def make_world(seed: int, kind: str) -> World:
    """Make a world.

    calm: nothing special. shock: in the target month exports to every partner fall to a tenth to
    a half. break: from two months before the target on, every partner counts otherwise than before.
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    tonnes = exports(rng, kind)
    published = pd.concat([levels(tonnes, (WORLD,), HEADLINE_DAYS), detail(tonnes)])
    records = pd.concat(
        [imports(rng, name, tonnes[name], kind) for name in PARTNER_DAYS], ignore_index=True
    )
    truth = {name: float(values[TARGET - FIRST]) for name, values in tonnes.items()}
    return World(truth, published.reset_index(drop=True), records)


def exports(rng: np.random.Generator, kind: str) -> dict[str, np.ndarray]:
    months = LAST - FIRST + 1
    season = rng.normal(0.0, 0.07, 12)[np.arange(months) % 12]
    world = 2_600 * np.exp(season + np.cumsum(rng.normal(0.006, 0.04, months)))
    logs = {}
    for name in DESTINATIONS:
        steps = 0.12 * rng.standard_t(4, months)
        walk = np.zeros(months)
        for t in range(1, months):
            walk[t] = 0.85 * walk[t - 1] + steps[t]
        logs[name] = np.log(SHARES[name]) + walk
    if kind == SHOCK:
        for name in DESTINATIONS:
            logs[name][TARGET - FIRST :] += np.log(rng.uniform(0.1, 0.5))
    tonnes = {name: np.maximum(np.round(world * np.exp(log)), 1.0) for name, log in logs.items()}
    tonnes[EU27] = tonnes["DEU"] + tonnes["ITA"] + tonnes["EU27_REST"]
    tonnes[WORLD] = np.sum([tonnes[name] for name in DESTINATIONS], axis=0)
    return tonnes


def imports(rng: np.random.Generator, name: str, sent: np.ndarray, kind: str) -> pd.DataFrame:
    """Return a partner's records: biased, late, noisy, now and then wild."""
    same = float(np.clip(rng.normal(0.7 if name in NEAR else 0.4, 0.12), 0.05, 0.95))
    mix = same * sent[1:] + (1.0 - same) * sent[:-1]
    months = len(mix)
    drift = np.zeros(months)
    for t in range(1, months):
        drift[t] = 0.9 * drift[t - 1] + rng.normal(0.0, 0.03)
    noise = rng.uniform(0.04, 0.15) * rng.standard_t(5, months)
    noise += np.where(rng.random(months) < WILD, rng.normal(0.0, 0.8, months), 0.0)
    bias = rng.normal(0.0, 0.3) + drift
    if kind == BREAK:
        bias[TARGET - FIRST - 3 :] += rng.choice([-0.4, 0.4])
    source, commodity = SOURCES.get(name, ("comext", "CN85051110"))
    return rows(
        name, np.arange(FIRST + 1, LAST + 1), mix * np.exp(bias + noise), PARTNER_DAYS[name],
        commodity=commodity, measure="mirror_import_t", source=source,
    )  # fmt: skip


def detail(tonnes: dict[str, np.ndarray]) -> pd.DataFrame:
    return levels(tonnes, tuple(d for d in DESTINATIONS if d != "ROW"), DETAIL_DAYS)


def levels(tonnes: dict[str, np.ndarray], names: tuple[str, ...], days: int) -> pd.DataFrame:
    months = np.arange(FIRST, LAST + 1)
    parts = [
        rows(name, months, tonnes[name], days, commodity=COMMODITY, measure="net_weight_t",
             source="customs")
        for name in names
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def rows(
    destination: str, months: np.ndarray, values: np.ndarray, days: int,
    *, commodity: str, measure: str, source: str,
) -> pd.DataFrame:  # fmt: skip
    starts = month_starts(months)
    ends = pd.DatetimeIndex([month_start(int(month) + 1) for month in months])
    return pd.DataFrame(
        {
            "commodity": commodity,
            "origin": ORIGIN,
            "destination": destination,
            "measure": measure,
            "period_from": starts,
            "period_to": starts,
            "value": values.astype(float),
            "unit": "t",
            "half_width": 0.5,
            "kind": "reported",
            "usable": True,
            "available_at": (ends + pd.Timedelta(days=days)).tz_localize("UTC"),
            "source": source,
            "source_url": f"made up: {source}",
            "note": "",
        }
    )
