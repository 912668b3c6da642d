"""What a figure after the cutoff does to the forecast of other months and destinations."""

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


def medians(origin: Origin) -> Floats:
    """Return the median of each destination and month, all 100 t without figures."""
    columns = dict(zip(QUANTILE_COLUMNS, USUAL * SPREAD, strict=True))
    rows = range(SERIES * HORIZON)
    table = conditioned(pd.DataFrame({**columns, "mean": 102.0}, index=rows), origin)
    assert (np.diff(table[list(QUANTILE_COLUMNS)].to_numpy(), axis=1) >= 0).all()
    return table["p50"].to_numpy().reshape(SERIES, HORIZON)


def test_a_figure_equal_to_its_forecast_moves_nobody() -> None:
    np.testing.assert_allclose(medians(origin_with((0, 0, USUAL))), USUAL, rtol=1e-6)


def test_a_surprise_moves_others_less_and_later_months_less() -> None:
    found = medians(origin_with((0, 0, 120.0)))

    assert found[0, 0] == pytest.approx(120.0)
    assert found[0, 0] > found[0, 1] > found[0, 2] > USUAL
    assert (found[1:, 0] > found[1:, 1]).all()
    assert ((found[1:] > USUAL) & (found[1:] < found[:1])).all()


def test_a_stop_of_one_destination_alone_says_little_of_the_others() -> None:
    alone = medians(origin_with((0, 0, 30.0)))
    together = medians(origin_with((0, 0, 30.0), (1, 0, 30.0), (2, 0, 30.0)))

    assert alone[0, 1] < 80.0
    assert (alone[1:] > 95.0).all()
    assert together[3, 0] < 80.0
