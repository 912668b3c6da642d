"""A made-up world of partners: the monthly table as a source lists it, month by month."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from store.schema.frames import DATE_DTYPE, MOMENT_DTYPE

COMMODITY: Final = "850511"

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

LAG_DAYS: Final = 25
"""Days after its end on which a month is released."""

BIG: Final = ("DEU", "USA", "KOR", "VNM", "FRA", "ITA", "IND", "THA", "POL", "JPN")
"""Partners with a true code, EU27 members among them; the others are called X..."""


@dataclass(frozen=True, slots=True)
class PartnerWorld:
    """True tonnes, partners x months (first days)."""

    tonnes: pd.DataFrame

    def rows(self, *, source: str = "comtrade", lag_days: int = LAG_DAYS) -> pd.DataFrame:
        """Return the observations: no row where nothing was shipped, the total beside them."""
        long = self.tonnes.rename_axis("destination").melt(
            var_name="period", value_name="value", ignore_index=False
        )
        long = long.loc[long["value"] > 0].reset_index()
        total = self.tonnes.sum().rename_axis("period").rename("value").reset_index()
        every = pd.concat([long, total.assign(destination="WLD")], ignore_index=True)
        return make_partner_rows(every, source=source, lag_days=lag_days)


def make_partner_rows(
    cells: pd.DataFrame, *, source: str = "comtrade", lag_days: int = LAG_DAYS
) -> pd.DataFrame:
    """Build observations of destination, period, value and perhaps available_at, commodity."""
    period = pd.to_datetime(cells["period"])
    known = (period + pd.offsets.MonthEnd(0) + pd.Timedelta(days=lag_days)).dt.tz_localize("UTC")
    frame = pd.DataFrame(
        {
            "commodity": cells.get("commodity", COMMODITY),
            "origin": "CHN",
            "destination": cells["destination"],
            "measure": "net_weight_t",
            "period_from": period,
            "period_to": period,
            "value": cells["value"].astype(float),
            "unit": "t",
            "half_width": 0.0005,
            "kind": "reported",
            "usable": True,
            "available_at": cells.get("available_at", known),
            "source": source,
            "source_url": f"https://example.org/{source}",
            "note": "",
        }
    )
    days = dict.fromkeys(("period_from", "period_to"), DATE_DTYPE)
    return frame.astype({**days, "available_at": MOMENT_DTYPE})


def make_cells(figures: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Build cells by destination and month."""
    rows = [
        {"destination": name, "period": f"{month}-01", "value": value}
        for name, months in figures.items()
        for month, value in months.items()
    ]
    return pd.DataFrame(rows)


def make_partner_world(
    *, partners: int = 60, months: int = 60, first: str = "2020-01", seed: int = 7
) -> PartnerWorld:
    """Build partners of all sizes with seasons and a common shock; the small ones ship at times."""
    draw = np.random.default_rng(seed)
    size = np.sort(np.exp(draw.normal(2.0, 2.2, partners)))[::-1]
    turn = draw.integers(0, 12, (partners, 1))
    season = 1.0 + 0.2 * np.sin(2.0 * np.pi * (np.arange(months) + turn) / 12.0)
    wander = np.cumsum(draw.normal(0.0, 0.05, (partners, months)), axis=1)
    noise = draw.normal(0.0, 0.15, (partners, months))
    tonnes = size[:, None] * season * np.exp(wander + noise)
    often = np.clip(0.35 + 0.25 * np.log(size), 0.2, 1.0)[:, None]
    tonnes = np.where(draw.random((partners, months)) < often, tonnes, 0.0).round(3)
    names = [*BIG, *(f"X{a}{b}" for a in LETTERS for b in LETTERS)][:partners]
    starts = pd.date_range(first, periods=months, freq="MS")
    return PartnerWorld(pd.DataFrame(tonnes, index=names, columns=starts))
