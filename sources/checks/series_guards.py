"""Guards on series and tables: flat lines, repeated months, sums that fail, missing cells."""

from typing import Final

import pandas as pd

from sources.base import SourceInfo
from sources.bundled.wording import COUNTRIES
from sources.checks.cells import (
    CELL,
    SERIES,
    is_exact,
    merged_cells,
    objection,
    reason,
    with_new_cells,
)
from store.facts.batch import FileRows
from store.partner_codes import RESIDUAL
from store.vocabulary import WORLD

FLAT_MONTHS: Final = 6
"""Months of one constant amount, not zero, that real trade never shows."""

REPEATED: Final = 5
"""Destinations that must all repeat for a month to count as a copy of the previous one."""

TOLERANCE: Final = 0.02
"""Share by which a world total may differ from the sum of its destinations."""

FULL_TABLE: Final = 20
"""Destinations from which a month counts as a full table, whose sum must reach the total."""

UNNAMED: Final = rf"X\d{{3}}|{RESIDUAL}"
"""Areas that are no country, such as "not elsewhere specified", by the provider's number."""

MIRROR: Final = "mirror_"
"""Beginning of measures that each importer reports for itself."""

USUAL_CELLS: Final = 20
"""Cells a usual month must have for a new month to be compared with it."""

_TABLE: Final = ["source", "commodity", "origin", "measure", "period_from"]


def flat_lines(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to destinations whose newest months are all equal."""
    cells = merged_cells(old, new).sort_values([*SERIES, "period_from"])
    newest = cells.groupby(SERIES).tail(FLAT_MONTHS)
    newest = newest.assign(exact=is_exact(newest))
    grouped = newest.groupby(SERIES).agg(
        months=("value", "size"), low=("value", "min"), high=("value", "max"),
        exact=("exact", "all"), new=("is_new", "any"),
        first=("period_from", "min"), last=("period_from", "max"),
    )  # fmt: skip
    span = (grouped["last"].dt.year - grouped["first"].dt.year) * 12
    span += grouped["last"].dt.month - grouped["first"].dt.month
    is_flat = (
        grouped["months"].eq(FLAT_MONTHS)
        & span.eq(FLAT_MONTHS - 1)
        & grouped["low"].eq(grouped["high"])
        & grouped["exact"]
        & grouped["new"]
    )
    flat = grouped[is_flat].reset_index()
    return objection(
        f"{len(flat)} series do not move for {FLAT_MONTHS} months",
        [f"{row.destination} {row.measure} {row.high:,.6g}" for row in flat.itertuples()],
        file,
        expected="amounts that move from month to month",
        remedy="Check whether the provider fills missing months with the last one.",
    )


def repeated_months(file: FileRows, new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Object to a month that is a copy of the previous month."""
    cells = merged_cells(old, new)
    before = cells.assign(period_from=cells["period_from"] + pd.offsets.MonthBegin(1))
    pairs = cells[is_exact(cells)].merge(
        before[[*CELL, "value"]], on=CELL, suffixes=("", "_before")
    )
    pairs["same"] = pairs["value"].eq(pairs["value_before"])
    grouped = pairs.groupby(_TABLE).agg(
        cells=("same", "size"), same=("same", "all"), new=("is_new", "any")
    )
    copies = grouped[grouped["same"] & grouped["new"] & grouped["cells"].ge(REPEATED)]
    return objection(
        f"{len(copies)} months repeat the month before",
        [
            f"{row.period_from:%Y-%m} {row.measure} ({row.cells} destinations)"
            for row in copies.reset_index().itertuples()
        ],
        file,
        expected="each month's own amounts",
        remedy="Check whether the provider served the last month again; fetch again later.",
    )


def world_mismatch(file: FileRows, new: pd.DataFrame, info: SourceInfo) -> list[str]:
    """Object to a total that its destinations exceed or, in a full table, fall short of."""
    new = with_new_cells(new, _TABLE)
    is_part = new["destination"].isin(COUNTRIES) | new["destination"].str.fullmatch(UNNAMED)
    parts = new[is_part].groupby(_TABLE)["value"].agg(total="sum", cells="count")
    widths = new[is_part].groupby(_TABLE)["half_width"].sum()
    world = new[new["destination"].eq(WORLD)].set_index(_TABLE)[["value", "half_width"]]
    both = world.join(parts, how="inner").join(widths.rename("widths"))
    slack = TOLERANCE * both["value"] + both["half_width"] + both["widths"]
    is_full = both["cells"].ge(FULL_TABLE) | (info.completeness is not None)
    apart = (both["total"] - both["value"] > slack) | (
        is_full & (both["value"] - both["total"] > slack)
    )
    wrong = both[apart]
    return objection(
        f"In {len(wrong)} of {len(both)} months the world is not the sum of its destinations",
        [
            f"{row.period_from:%Y-%m} {row.measure}: total {row.value:,.6g}, sum {row.total:,.6g}"
            for row in wrong.reset_index().itertuples()
        ],
        file,
        expected=f"agreement within {TOLERANCE:.0%} and the rounding",
        remedy="Check for destinations missing or counted twice, by transport or by customs.",
    )


def missing_cells(
    file: FileRows, new: pd.DataFrame, old: pd.DataFrame, info: SourceInfo
) -> list[str]:
    """Object to a batch with too few of the known cells, or a new month with too few cells."""
    if info.completeness is None or old.empty:
        return []
    first, last = new["period_from"].min(), new["period_from"].max()
    old = old[old["source"].eq(file.source)]
    expected = old[old["period_from"].between(first, last)]
    held = len(expected[CELL].merge(new[CELL]))
    if held < info.completeness * len(expected):
        return [
            _too_few(file, held, len(expected), f"the months {first:%Y-%m} to {last:%Y-%m}", info)
        ]
    return _thin_months(file, new, old, info)


def _thin_months(
    file: FileRows, new: pd.DataFrame, old: pd.DataFrame, info: SourceInfo
) -> list[str]:
    """Object to new months with too few cells, except of importers' own reports."""
    assert info.completeness is not None  # noqa: S101 - asked by the caller
    old, new = (cells[~cells["measure"].str.startswith(MIRROR)] for cells in (old, new))
    per_month = old.groupby("period_from").size()
    usual = float(per_month.tail(FLAT_MONTHS).median()) if len(per_month) else 0.0
    fresh = new[~new["period_from"].isin(per_month.index)].groupby("period_from").size()
    if usual < USUAL_CELLS:
        return []
    thin = fresh[fresh < info.completeness * usual]
    return [
        _too_few(file, cells, round(usual), f"the month {month:%Y-%m}", info)
        for month, cells in thin.items()
    ]


def _too_few(file: FileRows, held: int, of: int, where: str, info: SourceInfo) -> str:
    return reason(
        f"Only {held:,} of {of:,} cells are there of {where}",
        file,
        expected=f"at least {info.completeness:.0%} of what the last vintage held",
        remedy="The answer is probably cut short: fetch again, or release it if cells are gone.",
    )
