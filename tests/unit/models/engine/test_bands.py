from dataclasses import replace

import numpy as np
import pytest

from models.engine.forecast import (
    GROUPS,
    LEAST_SIDE,
    TAIL,
    Bands,
    CalibrationCells,
    bands_of,
    edges_of,
    groups_of,
)
from models.learning.spec import EngineSpec
from store.arrays import Floats
from store.vocabulary import QUANTILES

SPEC = EngineSpec()
TRUSTING = replace(SPEC, band_prior=1.0, band_growth=0.0)
LAST = 50
P10, P50, P90 = (QUANTILES.index(level) for level in (0.1, 0.5, 0.9))


def checked(score: Floats, *, origins: int = 12) -> CalibrationCells:
    """Build scores of cells dealt out over horizons, groups and origins."""
    place = np.arange(len(score))
    return CalibrationCells(
        score, 1 + place % 6, place // 6 % GROUPS, LAST - 1 - place // 18 % origins
    )


def drawn(count: int = 3_600, *, seed: int = 2, reach: float = 1.6) -> Floats:
    """Draw scores of which 80 percent lie within a reach: beyond 1, the heads are too narrow."""
    return np.random.default_rng(seed).normal(0.0, reach / 1.2816, count)


def bands(found: CalibrationCells, *, spec: EngineSpec = SPEC) -> Bands:
    return bands_of(found, np.array([-6.0, -3.0]), horizon=6, last=LAST, spec=spec)


def coverage(found: Bands, fresh: CalibrationCells) -> float:
    own = found.scores[fresh.group, fresh.horizon - 1]
    return float(((own[:, P10] <= fresh.score) & (fresh.score <= own[:, P90])).mean())


@pytest.mark.parametrize("reach", [0.5, 1.0, 1.6, 3.0])
def test_bands_of_exchangeable_errors_cover_80_percent(reach: float) -> None:
    found = bands(checked(drawn(reach=reach)), spec=TRUSTING)

    fresh = checked(drawn(seed=3, reach=reach))
    assert coverage(found, fresh) == pytest.approx(0.8, abs=0.02)


def test_bands_of_a_month_half_a_trial_ahead_grow_by_half_of_what_a_whole_one_does() -> None:
    found = checked(drawn())
    plain, grown = (
        bands(found, spec=replace(SPEC, trial_months=12, band_growth=growth)).scores
        for growth in (0.0, 0.2)
    )

    np.testing.assert_allclose(grown[:, 5], 1.1 * plain[:, 5])
    np.testing.assert_allclose(grown[:, 2], 1.05 * plain[:, 2])


def test_bands_follow_the_horizon_and_the_group_where_their_errors_differ() -> None:
    plain = checked(drawn())
    unit = np.where(plain.horizon > 3, 2.0, 1.0) * np.where(plain.group == 2, 2.0, 1.0)
    uneven = replace(plain, score=plain.score * unit)

    high = bands(uneven).scores[:, :, P90]

    assert (np.diff(high, axis=1) > 0).all()
    assert (high[2] > 1.2 * high[0]).all()


def test_scores_are_of_one_size_on_either_side_and_nothing_at_the_median() -> None:
    scores = bands(checked(np.abs(drawn()))).scores

    np.testing.assert_allclose(scores, -scores[:, :, ::-1])
    assert not scores[:, :, P50].any()
    assert (np.diff(scores, axis=2) > 0).all()


def test_without_a_trial_the_heads_are_taken_at_their_word() -> None:
    nothing = checked(np.empty(0))

    found = bands(nothing)

    assert found.tail == TAIL
    assert found.scores[:, :, P90] == pytest.approx(1.0, abs=0.05)


class TestAfterABreak:
    sharp = replace(SPEC, adaption=0.2)
    misses = (0.5, 5.0)
    hits = (5.0, 0.5)

    def broken(self, units: tuple[float, float], *, months: int) -> CalibrationCells:
        """Build errors in one unit before the last months, in another within them."""
        plain = checked(drawn())
        is_new = plain.origin >= LAST - months
        return replace(plain, score=np.where(is_new, units[1], units[0]) * plain.score)

    def test_recent_misses_widen_the_bands(self) -> None:
        broken = self.broken(self.misses, months=4)

        calm, taught = (
            bands(broken, spec=spec) for spec in (replace(self.sharp, adaption=0.0), self.sharp)
        )

        assert taught.tail < calm.tail == TAIL
        assert (taught.scores[:, :, P90] > calm.scores[:, :, P90]).all()

    def test_recent_hits_narrow_them(self) -> None:
        broken = self.broken(self.hits, months=8)

        calm, taught = (
            bands(broken, spec=spec) for spec in (replace(self.sharp, adaption=0.0), self.sharp)
        )

        assert taught.tail > calm.tail == TAIL
        assert (taught.scores[:, :, P90] < calm.scores[:, :, P90]).all()


class TestQuantiles:
    found = bands(checked(drawn()))

    def quantiles(self, middle: float, low: float, high: float) -> Floats:
        ones = np.ones((1, 6))
        return self.found.quantiles(middle * ones, low * ones, high * ones, np.array([0]))[0, 0]

    def test_keep_the_heads_skew(self) -> None:
        result = self.quantiles(0.5, -0.5, 3.5)

        assert result[P50] == 0.5
        assert (result[P90] - result[P50]) == pytest.approx(3.0 * (result[P50] - result[P10]))

    def test_are_in_order_where_the_middle_lies_outside_of_the_heads(self) -> None:
        result = self.quantiles(5.0, -1.0, 1.0)

        assert (np.diff(result) > 0).all()
        assert result[P90] - result[P50] == pytest.approx(self.found.scores[0, 0, P90] * LEAST_SIDE)


def test_groups_part_series_from_calm_to_wild_into_equal_parts() -> None:
    levels = np.arange(1.0, 10.0)

    edges = edges_of(levels)

    assert groups_of(levels, edges).tolist() == [2, 2, 2, 1, 1, 1, 0, 0, 0]
