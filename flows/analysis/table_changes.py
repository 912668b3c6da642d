"""Forecasts of a partner table between two publications, one input replaced after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.panel.partner_table import PartnerTable
from flows.context.console import echo
from flows.publishing.run_config import RunConfig
from flows.publishing.table_snapshot import open_table
from models.forecasting.changes import MedianForecast
from models.forecasting.panel_forecaster import forecast_table
from models.learning.spec import EngineSpec
from store.settings import Settings

STEPS: Final = ("passing_time", "new_actuals", "revised_actuals")
"""What the model of a table can tell apart, in the order it is replaced."""


@dataclass(frozen=True, slots=True)
class TableReplay:
    """Forecasts of one destination of a table; each step trains anew."""

    spec: EngineSpec
    steps: tuple[PartnerTable, ...]
    """What the forecast is made from with none, one, ... all of ``STEPS`` replaced."""
    destination: str
    periods: Sequence[str]
    made: dict[object, NDArray[np.float64]] = field(default_factory=dict)
    """Medians so far, from like tables once."""

    @property
    def changed(self) -> frozenset[str]:
        """Return the inputs that may differ; what is equal is not recomputed."""
        return frozenset(STEPS)

    def value(self, replaced: frozenset[str]) -> MedianForecast:
        """Return the medians with these inputs of the later forecast, the others of the earlier."""
        table = self.steps[len(replaced)]
        key = table.digest, table.horizon
        if key not in self.made:
            rows = forecast_table(table, self.spec, status="compared")
            own = rows.loc[rows["destination"] == self.destination].set_index("period")["p50"]
            self.made[key] = own.reindex(list(self.periods)).to_numpy(dtype=float)
        return MedianForecast(self.made[key], np.zeros(len(self.periods)))


def table_replay(
    settings: Settings, old: pd.DataFrame, new: pd.DataFrame, config: RunConfig
) -> TableReplay:
    """Return the forecasts of a destination recomputed between two publications.

    The earlier forecast, it at the later moment, with the months known since, and with the figures
    revised since.

    Args:
        settings: Where things are kept.
        old: Rows of the earlier publication, of one destination; not modified.
        new: The same months of the later one; not modified.
        config: As what both were published.

    Raises:
        DataError: There is no table now.
    """
    first, last = (
        open_table(settings, pd.Timestamp(rows["as_of"].iloc[0]), config.commodity).table
        for rows in (old, new)
    )
    echo(
        f"explain   news since {first.as_of:%Y-%m-%d}: months {last.cutoff - first.cutoff}, "
        f"figures revised {_revised(first, last)}"
    )
    spec = EngineSpec(threads=settings.threads)
    destination = str(new["destination"].iloc[0])
    return TableReplay(spec, between(first, last), destination, list(new["period"]))


def between(first: PartnerTable, last: PartnerTable) -> tuple[PartnerTable, ...]:
    """Return what lies between two moments of a table, one input replaced after the other.

    The earlier one, it at the later moment, with the months and partners known since, and the later
    one, with the figures revised since.
    """
    waited = replace(first, as_of=last.as_of)
    return first, waited, _longer(first, last), last


def _longer(then: PartnerTable, now: PartnerTable) -> PartnerTable:
    """Return a table with the months and partners known since, nothing revised."""
    known = then.tonnes.reindex(index=now.tonnes.index, columns=now.tonnes.columns)
    return replace(now, tonnes=known.where(known.notna(), now.tonnes))


def _revised(first: PartnerTable, last: PartnerTable) -> int:
    leaves = last.tonnes.loc[list(last.destinations)]  # sums and the remainder follow from them
    known = first.tonnes.reindex_like(leaves)
    return int((known.notna() & leaves.notna() & (known != leaves)).to_numpy().sum())
