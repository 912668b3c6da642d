"""The model on other panels, beside statistical and machine-learning peers at the same cutoffs.

MAGNETCAST_PANELS names a folder of panels (destination, period, tonnes) and of forecasts of peers
(model, cutoff, destination, period, p10, p50, p90). Without it nothing is measured. Writes
panels.md.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import page
import pandas as pd
from watch import MEMORY_TEXT, Measured, measure

VARIABLE = "MAGNETCAST_PANELS"
OWN = "magnetcast"
LEVELS = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
CELL = ["cutoff", "destination", "period"]
SEASON = 12


@dataclass(frozen=True, slots=True)
class Case:
    """One panel and how it is replayed."""

    panel: str
    peers: str
    cutoffs: str
    horizon: int


CASES = (
    Case(
        "us_imports_naics3_by_country",
        "peers_us_imports_naics3",
        "2018-06,2019-12,2021-06,2022-12,2024-06,2025-05",
        6,
    ),
    Case(
        "china_graphite_gallium_by_partner",
        "peers_china_graphite_gallium",
        "2021-12,2022-06,2022-12,2023-06,2023-12,2024-06",
        6,
    ),
    Case("m3_monthly", "peers_m3", "2000-06", 18),
)

INTRODUCTION = """
Each panel is replayed by `magnetcast backtest --panel` in its own process; nothing but the panel
itself is known to the model (lags and calendar). All models are scored on the cells that every one
forecast and whose series moved at all up to the cutoff. MASE and SQL (mean quantile loss at 0.1,
0.5 and 0.9, times two) are scaled by the mean absolute difference to the year before up to the
cutoff; WAPE is over all cells. No panel and no part of one is kept here.
"""


def replay(case: Case, folder: Path, out: Path) -> Measured:
    """Replay a panel in its own process and leave forecasts.csv in ``out``."""
    program = Path(sys.executable).with_name("magnetcast")
    panel = folder / f"{case.panel}.csv.gz"
    command = [str(program), "backtest", "--panel", str(panel), "--horizon", str(case.horizon)]
    command += ["--cutoffs", case.cutoffs, "--out", str(out)]
    return measure(command, log=out.with_suffix(".log"), environment=os.environ)


def forecasts_of(case: Case, folder: Path, out: Path) -> pd.DataFrame:
    """Return our forecasts and the peers' of the cells that all of them forecast."""
    columns = ["model", *CELL, *LEVELS]
    own = pd.read_csv(out / "forecasts.csv").assign(model=OWN)[columns]
    peers = pd.read_csv(folder / f"{case.peers}.csv.gz")[columns]
    both = pd.concat([own, peers], ignore_index=True)
    both["period"] = both["period"].astype(str).str[:7]
    models = both.groupby(CELL)["model"].transform("nunique")
    return both.loc[models == both["model"].nunique()]


def scores_of(panel: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return MASE, SQL, WAPE, coverage and cells of each model, the smallest MASE first."""
    scales = pd.concat([scale_of(panel, cutoff) for cutoff in forecasts["cutoff"].unique()])
    cells = forecasts.merge(panel, on=["destination", "period"], validate="many_to_one")
    cells = cells.merge(scales, on=["destination", "cutoff"], validate="many_to_one")
    cells = cells.loc[cells["scale"] > 0]
    error = (cells["tonnes"] - cells["p50"]).abs()
    losses = [quantile_loss(cells["tonnes"] - cells[name], LEVELS[name]) for name in LEVELS]
    measured = cells.assign(
        error=error,
        mase=error / cells["scale"],
        sql=pd.concat(losses, axis=1).mean(axis=1) / cells["scale"],
        covered=cells["tonnes"].between(cells["p10"], cells["p90"]),
    )
    groups = measured.groupby("model")
    means = groups[["mase", "sql", "covered"]].mean()
    wape = groups["error"].sum() / groups["tonnes"].sum()
    return means.assign(wape=wape, cells=groups.size()).sort_values("mase").reset_index()


def scale_of(panel: pd.DataFrame, cutoff: str) -> pd.DataFrame:
    """Return the mean absolute difference to the year before of each series up to a cutoff."""
    known = panel.loc[panel["period"] <= cutoff]
    wide = known.pivot_table(index="destination", columns="period", values="tonnes")
    scale = wide.diff(SEASON, axis=1).abs().mean(axis=1)
    return scale.rename("scale").reset_index().assign(cutoff=cutoff)


def quantile_loss(gap: "pd.Series[float]", level: float) -> "pd.Series[float]":
    return 2.0 * (level * gap.clip(lower=0.0) - (1.0 - level) * gap.clip(upper=0.0))


def scores_text(scores: pd.DataFrame) -> pd.DataFrame:
    best = scores.loc[scores["model"] != OWN, ["mase", "sql"]].min()
    return pd.DataFrame(
        {
            "model": scores["model"].where(scores["model"] != OWN, f"**{OWN}**"),
            "MASE": scores["mase"].map("{:.3f}".format),
            "of the best peer's": (scores["mase"] / best["mase"]).map("{:.2f}".format),
            "SQL": scores["sql"].map("{:.3f}".format),
            "of the best peer's SQL": (scores["sql"] / best["sql"]).map("{:.2f}".format),
            "WAPE": scores["wape"].map("{:.1%}".format),
            "within the 80 % band": scores["covered"].map("{:.0%}".format),
            "cells": scores["cells"],
        }
    )


def case_lines(case: Case, folder: Path) -> list[str]:
    panel = pd.read_csv(folder / f"{case.panel}.csv.gz")[["destination", "period", "tonnes"]]
    panel["period"] = panel["period"].astype(str).str[:7]
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as scratch:
        out = Path(scratch) / "out"
        took = replay(case, folder, out)
        scores = scores_of(panel, forecasts_of(case, folder, out))
    print(scores.to_string(), took, flush=True)
    fact = f"""
        {panel["destination"].nunique():,} series, horizon {case.horizon}, cutoffs
        {case.cutoffs.replace(",", ", ")}: {took.seconds:.0f} s and {took.peak_mb:,.0f} MB.
    """
    return [f"## {case.panel}", *page.prose(fact), *page.table(scores_text(scores))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one panel, by its name; printed, not written")
    chosen = parser.parse_args()
    folder = os.environ.get(VARIABLE)
    if not folder:
        print(f"Skipped: {VARIABLE} is not set. Expected a folder of panels and peers' forecasts.")
        return
    cases = [case for case in CASES if chosen.only in {None, case.panel}]
    parts = [line for case in cases for line in case_lines(case, Path(folder))]
    if chosen.only is None:
        command = f"{VARIABLE}=FOLDER python benchmarks/panels.py"
        lines = page.heading("Other panels", command, "Data: the panels named below.")
        page.write("panels.md", [*lines, *page.prose(INTRODUCTION + MEMORY_TEXT), "", *parts])


if __name__ == "__main__":
    main()
