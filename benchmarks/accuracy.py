"""How accurate the engine is on other panels, beside peers at the same cutoffs.

MAGNETCAST_PANELS names the panels' folder (see cases.py). Without it nothing is measured. Writes
accuracy.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import page
import pandas as pd
from cases import BAND_AIM, CASES, IMPORTS, VARIABLE, Case, panels_folder
from found import RATIOS, Found, case_lines, own_forecasts, ratios_of
from parts import part_forecasts
from scoring import FORECAST, measured, shared
from tariffs import Informed, inform, tariff_lines

from models.forecasting.forecaster import MODEL
from models.learning.spec import EngineSpec

INTRODUCTION = """
Each panel is replayed as `magnetcast backtest --panel` does it: at each cutoff the engine is
trained anew on what lies up to it, with nothing but the panel itself. Peers' forecasts are those of
statsforecast (AutoETS, DynamicOptimizedTheta, SeasonalNaive, the mean of ETS and Theta,
StatEnsemble: the median of ARIMA, ETS, CES and Theta) and mlforecast (LightGBM on log differences,
conformal band), kept beside the panels. All are scored on the cells that every model forecast and
whose series moved at all up to the cutoff. MASE and SQL (mean quantile loss at 0.1, 0.5 and 0.9,
times two) are scaled by the mean absolute difference to the year before up to the cutoff; WAPE is
over all cells. A ratio is to the best peer in that measure, whichever it is. Choices of the engine
were made on months before the first cutoff of each panel alone.
"""
AIMS_TEXT = """
What was tried where an aim is missed, and what would be next:
[docs/adr/0005-panel-engine.md](../docs/adr/0005-panel-engine.md).
"""


def find(case: Case, folder: Path, keep: Path | None, spec: EngineSpec) -> Found:
    """Replay a panel and score it beside the peers."""
    task = case.task(folder)
    own = own_forecasts(task, case.months, spec)
    peers = case.peer_forecasts(folder)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        own.loc[own["model"] == MODEL].to_csv(keep / f"{case.panel}.csv", index=False)
    both = pd.concat([own, part_forecasts(task, case.months), peers], ignore_index=True)
    found = Found(case, task, measured(case.truth(folder), shared(both[FORECAST])))
    print(found.scores.to_string(), flush=True)
    return found


def aims_text(every: Sequence[Found], informed: Informed | None) -> pd.DataFrame:
    rows = [row for found in every for row in aim_rows(found)]
    if informed is not None:
        result = f"{IMPORTS.panel} with tariffs"
        what = "MASE to that without"
        rows.append(aim_row(result, what, "< 1", f"{informed.ratio:.3f}", met=informed.ratio < 1))
    return pd.DataFrame(rows)


def aim_rows(found: Found) -> list[dict[str, str]]:
    """Return what was aimed for on one panel and what came out."""
    case, scores = found.case, found.scores
    ratios = ratios_of(scores)
    rows = []
    for metric, aim in case.aims.items():
        is_ratio = metric in RATIOS
        value = float(ratios[metric]) if is_ratio else float(scores.loc[MODEL, metric])
        what = f"{RATIOS[metric]} to the best peer's" if is_ratio else "sMAPE"
        form = "{:.3f}" if is_ratio else "{:.2f}"
        result = aim_row(case.panel, what, f"<= {aim:g}", form.format(value), met=value <= aim)
        rows.append(result)
    low, high = BAND_AIM
    covered = float(scores.loc[MODEL, "covered"])
    aim_told = f"{low:.0%} to {high:.0%}"
    is_met = low <= covered <= high
    return [*rows, aim_row(case.panel, "80% band", aim_told, f"{covered:.1%}", met=is_met)]


def aim_row(panel: str, what: str, aim: str, value: str, *, met: bool) -> dict[str, str]:
    return {
        "panel": panel,
        "measure": what,
        "aim": aim,
        "measured": value,
        "": "met" if met else "**missed**",
    }


def lines_of(cases: Sequence[Case], folder: Path, keep: Path | None, spec: EngineSpec) -> list[str]:
    every: list[Found] = []
    informed = None
    lines: list[str] = []
    for case in cases:
        found = find(case, folder, keep, spec)
        every.append(found)
        lines += case_lines(found)
        if case is IMPORTS:
            informed = inform(found, folder)
            lines += tariff_lines(informed)
    aims = page.table(aims_text(every, informed))
    return ["## Aims", *aims, *page.prose(AIMS_TEXT), "", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one panel, by its name; printed, not written")
    parser.add_argument("--keep", type=Path, help="folder for the forecasts, as the peers' are")
    parser.add_argument(
        "--pretrained", action="store_true", help="with the pretrained network; printed"
    )
    chosen = parser.parse_args()
    spec = EngineSpec(pretrained=int(chosen.pretrained))
    folder = panels_folder()
    if folder is None:
        return
    cases = [case for case in CASES if chosen.only in {None, case.panel}]
    lines = lines_of(cases, folder, chosen.keep, spec)
    if chosen.only is not None or chosen.pretrained:
        print("\n".join(lines))
        return
    facts = f"Data: the panels named below. Choices of the engine: {spec.digest}."
    head = page.heading("Accuracy on other panels", f"{VARIABLE}=FOLDER make bench-accuracy", facts)
    page.write("accuracy.md", [*head, *page.prose(INTRODUCTION), "", *lines])


if __name__ == "__main__":
    main()
