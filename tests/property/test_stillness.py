from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS, EvidencePanel
from store.vocabulary import DESTINATIONS, WORLD
from tests.data.builders import at, bundled_world
from tests.data.store_builders import make_observations
from tests.examples import few

pytestmark = pytest.mark.slow

AS_OF = at("2026-11-25")
MONTHS = pd.date_range("2026-08-01", periods=3, freq="MS")
BAND = 1.2816
"""Standard deviations on either side of an 80% band."""


@cache
def panel_to(reach: int | None = None) -> EvidencePanel:
    return evidence_panel(bundled_world().observations, as_of=AS_OF, reach=reach)


def empty_months() -> EvidencePanel:
    return panel_to(panel_to().cutoff + len(MONTHS))


def with_figures(destination: str, tonnes: np.ndarray) -> EvidencePanel:
    figures = make_observations(
        *(
            {
                "destination": destination, "period_from": month, "period_to": month,
                "value": value, "half_width": 0.5, "available_at": "2026-11-24T08:00:00Z",
            }
            for month, value in zip(MONTHS, tonnes, strict=False)
        )
    )  # fmt: skip
    known = pd.concat([bundled_world().observations, figures], ignore_index=True)
    return evidence_panel(known, as_of=AS_OF, reach=empty_months().cutoff)


def test_an_empty_month_moves_nothing() -> None:
    before = panel_to()

    after = empty_months().tonnes[:, : before.tonnes.shape[1]]

    np.testing.assert_allclose(after, before.tonnes, rtol=0.005)


@few(5)
@given(st.sampled_from(DESTINATIONS), st.floats(0.1, 1.5))
def test_three_months_of_one_destination_move_the_world_by_little_but_themselves(
    destination: str, share: float
) -> None:
    before = empty_months()
    row, world = (PANEL_DESTINATIONS.index(name) for name in (destination, WORLD))

    after = with_figures(destination, share * before.tonnes[row, -len(MONTHS) :])

    own, total = (
        np.abs(after.tonnes[at] - before.tonnes[at])[-len(MONTHS) :] for at in (row, world)
    )
    stated = BAND * before.stderr[world, -len(MONTHS) :] * before.tonnes[world, -len(MONTHS) :]
    assert (total <= own + stated).all()


@few(4)
@given(st.sampled_from(DESTINATIONS))
def test_a_figure_at_its_own_median_moves_no_other_destination(destination: str) -> None:
    before = empty_months()
    row = PANEL_DESTINATIONS.index(destination)

    after = with_figures(destination, before.tonnes[row, -len(MONTHS) : -len(MONTHS) + 1])

    np.testing.assert_allclose(after.tonnes, before.tonnes, rtol=0.02)
