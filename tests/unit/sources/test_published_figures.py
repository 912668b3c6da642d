from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.all_tables import rankings
from sources.bundled.published_figures import published_figures
from sources.bundled.release_calendar import ReleaseCalendar
from store.facts.batch import FileRows
from tests.data.store_builders import FIGURE, RANKING, make_observations, write_csv

RULE = ReleaseCalendar({})


def load(tmp_path: Path, *changes: dict[str, str]) -> pd.DataFrame:
    path = write_csv(tmp_path / "published_figures.csv", FIGURE, *changes)
    return published_figures(path, RULE).tables["observations"]


def test_a_figure_becomes_an_observation(tmp_path: Path) -> None:
    rows = load(tmp_path, {"value": "353", "derivation": "a/b", "note": "weak"})

    pd.testing.assert_frame_equal(rows, make_observations({"note": "weak; = a/b"}))


def test_the_material_of_another_mineral_is_its_commodity(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "analog_figures.csv", {**FIGURE, "material": "gallium"}, {})

    loaded = published_figures(path, RULE, materials=True)

    assert loaded.source == "analog_figures"
    assert loaded.tables["observations"]["commodity"].tolist() == ["gallium"]


def test_a_row_marked_not_to_use_is_kept_but_unusable(tmp_path: Path) -> None:
    rows = load(tmp_path, {"note": "wrong; DO NOT USE: see others"}, {"destination": "DEU"})

    assert rows["usable"].tolist() == [False, True]


def test_an_undated_report_is_as_old_as_its_page(tmp_path: Path) -> None:
    rows = load(
        tmp_path,
        {"published_on": ""},
        {"destination": "DEU", "published_on": "2025-07-22"},
        {"destination": "JPN", "published_on": "2025-09-30", "source_url": "https://other"},
    )

    assert rows["available_at"].dt.strftime("%F").tolist() == [
        "2025-07-22", "2025-07-22", "2025-09-30",
    ]  # fmt: skip


def test_an_undated_derived_figure_is_no_older_than_its_inputs(tmp_path: Path) -> None:
    derived = {"kind": "derived", "published_on": "", "derivation": "sum"}
    rows = load(
        tmp_path,
        derived,
        {"period": "2025", "published_on": "2026-01-21"},
        {"period": "2024", "published_on": "2026-05-05"},
        {"destination": "DEU", "published_on": "2026-06-06"},
    )

    assert rows["available_at"][0] == pd.Timestamp("2026-01-21", tz="UTC")


def ranked(tmp_path: Path, *changes: dict[str, str]) -> FileRows:
    dated = {"https://example.org/dated": pd.Timestamp("2025-08-02")}
    return rankings(write_csv(tmp_path / "rankings.csv", RANKING, *changes), RULE, dated)


def test_an_order_becomes_leads_of_neighbours(tmp_path: Path) -> None:
    leads = ranked(tmp_path, {}).tables["observations"]

    assert leads["destination"].tolist() == ["DEU-USA", "USA-KOR"]
    assert leads[
        ["measure", "value", "half_width", "unit"]
    ].drop_duplicates().to_numpy().tolist() == [["lead_min_t", 0.0, 0.0, "t"]]
    assert leads["available_at"].unique().tolist() == [pd.Timestamp("2025-07-20", tz="UTC")]


def test_an_order_with_a_reservation_is_kept_but_unusable(tmp_path: Path) -> None:
    leads = ranked(tmp_path, {"rank_order": "DEU>KOR (as listed)"}).tables["observations"]

    assert (leads["destination"].tolist(), leads["usable"].tolist()) == (["DEU-KOR"], [False])


@pytest.mark.parametrize("text", ["DEU first", "DEU,KOR,USA top three (42%)"])
def test_a_free_text_is_left_out_and_said_so(tmp_path: Path, text: str) -> None:
    loaded = ranked(tmp_path, {"rank_order": text})

    assert loaded.tables["observations"].empty
    assert loaded.ignored == (f"line 2: {text!r} is not an order such as DEU>USA>KOR",)
