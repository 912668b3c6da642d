"""A small world of published facts that goes on month by month."""

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

import pandas as pd

from store.settings import PROJECT_ROOT
from tests.data.builders import make_levels
from tests.data.store_builders import FIGURE, figures_of, write_csv
from tests.flows.conftest import with_eu27

FIGURES: Final = "published_figures.csv"

RELEASED: Final = "2020-04-22"
"""Two days after the figures of March were published: one month of the backtest can be scored."""
NEXT: Final = "2020-05-22"
"""Two days after those of April."""

_LATER: Final = re.compile(r"\b(20[2-9]\d-\d\d-\d\d)\b")


def make_data(folder: Path) -> None:
    """Make the bundled tables, the figures replaced by those of a small world up to March."""
    shutil.copytree(PROJECT_ROOT / "data", folder)
    for name in ("rankings.csv", "analog_figures.csv", "hs6_values.csv", "baci_hs6_yearly.csv"):
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table.iloc[:0].to_csv(folder / name, index=False)
    for path in folder.glob("*.csv"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        early = [line for line in lines[1:] if not _is_later(line)]
        path.write_text("".join([lines[0], *early]), encoding="utf-8")
    publish_until(folder, "2020-03")


def _is_later(line: str) -> bool:
    """Tell whether a line is about a day that is not yet."""
    return any(day > RELEASED for day in _LATER.findall(line))


def publish_until(folder: Path, last: str, *, revised: Collection[str] = ()) -> None:
    """Let figures be published up to a month, those of some months revised since."""
    rows = figures_of(with_eu27(make_levels(last=last)))
    again = [
        {**row, "value": f"{1.02 * float(row['value']):.0f}", "published_on": "2020-04-21"}
        for row in rows
        if row["period"] in revised
    ]
    write_csv(folder / FIGURES, FIGURE, *rows, *again)
