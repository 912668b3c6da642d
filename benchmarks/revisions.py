"""How far the forecast of a month moves from one publication to the next, and what that is worth.

News is news only if it cannot be foreseen: a revision should tell nothing of the next one
(Nordhaus, Review of Economics and Statistics 69, 1987). Writes revisions.md.
"""

import argparse

import numpy as np
import page
import pandas as pd
from magnets import BUNDLED

from features.evidence_history import EvidenceHistory
from flows.cli.options import moment
from models.evaluation.backtest import backtest_evidence
from models.executor import Executor
from models.forecasting.model_names import MODEL
from models.learning.parameters import MAGNETS_PRESET
from sources.bundled.all_tables import load_bundled
from store.vocabulary import AGGREGATES, WORLD

SCOPES = (WORLD, "USA", "others")
AHEAD = ((1, 3), (4, 6), (7, 12), (13, 18))
"""Months from the origin's last known month to the target, first and last of each group."""

TEXT = """
Medians of one target month from successive origins of the replay (the 25th of each month). A
revision is the log of one median over the one before. Autocorrelation is that of a revision with
the one before it, of the same destination and month: above 0 the forecast follows slowly what it
knows, below 0 it takes part of it back. Others are all but sums and the USA.
"""
ERROR_TEXT = """
What the revisions remove: mean absolute log error of the median, months with a published level.
"""


def revisions(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return scope, ahead, step and the step before it, of each median that has one before."""
    own = forecasts.loc[forecasts["model"] == MODEL].sort_values("as_of")
    own = own.loc[~own["destination"].isin(set(AGGREGATES) - {WORLD})]
    log = np.log(np.maximum(own["p50"], 1.0))
    by = [own["destination"], own["period"]]
    step = log.groupby(by).diff()
    found = pd.DataFrame(
        {
            "scope": own["destination"].where(own["destination"].isin([WORLD, "USA"]), "others"),
            "ahead": own["horizon"].map(group_of),
            "step": step,
            "before": step.groupby(by).shift(),
        }
    )
    return found.dropna(subset=["step", "ahead"])


def group_of(horizon: int) -> str | None:
    return next((f"{low}-{high}" for low, high in AHEAD if low <= horizon <= high), None)


def sizes(steps: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "scope": scope,
            "months ahead": ahead,
            "revisions": f"{len(part):,}",
            "median size": f"{part['step'].abs().median():.1%}",
            "mean size": f"{part['step'].abs().mean():.1%}",
            "autocorrelation": f"{correlation(part):+.2f}",
        }
        for scope in SCOPES
        for ahead, part in steps.loc[steps["scope"] == scope].groupby("ahead", sort=False)
    ]
    order = {f"{low}-{high}": place for place, (low, high) in enumerate(AHEAD)}
    return pd.DataFrame(rows).sort_values(
        ["scope", "months ahead"],
        key=lambda c: c.map({**order, **{s: i for i, s in enumerate(SCOPES)}}),
    )


def correlation(steps: pd.DataFrame) -> float:
    """Return the correlation of revisions with those before them, about zero."""
    known = steps.dropna(subset=["before"])
    size = float(np.sqrt((known["step"] ** 2).sum() * (known["before"] ** 2).sum()))
    return float((known["step"] * known["before"]).sum()) / size if size else 0.0


def errors(cells: pd.DataFrame) -> pd.DataFrame:
    own = cells.loc[
        (cells["model"] == MODEL) & ~cells["destination"].isin(set(AGGREGATES) - {WORLD})
    ]
    error = (np.log(np.maximum(own["tonnes"], 1.0)) - np.log(np.maximum(own["p50"], 1.0))).abs()
    scope = own["destination"].where(own["destination"].isin([WORLD, "USA"]), "others")
    table = error.groupby([scope, own["horizon"].map(group_of)]).agg(["mean", "size"])
    rows = []
    for name in SCOPES:
        row = {"scope": name}
        for low, high in reversed(AHEAD):
            mean, count = table.loc[(name, f"{low}-{high}")]
            row[f"{low}-{high} ahead"] = f"{mean:.0%} of {int(count)}"
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", default="2026-11-24", help="day whose facts are known (UTC)")
    chosen = parser.parse_args()
    batch = load_bundled(page.DATA)
    history = EvidenceHistory(*(batch.frame(name) for name in BUNDLED))
    result = backtest_evidence(
        history, moment(chosen.as_of), parameters=MAGNETS_PRESET, executor=Executor(page.track)
    )
    lines = page.heading(
        "How far forecasts move, and why that is news",
        f"python benchmarks/revisions.py --as-of {chosen.as_of}",
        f"Data: the bundled facts as known on {chosen.as_of}.",
    )
    lines += [*page.prose(TEXT), *page.table(sizes(revisions(result.forecasts)))]
    lines += [*page.prose(ERROR_TEXT), *page.table(errors(result.cells))]
    page.write("revisions.md", lines)


if __name__ == "__main__":
    main()
