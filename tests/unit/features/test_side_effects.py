import pytest

from features.panel.estimation import SideEffect, side_effects
from tests.data.builders import at, bundled_world
from tests.data.store_builders import make_observations

AS_OF = at("2026-11-25")
SLOW = pytest.mark.slow


def moved(*figures: tuple[str, str, float], measure: str = "net_weight_t") -> list[SideEffect]:
    new = make_observations(
        *(
            {
                "destination": destination, "measure": measure, "value": tonnes,
                "period_from": month, "period_to": month, "half_width": 0.5,
                "available_at": "2026-11-24T08:00:00Z",
            }
            for destination, month, tonnes in figures
        )
    )  # fmt: skip
    return side_effects(bundled_world().observations, new, as_of=AS_OF)


@SLOW
def test_one_figure_ten_times_too_large_moves_the_world_beyond_its_band() -> None:
    world, *others = moved(("USA", "2026-08", 6_120.0))

    assert (world.destination, world.month) == ("WLD", "2026-08")
    assert world.low < 5_377 < world.high < 40_000 < world.after
    assert world.before == pytest.approx(5_377, abs=60)
    assert {"DEU", "KOR"} <= {move.destination for move in others}
    assert "USA" not in {move.destination for move in others}


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param([("USA", "2026-08", 622.0)], id="as expected"),
        pytest.param([("USA", "2026-08", 61.0)], id="a stop of one", marks=SLOW),
        pytest.param(
            [("JPN", f"2026-{m:02d}", 52.0) for m in (8, 9, 10)], id="three months", marks=SLOW
        ),
        pytest.param([("WLD", "2026-08", 1_238.0)], id="a stop of all", marks=SLOW),
    ],
)
def test_what_figures_speak_of_may_move_as_far_as_it_does(
    figures: list[tuple[str, str, float]],
) -> None:
    assert moved(*figures) == []
