"""What is estimated and forecast from the bundled facts and from a made-up world."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from features.build import features_at, frame_of
from features.controls.controls import adjusted_history, steady_history
from features.evidence_history import release_moments
from features.panel.estimation import evidence_panel
from models.forecasting.changes import named_figures, split, with_effects
from models.forecasting.decomposition import contributions, stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import MODEL
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import importances
from models.policy.paired_forecast import ScenarioSnapshot, paired
from models.policy.policy_effect import effect_at
from models.quantile_model import TrainedModel
from store.schema.scenario import scenario_of
from tests.data.builders import QUICK, at, bundled_world, compare_at, make_world
from tests.data.why_builders import AFTER, replay, taught_boosters, taught_metadata
from tests.golden.fingerprints import flat, hold

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


def series(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values.reshape(len(values), -1).T)


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
        "adjusted": series(adjusted_history(origin)),
        "steady": series(steady_history(origin)),
        "published": stages.published,
        "coherent": stages.coherent,
    }
    tables["contributions"] = contributions(model, rows, origin, stages)
    if day > "2026":
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


def test_numbers_of_a_change_are_those_committed() -> None:
    made = replay(frozenset({"new_actuals", "revised_actuals", "tariffs", "policy"}), model=2)
    panel = evidence_panel(made.facts.observations, as_of=AFTER)
    before, after = made.value(frozenset()), made.value(made.changed)
    named = named_figures(made.facts, made.news, panel, {("ROW", "2019-06"): 800.0})

    hold(
        "changes",
        {
            "parts": pd.DataFrame(split(before.p50, after.p50, made.value, changed=made.changed)),
            "figures": flat([asdict(figure) for figure in with_effects(made, named)]),
        },
    )
