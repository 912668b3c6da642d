from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import EvidencePanel
from tests.data.builders import World, at, only_known, poisoned, revised
from tests.data.mirror_builders import mirror_world, with_records
from tests.data.store_builders import make_observations
from tests.examples import few

Change = Callable[[World, pd.Timestamp], World]

CHANGES = [
    pytest.param(lambda world, _: world, id="as they are"),
    pytest.param(lambda world, day: revised(poisoned(world, day), day), id="spoiled"),
]
DAYS = ["2019-06-25", "2020-03-08", "2020-11-20"]
LATER_DAYS = [pytest.param(day, marks=pytest.mark.slow) for day in DAYS[1:]]


def assert_same(left: EvidencePanel, right: EvidencePanel) -> None:
    pd.testing.assert_frame_equal(left.frame, right.frame, check_exact=True)
    pd.testing.assert_frame_equal(left.suspicious, right.suspicious, check_exact=True)
    pd.testing.assert_frame_equal(left.gaps, right.gaps, check_exact=True)
    assert (left.first, left.cutoff) == (right.first, right.cutoff)


@cache
def honest(day: str) -> EvidencePanel:
    known = only_known(mirror_world(), at(day))
    return evidence_panel(known.observations, as_of=at(day))


@pytest.mark.slow
@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("change", CHANGES)
def test_panel_and_gaps_are_the_same_whatever_partners_published_later(
    change: Change, day: str
) -> None:
    world = change(mirror_world(), at(day))

    assert_same(evidence_panel(world.observations, as_of=at(day)), honest(day))


@pytest.mark.parametrize("day", [DAYS[0], *LATER_DAYS])
def test_row_order_moves_neither_panel_nor_gaps(day: str) -> None:
    rows = mirror_world().observations
    mixed = rows.iloc[np.random.default_rng(5).permutation(len(rows))]

    assert_same(evidence_panel(mixed, as_of=at(day)), honest(day))


LATER = st.lists(
    st.fixed_dictionaries(
        {
            "destination": st.sampled_from(["USA", "DEU", "VNM", "EU27"]),
            "commodity": st.sampled_from(["US8505110070", "CN85051110", "850511"]),
            "measure": st.sampled_from(["mirror_import_t", "mirror_import_musd"]),
            "value": st.floats(1e-6, 1e12),
            "month": st.integers(1, 12),
            "seconds": st.integers(1, 10**7),
        }
    ),
    max_size=6,
)


@pytest.mark.slow
@few(8)
@given(LATER)
def test_no_record_of_a_later_moment_is_seen(later: list[dict[str, object]]) -> None:
    day = "2020-11-20"
    rows = [
        {
            **{name: row[name] for name in ("destination", "commodity", "measure", "value")},
            "period_from": f"2020-{row['month']:02d}-01",
            "period_to": f"2020-{row['month']:02d}-01",
            "available_at": at(day) + pd.Timedelta(seconds=int(str(row["seconds"]))),
            "source_url": f"https://example.org/{number}",
        }
        for number, row in enumerate(later)
    ]
    known = mirror_world().observations
    more = with_records(known, make_observations(*rows)) if rows else known

    assert_same(evidence_panel(more, as_of=at(day)), honest(day))
