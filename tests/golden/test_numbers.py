"""What is estimated and forecast from the bundled facts and from a made-up world."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

import magnetcast as mc
from features.build import features_at, frame_of
from features.controls.controls import adjusted_history, steady_history
from features.evidence_history import release_moments
from features.origin import LaterFigures
from features.panel.estimation import evidence_panel, side_effects
from features.series import series_stats
from features.statistical.base_forecasts import BASE_FORECASTS
from features.statistical.seasonality import season_profiles
from models.forecasting.changes import named_figures, split, with_effects
from models.forecasting.decomposition import contributions, stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.firm_needs import Firm, outlook_of
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import MODEL
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import importances
from models.policy.paired_forecast import ScenarioSnapshot, paired
from models.policy.policy_effect import effect_at
from models.quantile_model import TrainedModel
from store.schema.scenario import scenario_of
from tests.data.builders import QUICK, at, bundled_world, compare_at, make_world
from tests.data.store_builders import make_observations
from tests.data.why_builders import AFTER, replay, taught_boosters, taught_metadata
from tests.golden.fingerprints import flat, hold
from tests.golden.rewrite import PANEL

SCENARIO = {
    "name": "licences for Germany, a ban for Japan, 60% in the USA",
    "tariffs": [{"importer": "USA", "rate_pct": 60, "effective_from": "2027-02-01"}],
    "events": [
        {"event_id": "germany", "instrument": "export_control", "destinations": ["DEU"],
         "covers": ["magnets"], "covered_share": 0.5, "covered_because": "assumed",
         "effective_from": "2027-03-01", "probability": 0.6},
        {"event_id": "japan", "instrument": "export_ban", "destinations": ["JPN"],
         "covers": ["magnets"], "covered_share": 1, "covered_because": "assumed",
         "effective_from": "2027-01-01", "diverted_pct": 40},
    ],
}  # fmt: skip


def cells(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"all": values.ravel()})


@pytest.mark.parametrize("day", ["2025-06-25", "2026-11-25"])
def test_numbers_from_the_bundled_facts_are_those_committed(day: str) -> None:
    history, moment = bundled_world().history(), at(day)
    origin, analogs = history.origin(moment), history.analogs(moment)
    model, rows = TrainedModel(taught_boosters(), taught_metadata()), rows_of(origin)
    effect = effect_at(origin, analogs)
    stages = stages_of(model, rows, origin, effect)
    known = ScenarioSnapshot(moment, origin, analogs, stages.published, stages.coherent)
    tables = {
        "panel": history.panel(moment).frame,
        "features": frame_of(origin),
        "base": pd.DataFrame({k: v.ravel() for k, v in features_at(origin).base_forecasts.items()}),
        "adjusted": cells(adjusted_history(origin)),
        "steady": cells(steady_history(origin)),
        "published": stages.published,
        "coherent": stages.coherent,
    }
    tables["contributions"] = contributions(model, rows, origin, stages)
    if day > "2026":
        usa, germany = origin.series.index("USA"), origin.series.index("DEU")
        later = LaterFigures(
            np.array([usa, germany, germany]), np.array([1, 0, 1]),
            origin.level[[usa, germany, germany]] * [0.5, 1.2, 1.5], np.array([1e-3, 0.02, 1e-3]),
        )  # fmt: skip
        told = replace(origin, later=later)
        tables["given later figures"] = stages_of(model, rows, told, effect).published
        tables["scenario"] = paired(known, scenario_of(SCENARIO, known.context)).table

    hold(f"bundled-{day}", tables)


def test_numbers_of_a_trained_model_are_those_committed() -> None:
    history, moment = make_world().history(), at("2020-10-25")
    forecaster = EvidenceForecaster(QUICK)
    compared = compare_at(forecaster, history, *release_moments("2020-07-25", moment))
    snapshot = Snapshot.of_evidence(history, moment)
    model = forecaster.train(snapshot)
    errors = forecaster.residuals.residuals(MODEL, snapshot.origin)

    hold(
        "trained",
        {
            **{f"compared {at}": table for at, table in enumerate(compared)},
            "errors": pd.DataFrame({"horizon": errors.horizon, "distance": errors.distance}),
            "metadata": flat(model.metadata),
            "importances": importances(model.boosters),
            "published": forecaster.fit(snapshot).published(),
        },
    )


def test_numbers_of_base_forecasts_are_those_committed() -> None:
    draw = np.random.default_rng(20250404)
    months, count = 84, 80
    level = np.exp(draw.normal(4, 2, (count, 1)) + draw.normal(0, 0.05, (count, months)).cumsum(1))
    season = np.exp(draw.uniform(0, 0.4, (count, 1)) * np.sin(np.arange(months) * np.pi / 6))
    tonnes = level * season * np.exp(draw.normal(0, 1, (count, months)) * draw.random((count, 1)))
    tonnes[:20] *= draw.random((20, months)) < 0.4
    tonnes[20:25, -9:] = 0.0
    tonnes[draw.random((count, months)) < 0.03] = np.nan
    profiles = season_profiles(tonnes)

    hold(
        "base",
        {
            "season": cells(profiles),
            "stats": pd.DataFrame(
                {
                    name: values
                    for name, values in asdict(series_stats(tonnes)).items()
                    if np.ndim(values) == 1
                }
            ),
            **{name: cells(of(tonnes, profiles, 14)) for name, of in BASE_FORECASTS.items()},
        },
    )


@pytest.mark.filterwarnings("ignore:panel. gaps")
@pytest.mark.parametrize("tree", [None, {"all": ["steady", "growing", "hit", "rare", "flat"]}])
def test_numbers_of_a_panel_are_those_committed(tree: dict[str, list[str]] | None) -> None:
    table = pd.read_csv(PANEL)
    model = mc.Forecaster(num_iterations=40, min_data_in_leaf=30, threads=1, lags=[1, 12])
    model.fit(table, tree=tree)

    hold(
        "panel-tree" if tree else "panel-alone",
        {
            "forecast": model.predict(9, quantiles=[0.02, 0.1, 0.5, 0.9, 0.99]),
            "fitted": model.forecast_fitted_values(level=[80]),
            "importances": model.feature_importances_.reset_index(),
        },
    )


def test_numbers_of_a_firm_are_those_committed() -> None:
    months = pd.date_range("2026-11-01", periods=6, freq="MS")
    quantiles = np.outer([80.0, 60.0, 90.0, 100.0, 70.0, 95.0], [0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 1.7])
    firms = [
        Firm(9.0), Firm(9.0, 20.0, lead_days=45), Firm(9.0, 5.0, lead_days=20, on_order=12.0),
    ]  # fmt: skip
    outlooks = [
        asdict(outlook_of(firm, months, quantiles, 85.0, carry=0.6, as_of=at("2026-11-20")))
        for firm in firms
    ]

    hold("firm", {"outlooks": flat(outlooks)})


def test_numbers_of_a_change_are_those_committed() -> None:
    made = replay(frozenset({"new_actuals", "revised_actuals", "tariffs", "policy"}), model=2)
    panel = evidence_panel(made.facts.observations, as_of=AFTER)
    before, after = made.value(frozenset()), made.value(made.changed)
    named = named_figures(made.facts, made.news, panel, {("ROW", "2019-06"): 800.0})
    august = {
        "destination": "USA", "value": 6_120.0, "period_from": "2026-08", "period_to": "2026-08",
        "half_width": 0.5, "available_at": "2026-11-24T08:00:00Z",
    }  # fmt: skip
    known, new = bundled_world().observations, make_observations(august)
    moved = side_effects(known, new, as_of=at("2026-11-25"))

    hold(
        "changes",
        {
            "side effects": flat([asdict(one) for one in moved]),
            "parts": pd.DataFrame(split(before.p50, after.p50, made.value, changed=made.changed)),
            "figures": flat([asdict(figure) for figure in with_effects(made, named)]),
        },
    )
