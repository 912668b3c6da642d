"""Which series of a panel add up to which, in any tree of sums, and whether they do."""

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
"""Largest gap, as a share of the larger, between a sum and its parts that passes for rounding."""


@dataclass(frozen=True, slots=True)
class Tree:
    """Sums and the leaves that add up to them; leaves are series that are no sums."""

    series: tuple[str, ...]
    """All names, sorted: those of the panel and the sums that it lacks."""
    sums: Ints
    """Rows of ``series`` that are sums, parts before wholes."""
    leaves: Ints
    """Rows of ``series`` that count in a sum; series outside the tree are in neither."""
    structure: sparse.csr_array
    """Sums x leaves, 1 where a leaf counts in a sum."""

    @property
    def sum_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.sums)

    @property
    def leaf_names(self) -> tuple[str, ...]:
        return tuple(self.series[row] for row in self.leaves)


def tree_of(parts: Mapping[str, Sequence[str]], series: Iterable[str]) -> Tree:
    """Return the tree of a mapping.

    Its rows do not depend on the order of either argument.

    Args:
        parts: By sum its parts, without circles (``sources.files.hierarchy``); a leaf reached by
            several ways counts once.
    """
    given = set(series)
    named = {part for names in parts.values() for part in names}
    if unknown := sorted(named - given - set(parts)):
        raise DataError(
            f"Parts of sums that the panel does not have: {first_few(unknown)}. Expected each to "
            "be a series of the panel or a sum. Correct the mapping."
        )
    everything = tuple(sorted(given | set(parts)))
    row = {name: place for place, name in enumerate(everything)}
    below, sums = _below(parts)
    leaves = sorted(named - set(parts))
    column = {name: place for place, name in enumerate(leaves)}
    members = [np.array(sorted(column[leaf] for leaf in below[name])) for name in sums]
    return Tree(
        series=everything,
        sums=np.array([row[name] for name in sums], dtype=np.int64),
        leaves=np.array([row[name] for name in leaves], dtype=np.int64),
        structure=_ones(members, len(leaves)),
    )


def add_sums(table: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Return a panel with the sums that it lacks, added up from their leaves.

    Args:
        table: Tonnes, one row a series (index: its name), one column a month; not modified.

    Returns:
        One row for each of ``tree.series``, in that order. A month of an added sum is NaN only if
        it is for all its leaves; one that some leaves lack is the sum of the others.
    """
    places = [place for place, name in enumerate(tree.sum_names) if name not in table.index]
    total, known = _added_up(table, tree)
    total[known == 0] = np.nan
    names = pd.Index([tree.sum_names[place] for place in places], name=table.index.name)
    added = pd.DataFrame(total[places], index=names, columns=table.columns)
    both = pd.concat([table, added]) if places else table
    return both.loc[list(tree.series)]


def contradictions(table: pd.DataFrame, tree: Tree) -> list[str]:
    """Return one sentence for each sum of a panel that its leaves do not add up to.

    A month in which leaves are missing counts only where the others exceed the sum already.

    Args:
        table: Tonnes, at least 0, one row a series (index: its name), one column a month as number;
            not modified.

    Returns:
        Name, number of periods, and the worst of them with both figures; widest gap first, empty if
        all agree within ``TOLERANCE``.
    """
    total, known = _added_up(table, tree)
    sizes = np.diff(tree.structure.indptr)
    found = []
    for place, name in enumerate(tree.sum_names):
        if name not in table.index:
            continue
        given = table.loc[name].to_numpy(dtype=float)
        gap = _gap(given, total[place], is_full=known[place] == sizes[place])
        if (months := np.count_nonzero(gap > TOLERANCE)) > 0:
            worst = int(gap.argmax())
            period = month_label(int(table.columns[worst]))
            figures = f"{given[worst]:.6g}, its parts {total[place, worst]:.6g}"
            often = counted(int(months), "month")
            found.append((-gap[worst], f"{name} in {often}, e.g. {period}: {figures}"))
    return [text for _, text in sorted(found)]


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
    """Return sums x months: what the known leaves add up to, and how many they are."""
    leaves = table.loc[list(tree.leaf_names)].to_numpy(dtype=float)
    known = np.isfinite(leaves)
    return tree.structure @ np.where(known, leaves, 0.0), tree.structure @ known.astype(float)


def _gap(given: Floats, total: Floats, *, is_full: Flags) -> Floats:
    """Return by month how far a sum and its parts are apart, as a share of the larger."""
    excess = total - given
    apart = np.where(is_full, np.abs(excess), np.maximum(excess, 0.0))
    larger = np.maximum(np.maximum(total, given), np.finfo(float).tiny)
    return np.nan_to_num(apart / larger)


MEANS_TOLERANCE: Final = 1e-6
"""Share of a sum that rounding may take."""


def broken_sums(table: pd.DataFrame) -> list[str]:
    """Say which sums of the means do not add up, and where EU27 is below a member of it.

    Args:
        table: destination, period and mean, one row each; a world, and EU27 if it is given.
            Not modified.
    """
    mean = table.pivot_table(index="period", columns="destination", values="mean")
    found = []
    if WORLD in mean:
        parts = mean[[name for name in mean if name not in AGGREGATES]].sum(axis=1)
        found += _apart(WORLD, mean[WORLD], parts)
    members = [name for name in AGGREGATES[EU27] if name in mean]
    if EU27 in mean and len(members) == len(AGGREGATES[EU27]):
        found += _apart(EU27, mean[EU27], mean[members].sum(axis=1))
    if EU27 in mean:
        slack = mean[EU27] * (1 + MEANS_TOLERANCE)
        found += [
            f"{EU27} is below {name} in {period}"
            for name in members
            for period in mean.index[mean[name] > slack]
        ]
    return found


def _apart(name: str, stated: "pd.Series[float]", parts: "pd.Series[float]") -> list[str]:
    off = ~np.isclose(stated, parts, rtol=MEANS_TOLERANCE, atol=MEANS_TOLERANCE)
    return [
        f"{name} has {stated[period]:,.1f} t in {period}, its members {parts[period]:,.1f} t"
        for period in stated.index[off]
    ]
