from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.build import ALL_FEATURES, frame_of
from features.history import EvidenceHistory, TableHistory, moment_after, release_moments
from features.months import month_number
from models.boosting import texts_of
from models.rolling import MODEL, Memory, Step, Trained, distribution, train, walk
from models.served import head_values, predict_quantiles
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_table, make_world

AS_OF = at("2020-10-25")
NUMBERS = [*QUANTILE_COLUMNS, "mean"]
FALLING = [feature.name for feature in ALL_FEATURES if feature.monotone == -1]


@cache
def history() -> EvidenceHistory:
    return make_world().history()


@cache
def walked() -> tuple[tuple[Step, ...], Memory]:
    moments = release_moments("2020-05-25", at("2020-10-26"))
    memory = Memory()
    refit_at = [moments[0], moments[-1]]
    return tuple(walk(history(), moments, spec=QUICK, refit_at=refit_at, memory=memory)), memory


@cache
def trained() -> Trained:
    return train(history(), AS_OF, spec=QUICK, memory=walked()[1])


def test_every_model_speaks_of_every_series_and_month_at_every_moment() -> None:
    steps, memory = walked()

    assert len(steps) == 6
    for step in steps:
        counts = step.forecasts.groupby("model").size().to_dict()
        rows = len(step.origin.series) * len(step.origin.targets)
        assert counts == dict.fromkeys([MODEL, "seasonal_naive", "last_value", "drift"], rows)
    assert {name: len(said) for name, said in memory.said.items()} == dict.fromkeys(counts, 6)


def test_means_of_destinations_add_up_to_those_of_the_world_and_of_eu27() -> None:
    own = walked()[0][-1].forecasts.query("model == @MODEL")

    mean = own.pivot_table(index="period", columns="destination", values="mean")
    parts = mean.drop(columns=["WLD", "EU27"])
    np.testing.assert_allclose(parts.sum(axis=1), mean["WLD"], rtol=1e-6)
    np.testing.assert_allclose(
        mean[["DEU", "ITA", "EU27_REST"]].sum(axis=1), mean["EU27"], rtol=1e-6
    )


def test_quantiles_never_cross_and_are_never_negative() -> None:
    forecasts = pd.concat([step.forecasts for step in walked()[0]])

    assert (np.diff(forecasts[list(QUANTILE_COLUMNS)], axis=1) >= -1e-9).all()
    assert (forecasts[NUMBERS] >= 0).all(axis=None)
    assert np.isfinite(forecasts[NUMBERS]).all(axis=None)


def test_medians_of_plain_forecasts_stay_near_what_they_say() -> None:
    first = walked()[0][0].forecasts.query("model == 'last_value' and horizon == 1")

    world = first.set_index("destination").loc["WLD", "p50"]
    assert world == pytest.approx(walked()[0][0].origin.tonnes[10, -1], rel=0.05)


def test_errors_are_those_of_months_known_by_now() -> None:
    steps, memory = walked()

    early = memory.residuals(MODEL, steps[0].origin)
    late = memory.residuals(MODEL, steps[-1].origin)

    assert len(early.distance) == 0
    assert late.age.max() == 5.0
    assert (late.horizon <= late.age).all()
    assert np.isfinite(late.distance).all()


def test_a_model_that_never_spoke_has_no_errors() -> None:
    assert len(Memory().residuals(MODEL, walked()[0][0].origin).distance) == 0


def test_training_twice_gives_the_same_model() -> None:
    again = train(make_world().history(), AS_OF, spec=QUICK, memory=walked()[1])

    assert texts_of(again.heads) == texts_of(trained().heads)
    assert again.card == trained().card


@pytest.mark.parametrize("points", [1.0, 25.0, 120.0])
@pytest.mark.parametrize("destination", ["USA", "DEU"])
def test_a_higher_rate_in_the_target_month_never_raises_the_median(
    destination: str, points: float
) -> None:
    rows = frame_of(history().origin(AS_OF))
    raised = rows.copy()
    own = rows["destination"] == destination
    raised.loc[own, FALLING] += points

    before, after = (
        predict_quantiles(trained().heads, trained().card, frame)["p50"] for frame in (rows, raised)
    )

    assert (after <= before).all()
    assert (after[~own] == before[~own]).all()


def test_series_without_a_value_in_the_last_year_are_left_out() -> None:
    table = make_table(months=60)
    table.loc["S1", table.columns[-20:]] = np.nan
    cutoff = int(table.columns[-1])
    dead = TableHistory(table, horizon=3)
    moment = moment_after(cutoff)

    [step] = walk(dead, [moment], spec=QUICK, refit_at=[moment], memory=Memory())

    assert set(step.forecasts["destination"]) == {"S0", "S2", "S3"}


def test_a_table_is_not_made_coherent() -> None:
    table = TableHistory(make_table(months=60), horizon=3)
    moment = moment_after(month_number("2022-12"))
    memory = Memory()
    [step] = walk(table, [moment], spec=QUICK, refit_at=[moment], memory=memory)
    fitted = train(table, moment, spec=QUICK, memory=Memory())
    rows = frame_of(step.origin)

    values = head_values(fitted.heads, fitted.card, rows)
    plain = predict_quantiles(fitted.heads, fitted.card, rows)

    found = distribution(values, fitted.card, step.origin, rows)
    pd.testing.assert_frame_equal(found[NUMBERS], plain[NUMBERS], check_exact=True)
