"""What partners' records are worth: the newest month's error with and without, by release.

Made-up worlds with known truth. Writes mirror.md and docs/pictures/staircase.png.
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import page
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS
from store.months import month_number, month_start, month_starts
from store.vocabulary import COMMODITY, DESTINATIONS, EU27, ORIGIN, WORLD

FIRST, TARGET, LAST = (month_number(m) for m in ("2016-01", "2019-06", "2019-07"))
HEADLINE_DAYS, DETAIL_DAYS = 20, 95
"""Days after a month's end at which China's world total and its table by destination come out."""

OWN_COLOUR, OTHER_COLOURS, GREY = "#00507d", ("#e69f00", "#009e73", "#cc79a7", "#56b4e9"), "#7f868e"
AIM, NEAR_AIM = 0.8, (0.76, 0.84)

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


TAIL_DAYS: Final = 8
"""How far the last step is drawn."""


def staircase_plot(steps: pd.DataFrame, releases: Mapping[int, str]) -> Figure:
    """Return the chart of error and coverage by days since the month's end.

    Args:
        steps: One row a way and release: ``way`` (the product's own first), ``days``, ``error``
            (median, relative) and ``coverage`` (share within the 80% band).
        releases: What comes out on which day after the month's end.
    """
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    ways = list(dict.fromkeys(steps["way"]))
    for way, colour in zip(ways, (OWN_COLOUR, *OTHER_COLOURS), strict=False):
        part = steps.loc[steps["way"] == way].sort_values("days")
        is_own = way == ways[0]
        for axes, column in ((above, "error"), (below, "coverage")):
            _stairs(axes, part["days"], part[column], colour=colour, label=way, is_own=is_own)
    above.set(ylabel="median error of the month's cells", ylim=(0, None))
    below.axhspan(*NEAR_AIM, color="#e9ecef", zorder=0)
    below.axhline(AIM, color=GREY, linewidth=1, linestyle="--", zorder=1)
    below.set(ylabel="within the 80% band", ylim=(0, 1.02), xlabel="days since the month's end")
    for axes in (above, below):
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    _name_releases(above, below, releases)
    above.legend(frameon=False, loc="upper right")
    return figure


def _stairs(
    axes: Axes, days: pd.Series, values: pd.Series, *, colour: str, label: str, is_own: bool
) -> None:
    edges = [*days, days.iloc[-1] + TAIL_DAYS]
    axes.stairs(
        values,
        edges,
        baseline=None,
        color=colour,
        label=label,
        linewidth=2.5 if is_own else 1.6,
        zorder=3 if is_own else 2,
    )


def _name_releases(above: Axes, below: Axes, releases: Mapping[int, str]) -> None:
    for day, name in releases.items():
        for axes in (above, below):
            axes.axvline(day, color=GREY, linewidth=0.7, linestyle=":", zorder=0)
        above.annotate(
            name,
            (day, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            rotation=35,
            fontsize=8,
        )
    below.set_xticks(list(releases))


BAND = 1.2816
"""Standard deviations on either side of an 80 percent band."""

WITH, WITHOUT = "with partners' records", "without"
NEXT = 30
CALM_TIMES = 3
"""How many more calm worlds there are: most months are calm."""
RELEASES = {
    0: "nothing yet", HEADLINE_DAYS: "world total", PARTNER_DAYS["JPN"]: "Japan",
    PARTNER_DAYS["USA"]: "USA, Korea", PARTNER_DAYS[EU27]: "EU27",
    PARTNER_DAYS["USA"] + NEXT: "USA, Korea, month after",
    PARTNER_DAYS[EU27] + NEXT: "EU27, month after", DETAIL_DAYS: "detail",
}  # fmt: skip
"""What comes out on which day; the month after counts ships that left late in the month."""

GROUPS = {
    "partners": (*(n for n in PARTNER_DAYS if n != EU27),),
    "others": tuple(d for d in DESTINATIONS if d not in PARTNER_DAYS),
    "world": (WORLD,),
    "EU27": (EU27,),
}

INTRODUCTION = """
Worlds are made up ({calm} calm ones, {worlds} of each other kind), so every tonne is known:
`benchmarks/mirror.py`.
China's world total comes out {headline} days after a month's end and its table by destination
{detail} days after it, as where only UN Comtrade gives it. Six partner series (Japan, the USA,
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
out, and the band does not tell of it. Then the bias adapts within some months;
`magnetcast data gaps` shows the larger breaks beyond its limits, not all of them.
"""
}


def measured(worlds: int) -> pd.DataFrame:
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
