"""What tariffs known ahead are worth on US imports."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import page
import pandas as pd
from cases import IMPORTS, TARIFF_CUTOFFS, with_tariffs
from found import INFORMED, RATIOS, Found, interval_text, own_forecasts, ratios_of
from scoring import FORECAST, measured, scores_of, shared

from features.months import month_number
from models.evaluation.compare import differences
from models.forecasting.forecaster import MODEL

TARIFF_TEXT = """
The same engine with the duty paid over value of each series as covariate (`--covariates`), in the
months to forecast too. The rate paid is an oracle: it is known only once the trade has happened, so
this answers "what if the rates were known". A rate is paid on trade: {filled:,} of {all:,} cells,
months without trade, take the rate of the month before, after the cutoff too.
"""


@dataclass(frozen=True, slots=True)
class Informed:
    """What tariffs known ahead are worth."""

    cells: pd.DataFrame
    """As ``scoring.measured``: the product with and without them, and the peers."""
    filled: int
    all: int

    @property
    def ratio(self) -> float:
        """Return MASE with over MASE without."""
        mase = scores_of(self.cells)["mase"]
        return float(mase[INFORMED] / mase[MODEL])


def inform(plain: Found, folder: Path) -> Informed:
    """Replay US imports with tariffs."""
    task, filled = with_tariffs(plain.task, folder)
    cutoffs = [month_number(cutoff) for cutoff in TARIFF_CUTOFFS]
    rows = own_forecasts(task, cutoffs)
    own = rows.loc[rows["model"] == MODEL].assign(model=INFORMED)
    others = plain.rivals.loc[plain.rivals["cutoff"].isin(TARIFF_CUTOFFS)]
    both = pd.concat([own, others[FORECAST]], ignore_index=True)
    cells = measured(plain.case.truth(folder), shared(both))
    assert task.covariates is not None  # noqa: S101 - it was just put there
    return Informed(cells, filled, task.covariates.latest.size)


def tariff_lines(found: Informed) -> list[str]:
    table = differences(found.cells, INFORMED, [MODEL])
    result = [
        {"score": label, **interval_text(table.loc[table["metric"] == metric].iloc[0])}
        for metric, label in RATIOS.items()
    ]
    parts: Iterable[tuple[object, pd.DataFrame]] = [
        *found.cells.groupby("cutoff"),
        ("both", found.cells),
    ]
    rows = [{"cutoff": cutoff, **tariff_row(scores_of(part))} for cutoff, part in parts]
    return [
        f"## {IMPORTS.panel} with tariffs known ahead",
        *page.prose(TARIFF_TEXT.format(filled=found.filled, all=found.all)),
        *page.table(pd.DataFrame(rows)),
        *page.prose("With tariffs less without, resampled as above (two cutoffs say little)."),
        *page.table(pd.DataFrame(result)),
    ]


def tariff_row(scores: pd.DataFrame) -> dict[str, str]:
    result = {}
    for metric, label in RATIOS.items():
        plain, informed = scores.loc[MODEL, metric], scores.loc[INFORMED, metric]
        result[f"{label} without"] = f"{plain:.3f}"
        result[f"{label} with"] = f"{informed:.3f}"
        result[f"{label} ratio"] = f"{informed / plain:.3f}"
        result[f"with, to the best peer's {label}"] = f"{ratios_of(scores, INFORMED)[metric]:.3f}"
    for what, name in (("without", MODEL), ("with", INFORMED)):
        result[f"80% band {what}"] = f"{scores.loc[name, 'covered']:.1%}"
    return result
