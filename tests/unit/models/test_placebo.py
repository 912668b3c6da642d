import numpy as np
import pytest

from models.event_study import PlaceboWindow, effect_over, fall_months, least_ratios

MONTHS = 9
SPREAD = 0.12


def make_window(
    random: np.random.Generator, *, kept: float = 1.0, fall: int = 3, doubt: float = 0.0
) -> PlaceboWindow:
    """Build a path of 100 t a month and actuals, off by one lasting and many small errors."""
    off = random.normal(0.0, SPREAD) + random.normal(0.0, SPREAD / 3.0, MONTHS)
    actual = 100.0 * np.exp(off)
    actual[:fall] *= kept
    return PlaceboWindow(np.full(MONTHS, 100.0), actual, np.full(MONTHS, 100.0 * doubt))


def make_fakes(
    random: np.random.Generator, count: int = 30, doubt: float = 0.0
) -> list[PlaceboWindow]:
    return [make_window(random, doubt=doubt) for _ in range(count)]


def literal(actual: list[float], *, stderr: float = 0.0) -> PlaceboWindow:
    return PlaceboWindow(
        np.full(len(actual), 100.0), np.array(actual), np.full(len(actual), stderr)
    )


def test_a_planted_fall_is_found_within_the_band() -> None:
    without = 106.0
    actual = [0.2 * without] * 3 + [without] * (MONTHS - 3)

    result = effect_over(literal(actual), make_fakes(np.random.default_rng(7)), slice(0, 3))

    assert result.low < 0.8 * without * 3 < result.high
    assert result.low > 0.0
    assert result.missing == pytest.approx(300.0 - 0.2 * without * 3)
    assert (result.rank, result.dates) == (1, 30)


@pytest.mark.slow
@pytest.mark.parametrize("span", [slice(0, 1), slice(0, 3), slice(0, MONTHS)])
@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_the_band_holds_what_was_planted_four_times_in_five(span: slice, kept: float) -> None:
    held = 0
    for seed in range(400):
        random = np.random.default_rng([11, seed])
        fakes, calm = make_fakes(random), make_window(random)
        actual = calm.actual.copy()
        actual[:3] *= kept
        planted = (calm.actual - actual)[span].sum()

        result = effect_over(PlaceboWindow(calm.path, actual, calm.stderr), fakes, span)

        held += result.low <= planted <= result.high

    assert 0.76 <= held / 400 <= 0.86


def test_in_calm_the_rank_is_as_often_low_as_high() -> None:
    ranks = []
    for seed in range(400):
        random = np.random.default_rng([13, seed])
        fakes, calm = make_fakes(random, count=19), make_window(random)
        ranks.append(effect_over(calm, fakes, slice(0, MONTHS)).rank / 20)

    # One-sided towards the side it fell on, so a tenth of both tails is twice a twentieth.
    assert 0.06 <= np.mean(np.array(ranks) <= 0.05) <= 0.14


@pytest.mark.parametrize(
    ("actual", "months"),
    [
        pytest.param([30.0, 30.0, 100.0, 30.0], 2, id="until exports are back"),
        pytest.param([130.0, 30.0, 30.0, 100.0], 3, id="with the rush before it"),
        pytest.param([30.0, 30.0, 30.0, 30.0], 4, id="to the end"),
        pytest.param([100.0, 100.0, 100.0, 30.0], 0, id="too late to be the event's"),
        pytest.param([80.0, 85.0, 100.0, 90.0], 0, id="within the band"),
    ],
)
def test_how_long_a_fall_lasts(actual: list[float], months: int) -> None:
    assert fall_months(literal(actual), np.full(4, 0.7)) == months


def test_a_month_falls_out_of_the_band_as_seldom_as_a_tenth() -> None:
    fakes = make_fakes(np.random.default_rng(5), count=200)

    least = least_ratios(fakes, MONTHS)

    below = np.mean([fake.actual < least * fake.path for fake in fakes])
    assert 0.08 <= below <= 0.11
