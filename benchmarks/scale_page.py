"""The page of scale.py, made from its figures."""

from pathlib import Path

import numpy as np
import page
import pandas as pd

FILE = Path(__file__).with_name("scale.csv")
COMMAND = "MAGNETCAST_PEERS=PYTHON make bench-scale"
SLOPE_AIM = 1.05
FEATURES_AIM = 5.0
RACE_AIM = 2.0
RACED = 10_000
WHAT = {
    "features": "features, experts among them",
    "plain features": "features without experts",
    "race engine": "fit, 12 months, quantiles",
}
CHINA = 5_000 * 200
NODES = 8
CORES = 16
EFFICIENCY = 0.7
"""Share of their time that workers of a cluster work, assumed."""

INTRODUCTION = """
Generated panels of 120 months, twelve months forecast. *Features*: the lessons of past origins and
the features of every series at the cutoff, what experts say among them. *Experts*: what ten experts
say of every series. *Train*: lessons, stack, trees, trial and bands; from 6,000 series on the same
work. These are timed in the process, reading left out. *Predict* is the whole command from parts to
parts, its start counted; workers are processes of a local Dask cluster, 0 the command's own; a
cluster on this machine is not measured at a million. *Backtest* is the whole command at two cutoffs
from parts to parts, scored beside the seasonal naive and the middle of the experts. Processor
seconds are those of all processes of a command; other work on the machine disturbs them least;
*seconds* tell little where the load is far above 2. Memory is the largest sum of resident memory
over all processes; bytes are of the table made, or of the files written.
"""

RACE = """
The last twelve of 120 months held out. mlforecast: three LightGBM quantiles of 100 rounds, one
model a month ahead (`max_horizon`), features as in speed.md, fitted and asked; two threads, in
its own environment, twenty series first untimed. The engine gives seven quantiles. Neither's
reading is timed. MASE is over all months held out. Ratios are of processor seconds, which other
work on the machine disturbs least; preprocessing and our features without experts are timed in one
process three times and the least counts. Our features and mlforecast's
are not the same table: `preprocess` makes 12 lags, 5 rolling
means and deviations and the month of the year for every month of every series that has them all;
the engine makes 32 features for at most 8,000 pairs of series and past origin by 12 months ahead,
and for every series at the cutoff by 12 months ahead. Both are what one fit and forecast needs.
Among the engine's are what ten experts forecast, which nothing of mlforecast's table answers to:
both ways are given, with and without.
"""

ESTIMATE = """
On paper: all that China ships, 5,000 products x 200 destinations x 120 months, is {china:,} series.
At {cost:.2f} ms of a processor a series (predict at {size:,}, the straight line through the sizes)
that is {hours:.2f} processor hours. A cluster of {nodes} nodes of {cores} virtual cores (EC2
c7i.4xlarge, 32 GB) that works {efficiency:.0%} of its time computes that in {seconds:.0f} s, beside
the {constant:.0f} s in which one process learns and starts. On top come Prefect's tasks, a second
of a processor each, four a worker and pass, and what the shared disk takes for its gigabytes. A
worker holds one part; the process that asks holds names and seasons, some 0.2 kB a series.
"""


def page_lines(rows: pd.DataFrame) -> list[str]:
    """Return the page."""
    commits = ", ".join(sorted(set(rows["commit"].astype(str))))
    fact = f"Figures: benchmarks/scale.csv, measured at commit {commits}."
    return [
        *page.heading("Cost from a thousand to a million series", COMMAND, fact, ""),
        *page.prose(INTRODUCTION),
        *page.table(costs(rows)),
        "## Slopes",
        *page.prose(
            "Slopes of the log of each over the log of the series; aim: processor seconds <= 1.05."
        ),
        *page.table(slopes(rows)),
        "## Beside mlforecast",
        *page.prose(RACE),
        *page.table(raced(rows)),
        *estimate(rows),
    ]


def costs(rows: pd.DataFrame) -> pd.DataFrame:
    own = rows.loc[~rows["step"].str.contains("race|mlforecast")]
    return pd.DataFrame(
        {
            "step": own["step"],
            "workers": own["workers"],
            "series": own["series"].map("{:,}".format),
            "seconds": own["seconds"].map("{:,.1f}".format),
            "CPU s": own["cpu"].map("{:,.1f}".format),
            "CPU ms a series": (1000 * own["cpu"] / own["series"]).map("{:.3f}".format),
            "peak memory MB": own["peak_mb"].map("{:,.0f}".format),
            "MB made": (own["bytes"] / 1e6).map("{:,.1f}".format),
            "load": own["load"],
        }
    )


def slopes(rows: pd.DataFrame) -> pd.DataFrame:
    found = []
    for (step, workers), own in rows.groupby(["step", "workers"]):
        if len(own) < 2 or "race" in str(step) or "mlforecast" in str(step):  # noqa: PLR2004 - a line
            continue
        series = np.log(own["series"])
        slope = {
            name: float(np.polyfit(series, np.log(own[name]), 1)[0])
            for name in ("seconds", "cpu", "peak_mb", "bytes")
        }
        top = own.sort_values("series").tail(2)
        last = float(np.diff(np.log(top["cpu"]))[0] / np.diff(np.log(top["series"]))[0])
        met = max(slope["cpu"], last) <= SLOPE_AIM
        found.append(
            {
                "step": step,
                "workers": workers,
                "seconds": f"{slope['seconds']:.2f}",
                "CPU s": f"{slope['cpu']:.2f}",
                "CPU s, largest two": f"{last:.2f}",
                "memory": f"{slope['peak_mb']:.2f}",
                "bytes": f"{slope['bytes']:.2f}",
                "": "met" if met else "**missed**",
            }
        )
    return pd.DataFrame(found)


def raced(rows: pd.DataFrame) -> pd.DataFrame:
    pairs = (
        ("features", "mlforecast preprocess", FEATURES_AIM),
        ("plain features", "mlforecast preprocess", FEATURES_AIM),
        ("race engine", "race mlforecast", RACE_AIM),
    )
    found = []
    for own_name, peer_name, aim in pairs:
        own = rows.loc[rows["step"] == own_name].set_index("series")
        peer = rows.loc[rows["step"] == peer_name].set_index("series")
        for size in sorted(set(own.index) & set(peer.index)):
            times = peer.loc[size, "cpu"] / own.loc[size, "cpu"]
            made = [f"{one.loc[size, 'rows']:,.0f}" for one in (own, peer)]
            is_aim = size == RACED
            found.append(
                {
                    "what": WHAT[own_name],
                    "series": f"{size:,}",
                    "engine s": f"{own.loc[size, 'seconds']:.2f}",
                    "mlforecast s": f"{peer.loc[size, 'seconds']:.2f}",
                    "engine CPU s": f"{own.loc[size, 'cpu']:.2f}",
                    "mlforecast CPU s": f"{peer.loc[size, 'cpu']:.2f}",
                    "engine rows": made[0],
                    "mlforecast rows": made[1],
                    "times less CPU": f"{times:.1f}",
                    "aim": f">= {aim:g}" if is_aim else "",
                    "": ("met" if times >= aim else "**missed**") if is_aim else "",
                    "engine MASE": _score(own.loc[size]),
                    "mlforecast MASE": "" if aim == FEATURES_AIM else _score(peer.loc[size]),
                }
            )
    return pd.DataFrame(found)


def _score(row: "pd.Series[float]") -> str:
    return f"{row['mase']:.3f}" if row.get("mase", np.nan) > 0 else ""


def estimate(rows: pd.DataFrame) -> list[str]:
    own = rows.loc[(rows["step"] == "predict") & (rows["workers"] == 0)]
    if len(own) < 2:  # noqa: PLR2004 - a line
        return []
    slope, constant = np.polyfit(own["series"], own["cpu"], 1)
    hours = CHINA * slope / 3600
    text = ESTIMATE.format(
        china=CHINA,
        cost=1000 * slope,
        size=int(own["series"].max()),
        hours=hours,
        nodes=NODES,
        cores=CORES,
        efficiency=EFFICIENCY,
        seconds=3600 * hours / (NODES * CORES * EFFICIENCY),
        constant=max(constant, 0.0),
    )
    return ["## All that China ships", *page.prose(text)]
