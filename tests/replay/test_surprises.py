from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.evidence_history import EvidenceHistory
from features.origin import Origin
from models.forecasting.decomposition import stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.firm_needs import Firm, FirmOutlook, outlook_of
from models.forecasting.model_frame import rows_of
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET
from models.policy.policy_effect import effect_at
from models.quantile_model import TrainedModel
from publication.usual import USUAL_MONTHS
from publication.words import chance_below
from store.arrays import Floats
from store.vocabulary import DESTINATIONS, QUANTILE_COLUMNS
from tests.data.builders import at, bundled_world

pytestmark = pytest.mark.slow

DAY = at("2025-03-25")
"""Before any control on magnets: no backlog explains what follows a fall."""


@cache
def trained() -> tuple[EvidenceHistory, TrainedModel]:
    history = bundled_world().history()
    model = EvidenceForecaster(MAGNETS_PRESET).train(Snapshot.of_evidence(history, DAY))
    return history, model


def scaled(name: str, factor: float, *ages: int) -> Origin:
    """Return what is known with some months of a destination, and its sums, multiplied."""
    origin = trained()[0].origin(DAY)
    tonnes, row = origin.tonnes.copy(), origin.series.index(name)
    for place, members in enumerate(origin.groups):
        if row in members:
            tonnes[place, [-age for age in ages]] += (factor - 1.0) * origin.tonnes[
                row, [-age for age in ages]
            ]
    return replace(origin, tonnes=tonnes)


def quantiles_of(origin: Origin, name: str) -> Floats:
    """Return the published quantiles of a destination, months x levels."""
    history, model = trained()
    effect, rows = effect_at(origin, history.analogs(DAY)), rows_of(origin)
    published = stages_of(model, rows, origin, effect).published
    is_named = rows["destination"].eq(name).to_numpy()
    return published.loc[is_named, list(QUANTILE_COLUMNS)].to_numpy()


@cache
def before(name: str) -> Floats:
    return quantiles_of(scaled(name, 1.0), name)


def usual(name: str) -> float:
    """Return a usual month, which is fixed before the surprise."""
    origin = scaled(name, 1.0)
    return float(np.nanmedian(origin.tonnes[origin.series.index(name), -USUAL_MONTHS:]))


def slump(quantiles: Floats, normal: float) -> float:
    """Return the highest chance of less than half of a normal month."""
    return max(chance_below(list(month), normal / 2) for month in quantiles)


def plant(quantiles: Floats, name: str) -> FirmOutlook:
    """Return the outlook of a plant of 1% of a usual month."""
    normal = usual(name)
    months = list(pd.date_range("2025-03-01", periods=len(quantiles), freq="MS"))
    firm = Firm(0.01 * normal, stock=0.02 * normal)
    return outlook_of(firm, months, quantiles, normal, carry=0.7, as_of=DAY)


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize("ages", [(1,), (2,), (3,), (7,), (12,), (1, 2, 3)], ids=str)
def test_lower_known_months_never_lower_a_chance_of_shortfall(
    name: str, ages: tuple[int, ...]
) -> None:
    lowered = scaled(name, 0.6, *ages)

    after = quantiles_of(lowered, name)

    old, new = plant(before(name), name), plant(after, name)
    calm = usual(name)
    assert (np.array(new.chances_out) >= np.array(old.chances_out) - 1e-9).all()
    assert new.chance_short >= old.chance_short - 1e-9
    assert slump(after, calm) >= slump(before(name), calm)


@pytest.mark.parametrize(("name", "factor"), [("DEU", 0.55), ("KOR", 1.6)])
def test_three_months_of_surprise_move_the_risk_their_way(name: str, factor: float) -> None:
    after, calm = quantiles_of(scaled(name, factor, 1, 2, 3), name), usual(name)

    more, less = (after, before(name)) if factor < 1 else (before(name), after)
    assert slump(more, calm) >= slump(less, calm)
    assert plant(more, name).chance_short >= plant(less, name).chance_short
