"""Where a scenario is asked: the forecast of an as_of, and what it was made of."""

import pandas as pd

from features.asof import EVENT_KEY, TARIFF_KEY, known_at
from features.origin import announced
from features.table_origin import table_origin
from flows.predict import made_at
from flows.table_stand import forecast_of, open_table
from flows.workspace import open_workspace
from models.learned import learned_shift, nothing_learned
from models.scenario import Standing
from store.reading import read_events, read_tariffs
from store.settings import Settings
from store.vocabulary import QUANTILE_COLUMNS

NUMBERS = [*QUANTILE_COLUMNS, "mean"]


def standing_at(settings: Settings, as_of: pd.Timestamp) -> Standing:
    """Return where the magnets' forecast of an as_of stands; made as ``predict`` makes it.

    Raises:
        DataError: The store held too little by then.
    """
    made = made_at(open_workspace(settings, as_of), None, None)
    model = made.model
    learned = nothing_learned if model is None else learned_shift(model.heads, model.card)
    published, ordinary = made.stages.published, made.stages.coherent
    return Standing(as_of, made.origin, made.analogs, published, ordinary, learned)


def table_standing(settings: Settings, as_of: pd.Timestamp, commodity: str) -> Standing:
    """Return where the forecast of a full partner table stands.

    Its engine sees no policies, so all that a scenario changes is what the policy response says.

    Raises:
        DataError: The store held no full table of it by then.
    """
    stand = open_table(settings, as_of, commodity)
    events = known_at(read_events(stand.engine, as_of=as_of), key=EVENT_KEY, as_of=as_of)
    tariffs = known_at(read_tariffs(stand.engine, as_of=as_of), key=TARIFF_KEY, as_of=as_of)
    origin = table_origin(stand.table, events=announced(events), tariffs=tariffs)
    analogs = open_workspace(settings, as_of).history.analogs(as_of)
    made = forecast_of(stand).set_index(["destination", "period"])
    numbers = made.loc[list(origin.series), NUMBERS].reset_index(drop=True)
    return Standing(as_of, origin, analogs, numbers, numbers, nothing_learned)
