from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.context.workspace import open_workspace
from flows.publishing.publication_lookup import publication, replayed
from flows.run import RunOutcome, run
from flows.training.predict import forecast
from flows.training.promote import promote
from models.forecasting.panel_forecaster import PanelForecaster
from store.settings import Settings
from tests.data.builders import at
from tests.data.partner_builders import PartnerWorld, make_partner_world
from tests.data.registry_builders import champion_of
from tests.flows.conftest import copied_settings, environment, settings_of
from tests.flows.publishing.test_run_table import NOW as DAY
from tests.flows.publishing.test_run_table import TABLE, fill

NOW = at(DAY)
RULE = "statistical ensemble"


def trough_world() -> PartnerWorld:
    """Build level series with a year's trough, from which boosters learn what does not return."""
    draw, names = np.random.default_rng(1), make_partner_world(partners=24, months=60).tonnes
    size = np.sort(np.exp(draw.normal(4.0, 1.0, 24)))[::-1, None]
    tonnes = size * np.exp(draw.normal(0.0, 0.1, (24, 60)))
    tonnes[:, 30:42] *= 0.4
    return PartnerWorld(pd.DataFrame(tonnes.round(3), index=names.index, columns=names.columns))


WORLD = trough_world()


@pytest.fixture(scope="module")
def beaten(new_folder: Callable[[], Path], data_dir: Path) -> tuple[Settings, RunOutcome]:
    settings = settings_of(environment(new_folder(), data_dir))
    fill(settings, WORLD.rows())
    return settings, run(settings, NOW, TABLE)


def test_a_first_model_that_loses_to_a_rule_is_not_promoted_and_the_rule_is_published(
    beaten: tuple[Settings, RunOutcome],
) -> None:
    settings, outcome = beaten

    tags = MlflowClient(settings.tracking_uri).get_model_version(TABLE.model, "1").tags
    assert champion_of(settings, TABLE.model) is None
    assert (tags["decision"], tags["better_rule"]) == ("refused", "experts")
    assert set(outcome.forecasts["status"]) == {RULE}
    [reason] = set(outcome.forecasts["reason"])
    assert reason.startswith("champion: version 1 lost to a simple rule in the backtest: loss ")
    page = (outcome.site / "index.html").read_text(encoding="utf-8")
    assert "Statistical ensemble: all destinations (champion: version 1 lost to a simple" in page
    assert outcome.fallback == f"{RULE} ({reason})"
    assert not run(settings, NOW, TABLE).is_new
    rows = publication(settings, NOW, commodity="850511")
    assert replayed(settings, rows).difference == ""


def test_the_rule_is_published_in_the_bands_that_the_backtest_scored(
    beaten: tuple[Settings, RunOutcome],
) -> None:
    workspace = open_workspace(beaten[0], NOW, TABLE)

    scored = PanelForecaster(workspace.parameters, ("experts",)).fit(workspace.snapshot).compare()

    scored = scored.loc[scored["model"].eq("experts") & scored["destination"].eq("USA")]
    made = forecast(workspace).set_index("destination").loc["USA"]
    width = made["p90"].to_numpy() - made["p10"].to_numpy()
    np.testing.assert_allclose(
        width / made["p50"], (scored["p90"] - scored["p10"]) / scored["p50"], rtol=0.05
    )


@pytest.mark.slow
def test_a_refit_that_loses_takes_its_champion_with_it_until_a_person_decides(
    beaten: tuple[Settings, RunOutcome], tmp_path: Path, data_dir: Path
) -> None:
    settings = copied_settings(beaten[0], tmp_path / "place", data_dir)

    assert promote(settings, NOW, accept="the trough may return", config=TABLE).is_champion
    assert set(forecast(open_workspace(settings, NOW, TABLE))["status"]) == {"champion"}
    assert set(run(settings, NOW, TABLE).forecasts["status"]) == {"champion"}

    later = NOW + pd.Timedelta(hours=1)
    rows = WORLD.rows()
    newest = rows.loc[rows["destination"].eq("USA")].iloc[[-2]]
    fill(settings, newest.assign(value=newest["value"] * 1.02, available_at=later), name="revised")
    assert set(run(settings, later, TABLE).forecasts["status"]) == {RULE}
    champion = champion_of(settings, TABLE.model)
    assert champion.version == 1
    assert set(forecast(open_workspace(settings, NOW, TABLE))["status"]) == {"champion"}
    assert not run(settings, later, TABLE).is_new
