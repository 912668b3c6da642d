import hashlib
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from docs.catalogue import catalogue_page
from features.build import ALL_FEATURES, catalogue_digest, frame_of
from store.errors import LeakError
from store.settings import PROJECT_ROOT
from tests.data.builders import at, make_world
from tests.data.why_builders import NAMES

AS_OF = at("2020-06-25")
KEYS = ["destination", "period", "level_tonnes", "offset_tonnes"]


@cache
def whole() -> pd.DataFrame:
    return frame_of(make_world().history().origin(AS_OF))


def test_every_column_is_in_the_catalogue_and_every_entry_is_a_column() -> None:
    assert list(whole().columns) == [*KEYS, *NAMES]


def test_only_tariff_features_are_monotone_and_what_comes_later_is_free() -> None:
    falling = {feature.name for feature in ALL_FEATURES if feature.monotone == -1}

    assert falling == {
        "tariff_rate_pct", "tariff_peak_pct", "tariff_change_1m_pct", "tariff_change_3m_pct",
        "tariff_change_12m_pct", "tariff_change_level_pct", "tariff_gap_pct",
    }  # fmt: skip


def test_the_page_of_features_is_what_the_catalogue_states() -> None:
    page = (PROJECT_ROOT / "docs" / "features.md").read_text(encoding="utf-8")

    assert page == catalogue_page(), "run `make docs`"


def test_one_row_a_series_and_target_from_the_month_after_the_cutoff_to_a_year_ahead() -> None:
    rows = whole()

    assert len(rows) == 12 * 12
    assert rows["period"].min() == pd.Timestamp("2020-06-01")
    assert rows["period"].max() == pd.Timestamp("2021-05-01")
    assert not rows.duplicated(["destination", "period"]).any()
    assert np.isfinite(rows[["level_tonnes", "offset_tonnes", "horizon"]]).all(axis=None)


def test_a_naive_as_of_is_refused() -> None:
    with pytest.raises(LeakError, match="has no time zone"):
        make_world().history().origin(pd.Timestamp("2020-06-25"))


def test_the_digest_of_the_catalogue_is_the_start_of_the_sha_256_of_its_entries() -> None:
    (feature,) = (feature for feature in ALL_FEATURES if feature.name == "horizon")
    entry = [feature.name, feature.unit, feature.meaning, feature.knowable, feature.monotone]

    digest = hashlib.sha256(json.dumps([entry]).encode()).hexdigest()

    # Twelve digits, which stand in the names of models: other ones would make all of them strange.
    assert catalogue_digest(frozenset({"horizon"})) == digest[:12]
