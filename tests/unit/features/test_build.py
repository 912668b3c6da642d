from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.build import (
    ALL_FEATURES,
    FAMILIES,
    catalogue_page,
    feature_block,
    frame_of,
)
from store.errors import LeakError
from store.settings import PROJECT_ROOT
from tests.data.builders import at, frame_at, make_bare, make_world

AS_OF = at("2020-06-25")
KEYS = ["destination", "period", "level_tonnes", "offset_tonnes"]


@cache
def whole() -> pd.DataFrame:
    return frame_of(make_world().history().origin(AS_OF))


def test_every_column_is_in_the_catalogue_and_every_entry_is_a_column() -> None:
    assert list(whole().columns) == [*KEYS, *(feature.name for feature in ALL_FEATURES)]


def test_every_entry_states_what_it_is() -> None:
    for feature in ALL_FEATURES:
        assert feature.unit, feature.name
        assert feature.meaning, feature.name
        assert feature.source, feature.name
        assert feature.knowable, feature.name
    assert len({feature.name for feature in ALL_FEATURES}) == len(ALL_FEATURES)


def test_only_tariff_features_are_monotone_and_what_comes_later_is_free() -> None:
    falling = {feature.name for feature in ALL_FEATURES if feature.monotone == -1}

    assert falling == {
        "tariff_rate_pct",
        "tariff_peak_pct",
        "tariff_change_1m_pct",
        "tariff_change_3m_pct",
        "tariff_change_12m_pct",
        "tariff_change_level_pct",
        "tariff_gap_pct",
    }


def test_the_page_of_features_is_what_the_catalogue_states() -> None:
    page = (PROJECT_ROOT / "docs" / "features.md").read_text(encoding="utf-8")

    assert page == catalogue_page(), "run `make docs`"


def test_the_page_has_one_line_a_feature_and_one_table_a_family() -> None:
    page = catalogue_page()

    assert page.count("\n## ") == len(FAMILIES)
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")] == [
        feature.name for feature in ALL_FEATURES
    ]


def test_a_bare_panel_has_a_part_of_the_catalogue_in_its_order() -> None:
    names, block = feature_block(make_bare({"A": [1.0] * 30, "B": [2.0] * 30}))

    places = [[feature.name for feature in ALL_FEATURES].index(name) for name in names]
    assert places == sorted(places)
    assert block.shape == (2, 3, len(names))


def test_one_row_a_series_and_target_from_the_month_after_the_cutoff_to_a_year_ahead() -> None:
    rows = whole()

    assert len(rows) == 12 * 12
    assert rows["period"].min() == pd.Timestamp("2020-06-01")
    assert rows["period"].max() == pd.Timestamp("2021-05-01")
    assert not rows.duplicated(["destination", "period"]).any()
    assert np.isfinite(rows[["level_tonnes", "offset_tonnes", "horizon"]]).all(axis=None)


def test_late_evidence_adds_the_months_nobody_published_yet() -> None:
    world = make_world()
    early = world.observations.loc[world.observations["period_to"] <= "2020-03-01"]

    rows = frame_at(early, world.events, world.tariffs, as_of=AS_OF)

    assert rows["period"].min() == pd.Timestamp("2020-04-01")
    assert (rows["horizon"].min(), rows["horizon"].max()) == (1.0, 14.0)
    assert (rows["late_months"] == 2.0).all()


def test_a_naive_as_of_is_refused() -> None:
    with pytest.raises(LeakError, match="has no time zone"):
        make_world().history().origin(pd.Timestamp("2020-06-25"))
