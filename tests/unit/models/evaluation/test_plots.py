import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from models.evaluation.compare import differences
from models.evaluation.market_regimes import CALM, SHOCK
from models.evaluation.plots import scoreboard_plots
from models.forecasting.forecaster import MODEL

PNG = b"\x89PNG"


def make_cells(*, models: tuple[str, ...] = (MODEL, "seasonal_naive", "drift")) -> pd.DataFrame:
    """Build scored cells of three series, two cutoffs and four horizons, half of them shocked."""
    rng = np.random.default_rng(7)
    keys = pd.MultiIndex.from_product(
        [models, ["2020-06", "2021-06"], ["A", "B", "C"], [1, 2, 3, 4]],
        names=["model", "cutoff", "destination", "horizon"],
    )
    cells = keys.to_frame(index=False)
    months = [
        pd.Period(cutoff, freq="M") + horizon
        for cutoff, horizon in zip(cells["cutoff"], cells["horizon"], strict=True)
    ]
    error = rng.gamma(2.0, 1.0, len(cells))
    return cells.assign(
        period=[month.to_timestamp() for month in months],
        regime=np.where(cells["horizon"] % 2 == 0, SHOCK, CALM),
        tonnes=100.0,
        absolute_error=10.0 * error,
        scaled_error=error,
        scaled_quantile_loss=error / 2.0,
        is_covered=error < 3.0,
    )


def figures_of(cells: pd.DataFrame) -> dict[str, Figure]:
    baselines = sorted(set(cells["model"]) - {MODEL})
    return scoreboard_plots(cells, differences(cells, MODEL, baselines))


@pytest.mark.slow
def test_a_scoreboard_has_four_plots_that_can_be_drawn() -> None:
    figures = figures_of(make_cells())

    assert list(figures) == [
        "mase_by_horizon",
        "mase_by_regime",
        "coverage_by_horizon",
        "differences",
    ]
    for figure in figures.values():
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        assert buffer.getvalue().startswith(PNG)


def test_coverage_is_shown_in_calm_and_in_shock_months_apart() -> None:
    cells = make_cells()
    [axes] = figures_of(cells)["coverage_by_horizon"].axes

    labels = [str(text.get_text()) for text in axes.get_legend().get_texts()]
    assert labels == ["calm (4 months)", "shock (4 months)"]
    calm = axes.lines[1].get_ydata()
    own = cells.loc[(cells["model"] == MODEL) & (cells["horizon"] == 1)]
    assert np.asarray(calm)[0] == pytest.approx(own["is_covered"].mean())
