"""The panels that are measured on, their cutoffs, and what is aimed for.

MAGNETCAST_PANELS names a folder of panels (destination, period, tonnes) and of forecasts of peers
(model, cutoff, destination, period, p10, p50, p90). No panel and no part of one is kept here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from models.forecasting.snapshot import Snapshot
from sources.files.panel import read_panel
from store.months import month_number

VARIABLE = "MAGNETCAST_PANELS"
SKIPPED = f"Skipped: {VARIABLE} is not set. Expected a folder of panels and peers' forecasts."
BAND_AIM = (0.76, 0.84)
SIDE_AIM = (0.06, 0.14)
COLUMNS = ["destination", "period", "tonnes"]


@dataclass(frozen=True, slots=True)
class Case:
    """One panel and how it is replayed."""

    panel: str
    peers: str
    cutoffs: tuple[str, ...]
    horizon: int
    aims: Mapping[str, float]
    """Most of the best peer's mase and sql, as a share; most smape, in percent."""
    shocks: Mapping[str, str] = field(default_factory=dict)
    """Cutoffs whose months to forecast hold a shock, and which."""

    @property
    def months(self) -> list[int]:
        return [month_number(cutoff) for cutoff in self.cutoffs]

    def task(self, folder: Path) -> Snapshot:
        """Return what to forecast, as `magnetcast panel --cutoffs` reads it."""
        return Snapshot.of_panel(read_panel(self.file(folder)).table, self.horizon)

    def file(self, folder: Path) -> Path:
        return folder / f"{self.panel}.csv.gz"

    def truth(self, folder: Path) -> pd.DataFrame:
        """Return the rows of the panel: destination, period (YYYY-MM), tonnes."""
        rows = pd.read_csv(self.file(folder))[COLUMNS]
        return rows.assign(period=rows["period"].astype(str).str[:7])

    def peer_forecasts(self, folder: Path) -> pd.DataFrame:
        rows = pd.read_csv(folder / f"{self.peers}.csv.gz")
        return rows.assign(period=rows["period"].astype(str).str[:7])


IMPORTS = Case(
    "us_imports_naics3_by_country",
    "peers_us_imports_naics3",
    ("2018-06", "2019-12", "2021-06", "2022-12", "2024-06", "2025-05"),
    6,
    {"mase": 0.93, "sql": 0.90},
    {"2018-06": "tariffs", "2019-12": "Covid", "2021-06": "rebound", "2025-05": "tariffs"},
)
GRAPHITE = Case(
    "china_graphite_gallium_by_partner",
    "peers_china_graphite_gallium",
    ("2021-12", "2022-06", "2022-12", "2023-06", "2023-12", "2024-06"),
    6,
    {"mase": 0.95, "sql": 0.90},
    {"2023-06": "gallium under licence", "2023-12": "graphite under licence"},
)
M3 = Case("m3_monthly", "peers_m3", ("2000-06",), 18, {"mase": 0.97, "sql": 0.93, "smape": 13.3})
CASES = (IMPORTS, GRAPHITE, M3)


def panels_folder() -> Path | None:
    """Return the folder of the panels, None with a word of why where none is named."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        print(SKIPPED)
        return None
    return Path(folder)
