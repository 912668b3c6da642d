"""How accurate the engine is on other panels, beside peers at the same cutoffs.

MAGNETCAST_PANELS names the panels' folder (see cases.py). Without it nothing is measured. Writes
accuracy.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import page
import pandas as pd
from cases import BAND_AIM, CASES, SIDE_AIM, VARIABLE, Case, panels_folder
from scoring import FORECAST, heaviest, measured, scores_of, shared

from features.statistical.base_forecasts import PANEL_FORECASTS
from models.evaluation.backtest import backtest_panel
from models.evaluation.compare import differences
from models.executor import Executor
from models.forecasting.model_names import BASE_MEDIAN, MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET, ModelParameters

Item = TypeVar("Item")
Made = TypeVar("Made")
DEFAULT = PANEL_PRESET
OWN = {MODEL, BASE_MEDIAN, *PANEL_FORECASTS}
"""All that is ours; the others are peers."""

RATIOS = {"mase": "MASE", "sql": "SQL"}

SHARES = {"covered": "within the 80% band", "below": "below p10", "above": "above p90"}

HEAVY = 0.05
"""Share of MASE from which one series at one cutoff is listed."""

DIFFERENCE_TEXT = """
Less the best peer's, with the 5 and 95 percent of resampled cutoffs and series
(`models.evaluation.compare`; wide where cutoffs are few; a single cutoff shows nothing of other
times). Below 0 the engine is better.
"""
CUTOFF_TEXT = """
By cutoff, beside {peer}, the best peer over all of them. Shocks are marked by hand: they are what
the months after the cutoff became known for.
"""
REGIME_TEXT = """
Calm and shock apart, beside the same peer, by the cutoffs marked above.
"""
HEAVY_TEXT = """
One series, {name} at {cutoff}, makes {low:.0%} to {high:.0%} of the MASE of every model above.
Without it the engine's MASE is {mase:.3f} of the best peer's (with it {mase_all:.3f}), its SQL
{sql:.3f} ({sql_all:.3f}).
"""
PARTS_TEXT = """
What each part is worth: base forecasts alone with the band of their past errors, their median, and
the product. Ratios are to the best peer.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured of one panel."""

    case: Case
    task: Snapshot
    cells: pd.DataFrame
    """As ``scoring.measured``, all models."""

    @property
    def scores(self) -> pd.DataFrame:
        return scores_of(self.cells)

    @property
    def rivals(self) -> pd.DataFrame:
        return self.cells.loc[~self.cells["model"].isin(OWN - {MODEL})]

    def best(self, metric: str) -> str:
        return str(peers_of(self.scores)[metric].idxmin())


def peers_of(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.loc[[name for name in scores.index if name not in OWN]]


def ratios_of(scores: pd.DataFrame, model: str = MODEL) -> "pd.Series[float]":
    names = list(RATIOS)
    return scores.loc[model, names] / peers_of(scores)[names].min()


def scores_text(found: Found) -> pd.DataFrame:
    scores = scores_of(found.rivals)
    text = pd.DataFrame({"model": [bold(name) for name in scores.index]})
    for metric, label in RATIOS.items():
        share = scores[metric] / peers_of(scores)[metric].min()
        text[label] = scores[metric].map("{:.3f}".format).to_numpy()
        text[f"{label} to the best peer's"] = share.map("{:.3f}".format).to_numpy()
    if "smape" in found.case.aims:
        text["sMAPE"] = scores["smape"].map("{:.2f}".format).to_numpy()
    text["WAPE"] = scores["wape"].map("{:.1%}".format).to_numpy()
    for share, label in SHARES.items():
        text[label] = scores[share].map("{:.1%}".format).to_numpy()
    return text.assign(cells=scores["cells"].to_numpy())


def bold(name: str) -> str:
    return f"**{name}**" if name == MODEL else name


def difference_text(found: Found) -> pd.DataFrame:
    rows = []
    for metric, label in RATIOS.items():
        table = differences(found.cells, MODEL, [found.best(metric)])
        row = table.loc[table["metric"] == metric].iloc[0]
        rows.append({"score": label, "best peer": row["baseline"], **interval_text(row)})
    return pd.DataFrame(rows)


def interval_text(row: "pd.Series[float]") -> dict[str, str]:
    return {
        "difference": f"{row['difference']:+.3f}",
        "5% to 95%": f"{row['p05']:+.3f} to {row['p95']:+.3f}",
        "verdict": str(row["verdict"]),
    }


def cutoff_text(found: Found) -> pd.DataFrame:
    peer = found.best("mase")
    rows = [
        {
            "cutoff": cutoff,
            "shock": found.case.shocks.get(str(cutoff), ""),
            **beside(scores_of(part), peer),
            "cells": int((part["model"] == MODEL).sum()),
        }
        for cutoff, part in found.cells.groupby("cutoff")
    ]
    return pd.DataFrame(rows)


def beside(scores: pd.DataFrame, peer: str) -> dict[str, str]:
    """Return ours and a peer's MASE and SQL with ratios, and both bands."""
    result = {}
    for metric, label in RATIOS.items():
        own, other = scores.loc[MODEL, metric], scores.loc[peer, metric]
        result[label] = f"{own:.3f}"
        result[f"peer's {label}"] = f"{other:.3f}"
        result[f"{label} ratio"] = f"{own / other:.3f}"
    result["within the 80% band"] = f"{scores.loc[MODEL, 'covered']:.1%}"
    result["within the peer's"] = f"{scores.loc[peer, 'covered']:.1%}"
    return result


def regime_text(found: Found) -> pd.DataFrame:
    peer = found.best("mase")
    rows = [
        {
            "what": what,
            **beside(scores_of(part), peer),
            "cells": int((part["model"] == MODEL).sum()),
        }
        for what, part in regimes_of(found).items()
    ]
    return pd.DataFrame(rows)


def regimes_of(found: Found) -> dict[str, pd.DataFrame]:
    marked = found.cells["cutoff"].isin(list(found.case.shocks))
    return {"calm cutoffs": found.cells.loc[~marked], "shock cutoffs": found.cells.loc[marked]}


def heavy_text(found: Found) -> str:
    """Return what the one series does that weighs most, nothing where none weighs much."""
    cells = found.rivals
    name, cutoff, share = heaviest(cells)
    if share.mean() < HEAVY:
        return ""
    rest = cells.loc[(cells["destination"] != name) | (cells["cutoff"] != cutoff)]
    every, without = ratios_of(scores_of(cells)), ratios_of(scores_of(rest))
    return HEAVY_TEXT.format(
        name=name,
        cutoff=cutoff,
        low=share.min(),
        high=share.max(),
        mase=without["mase"],
        mase_all=every["mase"],
        sql=without["sql"],
        sql_all=every["sql"],
    )


def parts_text(found: Found) -> pd.DataFrame:
    scores = found.scores
    base_forecasts = [name for name in scores.index if name in PANEL_FORECASTS]
    named = {
        **{f"base forecast {name}": name for name in reversed(base_forecasts)},
        "their median, the band of its past errors": BASE_MEDIAN,
        f"**{MODEL}**": MODEL,
    }
    rows = [
        {
            "what": what,
            **{label: f"{scores.loc[name, metric]:.3f}" for metric, label in RATIOS.items()},
            **{
                f"{RATIOS[metric]} ratio": f"{share:.3f}"
                for metric, share in ratios_of(scores, name).items()
            },
            **({"sMAPE": f"{scores.loc[name, 'smape']:.2f}"} if "smape" in found.case.aims else {}),
            "within the 80% band": f"{scores.loc[name, 'covered']:.1%}",
        }
        for what, name in named.items()
        if name in scores.index
    ]
    return pd.DataFrame(rows)


def case_lines(found: Found) -> list[str]:
    case = found.case
    fact = f"""
        {len(found.task.table):,} series, horizon {case.horizon}, cutoffs
        {", ".join(case.cutoffs)}.
    """
    lines = [f"## {case.panel}", *page.prose(fact), *page.table(scores_text(found))]
    lines += [*page.prose(DIFFERENCE_TEXT), *page.table(difference_text(found))]
    if text := heavy_text(found):
        lines += page.prose(text)
    if case.shocks:
        text = CUTOFF_TEXT.format(peer=found.best("mase"))
        lines += [*page.prose(text), *page.table(cutoff_text(found))]
        lines += [*page.prose(REGIME_TEXT), *page.table(regime_text(found))]
    return [*lines, *page.prose(PARTS_TEXT), *page.table(parts_text(found))]


def own_forecasts(
    task: Snapshot, cutoffs: Sequence[int], parameters: ModelParameters = DEFAULT
) -> pd.DataFrame:
    forecaster = PanelForecaster(parameters)
    rows = backtest_panel(forecaster, task, cutoffs, executor=Executor(shown)).forecasts
    return rows.assign(period=rows["period"].dt.strftime("%Y-%m"))[FORECAST]


def shown(items: Sequence[Item], label: str) -> Sequence[Item]:
    print(f"{label}: {len(items)}", flush=True)
    return items


INTRODUCTION = """
Each panel is replayed as `magnetcast panel --cutoffs` does it: at each cutoff the engine is
trained anew on what lies up to it, with nothing but the panel itself. Peers' forecasts are those of
statsforecast (AutoETS, DynamicOptimizedTheta, SeasonalNaive, the mean of ETS and Theta,
StatEnsemble: the median of ARIMA, ETS, CES and Theta) and mlforecast (LightGBM on log differences,
conformal band), kept beside the panels. All are scored on the cells that every model forecast and
whose series moved at all up to the cutoff. MASE and SQL (mean quantile loss at 0.1, 0.5 and 0.9,
times two) are scaled by the mean absolute difference to the year before up to the cutoff; WAPE is
over all cells. A ratio is to the best peer in that measure, whichever it is. Choices of the engine
were made on months before the first cutoff of each panel alone, but for two numbers of the bands
and the unit of the targets (docs/adr/0005-panel-engine.md).
"""
AIMS_TEXT = """
What was tried where an aim is missed, and what would be next:
[docs/adr/0005-panel-engine.md](../docs/adr/0005-panel-engine.md).
"""


def find(case: Case, folder: Path, keep: Path | None, parameters: ModelParameters) -> Found:
    task = case.task(folder)
    own = own_forecasts(task, case.months, parameters)
    peers = case.peer_forecasts(folder)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        own.loc[own["model"] == MODEL].to_csv(keep / f"{case.panel}.csv", index=False)
    both = pd.concat([own, peers], ignore_index=True)
    found = Found(case, task, measured(case.truth(folder), shared(both[FORECAST])))
    print(found.scores.to_string(), flush=True)
    return found


def aims_text(every: Sequence[Found]) -> pd.DataFrame:
    return pd.DataFrame([row for found in every for row in aim_rows(found)])


def aim_rows(found: Found) -> list[dict[str, str]]:
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
    rows.append(aim_row(case.panel, "80% band", aim_told, f"{covered:.1%}", met=is_met))
    low, high = SIDE_AIM
    for side in ("below", "above"):
        share = float(scores.loc[MODEL, side])
        aim_told, is_met = f"{low:.0%} to {high:.0%}", low <= share <= high
        rows.append(aim_row(case.panel, SHARES[side], aim_told, f"{share:.1%}", met=is_met))
    return rows


def aim_row(panel: str, what: str, aim: str, value: str, *, met: bool) -> dict[str, str]:
    return {
        "panel": panel, "measure": what, "aim": aim, "measured": value,
        "": "met" if met else "**missed**",
    }  # fmt: skip


def lines_of(
    cases: Sequence[Case], folder: Path, keep: Path | None, parameters: ModelParameters
) -> list[str]:
    every = [find(case, folder, keep, parameters) for case in cases]
    lines = [line for found in every for line in case_lines(found)]
    aims = page.table(aims_text(every))
    return ["## Aims", *aims, *page.prose(AIMS_TEXT), "", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one panel, by its name; printed, not written")
    parser.add_argument("--keep", type=Path, help="folder for the forecasts, as the peers' are")
    chosen = parser.parse_args()
    folder = panels_folder()
    if folder is None:
        return
    cases = [case for case in CASES if chosen.only in {None, case.panel}]
    lines = lines_of(cases, folder, chosen.keep, PANEL_PRESET)
    if chosen.only is not None:
        print("\n".join(lines))
        return
    facts = f"Data: the panels named below. Parameters of the engine: {PANEL_PRESET.digest}."
    head = page.heading("Accuracy on other panels", f"{VARIABLE}=FOLDER make bench-accuracy", facts)
    page.write("accuracy.md", [*head, *page.prose(INTRODUCTION), "", *lines])


if __name__ == "__main__":
    main()
