"""How long a scenario takes to answer once the forecast stands; writes scenario.md.

On the magnets' twelve series, and on a made partner table of two hundred destinations.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import page
import pandas as pd

from features.origin import table_origin
from features.panel.partner_table import PartnerTable
from flows.analysis.scenarios import scenario_snapshot
from flows.cli.options import moment
from models.policy.scenario import ScenarioSnapshot, nothing_learned, paired
from sources.files.scenario import read_scenario
from store.settings import PROJECT_ROOT, Settings
from store.vocabulary import EU27, EU27_MEMBERS, QUANTILE_COLUMNS, WORLD

ROUNDS: Final = 5
MEMBERS: Final = 200
SPREAD: Final = np.array([0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.8])
MONTHS: Final = 96

TEXT: Final = (
    "Seconds from a scenario file's bytes to its table, smallest and median of five rounds in one\n"
    "process, after the forecast itself was made, which is done once a publication. Aims: 1 s for\n"
    "the twelve series, 5 s for two hundred destinations.\n"
)


def many(snapshot: ScenarioSnapshot) -> ScenarioSnapshot:
    """Return a made forecast of two hundred destinations under the same policies."""
    named = ["USA", "JPN", "KOR", "VNM", "IND", "THA", *sorted(EU27_MEMBERS)]
    names = sorted([*named, *(f"P{i:03d}" for i in range(MEMBERS - len(named)))])
    random = np.random.default_rng(7)
    level = np.exp(random.normal(3.0, 1.5, len(names)))
    wave = 1.0 + 0.1 * np.sin(np.arange(MONTHS) * np.pi / 6)
    tonnes = level[:, None] * wave * np.exp(random.normal(0, 0.2, (len(names), MONTHS)))
    months = np.arange(snapshot.origin.cutoff - MONTHS + 1, snapshot.origin.cutoff + 1)
    frame = pd.DataFrame(tonnes, index=pd.Index(names), columns=months)
    frame.loc[WORLD] = frame.sum()
    parts = {WORLD: tuple(names), EU27: tuple(sorted(EU27_MEMBERS))}
    table = PartnerTable("850511", snapshot.as_of, frame, parts, ())
    assert snapshot.origin.events is not None  # noqa: S101 - made of the bundled facts
    assert snapshot.origin.tariffs is not None  # noqa: S101 - made of the bundled facts
    origin = table_origin(table, events=snapshot.origin.events, tariffs=snapshot.origin.tariffs)
    mean = np.repeat(origin.level, len(origin.targets))
    numbers = pd.DataFrame(mean[:, None] * SPREAD, columns=list(QUANTILE_COLUMNS))
    numbers["mean"] = mean
    return ScenarioSnapshot(
        snapshot.as_of, origin, snapshot.analogs, numbers, numbers, nothing_learned
    )


def seconds(snapshot: ScenarioSnapshot, path: Path) -> list[float]:
    """Return how long each round took."""
    content = path.read_bytes()

    def answer() -> None:
        paired(snapshot, read_scenario(path.name, content, snapshot.context))

    return page.seconds_of(answer, ROUNDS)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-11-25")
    asked = parser.parse_args()
    snapshot = scenario_snapshot(Settings(), moment(asked.as_of))
    rows = []
    for name, ground in (("twelve series", snapshot), (f"{MEMBERS} destinations", many(snapshot))):
        for path in sorted((PROJECT_ROOT / "scenarios").glob("*.yaml")):
            taken = seconds(ground, path)
            rows.append(
                {
                    "forecast": name,
                    "scenario": path.stem,
                    "smallest": f"{min(taken):.2f} s",
                    "median": f"{np.median(taken):.2f} s",
                }
            )
            print(rows[-1])
    lines = page.heading("How long a scenario takes", "make bench-scenario", TEXT)
    page.write("scenario.md", [*lines, *page.table(pd.DataFrame(rows))])


if __name__ == "__main__":
    main()
