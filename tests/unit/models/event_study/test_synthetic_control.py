import numpy as np
import pytest

from models.event_study.synthetic_control import fitted_weights, remade

MONTHS = 48
AFTER = 6


def make_donors(seed: int = 3, count: int = 5) -> np.ndarray:
    """Build seasonless series of unlike size and unlike movement, donors x months."""
    random = np.random.default_rng(seed)
    steps = random.normal(0.0, 0.3, (count, MONTHS))
    size = 100.0 * (1.0 + np.arange(count))
    return np.asarray(size[:, None] * np.exp(np.cumsum(0.5 * steps, axis=1)))


def mixed(donors: np.ndarray, weights: list[float]) -> np.ndarray:
    """Return a series of level 500 that follows a mix of donors in units of their last year."""
    before = donors[:, : MONTHS - AFTER]
    return np.asarray(500.0 * np.array(weights) @ (donors / before[:, -12:].mean(axis=1)[:, None]))


def test_planted_weights_are_found() -> None:
    donors = make_donors()

    found = remade(mixed(donors, [0.6, 0.0, 0.4, 0.0, 0.0]), donors, after=AFTER)

    assert found.weights == pytest.approx([0.6, 0.0, 0.4, 0.0, 0.0], abs=0.05)
    assert found.weights.sum() == pytest.approx(1.0)


def test_the_path_after_the_event_is_that_of_the_mix() -> None:
    donors = make_donors()
    target = mixed(donors, [0.6, 0.0, 0.4, 0.0, 0.0])
    hit = target.copy()
    hit[-AFTER:] *= 0.3

    found = remade(hit, donors, after=AFTER)

    assert found.path == pytest.approx(target[-AFTER:], rel=0.05)


def test_months_after_the_event_have_no_say_in_the_weights() -> None:
    donors = make_donors()
    target = mixed(donors, [0.2, 0.2, 0.2, 0.2, 0.2])
    poisoned, wild = target.copy(), donors.copy()
    poisoned[-AFTER:], wild[:, -AFTER:] = 1e9, 1e9

    honest, other = (
        remade(one, many, after=AFTER) for one, many in ((target, donors), (poisoned, wild))
    )

    assert (honest.weights == other.weights).all()
    assert (honest.miss == other.miss).all()


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_never_negative_and_sum_to_one(seed: int) -> None:
    donors = make_donors(seed)
    target = np.abs(np.random.default_rng(seed).normal(100.0, 60.0, MONTHS))

    weights = remade(target, donors, after=AFTER).weights

    assert (weights >= 0.0).all()
    assert weights.sum() == pytest.approx(1.0)


def test_donors_that_move_alike_share_the_weight_equally() -> None:
    donors = np.tile(make_donors(count=1), (4, 1))

    assert remade(donors[0], donors, after=AFTER).weights == pytest.approx([0.25] * 4)


def test_a_month_in_doubt_teaches_less() -> None:
    others = np.array([[1.0, 1.0, 1.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    result = np.array([1.0, 1.0, 1.0, 3.0])

    sure = fitted_weights(result, others, np.zeros(4))
    unsure = fitted_weights(result, others, np.array([0.0, 0.0, 0.0, 2.0]))

    assert sure[0] > 0.95
    assert unsure[0] == pytest.approx(0.5, abs=0.15)
