"""Published figures as statements about one unknown table, x[destination, month] > 0.

Every figure compares two sums of cells: ``log(sum of some cells) - log(sum of others) = target``. A
level has no other cells, a growth rate compares with earlier months, a share with the world. Taking
logs keeps every cell positive and makes a statement about one cell exactly linear. A ranking or a
continent's total gives a bound instead (``>=``). See docs/adr/0001-evidence-panel.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import pandas as pd

from store.errors import DataError
from store.months import month_number, month_numbers
from store.vocabulary import (
    AGGREGATES,
    CONTINENTS,
    DESTINATIONS,
    EU27,
    EU27_MEMBERS,
    HS6,
    ORIGIN,
    WORLD,
)

REVISION_NOISE: Final = 1e-4
"""Relative noise of a figure in addition to rounding: truncation and small revisions. Source:
docs/data/published_figures.md; outlets that print one month twice mostly differ by one unit in the
last place."""

EVIDENCE_MEASURES: Final = ("net_weight_t", "yoy_pct", "mom_pct", "share_pct", "lead_min_t")
"""Measures of China's own export weight; partners' imports differ in timing and scope."""

_SMALLEST_TONNES: Final = 0.05
"""Replaces a published zero, which has no logarithm, and is the most that its rounding counts."""

PRINTED: Final = 0.91
"""Standard deviation of a printed figure, in halves of its last digit: outlets round or cut off,
about as often (1,115 and 1,116 t of one month), which mixes a uniform error of half a digit either
way with one of a whole digit one way. Source: docs/data/published_figures.md."""

BOUND_SCALE: Final = 0.01
"""Scale by which a bound may be exceeded (log units)."""


class CellBlock(NamedTuple):
    """A block of cells that is summed."""

    destinations: tuple[str, ...]
    start: int
    end: int


class PublishedFigure(NamedTuple):
    """One published figure, months as numbers."""

    row: int
    destination: str
    measure: str
    start: int
    end: int
    value: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Statement:
    """One published figure as a comparison of two sums of cells."""

    above: CellBlock | None
    below: CellBlock | None
    target: float
    """Log of the ratio, or of the tonnes if one side is empty."""
    scale: float
    """Standard deviation of the target from rounding and small revisions (log units)."""
    is_bound: bool
    """True where the ratio is at least the target, false where it equals it."""
    row: int
    """Index label of the figure in the frame it was read from."""
    is_value: bool = False
    """Whether the target is of a value, which is tonnes times a unit value that is not known."""


def members_of(destination: str) -> tuple[str, ...] | None:
    """Modelled destinations in a published name, None if it covers others too."""
    if destination in AGGREGATES:
        return AGGREGATES[destination]
    if destination == "WLD_EX_USA":
        return tuple(d for d in DESTINATIONS if d != "USA")
    parts = tuple(destination.split("+"))
    return parts if all(part in DESTINATIONS for part in parts) else None


def evidence_figures(figures: pd.DataFrame) -> pd.DataFrame:
    """Reported, usable figures of China's export weight.

    Derived figures add nothing to the reported ones and are left out.
    """
    fit = figures["usable"] & (figures["kind"] == "reported")
    return figures.loc[fit & figures["measure"].isin(EVIDENCE_MEASURES)]


def last_evidence_month(figures: pd.DataFrame) -> int:
    """Last month, as a month number, that figures other than rankings cover.

    Raises:
        DataError: No such figure is known.
    """
    evidence = evidence_figures(figures)
    months = evidence.loc[evidence["measure"] != "lead_min_t", "period_to"]
    if months.empty:
        raise DataError(
            "No usable figure of export weight is known at this as_of. Expected at least one "
            "reported net_weight_t, yoy_pct, mom_pct or share_pct row. "
            "Run `magnetcast ingest bundled`, or take a later --as-of."
        )
    return month_number(months.max())


USUAL_UNIT_VALUE: Final = 0.055
"""Million dollars a tonne around which the world's unit value varies. Source:
docs/data/hs6_values.md."""

VALUE_NOISE: Final = 0.019
"""Standard deviation of the log of the world's monthly value around tonnes times a smooth unit
value. Source: docs/data/hs6_values.md."""

SHARE_NOISE: Final = 0.1
"""The same of a yearly share of the world's value around a constant times the share of tonnes.
Source: docs/data/hs6_values.md."""


def hs6_values(known_rows: pd.DataFrame) -> pd.DataFrame:
    """Values of China's exports of HS6 850511: the world's by month, and all by year.

    Each are of one source, that with most values of the world: sources differ in the partners they
    cover, so that a change from one to another would be taken for one of the unit value.
    """
    is_value = known_rows["commodity"].eq(HS6) & known_rows["measure"].eq("value_musd")
    is_used = is_value & known_rows["origin"].eq(ORIGIN) & known_rows["usable"]
    rows = known_rows.loc[is_used & known_rows["value"].gt(0.0)]
    of_world, is_month = rows["destination"].eq(WORLD), rows["period_from"].eq(rows["period_to"])
    parts = [rows.loc[is_month & of_world], rows.loc[~is_month]]
    return pd.concat([_of_longest_source(part) for part in parts])


def _of_longest_source(values: pd.DataFrame) -> pd.DataFrame:
    """Values of the source with most of the world, one a destination and period."""
    sources = values.loc[values["destination"].eq(WORLD), "source"].sort_values()
    longest = sources.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    rows = values.loc[values["source"].isin(longest.index[:1])].sort_values("available_at")
    return rows.drop_duplicates(["destination", "period_from", "period_to"], keep="last")


def value_statements(values: pd.DataFrame, *, first: int, last: int) -> list[Statement]:
    """Statements of values (``hs6_values``) in the months from ``first`` to ``last``.

    A monthly value is tonnes times a unit value. A yearly one is a share of the world's; what a
    year's values of the world and EU27 leave over is the value of the rests.
    """
    start, end = (month_numbers(values[bound]) for bound in ("period_from", "period_to"))
    spans = values.assign(row=values.index, start=start, end=end)
    spans = spans.loc[spans["start"].ge(first) & spans["end"].le(last)]
    statements = []
    for _, span in spans.groupby(["start", "end"]):
        begin, stop = int(span["start"].iloc[0]), int(span["end"].iloc[0])
        rows: dict[str, int] = dict(zip(span["destination"], span["row"], strict=True))
        amounts = dict(zip(span["destination"], span["value"], strict=True))
        world = CellBlock(DESTINATIONS, begin, stop)
        if begin == stop:
            target = math.log(amounts[WORLD] / USUAL_UNIT_VALUE)
            statements.append(_value_statement(world, None, target, VALUE_NOISE, rows[WORLD]))
        elif {WORLD, EU27} <= amounts.keys():
            for rest, total in (("EU27_REST", EU27), ("ROW", WORLD)):
                members = (amounts.get(name, 0.0) for name in AGGREGATES[total] if name != rest)
                amounts[rest] = amounts[total] - sum(members)
            statements += [
                _value_statement(
                    CellBlock((name,), begin, stop),
                    world,
                    math.log(amounts[name] / amounts[WORLD]),
                    SHARE_NOISE,
                    rows.get(name, rows[WORLD]),
                )
                for name in DESTINATIONS
                if amounts.get(name, 0.0) > 0.0
            ]
    return statements


def _value_statement(
    above: CellBlock, below: CellBlock | None, target: float, scale: float, row: int
) -> Statement:
    return Statement(above, below, target, scale, is_bound=False, row=row, is_value=True)


def read_statements(figures: pd.DataFrame, *, first: int, last: int) -> list[Statement]:
    """Statements of figures about the months from ``first`` to ``last``.

    Equal figures of several outlets are one statement, because they come from the same release.

    Args:
        figures: Available observations (store contract), any order; not modified.
        first: First month of the table as a month number.
        last: Last month of the table.

    Returns:
        Statements whose months all lie within the table, in the order of destination, measure and
        period.
    """
    key = ["destination", "measure", "period_from", "period_to", "value"]
    evidence = evidence_figures(figures).sort_values([*key, "available_at", "source_url"])
    evidence = evidence.drop_duplicates(key)
    start, end = (month_numbers(evidence[bound]) for bound in ("period_from", "period_to"))
    columns = evidence.assign(row=evidence.index, start=start, end=end)[
        list(PublishedFigure._fields)
    ]
    statements = (
        statement
        for figure in map(PublishedFigure._make, columns.itertuples(index=False))
        for statement in _READERS[figure.measure](figure)
    )
    return [statement for statement in statements if _lies_within(statement, first, last)]


def _lies_within(statement: Statement, first: int, last: int) -> bool:
    sides = [side for side in (statement.above, statement.below) if side is not None]
    return all(first <= side.start and side.end <= last for side in sides)


def _equal(
    figure: PublishedFigure,
    above: CellBlock,
    below: CellBlock | None,
    value: float,
    unit: float = 1.0,
) -> list[Statement]:
    """Statement that two sums have a ratio, within rounding; none unless positive."""
    if value <= 0.0:
        return []
    scale = math.hypot(PRINTED * figure.half_width / unit / value, REVISION_NOISE)
    return [Statement(above, below, math.log(value), scale, is_bound=False, row=figure.row)]


def _read_level(figure: PublishedFigure) -> list[Statement]:
    members = members_of(figure.destination)
    if members is None:
        return _read_region_level(figure)
    cells = CellBlock(members, figure.start, figure.end)
    if figure.value < _SMALLEST_TONNES:
        # "0" of whole tonnes would have a scale of nine in logs, and agree with any amount.
        figure = figure._replace(half_width=min(figure.half_width, _SMALLEST_TONNES))
    return _equal(figure, cells, None, max(figure.value, _SMALLEST_TONNES))


def _read_region_level(figure: PublishedFigure) -> list[Statement]:
    """Bounds on the modelled destinations in a region that has other countries too."""
    inside, container = _region_of(figure.destination)
    span = (figure.start, figure.end)
    log_value = math.log(max(figure.value, _SMALLEST_TONNES))
    outer = CellBlock((*inside, container), *span)
    bounds = [Statement(outer, None, log_value, BOUND_SCALE, is_bound=True, row=figure.row)]
    if inside:
        inner = CellBlock(inside, *span)
        bounds.append(
            Statement(None, inner, -log_value, BOUND_SCALE, is_bound=True, row=figure.row)
        )
    return bounds


def _region_of(name: str) -> tuple[tuple[str, ...], str]:
    """Modelled destinations in a region, and the rest that its others belong to."""
    if name in EU27_MEMBERS:
        return (), "EU27_REST"
    named = CONTINENTS.get(name, ())
    return tuple(d for part in named for d in (members_of(part) or ())), "ROW"


def _read_growth(figure: PublishedFigure, months_back: int) -> list[Statement]:
    members = members_of(figure.destination)
    if members is None or (months_back == 1 and figure.start != figure.end):
        return []  # a change "on the month" of a longer period has no defined base
    above = CellBlock(members, figure.start, figure.end)
    below = CellBlock(members, figure.start - months_back, figure.end - months_back)
    return _equal(figure, above, below, 1.0 + figure.value / 100.0, unit=100.0)


def _read_share(figure: PublishedFigure) -> list[Statement]:
    members = members_of(figure.destination)
    if members is None:
        return []
    above, below = (CellBlock(side, figure.start, figure.end) for side in (members, DESTINATIONS))
    return _equal(figure, above, below, figure.value / 100.0, unit=100.0)


def _read_lead(figure: PublishedFigure) -> list[Statement]:
    ahead, _, behind = figure.destination.partition("-")
    if ahead not in DESTINATIONS or behind not in DESTINATIONS:
        return []
    span = (figure.start, figure.end)
    above, below = CellBlock((ahead,), *span), CellBlock((behind,), *span)
    return [Statement(above, below, 0.0, BOUND_SCALE, is_bound=True, row=figure.row)]


_READERS: Final[dict[str, Callable[[PublishedFigure], list[Statement]]]] = {
    "net_weight_t": _read_level,
    "yoy_pct": partial(_read_growth, months_back=12),
    "mom_pct": partial(_read_growth, months_back=1),
    "share_pct": _read_share,
    "lead_min_t": _read_lead,
}


def is_cell_level(statement: Statement) -> bool:
    """Whether a statement fixes one month of one destination or aggregate."""
    cells = statement.above
    return (
        not statement.is_bound
        and not statement.is_value
        and statement.below is None
        and cells is not None
        and cells.start == cells.end
    )
