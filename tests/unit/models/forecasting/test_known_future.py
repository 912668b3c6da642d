import numpy as np
import pytest

from models.forecasting.panel_forecaster import KnownFuture
from sources.files.covariates import Covariates
from store.months import month_number

MONTHS = 26
RISING = Covariates(
    "test", ("rate",), ("A", "B"), month_number("2020-01"), MONTHS,
    np.arange(2 * MONTHS), np.tile(np.arange(float(MONTHS)), 2), None, (),
)  # fmt: skip
"""0 to 25 of January 2020 to February 2022."""


def test_a_covariate_has_four_views_in_its_usual_change_over_a_year() -> None:
    features = KnownFuture.at(RISING, last=23, horizon=2, needed=np.ones(2, dtype=bool))

    assert features.names == (
        "rate_there", "rate_less_year", "rate_less_now", "rate_later_less_there",
    )  # fmt: skip
    # The year to December 2021 has the mean 17.5, December itself 23; after February nothing comes.
    by_hand = np.array([[24.0, 6.5, 1.0, 1.0], [25.0, 7.5, 2.0, 0.0]]) / 12.0
    assert features(23, slice(0, 2)) == pytest.approx(np.stack([by_hand, by_hand]))
    # Of an origin of a year before: 12 and 13, of a year with the mean 5.5.
    past = np.array([[12.0, 6.5, 1.0, 1.0], [13.0, 7.5, 2.0, 0.0]]) / 12.0
    assert features(11, np.array([1])) == pytest.approx(past[np.newaxis])
