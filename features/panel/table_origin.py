"""A full partner table as a forecast origin, for policy scenarios."""

import numpy as np
import pandas as pd

from features.months import last_complete_month
from features.origin import Origin
from features.panel.partner_table import PartnerTable
from store.vocabulary import COMMODITY, HS6, WORLD


def table_origin(table: PartnerTable, *, events: pd.DataFrame, tariffs: pd.DataFrame) -> Origin:
    """Return the origin of a partner table.

    Acts and rates are those on magnets: tables of other commodities have none.

    Args:
        table: The table at one moment.
        events: Policy events as known then (store contract); not modified.
        tariffs: Tariff steps as known then; not modified.

    Returns:
        Partners, then sums, in order of their names; every month counts as observed.
    """
    sums = [name for name in table.parts if name != WORLD]
    names = (*sorted(set(table.tonnes.index) - {WORLD}), *sorted(sums), WORLD)
    place = {name: row for row, name in enumerate(names)}
    groups = tuple(np.array([place[p] for p in table.parts.get(name, (name,))]) for name in names)
    tonnes = table.tonnes.reindex(list(names)).to_numpy(dtype=float, copy=True)
    for name in sums:
        tonnes[place[name]] = np.nansum(tonnes[groups[place[name]]], axis=0)
    is_magnets = table.commodity in {COMMODITY, HS6}
    cutoff = table.cutoff
    return Origin(
        series=names,
        first=int(table.tonnes.columns[0]),
        cutoff=cutoff,
        targets=cutoff + 1 + np.arange(table.horizon),
        late_months=max(last_complete_month(table.as_of) - cutoff, 0),
        tonnes=tonnes,
        stderr=np.zeros_like(tonnes),
        is_observed=np.isfinite(tonnes),
        groups=groups,
        world=place[WORLD],
        events=events if is_magnets else events.iloc[:0],
        tariffs=tariffs if is_magnets else tariffs.iloc[:0],
    )
