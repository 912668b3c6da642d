import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.panel.estimation import evidence_panel
from features.statistical.base_forecasts import BASELINES
from models.learning.calibration import PastErrors, calibrate, metadata_of
from models.quantile_model import quantiles_of
from models.reconciliation import coherent_factors
from store.vocabulary import AGGREGATES, DESTINATIONS, MAX_HORIZON, QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_bare, make_levels
from tests.data.store_builders import make_observations
from tests.examples import few

NAMES = (*DESTINATIONS, *AGGREGATES)
GROUPS = tuple(
    np.array([NAMES.index(member) for member in AGGREGATES.get(name, (name,))]) for name in NAMES
)
TONNES = st.floats(0.0, 1e5, allow_subnormal=False)
MEANS = hnp.arrays(float, (12, 2), elements=TONNES)
SPREADS = hnp.arrays(float, (12, 2), elements=st.floats(0.0, 1e4, allow_subnormal=False))
ERRORS = st.integers(0, 60).flatmap(
    lambda n: st.tuples(
        hnp.arrays(float, n, elements=st.floats(1, 18)),
        hnp.arrays(float, n, elements=st.floats(1, 60)),
        hnp.arrays(float, n, elements=st.floats(-5, 5)),
        hnp.arrays(float, n, elements=st.floats(0, 2)),
    )
)


def summed(bottom: np.ndarray) -> np.ndarray:
    return np.stack([bottom[members].sum(axis=0) for members in GROUPS])


@given(MEANS, SPREADS)
def test_coherent_means_add_up_and_are_never_negative(mean: np.ndarray, spread: np.ndarray) -> None:
    mean = np.maximum(mean, 1e-3)

    found = mean * coherent_factors(mean, spread, GROUPS)

    assert (found >= 0).all()
    np.testing.assert_allclose(summed(found), found, rtol=1e-6, atol=1e-6)


@given(ERRORS)
def test_calibrated_quantiles_never_cross_and_the_median_score_is_zero(
    errors: tuple[np.ndarray, ...],
) -> None:
    shift, scores = calibrate(PastErrors(*errors), QUICK, MAX_HORIZON)

    assert np.isfinite(shift).all()
    assert np.isfinite(scores).all()
    assert (np.diff(scores, axis=1) >= 0).all()
    assert (scores[:, QUANTILE_COLUMNS.index("p50")] == 0).all()


@given(ERRORS, hnp.arrays(float, (3, 5), elements=st.floats(-3, 3)))
def test_published_quantiles_are_ordered_tonnes_around_their_mean(
    errors: tuple[np.ndarray, ...], boosters: np.ndarray
) -> None:
    metadata = metadata_of(("horizon",), PastErrors(*errors), QUICK, MAX_HORIZON)
    rows = pd.DataFrame(
        {
            "horizon": [1.0, 2.0, 6.0, 12.0, 18.0],
            "level_tonnes": 100.0,
            "offset_tonnes": 1.0,
            "recent_stderr_log": [0.0, 0.01, 0.3, 1.5, np.nan],
        }
    )

    table = quantiles_of(tuple(boosters), metadata, rows)

    assert (np.diff(table[list(QUANTILE_COLUMNS)], axis=1) >= 0).all()
    assert (table >= 0).all(axis=None)
    assert table["mean"].between(table["p05"] - 1e-9, table["p95"] + 1e-9).all()


@given(
    st.lists(st.one_of(st.just(float("nan")), TONNES), min_size=3, max_size=40).filter(
        lambda row: any(np.isfinite(row))
    ),
    st.integers(1, 18),
)
def test_baselines_say_a_number_wherever_anything_is_known(row: list[float], horizon: int) -> None:
    origin = make_bare({"A": row}, horizon=horizon)

    for name, baseline in BASELINES.items():
        result = baseline(origin.tonnes, horizon)
        assert result.shape == (1, horizon), name
        assert np.isfinite(result).all(), name
        assert (result >= 0).all(), name


@few(15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["USA", "DEU", "WLD", "EU27"]),
            st.sampled_from(["2018-03-01", "2019-01-01", "2019-06-01"]),
            st.floats(1.0, 20_000.0),
        ),
        max_size=4,
    )
)
def test_the_panel_adds_up_and_stays_positive_whatever_is_published(
    figures: list[tuple[str, str, float]],
) -> None:
    added = [
        {
            "destination": name,
            "period_from": month,
            "period_to": month,
            "value": value,
            "available_at": "2019-07-20T00:00:00Z",
            "source_url": f"https://example.org/{place}",
        }
        for place, (name, month, value) in enumerate(figures)
    ]
    rows = make_levels(last="2019-06")
    rows = pd.concat([rows, make_observations(*added)]) if added else rows

    panel = evidence_panel(rows.reset_index(drop=True), as_of=at("2019-07-25"))

    assert (panel.tonnes > 0).all()
    np.testing.assert_allclose(summed(panel.tonnes), panel.tonnes, rtol=1e-9)
    assert np.isfinite(panel.stderr).all()
