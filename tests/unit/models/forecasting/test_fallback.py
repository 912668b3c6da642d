from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.origin import Origin
from models.forecasting.decomposition import stages_from
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.fallback import (
    CHAMPION,
    NUMBERS,
    FallbackForecast,
    FallbackStep,
    modelled,
    plain,
    remembered,
    run_fallback_chain,
)
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import BASE_MEDIAN, NAIVE, PREVIOUS, REFERENCE, STATISTICAL
from models.forecasting.plausibility import absurdities, explained_series
from models.forecasting.residual_history import ResidualHistory
from models.forecasting.snapshot import Snapshot
from models.learning.calibration import metadata_of
from models.policy.policy_effect import effect_at
from models.quantile_model import TrainedModel
from store.errors import DataError
from store.vocabulary import MAX_HORIZON
from tests.data.builders import QUICK, at, make_world

MOMENT = at("2020-06-26")


@cache
def origin_at() -> Origin:
    return make_world().history().origin(MOMENT)


@cache
def trained() -> TrainedModel:
    return EvidenceForecaster(QUICK).train(Snapshot.of_evidence(make_world().history(), MOMENT))


@cache
def memory() -> ResidualHistory:
    return remembered(make_world().history(), MOMENT)


def chain(origin: Origin, *above: FallbackStep) -> list[FallbackStep]:
    model, rows = TrainedModel(trained().boosters, trained().metadata), rows_of(origin)

    def step(name: str) -> FallbackForecast:
        errors = memory().residuals(name, origin)
        return plain(name, origin, rows, metadata_of((), errors, QUICK, MAX_HORIZON))

    return [
        *above,
        FallbackStep(PREVIOUS, "m1", lambda: modelled(model, rows)),
        FallbackStep(STATISTICAL, "s", lambda: step(BASE_MEDIAN)),
        FallbackStep(NAIVE, "n", lambda: step(REFERENCE)),
    ]


def without(origin: Origin, name: str, months: int) -> Origin:
    """Return an origin whose evidence of a series is NaN in its last months."""
    tonnes = origin.tonnes.copy()
    tonnes[origin.series.index(name), -months:] = np.nan
    return replace(origin, tonnes=tonnes)


def assert_coherent(table: pd.DataFrame, origin: Origin) -> None:
    mean = table["mean"].to_numpy().reshape(len(origin.series), -1)
    for row, members in enumerate(origin.groups):
        np.testing.assert_allclose(mean[members].sum(axis=0), mean[row], rtol=1e-6)


def test_a_destination_without_a_year_of_evidence_falls_to_the_base_forecasts_alone() -> None:
    origin = without(origin_at(), "JPN", 12)

    found = run_fallback_chain(chain(origin), origin.series, origin)

    status = dict(zip(origin.series, (one.status for one in found.steps_used), strict=True))
    assert status.pop("JPN") == STATISTICAL
    assert set(status.values()) == {PREVIOUS}
    reason = found.reasons[origin.series.index("JPN")]
    assert reason == "previous champion: no finite forecast from what is known"


def test_mixed_steps_add_up_and_keep_their_quantiles_in_order() -> None:
    origin = without(origin_at(), "DEU", 12)
    found = run_fallback_chain(chain(origin), origin.series, origin)

    stages = stages_from(found.table, origin, effect_at(origin, ()))

    assert np.isfinite(stages.published[NUMBERS]).all(axis=None)
    assert_coherent(stages.published, origin)
    quantiles = stages.published[NUMBERS[:-1]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_a_destination_that_no_step_can_forecast_is_named() -> None:
    origin = without(origin_at(), "KOR", origin_at().tonnes.shape[1])

    with pytest.raises(DataError, match="No model of the fallback chain can forecast KOR"):
        run_fallback_chain(chain(origin), origin.series, origin)


def test_an_absurd_forecast_of_one_destination_falls_to_the_next_step() -> None:
    origin = replace(origin_at(), events=None, tariffs=None)
    model = TrainedModel(trained().boosters, trained().metadata)
    wild = modelled(model, rows_of(origin_at())).table.copy()
    row = origin.series.index("ITA")
    count = len(origin.targets)
    wild.iloc[row * count : (row + 1) * count] *= 50.0

    found = run_fallback_chain(
        chain(origin_at(), FallbackStep(CHAMPION, "m2", lambda: FallbackForecast(wild, model))),
        origin.series,
        origin,
    )

    status = dict(zip(origin.series, (one.status for one in found.steps_used), strict=True))
    assert status.pop("ITA") == PREVIOUS
    assert set(status.values()) == {CHAMPION}
    assert "absurd median" in found.reasons[row]


def test_an_event_explains_what_would_else_be_absurd() -> None:
    origin = replace(origin_at(), events=None, tariffs=None)
    values = np.full((len(origin.series), len(origin.targets), 8), 1e-3)

    assert all("absurd median" in str(one) for one in absurdities(values, origin))

    tariffs = origin_at().tariffs
    step = tariffs.iloc[[0]].assign(importer="USA", effective_from=pd.Timestamp("2020-05-01"))
    touched = replace(origin, tariffs=step)
    explained = dict(zip(origin.series, explained_series(touched), strict=True))
    assert explained["USA"]
    assert explained["WLD"]
    assert not explained["JPN"]
    texts = [str(one or "") for one in absurdities(values, touched)]
    calm = dict(zip(origin.series, texts, strict=True))
    assert calm["USA"] == ""
    assert "absurd median" in calm["JPN"]
