"""A store with forecasts of a second commodity, from a full partner table."""

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import Engine

from features.panel.partner_table import partner_table
from flows.context.known_facts import table_panel
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from store.publications.publication_writing import PublicationContext, publish_forecasts
from store.vocabulary import EU27, EU27_MEMBERS, FORECAST_COLUMNS, QUANTILE_COLUMNS, WORLD
from tests.data.partner_builders import make_partner_world
from tests.publication.stores import NEWEST

GOODS = "811292"
LISTED = 32
"""Partners of the table, enough to be a full one."""

PARTNERS = 8
"""Those of them that are forecast: each has pages in five languages."""

CUTOFF = "2026-09"
MONTHS = 14


def add_commodity(engine: Engine, *, as_of: datetime = NEWEST, factor: float = 1.0) -> None:
    """Take in a full table that ends in September 2026 and publish a forecast of it."""
    world = make_partner_world(partners=LISTED, months=57, first="2022-01")
    rows = world.rows().assign(commodity=GOODS)
    write_batch(engine, Batch((FileRows("comtrade", GOODS, GOODS, {"observations": rows}),)))
    figures = read_observations(engine, as_of=as_of, commodity=GOODS)
    panel = table_panel(partner_table(figures, commodity=GOODS, as_of=pd.Timestamp(as_of)))
    levels = world.tonnes.iloc[:, -12:].mean(axis=1)
    members = levels[levels.index.isin(EU27_MEMBERS)].sum()
    levels = pd.concat([pd.Series({WORLD: levels.sum(), EU27: members}), levels.head(PARTNERS)])
    publish_forecasts(
        engine,
        _forecast(levels * factor),
        as_of=as_of,
        data_vintage="d4e5f6",
        commodity=GOODS,
        context=PublicationContext(panel=panel),
    )


def _forecast(levels: pd.Series) -> pd.DataFrame:
    months = pd.date_range(f"{CUTOFF}-01", periods=MONTHS + 1, freq="MS")[1:]
    spread = np.linspace(0.7, 1.3, len(QUANTILE_COLUMNS))
    rows = [
        (name, CUTOFF, f"{month:%Y-%m}", step, *(level * spread), level, "group-1", "champion")
        for name, level in levels.items()
        for step, month in enumerate(months, start=1)
    ]
    return pd.DataFrame(rows, columns=list(FORECAST_COLUMNS))
