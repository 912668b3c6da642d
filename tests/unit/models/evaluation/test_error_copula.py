import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from models.evaluation.scores import error_autocorrelation, error_copula, sum_cells
from models.forecasting.joint_paths import ErrorCopula, sample_paths
from models.policy.drawing import month_ranks
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

SPREAD = ndtri(np.array(QUANTILES))
ROW = 100.0 + 10.0 * SPREAD


def cells_of(copula: ErrorCopula, *, series: int = 4, months: int = 6, origins: int = 400):
    """Cells whose truth lies where joint paths of a known copula lie."""
    quantiles = np.broadcast_to(ROW, (series, months, len(ROW)))
    tonnes = sample_paths(quantiles, copula, origins)
    origin, name, horizon = (part.ravel() for part in np.indices(tonnes.shape))
    frame = pd.DataFrame(
        {
            "model": "magnetcast",
            "destination": np.array(list("ABCDEFGH"))[name],
            "cutoff": origin,
            "period": origin * 100 + horizon,
            "horizon": horizon + 1,
            "lead": horizon + 1,
            "tonnes": tonnes.ravel(),
            "scale": 1.0,
            **dict(zip(QUANTILE_COLUMNS, ROW, strict=True)),
        }
    )
    return frame.assign(is_covered=frame["tonnes"].between(frame["p10"], frame["p90"]))


@pytest.mark.parametrize("made", [ErrorCopula(0.3, 0.0), ErrorCopula(0.7, 0.6)], ids=str)
def test_how_errors_go_together_is_found(made: ErrorCopula) -> None:
    found = error_copula(cells_of(made))

    assert found.carry == pytest.approx(made.carry, abs=0.05)
    assert found.together == pytest.approx(made.together, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_the_autocorrelation_that_made_the_misses_is_found(share: float) -> None:
    found, pairs = error_autocorrelation(cells_of(ErrorCopula(share, 0.0), series=1))

    assert found == pytest.approx(share, abs=0.05)
    assert pairs == 400 * (5 + 4 + 3 + 2 + 1)


def test_ranks_of_months_are_independent_or_alike() -> None:
    alone, alike = (month_ranks(3, share, 20_000, seed=1) for share in (0.0, 1.0))

    assert np.allclose(np.corrcoef(ndtri(alone), rowvar=False), np.eye(3), atol=0.03)
    assert (alike == alike[:, :1]).all()
    assert np.quantile(alone, [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.01)


@pytest.mark.parametrize("carry", [0.0, 0.6])
def test_the_band_of_three_months_holds_as_often_as_it_states(carry: float) -> None:
    sums = sum_cells(cells_of(ErrorCopula(carry, 0.0), origins=800), carry)

    assert len(sums) == 800 * 4 * 2
    assert sums["is_covered"].mean() == pytest.approx(0.8, abs=0.02)
    assert set(sums["horizon"]) == {3, 6}


def test_destinations_that_err_together_make_a_wider_sum() -> None:
    quantiles = np.broadcast_to(ROW, (3, 1, len(ROW)))

    sums = [sample_paths(quantiles, ErrorCopula(0.5, share)).sum(axis=(1, 2)) for share in (0, 1)]
    alone, alike = (np.quantile(one, QUANTILES) for one in sums)

    assert alike == pytest.approx(3.0 * ROW, abs=3.0)
    assert (alone[-2] - alone[1]) == pytest.approx((ROW[-2] - ROW[1]) * 3**0.5, rel=0.05)
