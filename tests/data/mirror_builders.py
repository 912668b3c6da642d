"""Builders of partners' import records beside the small world of published levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from tests.data.builders import World, make_levels, make_world, true_tonnes
from tests.data.store_builders import make_observations


@dataclass(frozen=True, slots=True)
class Partner:
    """How an importer counts what China sends."""

    destination: str
    commodity: str
    source: str
    bias: float
    same_month: float
    days: int = 36
    """Days after the month at which its records come out."""
    measure: str = "mirror_import_t"
    noise: float = 0.04


PARTNERS: Final = (
    Partner("USA", "US8505110070", "census", bias=-0.1, same_month=0.4),
    Partner("DEU", "CN85051110", "comext", bias=0.3, same_month=0.3, days=52),
    Partner("JPN", "850511", "comtrade_mirror", bias=0.2, same_month=0.7),
)


def make_records(*partners: Partner, last: str = "2021-01") -> pd.DataFrame:
    """Build monthly import records; a month's noise does not depend on the others asked for."""
    months = pd.period_range("2016-01", last, freq="M")
    tonnes = true_tonnes(months)
    rows = [
        _record(partner, month, value)
        for number, partner in enumerate(partners)
        for month, value in list(
            zip(months, _imports(partner, tonnes[partner.destination], number), strict=True)
        )[1:]
    ]
    return make_observations(*rows)


def _imports(partner: Partner, exports: np.ndarray, number: int) -> np.ndarray:
    before = np.concatenate([exports[:1], exports[:-1]])
    mix = partner.same_month * exports + (1.0 - partner.same_month) * before
    age = np.arange(len(exports))
    wave = np.sqrt(2.0) * np.sin(age * (2.3 + 0.7 * number) + number)
    return np.asarray(mix * np.exp(partner.bias + partner.noise * wave))


def _record(partner: Partner, month: pd.Period, value: float) -> dict[str, object]:
    start = month.start_time
    released = (month + 1).start_time + pd.Timedelta(days=partner.days)
    return {
        "commodity": partner.commodity, "destination": partner.destination,
        "measure": partner.measure, "unit": partner.measure.removeprefix("mirror_import_"),
        "period_from": start, "period_to": start, "value": round(float(value), 6),
        "half_width": 0.0005, "source": partner.source,
        "source_url": f"https://example.org/{partner.source}",
        "available_at": released.tz_localize("UTC"),
    }  # fmt: skip


def with_records(levels: pd.DataFrame, *records: pd.DataFrame) -> pd.DataFrame:
    """Return levels and records as one table."""
    return pd.concat([levels, *records], ignore_index=True)


@cache
def levels_but_newest() -> pd.DataFrame:
    """Return levels to 2020-12 of which November and December give the world alone."""
    levels = make_levels(last="2020-12")
    newest = levels["period_from"] >= pd.Timestamp("2020-11-01")
    return levels.loc[~newest | (levels["destination"] == "WLD")].reset_index(drop=True)


@cache
def mirror_world() -> World:
    """Build the small world with the records of three partners; not to be modified."""
    world = make_world()
    records = make_records(*PARTNERS, last="2021-02")
    return World(with_records(world.observations, records), world.events, world.tariffs)


def changed(rows: pd.DataFrame, month: str, change: Mapping[str, object]) -> pd.DataFrame:
    """Return records with one month changed."""
    is_month = rows["period_from"] == pd.Timestamp(month)
    changes = {name: rows[name].where(~is_month, value) for name, value in change.items()}
    return rows.assign(**changes)
