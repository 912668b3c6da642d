"""Bundled tables that check others and are never loaded."""

import pandas as pd
import pytest

from sources.bundled.wording import parse_destination, parse_period
from store.settings import PROJECT_ROOT
from store.vocabulary import MEASURES

DATA = PROJECT_ROOT / "data"


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(DATA / name, dtype={"period": str})


@pytest.mark.parametrize("name", ["partner_imports.csv", "baci_hs6_yearly.csv"])
def test_every_row_names_its_place_period_source_and_scope(name: str) -> None:
    rows = table(name)

    assert rows["destination"].map(parse_destination).notna().all()
    assert rows["period"].map(parse_period).notna().all()
    assert rows["value"].gt(0).all()
    assert rows[["source_url", "source_name", "note"]].notna().all(axis=None)
    assert not rows.duplicated(["period", "destination", "measure", "value"]).any()


def test_partner_imports_are_measured_as_mirror_data_and_never_as_exports() -> None:
    measures = set(table("partner_imports.csv")["measure"])

    assert measures <= {measure for measure in MEASURES if measure.startswith("mirror_")}


def test_parts_of_the_yearly_table_stay_within_its_world() -> None:
    values = table("baci_hs6_yearly.csv").pivot_table("value", "destination", "period")
    parts = values.drop(["WLD", "EU27"]).sum() / values.loc["WLD"]

    assert list(values.columns) == [str(year) for year in range(2012, 2025)]
    assert parts.between(0.98, 1.0).all()


@pytest.mark.parametrize(
    ("destination", "low", "high"),
    [("USA", 0.85, 1.15), ("DEU", 0.8, 1.15), ("KOR", 0.8, 1.15), ("VNM", 1.2, 1.4)],
)  # fmt: skip
def test_yearly_shares_in_value_lie_near_the_published_shares_in_tonnes(
    destination: str, low: float, high: float
) -> None:
    published = table("published_figures.csv").query("measure == 'net_weight_t'")
    published = published[~published["note"].fillna("").str.contains("DO NOT USE")]
    tonnes = published.pivot_table("value", "destination", "period", aggfunc="median")
    values = table("baci_hs6_yearly.csv").pivot_table("value", "destination", "period")

    ratio = (values.loc[destination] / values.loc["WLD"]) / (
        tonnes.loc[destination] / tonnes.loc["WLD"]
    )

    assert ratio.count() >= 2
    assert ratio.dropna().between(low - 0.005, high + 0.005).all()


def test_british_imports_of_the_line_are_known_from_the_day_they_were_read() -> None:
    rows = table("published_figures.csv").query("destination == 'GBR'")

    assert len(rows) == 50
    assert set(rows["measure"]) == {"mirror_import_t", "mirror_import_musd"}
    assert set(rows["published_on"]) == {"2026-08-16"}
