from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.origin import LaterFigures, Origin
from models.forecasting.conditioning import conditioned
from store.arrays import Floats
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import make_bare

SPREAD = np.exp(0.2 * np.array([-1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645]))
SERIES, HORIZON = 4, 3
USUAL = 100.0


def origin_with(*figures: tuple[int, int, float]) -> Origin:
    """Four destinations of which figures give the row, the target month and tonnes."""
    row, column, tonnes = (np.array(part) for part in zip(*figures, strict=True))
    later = LaterFigures(row, column, tonnes.astype(float), np.full(len(row), 1e-3))
    flat = {str(row): [USUAL] * 24 for row in range(SERIES)}
    return replace(make_bare(flat, horizon=HORIZON), later=later)


def table_of(origin: Origin) -> pd.DataFrame:
    """Return the forecast of all months: median 100 t, mean 102 t without figures."""
    columns = dict(zip(QUANTILE_COLUMNS, USUAL * SPREAD, strict=True))
    rows = range(SERIES * HORIZON)
    table = conditioned(pd.DataFrame({**columns, "mean": 102.0}, index=rows), origin)
    assert (np.diff(table[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= 0).all()
    return table


def medians(origin: Origin) -> Floats:
    return table_of(origin)["p50"].to_numpy().reshape(SERIES, HORIZON)


def test_a_figure_equal_to_its_forecast_moves_nobody() -> None:
    np.testing.assert_allclose(medians(origin_with((0, 0, USUAL))), USUAL, rtol=1e-6)


def test_a_surprise_moves_later_months_of_its_own_less_and_others_not() -> None:
    found = medians(origin_with((0, 0, 120.0)))

    assert found[0, 0] == pytest.approx(120.0)
    assert found[0, 0] > found[0, 1] > found[0, 2] > USUAL
    assert (found[1:] == USUAL).all()


def test_the_newest_of_two_figures_sets_the_months_after_it() -> None:
    both, newest = (medians(origin_with(*figures))[0, 2] for figures in (
        ((0, 0, 140.0), (0, 1, 90.0)), ((0, 1, 90.0),),
    ))  # fmt: skip

    assert both == pytest.approx(newest)
    assert newest < USUAL


def test_a_sum_moves_by_what_its_parts_do() -> None:
    later = origin_with((0, 0, 40.0))
    parts = tuple(np.array([row]) for row in range(SERIES - 1))
    origin = replace(later, groups=(*parts, np.arange(SERIES - 1)))
    table = table_of(origin)
    found = table["p50"].to_numpy().reshape(SERIES, HORIZON)
    mean = table["mean"].to_numpy().reshape(SERIES, HORIZON)

    change = (mean[:-1] - 102.0).sum(axis=0)
    np.testing.assert_allclose(mean[-1], 102.0 + change)
    np.testing.assert_allclose(found[-1], USUAL * (1.0 + change / 102.0))
