"""Lay out the task in `var/beat_us`, with our own forecasts as an entry: a few minutes.

Facts are the bundled tables; panels, questions and truth come from the replay of magnets.py, so
our rows of the table are those of magnets.md from June 2024 on.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmarks.beat_us.task import FACTS, KEY, LEADS, LEVELS
from benchmarks.page import DATA, ROOT, track
from features.evidence_history import EvidenceHistory
from models.evaluation.backtest import Backtest, backtest_evidence, scale_rows
from models.evaluation.scores import lead_of
from models.executor import Executor
from models.forecasting.model_names import MODEL
from models.learning.parameters import MAGNETS_PRESET, ModelParameters
from sources.bundled.all_tables import load_bundled
from store.months import month_label, month_start

AS_OF = pd.Timestamp("2026-12-01", tz="UTC")
"""The truth is what was known on this day."""
FIRST, LAST = "2024-06-01", "2026-11-30"
"""Days that are asked about; the ones of magnets.md."""


def lay(
    facts: Mapping[str, pd.DataFrame],
    folder: Path,
    *,
    as_of: pd.Timestamp,
    parameters: ModelParameters,
    days: tuple[str, str],
) -> None:
    """Write the task of some facts.

    Args:
        facts: By name of ``FACTS``, rows of all times.
        folder: Where to; made if missing.
        as_of: The truth is what was known then.
        parameters: Of our own entry.
        days: First and last day that may be asked about.
    """
    history = EvidenceHistory(*(facts[name] for name in FACTS))
    result = backtest_evidence(history, as_of, parameters=parameters, executor=Executor(track))
    own = said_on(result, days)
    for name in ("facts", "panels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in FACTS:
        facts[name].to_csv(folder / "facts" / f"{name}.csv", index=False)
    scales = []
    for day in own["as_of"].unique():
        moment = pd.Timestamp(day, tz="UTC")
        table, origin = history.panel(moment).frame, history.origin(moment)
        table = table.loc[table["period"] <= month_start(origin.cutoff)]
        table.to_csv(folder / "panels" / f"{day}.csv", index=False)
        scales.append(scale_rows(origin.series, origin.cutoff, origin.tonnes).assign(as_of=day))
    scale = pd.concat(scales)
    first = scale.groupby(["destination", "cutoff"])["scale"].transform("first")
    scale.assign(scale=first).drop(columns="cutoff").to_csv(folder / "scale.csv", index=False)
    own[[*KEY, "horizon", "lead"]].to_csv(folder / "asked.csv", index=False)
    truth_of(history, as_of).to_csv(folder / "truth.csv", index=False)
    own[[*KEY, *LEVELS]].to_csv(folder / "magnetcast.csv", index=False)


def said_on(result: Backtest, days: tuple[str, str]) -> pd.DataFrame:
    """Return our forecasts of the days and leads that are asked about."""
    predicted = result.forecasts.assign(lead=lead_of(result.forecasts))
    day = predicted["as_of"].dt.strftime("%Y-%m-%d")
    wanted = (
        (predicted["model"] == MODEL) & day.between(*days) & (predicted["lead"] <= LEADS[-1][1])
    )
    period = predicted["period"].dt.strftime("%Y-%m")
    return predicted.assign(as_of=day, period=period).loc[wanted].reset_index(drop=True)


def truth_of(history: EvidenceHistory, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the months with a published level: destination, period, tonnes."""
    now = history.origin(as_of)
    return pd.DataFrame(
        [
            (name, month_label(now.first + column), now.tonnes[row, column])
            for row, name in enumerate(now.series)
            for column in now.is_observed[row].nonzero()[0]
        ],
        columns=["destination", "period", "tonnes"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "beat_us")
    chosen = parser.parse_args()
    batch = load_bundled(DATA)
    facts = {name: batch.frame(name) for name in FACTS}
    lay(facts, chosen.folder, as_of=AS_OF, parameters=MAGNETS_PRESET, days=(FIRST, LAST))
    print(f"the task is in {chosen.folder}")


if __name__ == "__main__":
    main()
