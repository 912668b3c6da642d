"""What partners' records are worth: the newest month's error with and without, by release.

Made-up worlds with known truth. Writes mirror.md and docs/pictures/staircase.png.
"""

import argparse
import time

import numpy as np
import page
import pandas as pd
from mirror_worlds import (
    BREAK,
    CALM,
    DETAIL_DAYS,
    HEADLINE_DAYS,
    KINDS,
    PARTNER_DAYS,
    SHOCK,
    TARGET,
    World,
    make_world,
)
from staircase import staircase_plot

from features.months import month_start
from features.panel.evidence import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS
from store.vocabulary import DESTINATIONS, EU27, WORLD

BAND = 1.2816
"""Standard deviations on either side of an 80 percent band."""

WITH, WITHOUT = "with partners' records", "without"
NEXT = 30
CALM_TIMES = 3
"""How many more calm worlds there are: most months are calm."""
RELEASES = {
    0: "nothing yet",
    HEADLINE_DAYS: "world total",
    PARTNER_DAYS["JPN"]: "Japan",
    PARTNER_DAYS["USA"]: "USA, Korea",
    PARTNER_DAYS[EU27]: "EU27",
    PARTNER_DAYS["USA"] + NEXT: "USA, Korea, month after",
    PARTNER_DAYS[EU27] + NEXT: "EU27, month after",
    DETAIL_DAYS: "detail",
}
"""What comes out on which day; the month after tells of ships that left late in the month."""

GROUPS = {
    "partners": (*(n for n in PARTNER_DAYS if n != EU27),),
    "others": tuple(d for d in DESTINATIONS if d not in PARTNER_DAYS),
    "world": (WORLD,),
    "EU27": (EU27,),
}

INTRODUCTION = """
Worlds are made up ({calm} calm ones, {worlds} of each other kind), so every tonne is known:
`benchmarks/mirror_worlds.py`.
China's world total comes out {headline} days after a month's end and its table by destination
{detail} days after it, as where only UN Comtrade tells it. Six partner series (Japan, the USA,
Korea, Germany, Italy, the EU27) count what arrives: each with a bias of its own (about 30%,
drifting by some 7%), 4-15% noise with wide tails, a wild month in thirty, and ships that take
part of the tonnes into the month after. Compared are the estimate of the newest month and the
truth at each release, by the panel as the product makes it, once with the partners' records and
once without. Error is the median of |estimate / truth - 1| over cells and worlds; coverage the
share within the estimate times exp(+-1.2816 s). From day 65 on the detail of the month before is
out, which helps both; with the detail itself both are the same but for rounding.
"""
PARTNERS_TEXT = """
Cells of the five partners that are modelled alone, by kind of world. **calm**: nothing special.
**shock**: exports to every destination fall to a tenth to a half in that very month. **break**:
from two months before on, each partner counts 40% more or less than ever before (a new code, a new
port), which nothing learned by then can tell.
"""
OTHERS_TEXT = """
Destinations without a record of their own (the rest of EU27 shares in EU27's), the world and the
EU27, in calm worlds.
"""
READING = {
    BREAK: """
Where partners change how they count, their records mislead until China's detail of such a month is
out, and the band does not tell of it. Then the bias adapts within some months; `magnetcast gaps`
shows the larger breaks beyond its limits, not all of them.
"""
}


def measured(worlds: int) -> pd.DataFrame:
    """Return one row a world, release, way and destination."""
    parts = []
    for kind in KINDS:
        for seed in range(worlds * (CALM_TIMES if kind == CALM else 1)):
            world = make_world(seed, kind)
            parts += [
                estimates_of(world, way).assign(kind=kind, seed=seed, way=way)
                for way in (WITH, WITHOUT)
            ]
        print(kind, flush=True)
    return pd.concat(parts, ignore_index=True)


def estimates_at(observations: pd.DataFrame, day: int) -> pd.DataFrame:
    """Return what is estimated of the target month some days after its end."""
    end = month_start(TARGET + 1).tz_localize("UTC")
    moment = end + pd.Timedelta(days=day)
    panel = evidence_panel(observations, as_of=moment, reach=TARGET)
    column = TARGET - panel.first
    return pd.DataFrame(
        {
            "as_of": moment,
            "days": day,
            "destination": list(PANEL_DESTINATIONS),
            "tonnes": panel.tonnes[:, column],
            "stderr": panel.stderr[:, column],
        }
    )


def estimates_of(world: World, way: str) -> pd.DataFrame:
    tables = [world.published, world.records] if way == WITH else [world.published]
    observations = pd.concat(tables, ignore_index=True)
    found = pd.concat([estimates_at(observations, day) for day in RELEASES], ignore_index=True)
    truth = found["destination"].map(world.truth)
    log_error = np.log(found["tonnes"] / truth)
    return found.assign(
        error=np.abs(found["tonnes"] / truth - 1.0),
        is_covered=np.abs(log_error) <= BAND * found["stderr"] + 0.5 / truth,
    )


def steps_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Return median error and coverage by way and release, in the order of ``staircase_plot``."""
    groups = cells.groupby(["way", "days"])
    found = groups.agg(error=("error", "median"), coverage=("is_covered", "mean")).reset_index()
    return found.sort_values(["way", "days"], key=lambda c: c.map({WITH: 0, WITHOUT: 1}).fillna(c))


def text_of(cells: pd.DataFrame) -> pd.DataFrame:
    steps = steps_of(cells).pivot_table(index="days", columns="way", values=["error", "coverage"])
    return pd.DataFrame(
        {
            "days": steps.index,
            "known by then": [RELEASES[day] for day in steps.index],
            "error with": steps["error"][WITH].map("{:.1%}".format),
            "error without": steps["error"][WITHOUT].map("{:.1%}".format),
            "coverage with": steps["coverage"][WITH].map("{:.0%}".format),
            "coverage without": steps["coverage"][WITHOUT].map("{:.0%}".format),
        }
    )


def in_group(cells: pd.DataFrame, group: str, kind: str) -> pd.DataFrame:
    inside = cells["destination"].isin(GROUPS[group]) & (cells["kind"] == kind)
    return cells.loc[inside]


def page_lines(cells: pd.DataFrame, worlds: int) -> list[str]:
    facts = {
        "worlds": worlds,
        "calm": worlds * CALM_TIMES,
        "headline": HEADLINE_DAYS,
        "detail": DETAIL_DAYS,
    }
    lines = [*page.prose(INTRODUCTION.format(**facts)), "", "## Partners"]
    lines += [*page.prose(PARTNERS_TEXT), "", "![](../docs/pictures/staircase.png)"]
    for kind in (CALM, SHOCK, BREAK):
        lines += ["", f"### {kind}", *page.table(text_of(in_group(cells, "partners", kind)))]
        lines += page.prose(READING[kind]) if kind in READING else []
    lines += ["", "## Others", *page.prose(OTHERS_TEXT)]
    for group in ("others", "world", "EU27"):
        lines += ["", f"### {group}", *page.table(text_of(in_group(cells, group, CALM)))]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--worlds",
        type=int,
        default=8,
        help="worlds of each kind but calm, of which there are more",
    )
    chosen = parser.parse_args()
    started = time.perf_counter()
    cells = measured(chosen.worlds)
    print(f"{time.perf_counter() - started:.0f} s")
    chart = staircase_plot(steps_of(in_group(cells, "partners", CALM)), RELEASES)
    chart.savefig(page.ROOT / "docs" / "pictures" / "staircase.png", dpi=130)
    command = f"python benchmarks/mirror.py --worlds {chosen.worlds}"
    heading = page.heading("Mirror nowcast: the newest month, release by release", command)
    page.write("mirror.md", [*heading, *page_lines(cells, chosen.worlds)])


if __name__ == "__main__":
    main()
