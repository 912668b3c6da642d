"""How good forecasts of a part of a panel were, as sums that those of other parts are added to."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

from models.engine.baselines import MIDDLE
from models.engine.quantiles import Quantiles
from models.evaluation.backtest import scale_rows
from models.evaluation.scores import cell_scores, totals
from models.forecasting.forecaster import REFERENCE
from models.forecasting.panel_snapshot import months_of
from models.parts.parts import Block, PanelMonths

BASELINES: Final = (MIDDLE, REFERENCE)
"""What a panel in parts is compared with: each more costs as much as the product's own scores."""

CUTS: Final = ("cutoff", "horizon", "model")


def part_totals(
    block: Block, forecasts: Mapping[str, Quantiles], known: PanelMonths
) -> pd.DataFrame:
    """Return the totals of the forecasts of some series of a part, by ``CUTS``.

    Args:
        block: The part, with all months.
        forecasts: By model, as ``models.parts.parts.predict_pass``.
        known: The months up to the cutoff.
    """
    some = next(iter(forecasts.values()))
    names, tonnes = block.names[some.rows], block.tonnes[some.rows]
    later = slice(known.width, known.width + some.mean.shape[1])
    months = range(known.last + 1, known.last + 1 + tonnes[:, later].shape[1])
    truth = months_of(pd.DataFrame(tonnes[:, later], index=names, columns=list(months)))
    tables = [
        found.table(block.names, known.last).assign(model=model)
        for model, found in forecasts.items()
    ]
    scale = scale_rows(names, known.last, tonnes[:, : known.width])
    return totals(cell_scores(pd.concat(tables, ignore_index=True), truth, scale), CUTS)
