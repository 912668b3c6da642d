import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from models.evaluation.scores import error_autocorrelation
from models.policy.drawing import month_ranks
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES


def cells_of(share: float, *, months: int = 6, forecasts: int = 400) -> pd.DataFrame:
    """Return cells whose truth lies where joint paths with a known share lie."""
    at = month_ranks(months, share, forecasts, seed=3)
    row = 100.0 + 10.0 * ndtri(np.array(QUANTILES))
    return pd.DataFrame(
        {
            "destination": "USA",
            "cutoff": np.repeat([f"c{n}" for n in range(forecasts)], months),
            "horizon": np.tile(np.arange(1, months + 1), forecasts),
            "tonnes": (100.0 + 10.0 * ndtri(at)).ravel(),
            **dict(zip(QUANTILE_COLUMNS, row, strict=True)),
        }
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 0.8])
def test_the_share_that_made_the_misses_is_found(share: float) -> None:
    found, pairs = error_autocorrelation(cells_of(share))

    assert found == pytest.approx(share, abs=0.05)
    assert pairs == 400 * (5 + 4 + 3 + 2 + 1)


def test_months_for_themselves_and_months_alike() -> None:
    alone, alike = (month_ranks(3, share, 20_000, seed=1) for share in (0.0, 1.0))

    assert np.allclose(np.corrcoef(ndtri(alone), rowvar=False), np.eye(3), atol=0.03)
    assert (alike == alike[:, :1]).all()
    assert np.quantile(alone, [0.1, 0.9]) == pytest.approx([0.1, 0.9], abs=0.01)
