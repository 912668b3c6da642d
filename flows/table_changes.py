"""What changed published medians of a full partner table from one publication to another."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.partner_table import PartnerTable
from flows.changes import pair_of, with_parts
from flows.console import say
from flows.many_stand import FAMILY
from flows.publications import Asked
from flows.table_stand import TableStand, open_listed
from models.tables import forecast_table
from store.errors import DataError
from store.settings import Settings
from store.vocabulary import BY_PARTNER, CHANGES, NOT_REPRODUCED

Floats = NDArray[np.float64]
Value = Callable[[PartnerTable], Floats]

STEPS: Final = ("passing_time", "new_actuals", "revised_actuals")
"""What of ``CHANGES`` a table's own model can tell, in the order it is replaced."""


def table_changes(
    settings: Settings, asked: Asked, since: pd.Timestamp, commodity: str
) -> pd.DataFrame:
    """Return what changed published medians of a table from one publication to another.

    The earlier forecast is computed anew, then at the later moment, with the months known since,
    and with the figures revised since; each step trains the table's model anew. What the published
    numbers differ by beside is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained; the newest publication up to its ``as_of`` is the later one.
        since: The newest publication up to this moment (UTC) is the earlier one.
        commodity: As published.

    Returns:
        As ``flows.changes.changes``.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, the
            destination or month is not in both, or a model of a group made one of them.
    """
    old, new = pair_of(settings, asked, since, commodity=commodity)
    for rows in (old, new):
        _check_own_model(rows, commodity)
    code = commodity.removesuffix(BY_PARTNER)
    first, last = (open_listed(settings, rows["as_of"].iloc[0], code) for rows in (old, new))
    say(f"explain   news since {first.as_of:%Y-%m-%d}: {_news(first.table, last.table)}")
    medians = _medians(last, asked.destination, list(new["period"]))
    told = [medians(table) for table in between(first.table, last.table)]
    moves = dict(zip(STEPS, np.diff(told, axis=0), strict=True))
    parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | moves
    change = new["p50"].to_numpy(float) - old["p50"].to_numpy(float)
    parts[NOT_REPRODUCED] = change - (told[-1] - told[0])
    return with_parts(old, new, parts)


def between(first: PartnerTable, last: PartnerTable) -> tuple[PartnerTable, ...]:
    """Return the tables from the earlier to the later one, one input replaced after the other.

    The earlier one, it at the later moment, with the months and partners known since, and the later
    one.
    """
    waited = replace(first, as_of=last.as_of)
    known = first.tonnes.reindex(index=last.tonnes.index, columns=last.tonnes.columns)
    longer = replace(last, tonnes=known.where(known.notna(), last.tonnes))
    return first, waited, longer, last


def _medians(stand: TableStand, destination: str, months: list[str]) -> Value:
    """Return what forecasts a table; equal tables of one horizon are forecast once."""
    made: dict[tuple[str, int], Floats] = {}

    def value(table: PartnerTable) -> Floats:
        key = (table.digest, table.horizon)
        if key not in made:
            rows = forecast_table(table, stand.spec, status=stand.status)
            own = rows.loc[rows["destination"] == destination].set_index("period")["p50"]
            made[key] = own.reindex(months).to_numpy(dtype=float)
        return made[key]

    return value


def _news(first: PartnerTable, last: PartnerTable) -> str:
    """Say what came in between."""
    told = last.tonnes.loc[list(last.destinations)]  # sums and the remainder follow from them
    known = first.tonnes.reindex_like(told)
    revised = int((known.notna() & told.notna() & (known != told)).to_numpy().sum())
    return f"months {last.cutoff - first.cutoff}, figures revised {revised}"


def _check_own_model(rows: pd.DataFrame, commodity: str) -> None:
    """Check that a table's own model made a publication.

    Raises:
        DataError: A group's did.
    """
    model = str(rows["model"].iloc[0])
    if model.startswith(f"{FAMILY}-"):
        raise DataError(
            f"The forecast of {commodity} as of {rows['as_of'].iloc[0]:%Y-%m-%d} was made by "
            f"{model}, the model of a group, and who was in the group is not kept. Expected one by "
            f"the table's own model. Take days of `magnetcast run --commodity {commodity}`."
        )
