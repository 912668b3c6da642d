import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from models.evaluation.compare import differences
from models.evaluation.market_regimes import CALM, SHOCK
from models.evaluation.plots import score_plots, scoreboard_plots
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


def test_errors_by_horizon_have_a_line_a_model_the_products_own_first() -> None:
    [axes] = figures_of(make_cells())["mase_by_horizon"].axes

    assert [line.get_label() for line in axes.lines] == [MODEL, "drift", "seasonal_naive"]


def test_coverage_is_shown_in_calm_and_in_shock_months_apart() -> None:
    cells = make_cells()
    [axes] = figures_of(cells)["coverage_by_horizon"].axes

    labels = [str(text.get_text()) for text in axes.get_legend().get_texts()]
    assert labels == ["calm (4 months)", "shock (4 months)"]
    calm = axes.lines[1].get_ydata()
    own = cells.loc[(cells["model"] == MODEL) & (cells["horizon"] == 1)]
    assert np.asarray(calm)[0] == pytest.approx(own["is_covered"].mean())


def test_differences_have_a_panel_a_metric_and_a_row_a_baseline() -> None:
    panels = figures_of(make_cells())["differences"].axes

    assert len(panels) == 3
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["seasonal_naive", "drift"]


@pytest.mark.slow
def test_a_panel_without_a_shock_or_a_scale_is_plotted() -> None:
    cells = make_cells().assign(regime=CALM, scaled_error=np.nan, scaled_quantile_loss=np.nan)

    figures = figures_of(cells)

    for figure in figures.values():
        figure.savefig(io.BytesIO(), format="png")


@pytest.mark.slow
def test_a_model_without_baselines_is_plotted() -> None:
    for figure in figures_of(make_cells(models=(MODEL,))).values():
        figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize(("dated", "label"), [(True, "as of"), (False, "cutoff")])
def test_origins_are_reported_by_their_moment_or_else_by_their_cutoff(
    *, dated: bool, label: str
) -> None:
    cells = make_cells()
    moments = pd.to_datetime(cells["cutoff"] + "-25", utc=True)

    figures = score_plots(cells.assign(as_of=moments) if dated else cells)

    assert figures["wape_by_origin"].axes[0].get_xlabel() == label
