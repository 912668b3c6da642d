from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.controls.controls import tonnes_without
from features.evidence_history import EvidenceHistory
from models.forecasting.decomposition import stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.firm_needs import WEEKS_A_MONTH, Firm, outlook_of, running_gap
from models.forecasting.model_frame import rows_of
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import MAGNETS_PRESET
from models.policy.policy_effect import effect_at
from store.months import month_number
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import at, bundled_world

pytestmark = pytest.mark.slow

TRUTH = {
    ("USA", "2025-05"): 46, ("WLD", "2025-05"): 1238, ("USA", "2025-06"): 353,
    ("USA", "2025-07"): 619, ("USA", "2025-08"): 590, ("USA", "2025-09"): 420,
}  # fmt: skip


@cache
def history() -> EvidenceHistory:
    return bundled_world().history()


@cache
def forecast(day: str) -> pd.DataFrame:
    """Return quantiles by destination and month, and p50 before controls are answered."""
    origin = history().origin(at(day))
    model = EvidenceForecaster(MAGNETS_PRESET).train(Snapshot.of_evidence(history(), at(day)))
    rows = rows_of(origin)
    effect = effect_at(origin, history().analogs(at(day)))
    stages = stages_of(model, rows, origin, effect)
    keys = rows[["destination"]].assign(period=rows["period"].dt.strftime("%Y-%m"))
    found = pd.concat([keys, stages.published, stages.coherent["p50"].rename("before")], axis=1)
    return found.set_index(["destination", "period"])


@pytest.mark.parametrize(("destination", "most"), [("USA", 0.5), ("WLD", 0.7)])
def test_the_control_of_4_april_is_answered_within_a_week(destination: str, most: float) -> None:
    cell = (destination, "2025-05")

    before, after = forecast("2025-04-01").loc[cell], forecast("2025-04-10").loc[cell]

    assert after["p50"] < most * before["p50"]
    assert after["p05"] <= TRUTH[cell] <= after["p95"]


def test_the_recovery_is_foreseen_once_may_is_out() -> None:
    usa = forecast("2025-06-25").loc["USA"].loc["2025-06":"2025-09"]

    assert usa["p50"].is_monotonic_increasing
    assert usa["p50"].iloc[-1] > 2 * usa["p50"].iloc[0] > 4 * TRUTH["USA", "2025-05"]
    truth = np.array([TRUTH["USA", month] for month in usa.index])
    assert np.all((usa["p05"] <= truth) & (truth <= usa["p95"]))


@pytest.mark.parametrize("day", ["2025-10-25", "2026-01-25"])
def test_a_year_ahead_a_recovered_trade_is_at_the_level_before_not_a_third_above(day: str) -> None:
    origin = history().origin(at(day))
    effect = effect_at(origin, history().analogs(at(day)))
    usa, control = origin.series.index("USA"), effect.controls[0]

    found = np.median(effect.analog_path[:, usa, -3:], axis=0)

    before = tonnes_without(origin, control)[usa, -3:]
    assert (found > 0.7 * before).all()
    assert (found < 1.1 * before).all()


@pytest.mark.parametrize("day", ["2023-07-25", "2024-06-25", "2025-03-25"])
def test_no_control_is_answered_in_calm_months(day: str) -> None:
    effect = effect_at(history().origin(at(day)), history().analogs(at(day)))

    assert effect.controls == ()
    assert (effect.retained == 1.0).mean() > 0.85  # but for controls nobody has announced
    assert not effect.weight.any()


def test_sums_still_add_up() -> None:
    means = forecast("2025-04-10")["mean"].reset_index()

    is_member = ~means["destination"].isin(["WLD", "EU27"])
    members = means.loc[is_member].groupby("period")["mean"].sum()
    world = means.loc[means["destination"] == "WLD"].set_index("period")["mean"]
    np.testing.assert_allclose(members, world, rtol=1e-9)


def test_a_plant_in_germany_is_told_that_eight_weeks_of_stock_are_at_risk() -> None:
    day, origin = "2025-04-10", history().origin(at("2025-04-10"))
    german = forecast(day).loc["DEU"].loc["2025-04":"2025-09"]
    row, before = origin.series.index("DEU"), 12
    normal = float(origin.tonnes[row, -before:].mean())
    need = 0.01 * normal
    periods = list(pd.to_datetime(german.index))
    quantiles = german[list(QUANTILE_COLUMNS)].to_numpy()
    plant = Firm(need, stock=need * 8 / WEEKS_A_MONTH)

    outlook = outlook_of(plant, periods, quantiles, normal, carry=0.7, as_of=at(day))

    later = history().origin(at("2026-01-25"))
    start = later.cutoff - month_number(periods[0]) + 1
    exports = later.tonnes[row, -start:][: len(periods)] * need / normal
    needed = np.full(len(periods), need) * np.array([2 / 3, 1, 1, 1, 1, 1])
    exports[0] *= 2 / 3
    gaps = running_gap(exports[None], needed)[0]
    assert outlook.out_in == "2025-06"
    assert outlook.stock_90 > plant.stock
    # The months as published wore the stock down until June as forecast, by 5.3 of its 8 weeks.
    assert outlook.months[int(gaps.argmax())] == outlook.out_in
    assert gaps.max() / need * WEEKS_A_MONTH == pytest.approx(5.3, abs=0.05)
