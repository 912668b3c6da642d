"""The evidence panel: an estimate of every month of every destination from published figures.

Figures become statements (``features.panel.statements``), statements and a prior become one sparse
system that is solved (``features.panel.system``), and its solution becomes a table with a standard
error, a kind and an ``available_at`` for each cell. See docs/adr/0001-evidence-panel.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from features.panel.partner_table import LEAST_PARTNERS
from features.panel.statements import (
    CellBlock,
    Statement,
    evidence_figures,
    hs6_values,
    is_cell_level,
    last_evidence_month,
    members_of,
    read_statements,
    value_statements,
)
from features.panel.system import PRIOR, WIDTH, PanelPrior, Solution, build_system, solve
from store.arrays import Flags, Floats
from store.asof import OBSERVATION_KEY, known_at
from store.errors import DataError
from store.facts.commodities import MEASURE, under_china_code
from store.months import YEAR, last_complete_month, month_label, month_number, month_numbers
from store.publications.panels import CONTRADICTION_COLUMNS, STDERR_BAND
from store.vocabulary import (
    AGGREGATES,
    CONTINENTS,
    DESTINATIONS,
    EARLIEST_AS_OF,
    EU27,
    EU27_MEMBERS,
    HISTORY_START,
    WORLD,
)

RESTS: Final = ("EU27_REST", "ROW")

MISSED: Final = 1e-3
"""Largest share of the world, besides rounding, that a complete list may leave out."""

_NO_PARTNERS: Final = (WORLD, EU27, *CONTINENTS)
_MONTH: Final = ["source", "period_from"]


def with_rests(figures: pd.DataFrame) -> pd.DataFrame:
    """Figures plus one for each rest of a complete list, available with its last part.

    Args:
        figures: Available observations of magnets (store contract), any order; not modified.
    """
    levels = evidence_figures(figures)
    is_month = levels["period_from"].eq(levels["period_to"]) & levels["measure"].eq(MEASURE)
    levels = levels.loc[is_month].sort_values([*_MONTH, "destination", "available_at", "value"])
    names = levels["destination"]
    is_partner = ~names.isin(_NO_PARTNERS) & ~names.str.contains("[+]|_EX_")
    parts = levels.loc[is_partner].drop_duplicates([*_MONTH, "destination"], keep="last")
    parts = parts.loc[parts.groupby(_MONTH)["value"].transform("size") >= LEAST_PARTNERS]
    if parts.empty:
        return figures
    worlds = (
        levels.loc[names.eq(WORLD)]
        .sort_values(["half_width", "value"])
        .drop_duplicates("period_from")
    )
    return pd.concat([figures, _rests(parts, worlds)], ignore_index=True)


def _rests(parts: pd.DataFrame, worlds: pd.DataFrame) -> pd.DataFrame:
    world = worlds.set_index("period_from").reindex(parts["period_from"]).set_axis(parts.index)
    lists = parts.groupby(_MONTH)
    missed = (lists["value"].transform("sum") - world["value"]).abs()
    rounding = lists["half_width"].transform("sum") + world["half_width"]
    parts = parts.loc[missed <= MISSED * world["value"] + rounding]
    if parts.empty:
        return parts
    # A partner that is not listed may belong to either rest.
    parts = parts.assign(square=parts["half_width"] ** 2, missed=missed)
    names = parts["destination"]
    rest = np.where(names.isin(EU27_MEMBERS), *RESTS)
    grouped_parts = parts.assign(destination=names.where(names.isin(DESTINATIONS), rest))
    grouped_parts = grouped_parts.loc[grouped_parts["destination"].isin(RESTS)]
    moments = [grouped_parts["available_at"], world.loc[grouped_parts.index, "available_at"]]
    available_at = pd.concat(moments, axis=1).max(axis=1)
    sums = grouped_parts.assign(available_at=available_at).groupby([*_MONTH, "destination"])
    return (
        grouped_parts.assign(
            value=sums["value"].transform("sum"),
            half_width=np.sqrt(sums["square"].transform("sum") + grouped_parts["missed"] ** 2),
            available_at=sums["available_at"].transform("max"),
            note="sum of the partners listed",
        )
        .drop(columns=["square", "missed"])
        .drop_duplicates([*_MONTH, "destination"])
    )


SUSPICIOUS_Z: Final = 5.0
"""A figure further than this many scales from the panel contradicts the others."""

DERIVED_STDERR: Final = 0.03
"""Largest log standard error at which a month without a published level is derived, not
estimated."""


_ROWS: Final = {members_of(name): row for row, name in enumerate(PANEL_DESTINATIONS)}
"""Row of the panel by its member destinations."""

_MEMBERS: Final = np.array(
    [[member in (members_of(name) or ()) for member in DESTINATIONS] for name in PANEL_DESTINATIONS]
)
"""Members of each row of the panel, rows x destinations."""


def evidence_panel(
    observations: pd.DataFrame,
    *,
    as_of: pd.Timestamp,
    reach: int | None = None,
    prior: PanelPrior = PRIOR,
) -> EvidencePanel:
    """Panel from the figures available at ``as_of``.

    Args:
        observations: Published figures of all times (store contract), any order; not modified.
        as_of: The forecast origin as a UTC moment, 2019-01-01 or later.
        reach: Month number that the panel covers at least, even without figures.
        prior: Prior of months that no figure fixes.

    Returns:
        All destinations and sums from 2016-01 to the last month with a figure or a value of the
        world, at most the last complete month. ``later`` holds the later months that figures fix.

    Raises:
        DataError: ``as_of`` is too early, there is no figure, or the figures do not converge.
        LeakError: ``as_of`` has no time zone.
    """
    known_rows = known_at(observations, key=OBSERVATION_KEY, as_of=as_of)
    if as_of < pd.Timestamp(EARLIEST_AS_OF, tz="UTC"):
        raise DataError(
            f"as_of={as_of:%Y-%m-%d} is too early for the evidence panel. "
            f"Expected {EARLIEST_AS_OF} or later, because too few figures were published before. "
            "Take a later --as-of."
        )
    figures = with_rests(known_rows.loc[under_china_code(known_rows)].reset_index(drop=True))
    values = hs6_values(known_rows)
    first = month_number(HISTORY_START)
    of_world = values.loc[values["destination"].eq(WORLD)]
    ends = [last_evidence_month(figures), *month_numbers(of_world["period_to"]), reach or first]
    last = min(max(ends), last_complete_month(as_of))
    statements = read_statements(figures, first=first, last=last)
    if not statements:
        raise DataError(
            f"No figure available on {as_of:%Y-%m-%d} covers a month from {HISTORY_START} on. "
            "Expected at least one. `magnetcast ingest` loads the bundled ones."
        )
    values = values.set_axis(range(len(figures), len(figures) + len(values)))
    statements += value_statements(values, first=first, last=last)
    figures = pd.concat([figures, values], ignore_index=True)
    system = build_system(statements, first=first, last=last, prior=prior)
    with threadpool_limits(limits=1, user_api="blas"):  # same bits on any number of cores
        solution = solve(system)
    tonnes, stderr = _cells(solution, months=system.months)
    return EvidencePanel(
        as_of=as_of,
        first=first,
        cutoff=last,
        tonnes=tonnes,
        stderr=stderr,
        kind=_kinds(statements, solution, stderr, first),
        available_at=_availability(statements, figures, first, tonnes.shape[1]),
        suspicious=_suspicious(statements, solution, figures, tonnes[:WIDTH], first),
    ).cut(max(_last_of_world(statements, last), reach or first))


def _last_of_world(statements: Sequence[Statement], last: int) -> int:
    """Last month of a level, growth rate or value of the world, else ``last``."""
    sides = [s.above for s in statements if s.above is not None and not s.is_bound]
    ends = [cells.end for cells in sides if cells.destinations == AGGREGATES[WORLD]]
    return max(ends, default=last)


def _cells(solution: Solution, *, months: int) -> tuple[Floats, Floats]:
    """Tonnes and log standard errors of destinations and sums, destinations x months."""
    cells = np.exp(solution.log_cells).reshape(months, WIDTH)
    at = np.arange(months)
    size = months * WIDTH
    blocks = solution.covariance[:size, :size].reshape(months, WIDTH, months, WIDTH)[at, :, at, :]
    tonnes, variance = [], []
    for inside in map(np.flatnonzero, _MEMBERS):
        part = cells[:, inside]
        total = part.sum(axis=1)
        share = part / total[:, None]
        within = blocks[:, inside][:, :, inside]
        tonnes.append(total)
        variance.append(np.einsum("ti,tij,tj->t", share, within, share))
    return np.array(tonnes), np.sqrt(np.maximum(np.array(variance), 0.0))


def _position(statement: Statement, first: int) -> tuple[int, int] | None:
    """Row and column of the published cell a statement fixes, or None."""
    cells = statement.above
    if cells is None or not is_cell_level(statement) or cells.destinations not in _ROWS:
        return None
    return _ROWS[cells.destinations], cells.start - first


def _block(cells: CellBlock, first: int) -> tuple[NDArray[np.signedinteger], ...]:
    """Index of a block of cells in a table of destinations x months."""
    rows = [DESTINATIONS.index(name) for name in cells.destinations]
    return np.ix_(rows, range(cells.start - first, cells.end - first + 1))


def _kinds(
    statements: list[Statement], solution: Solution, stderr: Floats, first: int
) -> NDArray[np.int8]:
    """Kind of each cell: observed where it equals its published level, derived where others fix it.

    Compared in tonnes: a log scale of half a figure's size would take a tenth of it for equal.
    """
    kind = np.where(stderr <= DERIVED_STDERR, KINDS.index("derived"), KINDS.index("estimated"))
    for statement, z in zip(statements, solution.z, strict=False):
        place = _position(statement, first)
        is_equal = np.expm1(abs(z) * statement.scale) <= SUSPICIOUS_Z * statement.scale
        if place is not None and is_equal:
            kind[place] = KINDS.index("observed")
    return kind.astype(np.int8)


def _availability(
    statements: list[Statement], figures: pd.DataFrame, first: int, months: int
) -> "NDArray[np.datetime64]":
    """Moment at which each cell became available, destinations x months.

    The moment of the first level for an observed month, of the last figure for any other.
    """
    moments = figures["available_at"].dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    never = np.datetime64("1970-01-01", "s")
    touched = np.full((WIDTH, months), never)
    levels: dict[tuple[int, int], np.datetime64] = {}
    for statement in statements:
        moment = moments[statement.row]
        for cells in filter(None, (statement.above, statement.below)):
            block = _block(cells, first)
            touched[block] = np.maximum(touched[block], moment)
        if (place := _position(statement, first)) is not None:
            levels[place] = min(moment, levels.get(place, moment))
    touched[touched == never] = max(moments[s.row] for s in statements)
    available = np.stack([touched[members].max(axis=0) for members in _MEMBERS])
    for place, moment in levels.items():
        available[place] = moment
    return available


def _suspicious(
    statements: list[Statement],
    solution: Solution,
    figures: pd.DataFrame,
    tonnes: Floats,
    first: int,
) -> pd.DataFrame:
    z = solution.z[: len(statements)]
    worst = [int(i) for i in np.argsort(-np.abs(z), kind="stable") if abs(z[i]) > SUSPICIOUS_Z]
    rows = [
        (
            _describe(figures, statements[i].row),
            _residual_tonnes(statements[i], float(z[i]), tonnes, first),
            float(z[i]),
            float(solution.weight[i]),
            str(figures["source_url"][statements[i].row]),
        )
        for i in worst
    ]
    return pd.DataFrame(rows, columns=list(CONTRADICTION_COLUMNS))


def _residual_tonnes(statement: Statement, z: float, tonnes: Floats, first: int) -> float:
    cells = statement.above or statement.below
    if cells is None:
        return 0.0
    months = tonnes[_block(cells, first)]
    total = months.sum()
    sign = -1.0 if statement.above is None else 1.0
    return float(total * np.expm1(sign * z * statement.scale))


def _describe(figures: pd.DataFrame, row: int) -> str:
    start, end = (
        month_label(month_number(figures[bound][row])) for bound in ("period_from", "period_to")
    )
    period = start if start == end else f"{start}..{end}"
    destination, measure = figures["destination"][row], figures["measure"][row]
    return f"{destination} {period} {measure} {figures['value'][row]:g}"


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A month of a destination or sum before and after new figures, in tonnes."""

    destination: str
    month: str
    before: float
    after: float
    low: float
    """Of the 80% band around ``before``."""
    high: float


def side_effects(
    observations: pd.DataFrame, new: pd.DataFrame, *, as_of: pd.Timestamp
) -> list[SideEffect]:
    """Most changed month of each destination and sum that new figures move out of its 80% band.

    Only the last year counts, from which forecasts start; older estimates change as more is
    published. A sum may also change by those of its members that the figures are about.

    Args:
        observations: Observations without the new ones (store contract); not modified.
        new: Further observations; not modified.
        as_of: The moment (UTC).

    Returns:
        The largest change first; empty if there was no panel before.
    """
    figures = evidence_figures(new[under_china_code(new)])
    if figures.empty or evidence_figures(observations).empty:
        return []
    every = pd.concat([observations, new], ignore_index=True)
    reach = last_evidence_month(every[under_china_code(every)])
    before, after = (
        evidence_panel(rows, as_of=as_of, reach=reach) for rows in (observations, every)
    )
    named = _named(read_statements(figures, first=before.first, last=reach), before.tonnes.shape[1])
    change = after.tonnes - before.tonnes
    own_change = _MEMBERS @ np.where(named, change[: len(named)], 0.0)
    spread = STDERR_BAND * before.stderr
    room = before.tonnes * np.abs(np.expm1(np.copysign(spread, change)))
    excess = np.where(_MEMBERS @ ~named > 0, (np.abs(change) - np.abs(own_change)) / room, 0.0)
    excess[:, :-YEAR] = 0.0
    worst = excess.argmax(axis=1)
    rows = np.flatnonzero(excess.max(axis=1) > 1)
    ordered = sorted(rows, key=lambda row: -abs(change[row, worst[row]]))
    return [
        SideEffect(
            PANEL_DESTINATIONS[row],
            month_label(before.first + int(at)),
            *(float(table[row, at]) for table in (before.tonnes, after.tonnes)),
            *(float(before.tonnes[row, at] * np.exp(s * spread[row, at])) for s in (-1, 1)),
        )
        for row, at in zip(ordered, worst[ordered], strict=True)
    ]


def _named(statements: Sequence[Statement], months: int) -> Flags:
    """Whether a statement names a cell, destinations x months.

    A statement on a single destination counts for all its months.
    """
    first = month_number(HISTORY_START)
    named = np.zeros((len(DESTINATIONS), months), dtype=bool)
    for cells in (side for s in statements for side in (s.above, s.below) if side):
        rows = [DESTINATIONS.index(name) for name in cells.destinations]
        span = slice(cells.start - first, cells.end - first + 1) if len(rows) > 1 else slice(None)
        named[rows, span] = True
    return named
