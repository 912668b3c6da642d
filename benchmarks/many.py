"""What one model of many commodities is worth, and controls on one material as signal for others.

Four ways on the same cells: a model a commodity or one for all, each with and without the features
of ``features.controls.cross_material``. Real data: the bundled figures on minerals under Chinese
controls, and the panels that MAGNETCAST_PANELS names. Writes many.md.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import page
import pandas as pd
from cases import GRAPHITE, IMPORTS, Case, panels_folder
from scoring import CELL, LEVELS, measured, scores_of, shared

from features.months import month_number, month_numbers, month_start
from features.panel.partner_table import PartnerTable
from flows.publishing.table_snapshot import material_events
from models.forecasting.panel_forecaster import CommodityGroup, GroupForecaster
from models.forecasting.panel_snapshot import months_of
from models.learning.spec import EngineSpec
from sources.bundled.all_tables import load_bundled
from sources.files.panel import read_panel
from store.asof import OBSERVATION_KEY, known_at
from store.database import open_store
from store.errors import DataError
from store.facts.writing import write_batch
from store.vocabulary import WORLD

MOST_AHEAD = 6
YEAR = 12
ALONE, ALONE_ACTS = "a model a commodity", "a model a commodity, own controls"
TOGETHER, TOGETHER_ACTS = "one model", "one model, controls of all"
MATERIALS = {
    "811292": ("gallium", "germanium"),
    "250410": ("natural graphite",),
    "380110": ("artificial graphite",),
}
"""By HS6 of the panel of graphite and gallium."""

BUNDLED = {
    "gallium": "gallium",
    "germanium": "germanium",
    "antimony products (all)": "antimony",
    "dysprosium (oxide and metal, as reported)": "dysprosium",
    "terbium (oxide and metal, as reported)": "terbium",
    "natural graphite: flake (HS 25041010)": "natural graphite",
    "rare earths (all)": "rare earths (all)",
}
"""By name of the bundled figures what controls on them are called after."""

BUNDLED_CUTOFFS = [f"{m}" for m in pd.period_range("2024-06", "2025-09", freq="3M")]
LEAST_KNOWN = 8
"""Months of a bundled material that must be known to be forecast."""

INTRODUCTION = f"""
Errors on months 1 to {MOST_AHEAD} ahead, of the leaves (no sums), on cells that all forecast. MASE
and SQL (scaled quantile loss) are in units of the mean absolute change over a year; the band is
that of 80%. Features of controls are those on the good itself, its siblings, and what siblings
keep; what was announced after the moment of a forecast, on the 25th after its last month, is not
seen. Cutoffs are those of the panels' protocol. US imports are under no Chinese control: there
one model is compared with many only.
"""


def events() -> pd.DataFrame:
    """Return the bundled controls, all versions, as the product reads them."""
    engine = open_store("sqlite://")
    write_batch(engine, load_bundled(page.DATA))
    return material_events(engine, pd.Timestamp("2100-01-01", tz="UTC"))


def moment_of(cutoff: int) -> pd.Timestamp:
    return (month_start(cutoff + 1) + pd.Timedelta(days=24)).tz_localize("UTC")


def table_of(commodity: str, tonnes: pd.DataFrame, cutoff: int) -> PartnerTable | None:
    """Return series x months of a commodity as a table up to a cutoff, its sum beside it."""
    known = tonnes.loc[:, tonnes.columns <= cutoff]
    recent = known.loc[:, known.columns > cutoff - YEAR].notna().any(axis=1)
    known = known.loc[recent & (known.sum(axis=1) > 0)]
    if known.empty:
        return None
    parts = {WORLD: tuple(known.index)}
    world = known.sum(axis=0, min_count=1).to_frame(WORLD).T
    whole = pd.concat([known, world]).sort_index()
    return PartnerTable(commodity, moment_of(cutoff), whole, parts, ())


def said_at(
    tables: Mapping[str, PartnerTable],
    materials: Mapping[str, tuple[str, ...]],
    acts: pd.DataFrame | None,
    cutoff: int,
) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of a cutoff in each way, as rows of ``scoring``."""
    spec, moment = EngineSpec(), moment_of(cutoff)
    known = None if acts is None else acts.loc[acts["available_at"] <= moment]
    ways = {ALONE: (None, False), TOGETHER: (None, True)}
    if known is not None:
        ways |= {ALONE_ACTS: (known, False), TOGETHER_ACTS: (known, True)}
    for way, (seen, is_one) in ways.items():
        whole = [tables] if is_one else [{name: table} for name, table in tables.items()]
        for some in whole:
            group = CommodityGroup(some, moment, materials, seen)
            for name, rows in (
                GroupForecaster(spec).forecast(group, dict.fromkeys(some, "champion")).items()
            ):
                if isinstance(rows, DataError):
                    raise rows
                leaves = rows.loc[(rows["destination"] != WORLD) & (rows["horizon"] <= MOST_AHEAD)]
                named = leaves["destination"] + "|" + name
                yield leaves.assign(destination=named, model=way)[["model", *CELL, *LEVELS]]


def by_code(panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return series x months by the code behind the last bar of their names."""
    names = panel.index.to_series().astype(str)
    codes = names.str.rsplit("|", n=1).str[1]
    return {
        str(code): panel.loc[own.index].set_axis(names[own.index].str.rsplit("|", n=1).str[0])
        for code, own in codes.groupby(codes)
    }


def of_panel(
    case: Case, folder: Path, acts: pd.DataFrame | None, materials: Mapping[str, tuple[str, ...]]
) -> pd.DataFrame:
    """Return the measured cells of a panel at the cutoffs of its protocol."""
    tonnes = by_code(read_panel(case.file(folder)).table)
    parts = []
    for cutoff in case.months:
        made = {code: table_of(code, rows, cutoff) for code, rows in tonnes.items()}
        tables = {code: table for code, table in made.items() if table is not None}
        parts += said_at(tables, materials, acts, cutoff)
    return measured(case.truth(folder), shared(pd.concat(parts, ignore_index=True)))


def bundled_at(figures: pd.DataFrame, cutoff: int, known: pd.Timestamp) -> pd.DataFrame:
    """Return materials x months as known at a moment, up to a cutoff."""
    rows = known_at(figures, key=OBSERVATION_KEY, as_of=known)
    rows = rows.assign(month=month_numbers(rows["period_from"])).sort_values("available_at")
    wide = rows.pivot_table(index="commodity", columns="month", values="value", aggfunc="last")
    first = month_number("2015-01")
    return wide.reindex(columns=range(first, cutoff + 1))


def of_bundled(acts: pd.DataFrame) -> pd.DataFrame:
    """Return the measured cells of the bundled minerals, from what was published by each moment."""
    figures = load_bundled(page.DATA).frame("observations")
    own = figures["commodity"].isin(BUNDLED) & figures["destination"].eq(WORLD)
    own &= figures["measure"].eq("net_weight_t") & figures["usable"]
    figures = figures.loc[own & figures["period_from"].eq(figures["period_to"])]
    parts = []
    for cutoff in map(month_number, BUNDLED_CUTOFFS):
        known = bundled_at(figures, cutoff, moment_of(cutoff))
        known = known.loc[known.notna().sum(axis=1) >= LEAST_KNOWN]
        rows = {str(name): known.loc[[name]].set_axis(["all"]) for name in known.index}
        made = {name: table_of(name, own, cutoff) for name, own in rows.items()}
        tables = {name: table for name, table in made.items() if table is not None}
        materials = {name: (BUNDLED[name],) for name in tables}
        parts += said_at(tables, materials, acts, cutoff)
    last = month_number("2026-12")
    now = bundled_at(figures, last, pd.Timestamp("2100-01-01", tz="UTC"))
    result = months_of(now).dropna(subset=["tonnes"])
    truth = pd.DataFrame(
        {
            "destination": "all|" + result["destination"].astype(str),
            "period": result["period"].dt.strftime("%Y-%m"),
            "tonnes": result["tonnes"],
        }
    )
    return measured(truth, shared(pd.concat(parts, ignore_index=True)))


def page_table(cells: pd.DataFrame) -> pd.DataFrame:
    scores = scores_of(cells).reset_index()
    return pd.DataFrame(
        {
            "way": scores["model"],
            "MASE": scores["mase"].map("{:.3f}".format),
            "SQL": scores["sql"].map("{:.3f}".format),
            "WAPE": scores["wape"].map("{:.1%}".format),
            "in band": scores["covered"].map("{:.0%}".format),
            "cells": scores["cells"].map("{:,}".format),
        }
    )


def after_controls(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of cutoffs since the first control on gallium was announced."""
    return cells.loc[cells["cutoff"] >= "2023-06"]


def sections() -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and measured cells of each data set."""
    acts = events()
    yield "Bundled minerals, world, tonnes", of_bundled(acts)
    if (folder := panels_folder()) is None:
        return
    graphite = of_panel(GRAPHITE, folder, acts, MATERIALS)
    yield "China's graphite and gallium by partner, USD", graphite
    yield "The same, cutoffs from 2023-06 on", after_controls(graphite)
    yield "US imports by NAICS3 and country, USD", of_panel(IMPORTS, folder, None, {})


def main() -> None:
    started = time.perf_counter()
    lines = page.prose(INTRODUCTION)
    for title, cells in sections():
        section = ["", f"## {title}", *page.table(page_table(cells))]
        print("\n".join(section), flush=True)
        lines += section
    result = f"Took {time.perf_counter() - started:.0f} s."
    page.write("many.md", [*page.heading("Many commodities", "make bench-many", result), *lines])


if __name__ == "__main__":
    main()
