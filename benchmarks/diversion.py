"""How many planted diversions are found, and how often an alert is false. Writes diversion.md."""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import page
import pandas as pd
from diversion_worlds import HIT, Plan, Planted, make_world

from models.event_study.diversion import find_diversion

RATE = 0.05
OURS, SHARE_RISE, YEAR_RISE = "magnetcast", "share + 2 sd", "year on year > 50%"
NOISES = (0.10, 0.18, 0.28)
PARTS = (0.2, 0.4, 0.6, 1.0)

CALM = {
    "no fall": Plan(fall=False),
    "fall, nothing diverted": Plan(),
    "fall and a shock to all": Plan(shock=True),
    "fall, months 10% noisy": Plan(noise=0.10),
    "fall, months 28% noisy": Plan(noise=0.28),
    "fall, three months seen": Plan(asked=3),
    "fall, ten months asked about": Plan(asked=10),
    "fall, 80 months of history": Plan(months=80),
    "fall, four in ten cells published": Plan(published=0.4),
}

INTRODUCTION = """
Worlds are made up (`benchmarks/diversion_worlds.py`): ten destinations of about the shares of
2024, seasons, Lunar New Year, drifting shares, a common random walk, single months with Student-t
tails (4 degrees of freedom). An act takes 90% of the USA's trade; a part of what it loses goes to
one or two of Vietnam, Thailand, India and the rest of the world, for one to six months. Unless
said otherwise single months have a standard deviation of 18%, all cells are published, 106 months
lie before the act and six months are asked about. Rivals: a share of the world beyond the mean of
the 24 months before the act by two standard deviations, and a month more than half above the same
of the year before, in any of the months asked about.
"""
FALSE_TEXT = """
Share of worlds with any alert at all, though nothing was diverted. Promised are at most {rate:.0%};
with {worlds} worlds a true 5% shows as {low:.1%} to {high:.1%} in 95 of 100 cases.
"""
FOUND_TEXT = """
Recall: planted destinations that were alerted. Precision: alerted destinations that were planted.
{worlds} worlds a row, takers and months mixed.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What each way alerted in one world."""

    alerted: dict[str, frozenset[str]]
    planted: Planted
    size: float
    """Tonnes found at takers over those planted, NaN where none was alerted."""
    is_covered: bool
    """Whether what was planted lies in the alert's band."""


def judged(planted: Planted) -> Case:
    found = find_diversion(planted.flows, planted.question, rate=RATE)
    of_takers = [rise for rise in found.alerts if rise.destination in planted.takers]
    size, is_covered = float("nan"), False
    if of_takers:
        rise = of_takers[0]
        size = rise.excess / planted.tonnes
        is_covered = rise.low <= planted.tonnes <= rise.high
    alerted = {
        OURS: frozenset(rise.destination for rise in found.alerts),
        SHARE_RISE: share_rises(planted),
        YEAR_RISE: year_rises(planted),
    }
    return Case(alerted, planted, size, is_covered)


def share_rises(planted: Planted) -> frozenset[str]:
    flows, act = planted.flows, planted.question.base_end - planted.flows.first
    share = flows.tonnes / flows.tonnes.sum(axis=0)
    before = share[:, act - 24 : act]
    limit = before.mean(axis=1) + 2.0 * before.std(axis=1)
    return risen(planted, (share[:, act:] > limit[:, None]).any(axis=1))


def year_rises(planted: Planted) -> frozenset[str]:
    flows, act = planted.flows, planted.question.base_end - planted.flows.first
    year_ago = flows.tonnes[:, act - 12 : flows.tonnes.shape[1] - 12]
    return risen(planted, (flows.tonnes[:, act:] > 1.5 * year_ago).any(axis=1))


def risen(planted: Planted, flags: np.ndarray) -> frozenset[str]:
    pairs = zip(planted.flows.names, flags, strict=True)
    return frozenset(name for name, is_up in pairs if is_up and name != HIT)


def cases_of(plan: Plan, worlds: int, seed: int) -> list[Case]:
    return [judged(make_world(seed + place, plan)) for place in range(worlds)]


def mixed(plan: Plan, worlds: int, seed: int) -> list[Case]:
    """Return cases with one or two takers for one to six months."""
    found = []
    for place in range(worlds):
        lasting = min((1, 2, 3, 4, 6)[place % 5], plan.asked)
        one = replace(plan, takers=1 + place // 5 % 2, lasting=lasting)
        found.append(judged(make_world(seed + place, one)))
    return found


def false_row(name: str, cases: list[Case]) -> dict[str, str]:
    def rate(way: str) -> str:
        return f"{np.mean([bool(case.alerted[way]) for case in cases]):.1%}"

    return {"nothing diverted": name, **{way: rate(way) for way in (OURS, SHARE_RISE, YEAR_RISE)}}


def found_row(labels: dict[str, str], cases: list[Case]) -> dict[str, str]:
    row = dict(labels)
    for way in (OURS, SHARE_RISE, YEAR_RISE):
        hits = sum(len(case.alerted[way] & case.planted.takers) for case in cases)
        planted = sum(len(case.planted.takers) for case in cases)
        alerted = sum(len(case.alerted[way]) for case in cases)
        row[f"{way}: recall"] = f"{hits / planted:.0%}"
        row["precision" if way == OURS else f"{way}: precision"] = (
            f"{hits / alerted:.0%}" if alerted else "-"
        )
    return row


def sized(cases: Iterable[Case]) -> str:
    found = [case for case in cases if np.isfinite(case.size)]
    size = np.median([case.size for case in found])
    covered = np.mean([case.is_covered for case in found])
    return (
        f"Of {len(found)} planted diversions that were alerted the tonnes found were {size:.2f} "
        f"times those planted (median), and those planted lay in the band of 80 in 100 in "
        f"{covered:.0%}. An alert's months are not always the planted ones, and what is only just "
        "alerted had its noise on its side."
    )


def timed(what: str, make: Callable[[], list[Case]]) -> list[Case]:
    started = time.perf_counter()
    found = make()
    print(f"{what}: {time.perf_counter() - started:.0f} s", flush=True)
    return found


def page_lines(worlds: int, calm: int, tables: int) -> list[str]:
    rows = [
        false_row(name, timed(name, lambda plan=plan: cases_of(plan, calm, 10_000)))
        for name, plan in CALM.items()
    ]
    width = 1.96 * np.sqrt(RATE * (1 - RATE) / calm)
    facts = {"rate": RATE, "worlds": calm, "low": max(RATE - width, 0), "high": RATE + width}
    lines = [*page.prose(INTRODUCTION), "", "## False alarms"]
    lines += [*page.prose(FALSE_TEXT.format(**facts)), *page.table(pd.DataFrame(rows))]
    every: list[Case] = []
    rows = []
    for noise in NOISES:
        for part in PARTS:
            plan = Plan(noise=noise, share=part)
            cases = timed(f"{noise} {part}", lambda plan=plan: mixed(plan, worlds, 50_000))
            rows.append(found_row({"noise": f"{noise:.0%}", "diverted": f"{part:.0%}"}, cases))
            every += cases
    lines += ["", "## Planted diversions", *page.prose(FOUND_TEXT.format(worlds=worlds))]
    lines += [*page.table(pd.DataFrame(rows)), *page.prose(sized(every))]
    rows = []
    for lasting in (1, 3, 6):
        plan = Plan(share=0.6, lasting=lasting)
        cases = timed(f"{lasting} months", lambda plan=plan: cases_of(plan, worlds, 60_000))
        rows.append(found_row({"60% into one, months": str(lasting)}, cases))
    for name, plan in {
        "3, with a shock to all": Plan(share=0.6, shock=True),
        "3, four in ten cells published": Plan(share=0.6, published=0.4),
    }.items():
        cases = timed(name, lambda plan=plan: cases_of(plan, worlds, 60_000))
        rows.append(found_row({"60% into one, months": name}, cases))
    lines += ["", "### By how long, and where it is hard", *page.table(pd.DataFrame(rows))]
    return [*lines, *table_lines(tables)]


def table_lines(worlds: int) -> list[str]:
    big = Plan(partners=140)
    started = time.perf_counter()
    none = cases_of(big, worlds, 70_000)
    each = (time.perf_counter() - started) / worlds
    rows = [
        found_row(
            {"150 partners, diverted": f"{part:.0%}"},
            cases_of(replace(big, share=part), worlds, 70_000),
        )
        for part in (0.4, 1.0)
    ]
    text = f"""
    The same with 140 more partners that share a third of the trade, the smallest of which ship now
    and then; {worlds} worlds a row. Worlds with a false alarm: {false_row("", none)[OURS]}. One
    question takes {each:.1f} s.
    """
    return ["", "## A full partner table", *page.prose(text), *page.table(pd.DataFrame(rows))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100, help="worlds with a diversion, a row")
    parser.add_argument("--calm", type=int, default=400, help="worlds without one, a row")
    parser.add_argument("--tables", type=int, default=60, help="worlds of 150 partners, a row")
    chosen = parser.parse_args()
    command = (
        f"python benchmarks/diversion.py --worlds {chosen.worlds} --calm {chosen.calm} "
        f"--tables {chosen.tables}"
    )
    heading = page.heading("Diversion: planted ones found, false alarms", command)
    lines = page_lines(chosen.worlds, chosen.calm, chosen.tables)
    page.write("diversion.md", [*heading, *lines])


if __name__ == "__main__":
    main()
