import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.panel.estimation import evidence_panel
from models.learning.calibration import PastErrors, calibrate, metadata_of
from models.quantile_model import quantiles_of
from store.vocabulary import AGGREGATES, DESTINATIONS, MAX_HORIZON, QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_levels
from tests.data.store_builders import make_observations
from tests.examples import few

NAMES = (*DESTINATIONS, *AGGREGATES)
GROUPS = tuple(
    np.array([NAMES.index(member) for member in AGGREGATES.get(name, (name,))]) for name in NAMES
)
TONNES = st.floats(0.0, 1e5, allow_subnormal=False)
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
