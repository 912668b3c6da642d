"""A small taught model, and worlds of facts between two moments of one day."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.build import FEATURE_FAMILIES
from features.controls.analogs import Analog
from models.forecasting.changes import ChangeReplay, ForecastSnapshot, KnownFacts, news_of
from models.learning.calibration import PastErrors, metadata_of
from models.learning.parameters import MAGNETS_PRESET
from models.quantile_model import BOOSTERS, ENSEMBLE_WEIGHT, TrainedModel
from store.vocabulary import MAX_HORIZON
from tests.data.builders import at, make_events, make_levels, make_tariffs
from tests.data.store_builders import make_observations

NAMES: Final = tuple(
    feature.name
    for family, features in FEATURE_FAMILIES.items()
    if family != "dynamics"
    for feature in features
)
"""Features of magnets."""

TAUGHT_BY: Final = {
    "season_step_mean_log": 0.2, "tonnes_mean_3m_log": 0.3, "tariff_rate_pct": 20.0,
    "policy_control_exposure": 0.5, "world_momentum_3m_log": 0.1, "late_months": 1.0,
}  # fmt: skip
"""Features that the model is taught by, with their scale."""

BEFORE: Final = at("2019-07-25")
NEWS_AT: Final = BEFORE + pd.Timedelta(hours=6)
AFTER: Final = BEFORE + pd.Timedelta(hours=12)

PERIODS: Final = ("2019-08", "2019-10", "2020-03")


def known_by(facts: KnownFacts, moment: pd.Timestamp) -> KnownFacts:
    """Return what of some facts was known at a moment."""
    tables = (facts.observations, facts.events, facts.tariffs, facts.analog_events)
    return KnownFacts(*(table.loc[table["available_at"] <= moment] for table in tables))


@cache
def taught_boosters(seed: int = 1) -> dict[str, lgb.Booster]:
    """Return boosters that learned from wild rows; another seed learned something else."""
    rng = np.random.default_rng(seed)
    scale = np.array([TAUGHT_BY.get(name, 1.0) for name in NAMES])
    rows = rng.normal(size=(3000, len(NAMES))) * scale
    places = [NAMES.index(name) for name in TAUGHT_BY]
    result = (rows[:, places] / scale[places]) @ rng.uniform(0.05, 0.2, len(places)) + 0.1
    boosters = {}
    for head, shift in zip(BOOSTERS, (-0.3, 0.0, 0.3), strict=True):
        table = lgb.Dataset(rows, result + shift, feature_name=list(NAMES))
        options = {"num_leaves": 15, "num_threads": 1, "verbosity": -1, "seed": seed}
        boosters[head] = lgb.train(options, table, num_boost_round=30)
    return boosters


def taught_metadata(weight: Sequence[float] = (0.7, 0.5, 0.6)) -> dict[str, object]:
    """Metadata with a bias correction."""
    errors = PastErrors(
        horizon=np.arange(1.0, 13.0),
        age=np.ones(12),
        distance=np.linspace(-0.3, 0.1, 12),
        spread=np.full(12, 0.2),
    )
    metadata = metadata_of(NAMES, errors, MAGNETS_PRESET, MAX_HORIZON)
    return {**metadata, ENSEMBLE_WEIGHT: list(weight)}


def halted_analog() -> Analog:
    """Return a control on another mineral: nothing for two months, then a slow return."""
    age = np.array([0.5, 1.5, 2.5, 3.5, 6.5, 12.5])
    return Analog(
        "2017-09-gallium", "gallium", "export_control", age,
        np.array([0.0, 0.0, 0.1, 0.3, 0.7, 1.0]), 6.0,
    )  # fmt: skip


def snapshot_at(moment: pd.Timestamp, *, version: int = 1) -> ForecastSnapshot:
    """Return where a model stands; each version learned something else."""
    return ForecastSnapshot(moment, TrainedModel(taught_boosters(version), taught_metadata()))


@cache
def facts_with(*news: str) -> KnownFacts:
    """Return facts of three years, with these of the inputs changed between the two moments."""
    levels = make_levels(first="2016-01", last="2019-06")
    first_told = {"destination": "ROW", "value": 900.0}
    again = {"destination": "USA", "value": 90.0}
    june = pd.Timestamp("2019-06-01")
    result = {"new_actuals": first_told, "revised_actuals": again}
    figures = [
        make_observations({**row, "period_from": june, "period_to": june, "available_at": NEWS_AT})
        for name, row in result.items()
        if name in news
    ]
    mfn = [{"importer": name} for name in ("EU27", "JPN", "KOR", "VNM", "IND", "THA", "ROW")]
    step = {
        "component": "S301", "rate_pct": 25.0, "effective_from": "2019-09-01",
        "announced_on": "2019-07-25", "available_at": NEWS_AT,
    }  # fmt: skip
    act = {
        "event_id": "2019-08-control", "announced_on": "2019-07-25",
        "effective_from": "2019-08-01", "available_at": NEWS_AT,
    }  # fmt: skip
    eased = {"event_id": "2018-01-talks", "announced_on": "2018-01-04", "direction": "neutral"}
    return KnownFacts(
        pd.concat([levels, *figures], ignore_index=True),
        make_events(eased, *([act] if "policy" in news else [])),
        make_tariffs({}, *mfn, *([step] if "tariffs" in news else [])),
        make_events().iloc[:0].assign(material=""),
    )


def replay(news: frozenset[str], *, model: int = 1, destination: str = "USA") -> ChangeReplay:
    """Return a replay from noon to evening of one day in a made world."""
    facts = facts_with(*sorted(news))
    snapshots = snapshot_at(BEFORE), snapshot_at(AFTER, version=model)
    cells = [(destination, period) for period in PERIODS]
    return ChangeReplay(facts, *snapshots, cells, news_of(facts, known_by(facts, BEFORE)))
