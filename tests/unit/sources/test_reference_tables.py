"""Bundled tables that check others and are never loaded."""

import pandas as pd
import pytest

from store.settings import PROJECT_ROOT


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(PROJECT_ROOT / "data" / name, dtype={"period": str})


def test_partner_imports_are_measured_as_mirror_data_and_never_as_exports() -> None:
    assert set(table("partner_imports.csv")["measure"].str[:7]) == {"mirror_"}


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
