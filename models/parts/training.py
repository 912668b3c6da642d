"""One model over all parts of a panel: training rows of every part, heads trained on all."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.engine.past_origins import PastOrigins
from models.engine.quantile_model import FURTHEST_OUTCOME, head_parameters, recency
from models.engine.series_stats import PanelStats
from models.engine.spec import EngineSpec
from models.engine.training_set import PanelView, past_origins, training_set
from models.engine.validation_window import before_validation, validation_start
from models.learning.arrays import join
from models.learning.quantile_heads import Heads, TrainingRows, binned, train_heads
from models.parts.parts import Block, Floats, PanelMonths
from models.statistical.seasonality import YEAR


@dataclass(frozen=True, slots=True)
class PartCells(TrainingRows):
    """The rows of a part that trees are trained on."""

    before: NDArray[np.bool_]
    """Whether it was known when the validation window began."""


def past_panel_stats(
    values: Floats, *, span: PanelMonths, horizon: int, spec: EngineSpec
) -> dict[int, PanelStats]:
    """Return the statistics of the series trained on at each past origin, by column.

    They stand for the panel there, as they do where it is held whole.
    """
    last = span.width - 1
    pasts = PastOrigins(values, last)
    return {origin: pasts.at(origin).common for origin in past_origins(last, horizon, spec)}


def part_cells(
    block: Block,
    panel_stats: dict[int, PanelStats],
    *,
    span: PanelMonths,
    horizon: int,
    spec: EngineSpec,
) -> PartCells:
    """Return the cells that the trees see of a part, as dense as where few series are trained on.

    Args:
        block: The part.
        panel_stats: By ``past_panel_stats``.
        span: Months of the panel.
        horizon: Months to forecast.
        spec: Choices of the engine: of ``most_series`` series ``pairs`` and ``rows`` are drawn.
    """
    last = span.width - 1
    share = len(block.names) / spec.most_series
    pairs = int(np.ceil(spec.pairs * share))
    view = PanelView(block.tonnes, span.first % YEAR, horizon, common=panel_stats)
    known = training_set(view, last, replace(spec, pairs=pairs))
    rows = int(np.ceil(spec.rows * share))
    if len(known) > rows:
        draw = np.random.default_rng(spec.seed)
        known = known.part(np.sort(draw.choice(len(known), rows, replace=False)))
    return PartCells(
        known.features,
        np.clip(known.target, -FURTHEST_OUTCOME, FURTHEST_OUTCOME),
        recency(known, last, spec),
        before_validation(known, validation_start(last, horizon, spec)),
    )


def trained_here(parts: Sequence[PartCells], spec: EngineSpec) -> Heads:
    """Return heads trained in this process on the cells of all parts."""
    cells = join(parts)
    table = binned(cells, max_bin=spec.bins)
    return train_heads(table, partial(head_parameters, spec, cells=len(cells)), rounds=spec.rounds)
