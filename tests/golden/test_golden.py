import pandas as pd
import pytest

from features.statistical.base_forecasts import PANEL_FORECASTS
from models.forecasting.model_names import BASE_MEDIAN, MODEL
from tests.golden.rewrite import KEY, PANEL, SCORES, panel, scores


@pytest.mark.slow
def test_scores_on_the_frozen_panel_are_those_committed() -> None:
    committed = pd.read_csv(SCORES)

    found = scores()

    pd.testing.assert_frame_equal(found[KEY], committed[KEY], check_dtype=False)
    assert found["cells"].tolist() == committed["cells"].tolist()
    pd.testing.assert_series_equal(
        found["value"],
        committed["value"],
        rtol=1e-9,
        atol=1e-12,
        obj="scores (`make golden` rewrites them; say why they moved)",
    )


def test_the_frozen_panel_is_the_one_its_builder_makes() -> None:
    built, committed = panel(), pd.read_csv(PANEL)

    pd.testing.assert_frame_equal(built.reset_index(drop=True), committed, check_dtype=False)


def test_the_committed_scores_hold_every_model_and_series() -> None:
    committed = pd.read_csv(SCORES)

    assert set(committed["model"]) == {MODEL, BASE_MEDIAN, *PANEL_FORECASTS}
    assert set(committed["scope"]) == {"ALL", "steady", "growing", "hit", "rare", "flat"}
