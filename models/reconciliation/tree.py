"""Trees of sums over the series of a panel, and checks that sums add up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from store.arrays import Flags, Floats, Ints
from store.errors import DataError, counted, first_few
from store.months import month_label
from store.vocabulary import AGGREGATES, EU27, WORLD

TOLERANCE: Final = 0.005
"""Largest gap between a sum and its parts due to rounding, as a share of the larger."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Sums and the leaves that add up to them."""

    series: tuple[str, ...]
    """Names of the panel's series and of the sums that it lacks, sorted."""
    sums: Ints
    """Rows of ``series`` that are sums, parts before wholes."""
    leaves: Ints
    """Rows of ``series`` in a sum that are no sums themselves."""
    structure: sparse.csr_array
    """Sums x leaves, 1 where a leaf counts in a sum."""

    @property
    def sum_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.sums)

    @property
    def leaf_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.leaves)


def tree_of(parts: Mapping[str, Sequence[str]], series: Iterable[str]) -> Tree:
    """Tree of a mapping.

    Its rows do not depend on the order of either argument.

    Args:
        parts: Parts of each sum, without cycles; a leaf reached by several paths counts once.
    """
    panel_series = set(series)
    named = {part for names in parts.values() for part in names}
    if unknown := sorted(named - panel_series - set(parts)):
        raise DataError(
            f"Parts of sums that the panel does not have: {first_few(unknown)}. Expected each to "
            "be a series of the panel or a sum. Correct the mapping."
        )
    names = tuple(sorted(panel_series | set(parts)))
    row = {name: place for place, name in enumerate(names)}
    below, sums = _below(parts)
    leaves = sorted(named - set(parts))
    column = {name: place for place, name in enumerate(leaves)}
    members = [np.array(sorted(column[leaf] for leaf in below[name])) for name in sums]
    return Tree(
        series=names,
        sums=np.array([row[name] for name in sums], dtype=np.int64),
        leaves=np.array([row[name] for name in leaves], dtype=np.int64),
        structure=_ones(members, len(leaves)),
    )


def add_sums(table: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Panel completed with the sums that it lacks.

    Args:
        table: Tonnes, one row a series (index: its name), one column a month; not modified.

    Returns:
        One row for each of ``tree.series``, in that order. A month of an added sum is the sum of
        the leaves with values, NaN without any.
    """
    places = [place for place, name in enumerate(tree.sum_names) if name not in table.index]
    total, known_count = _added_up(table, tree)
    total[known_count == 0] = np.nan
    names = pd.Index([tree.sum_names[place] for place in places], name=table.index.name)
    added = pd.DataFrame(total[places], index=names, columns=table.columns)
    extended = pd.concat([table, added]) if places else table
    return extended.loc[list(tree.series)]


def contradictions(table: pd.DataFrame, tree: Tree) -> list[str]:
    """One message for each sum that differs from the sum of its leaves.

    A month with missing leaves counts only if the others already exceed the sum.

    Args:
        table: Tonnes, at least 0, one row a series (index: its name), one column a month as number;
            not modified.

    Returns:
        Name, number of periods, and the worst of them with both figures; widest gap first, empty if
        all agree within ``TOLERANCE``.
    """
    total, known_count = _added_up(table, tree)
    sizes = np.diff(tree.structure.indptr)
    messages = []
    for place, name in enumerate(tree.sum_names):
        if name not in table.index:
            continue
        published = table.loc[name].to_numpy(dtype=float)
        gap = _gap(published, total[place], is_full=known_count[place] == sizes[place])
        if (months := np.count_nonzero(gap > TOLERANCE)) > 0:
            worst = int(gap.argmax())
            period = month_label(int(table.columns[worst]))
            figures = f"{published[worst]:.6g}, its parts {total[place, worst]:.6g}"
            often = counted(int(months), "month")
            messages.append((-gap[worst], f"{name} in {often}, e.g. {period}: {figures}"))
    return [text for _, text in sorted(messages)]


def _below(parts: Mapping[str, Sequence[str]]) -> tuple[dict[str, set[str]], list[str]]:
    below: dict[str, set[str]] = {}
    height: dict[str, int] = {}
    for name in TopologicalSorter(parts).static_order():
        if name in parts:
            inner = [part for part in parts[name] if part in parts]
            height[name] = 1 + max((height[part] for part in inner), default=0)
            below[name] = set(parts[name]).difference(inner).union(*(below[i] for i in inner))
    return below, sorted(height, key=lambda name: (height[name], name))


def _ones(members: Sequence[Ints], width: int) -> sparse.csr_array:
    ends = np.cumsum([0, *(len(columns) for columns in members)])
    columns = np.concatenate(members) if members else np.empty(0, dtype=np.int64)
    ones = np.ones(len(columns))
    return sparse.csr_array((ones, columns, ends), shape=(len(members), width))


def _added_up(table: pd.DataFrame, tree: Tree) -> tuple[Floats, Floats]:
    """Sum of the leaves with values and their number, both sums x months."""
    leaves = table.loc[list(tree.leaf_names)].to_numpy(dtype=float)
    is_known = np.isfinite(leaves)
    return tree.structure @ np.where(is_known, leaves, 0.0), tree.structure @ is_known.astype(float)


def _gap(published: Floats, total: Floats, *, is_full: Flags) -> Floats:
    """Gap between a sum and its parts by month, as a share of the larger."""
    excess = total - published
    apart = np.where(is_full, np.abs(excess), np.maximum(excess, 0.0))
    larger = np.maximum(np.maximum(total, published), np.finfo(float).tiny)
    return np.nan_to_num(apart / larger)


MEANS_TOLERANCE: Final = 1e-6
"""Largest gap due to rounding, as a share of a sum."""


def broken_sums(table: pd.DataFrame) -> list[str]:
    """Messages on sums of the means that do not add up, and on EU27 below a member.

    Args:
        table: destination, period and mean, one row each; a world, and EU27 if it is given.
            Not modified.
    """
    mean = table.pivot_table(index="period", columns="destination", values="mean")
    messages = []
    if WORLD in mean:
        parts = mean[[name for name in mean if name not in AGGREGATES]].sum(axis=1)
        messages += _apart(WORLD, mean[WORLD], parts)
    if EU27 in mean:
        members = [name for name in AGGREGATES[EU27] if name in mean]
        if len(members) == len(AGGREGATES[EU27]):
            messages += _apart(EU27, mean[EU27], mean[members].sum(axis=1))
        slack = mean[EU27] * (1 + MEANS_TOLERANCE)
        messages += [
            f"{EU27} is below {name} in {period}"
            for name in members
            for period in mean.index[mean[name] > slack]
        ]
    return messages


def _apart(name: str, sums: "pd.Series[float]", parts: "pd.Series[float]") -> list[str]:
    off = ~np.isclose(sums, parts, rtol=MEANS_TOLERANCE, atol=MEANS_TOLERANCE)
    return [
        f"{name} has {sums[period]:,.1f} t in {period}, its members {parts[period]:,.1f} t"
        for period in sums.index[off]
    ]
