import numpy as np

from features.panel.statements import BOUND_SCALE, CellBlock, Statement
from features.panel.system import PRIOR, build_system, solve
from store.months import month_number
from store.vocabulary import AGGREGATES, DESTINATIONS, WORLD

MONTH = month_number("2020-01")
WHOLE = CellBlock(AGGREGATES[WORLD], MONTH, MONTH)


def solved(*statements: Statement) -> dict[str, float]:
    """Tonnes by destination of one month in which the world is 2,400 t."""
    world = Statement(WHOLE, None, float(np.log(2_400.0)), 1e-4, is_bound=False, row=0)
    system = build_system([world, *statements], first=MONTH, last=MONTH, prior=PRIOR)
    return dict(zip(DESTINATIONS, np.exp(solve(system).log_cells), strict=True))


def at_least(destination: str, tonnes: float) -> Statement:
    block = CellBlock((destination,), MONTH, MONTH)
    return Statement(block, None, float(np.log(tonnes)), BOUND_SCALE, is_bound=True, row=1)


def at_most(destination: str, tonnes: float) -> Statement:
    block = CellBlock((destination,), MONTH, MONTH)
    return Statement(None, block, -float(np.log(tonnes)), BOUND_SCALE, is_bound=True, row=1)


def test_without_figures_destinations_share_the_world_and_the_rest_has_three_parts() -> None:
    tonnes = solved()

    # 2,400 t in 12 parts, of which ROW has three.
    assert np.isclose(sum(tonnes.values()), 2_400.0, rtol=1e-3)
    assert np.isclose(tonnes["USA"], 200.0, rtol=0.02)
    assert np.isclose(tonnes["ROW"], 600.0, rtol=0.02)


def test_a_bound_moves_what_breaks_it_and_nothing_else() -> None:
    free = solved()

    assert np.isclose(solved(at_least("USA", 800.0))["USA"], 800.0, rtol=0.03)
    assert np.isclose(solved(at_most("USA", 50.0))["USA"], 50.0, rtol=0.03)
    for satisfied in (at_least("USA", 100.0), at_most("USA", 400.0)):
        np.testing.assert_allclose(list(solved(satisfied).values()), list(free.values()), rtol=1e-6)


def test_the_month_after_has_the_shares_of_the_month_before() -> None:
    step = [
        Statement(CellBlock(AGGREGATES[WORLD], m, m), None, float(np.log(2_400.0)), 1e-4,
                  is_bound=False, row=0)
        for m in (MONTH, MONTH + 1)
    ]  # fmt: skip
    usa = Statement(
        CellBlock(("USA",), MONTH, MONTH), None, float(np.log(480.0)), 1e-4, is_bound=False, row=2
    )

    cells = solve(build_system([*step, usa], first=MONTH, last=MONTH + 1, prior=PRIOR)).log_cells

    months = np.exp(cells).reshape(2, -1)
    place = DESTINATIONS.index("USA")
    assert np.isclose(months[1, place] / months[1].sum(), 0.2, rtol=0.01)
