"""Builders of full tables of trade by partner and month, as a provider would deliver them."""

import numpy as np
import pandas as pd

from sources.bundled.notation import COUNTRIES
from store.facts.batch import FileRows
from tests.data.store_builders import make_observations

LARGEST = ["USA", "DEU", "JPN", "KOR", "VNM"]

PARTNERS = [*LARGEST, *sorted(COUNTRIES - {*LARGEST, "CHN"})]

NOW = pd.Timestamp("2026-11-25T08:00:00Z")


def make_trade(
    *,
    first: str = "2026-01",
    months: int = 6,
    partners: int = 30,
    seed: int = 1,
    commodity: str = "850511",
    price: float = 50_000.0,
    drift: float = 0.0,
    present: float = 1.0,
    zeros: float = 0.0,
    scale: float = 300.0,
    world: bool = True,
    values: bool = True,
) -> pd.DataFrame:
    """Build weight and value by partner and month, weights in whole kilograms, and their world.

    Args:
        first: first month.
        months: how many.
        partners: how many.
        seed: of all that is random.
        commodity: its key.
        price: dollars a tonne in the first month.
        drift: change of the price a month, in logs.
        present: chance of a partner to have a row in a month.
        zeros: chance of an amount to be zero.
        scale: tonnes of the largest partner; each next one is smaller.
        world: whether to add the total.
        values: whether to tell values beside weights.
    """
    random = np.random.default_rng(seed)
    periods = pd.date_range(f"{first}-01", periods=months, freq="MS")
    grid = pd.MultiIndex.from_product([PARTNERS[:partners], periods]).to_frame(index=False)
    grid.columns = pd.Index(["destination", "period_from"])
    rank = np.repeat(np.arange(partners), months)
    age = np.tile(np.arange(months), partners)
    typical = scale * np.exp(-8.0 * rank / max(partners, 20))
    tonnes = typical * np.exp(random.normal(0, 0.6, len(grid)))
    tonnes[random.random(len(grid)) < zeros] = 0.0
    grid["net_weight_t"] = tonnes.round(3)
    each = price * np.exp(drift * age + random.normal(0, 0.5, len(grid)))
    grid["value_musd"] = (tonnes * each / 1e6).round(6)
    grid = grid[random.random(len(grid)) < present]
    if world:
        total = grid.groupby("period_from", as_index=False)[["net_weight_t", "value_musd"]].sum()
        grid = pd.concat([grid, total.assign(destination="WLD")], ignore_index=True)
    measures = ["net_weight_t", "value_musd"] if values else ["net_weight_t"]
    rows = grid.melt(["destination", "period_from"], measures, "measure", "value")
    known = rows["period_from"] + pd.DateOffset(months=1, days=19)
    return _as_rows(rows, commodity, known)


def _as_rows(rows: pd.DataFrame, commodity: str, known: pd.Series) -> pd.DataFrame:
    """Give rows all columns of the table ``observations``."""
    template = make_observations().iloc[[0] * len(rows)].reset_index(drop=True)
    rows = rows.reset_index(drop=True)
    is_weight = rows["measure"].eq("net_weight_t")
    return template.assign(
        commodity=commodity,
        destination=rows["destination"],
        measure=rows["measure"],
        period_from=rows["period_from"].astype(template["period_from"].dtype),
        period_to=rows["period_from"].astype(template["period_from"].dtype),
        value=rows["value"],
        unit=is_weight.map({True: "t", False: "musd"}),
        half_width=is_weight.map({True: 0.0005, False: 5e-7}),
        available_at=known.reset_index(drop=True)
        .dt.tz_localize("UTC")
        .astype(template["available_at"].dtype),
        source="comtrade",
        source_url="https://example.org/comtrade",
    )


def as_file(
    frame: pd.DataFrame,
    *,
    name: str = "comtrade 2026-01..2026-06",
    completeness: float | None = 0.8,
) -> FileRows:
    """Wrap observations as a fetched file."""
    tables = {"observations": frame}
    return FileRows("comtrade", name, "b" * 64, tables, completeness=completeness)
