"""What changed published medians of a full partner table from one publication to another."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.panel.partner_table import PartnerTable
from flows.analysis.changes import pair_of, with_parts
from flows.context.console import say
from flows.context.workspace import store_of
from flows.publishing.group_record import GroupRecord
from flows.publishing.group_snapshot import open_group
from flows.publishing.published_forecasts import ExplainRequest
from flows.publishing.table_snapshot import OF_GROUP, open_listed
from models.engine.spec import EngineSpec
from models.forecasting.commodity_groups import CommodityGroup, GroupForecaster
from sources.files.commodities import Commodity
from store.errors import DataError
from store.publications.integrity import kept_at
from store.settings import Settings
from store.vocabulary import BY_PARTNER, CHANGES, NOT_REPRODUCED

Floats = NDArray[np.float64]

STEPS: Final = ("passing_time", "new_actuals", "revised_actuals", "policy", "model")
"""What of ``CHANGES`` the model of a table or group can tell, in the order it is replaced."""

COMPARED: Final = "compared"
"""Status of forecasts that are made to be compared, never published."""


def table_changes(
    settings: Settings, asked: ExplainRequest, since: pd.Timestamp, commodity: str
) -> pd.DataFrame:
    """Return what changed published medians of a table from one publication to another.

    The earlier forecast is computed anew, then at the later moment, with the months known since,
    with the figures revised since, with the controls told since, and by the later model where
    that is of another group; each step trains anew. Of a group, all tables are replaced together.
    What the published numbers differ by beside is ``not_reproduced``.

    Args:
        settings: Where things are kept.
        asked: What is to be explained; the newest publication up to its ``as_of`` is the later one.
        since: The newest publication up to this moment (UTC) is the earlier one.
        commodity: As published.

    Returns:
        As ``flows.analysis.changes.changes``.

    Raises:
        DataError: There is no publication that early, the days are the wrong way round, the
            destination or month is not in both, or who was in a group was not recorded.
    """
    old, new = pair_of(settings, asked, since, commodity=commodity)
    code = commodity.removesuffix(BY_PARTNER)
    then, now = (members_of(settings, rows, commodity) for rows in (old, new))
    first, last = (facts_at(settings, rows["as_of"].iloc[0], code, then) for rows in (old, new))
    say(f"explain   news since {first.as_of:%Y-%m-%d}: {_news(first, last, code)}")
    final = last if now == then else facts_at(settings, last.as_of, code, now)
    forecaster = GroupForecaster(EngineSpec(threads=settings.threads))
    medians = _medians(forecaster, code, asked.destination, list(new["period"]))
    told = [medians(facts) for facts in (*between(first, last), final)]
    moves = dict(zip(STEPS, np.diff(told, axis=0), strict=True))
    parts = dict.fromkeys(CHANGES, np.zeros(len(new))) | moves
    change = new["p50"].to_numpy(float) - old["p50"].to_numpy(float)
    parts[NOT_REPRODUCED] = change - (told[-1] - told[0])
    return with_parts(old, new, parts)


def members_of(settings: Settings, rows: pd.DataFrame, commodity: str) -> list[Commodity]:
    """Return who was in the group that made a publication; none where a table's own model did.

    Raises:
        DataError: A group made it, and its members were not recorded.
    """
    name, as_of = str(rows["model"].iloc[0]), pd.Timestamp(rows["as_of"].iloc[0])
    if not name.startswith(OF_GROUP):
        return []
    kept = kept_at(store_of(settings), as_of, commodity)
    record = GroupRecord.read(json.loads(kept.made_with)) if kept and kept.made_with else None
    if record is None:
        raise DataError(
            f"The forecast of {commodity} as of {as_of:%Y-%m-%d} was made by {name}, the model of "
            "a group, and who was in the group is not recorded. Expected one published since that "
            "is. Take days of later runs, or of `magnetcast run --commodity "
            f"{commodity.removesuffix(BY_PARTNER)}`."
        )
    return record.members


def facts_at(
    settings: Settings, as_of: pd.Timestamp, code: str, members: Sequence[Commodity]
) -> CommodityGroup:
    """Return what a table is forecast from at a moment: its group, or without members itself."""
    if members:
        return open_group(settings, as_of, members[0].group, members).group
    stand = open_listed(settings, as_of, code)
    return CommodityGroup({code: stand.table}, as_of)


def between(first: CommodityGroup, last: CommodityGroup) -> tuple[CommodityGroup, ...]:
    """Return what lies between two moments of a group, one input replaced after the other.

    The earlier one, it at the later moment, with the months and partners known since, with the
    figures revised since, and the later one, which knows the controls told since.
    """
    later = replace(first, as_of=last.as_of)
    waited = _each(first, last, lambda then, _: then)
    longer = _each(first, last, _longer)
    return (
        first,
        replace(later, tables=waited),
        replace(later, tables=longer),
        replace(later, tables=last.tables),
        last,
    )


def _each(
    first: CommodityGroup,
    last: CommodityGroup,
    made: Callable[[PartnerTable, PartnerTable], PartnerTable],
) -> dict[str, PartnerTable]:
    """Return tables made of those then and now, each at the later moment."""
    return {
        code: replace(made(then, last.tables[code]), as_of=last.as_of)
        for code, then in first.tables.items()
    }


def _longer(then: PartnerTable, now: PartnerTable) -> PartnerTable:
    """Return a table with the months and partners known since, nothing revised."""
    known = then.tonnes.reindex(index=now.tonnes.index, columns=now.tonnes.columns)
    return replace(now, tonnes=known.where(known.notna(), now.tonnes))


def _medians(
    forecaster: GroupForecaster, code: str, destination: str, months: list[str]
) -> Callable[[CommodityGroup], Floats]:
    """Return what forecasts medians of a table; from like facts once."""
    made: dict[object, Floats] = {}

    def value(facts: CommodityGroup) -> Floats:
        key = _key(facts)
        if key not in made:
            rows = forecaster.forecast_member(facts, code, status=COMPARED)
            own = rows.loc[rows["destination"] == destination].set_index("period")["p50"]
            made[key] = own.reindex(months).to_numpy(dtype=float)
        return made[key]

    return value


def _key(facts: CommodityGroup) -> tuple[object, ...]:
    """Return what decides a forecast, where one set of events holds all versions of the other."""
    tables = tuple((code, one.digest, one.horizon) for code, one in facts.tables.items())
    if facts.events is None:
        return tuple(facts.materials), tables
    return tuple(facts.materials.items()), tables, len(facts.events), facts.as_of


def _news(first: CommodityGroup, last: CommodityGroup, code: str) -> str:
    """Say what came in between."""
    then, now = first.tables[code], last.tables[code]
    told = f"months {now.cutoff - then.cutoff}, figures revised {_revised(then, now)}"
    others = {name: table for name, table in first.tables.items() if name != code}
    if not others:
        return told
    months = sum(last.tables[name].cutoff - table.cutoff for name, table in others.items())
    revised = sum(_revised(table, last.tables[name]) for name, table in others.items())
    told += f"; of the {len(others)} others in the group months {months}, revised {revised}"
    if first.events is None or last.events is None:
        return told
    return f"{told}; versions of controls {len(last.events) - len(first.events)}"


def _revised(first: PartnerTable, last: PartnerTable) -> int:
    told = last.tonnes.loc[list(last.destinations)]  # sums and the remainder follow from them
    known = first.tonnes.reindex_like(told)
    return int((known.notna() & told.notna() & (known != told)).to_numpy().sum())
