import shutil
from pathlib import Path

import pandas as pd
import pytest

from sources.bundled.all_tables import load_bundled
from store.errors import DataError
from store.facts.batch import Batch
from store.settings import PROJECT_ROOT

DATA = PROJECT_ROOT / "data"
SINTERED = {
    "HTS 8505.11.00 (all suffixes .10 .30 .50 .70 .90)",
    "HTS 8505.11.0070 (sintered NdFeB)",
}


@pytest.fixture(scope="module")
def batch() -> Batch:
    return load_bundled(DATA)


def newest(frame: pd.DataFrame, key: list[str], as_of: str) -> pd.DataFrame:
    known = frame[frame["available_at"] <= pd.Timestamp(as_of, tz="UTC")]
    return known.sort_values([*key, "available_at"]).drop_duplicates(key, keep="last")


def rate_steps(frame: pd.DataFrame, scopes: set[str], *, as_of: str) -> list[tuple[str, float]]:
    """Add up the components in force on every day a rate begins or ends."""
    key = ["importer", "origin", "component", "product_scope", "effective_from"]
    usa = frame[(frame["importer"] == "USA") & frame["product_scope"].isin(scopes)]
    known = newest(usa, key, as_of)
    after = known["effective_to"].dropna() + pd.Timedelta(days=1)
    changes = sorted({*known["effective_from"], *after})
    steps: list[tuple[str, float]] = []
    for day in changes:
        lasts = known["effective_to"].isna() | (known["effective_to"] >= day)
        rate = round(known.loc[(known["effective_from"] <= day) & lasts, "rate_pct"].sum(), 6)
        if not steps or steps[-1][1] != rate:
            steps.append((f"{day:%F}", rate))
    return steps


def test_every_bundled_table_loads(batch: Batch) -> None:
    counts = {file.file_name: sum(map(len, file.tables.values())) for file in batch.files}

    assert counts == {
        "release_dates.csv": 50, "published_figures.csv": 831, "rankings.csv": 48,
        "analog_figures.csv": 532, "hs6_values.csv": 96, "baci_hs6_yearly.csv": 683,
        "policy_events.csv": 148, "analog_events.csv": 84,
        "tariff_rates.csv": 51,
    }  # fmt: skip
    ignored = {file.file_name: len(file.ignored) for file in batch.files if file.ignored}
    assert ignored == {"rankings.csv": 2, "tariff_rates.csv": 1}


def test_no_figure_is_known_before_its_period_ended(batch: Batch) -> None:
    rows = batch.frame("observations")
    ended = (rows["period_to"] + pd.offsets.MonthEnd(0)).dt.tz_localize("UTC")

    assert rows[rows["available_at"] <= ended].empty


def test_rows_not_to_be_used_are_marked(batch: Batch) -> None:
    rows = batch.frame("observations")
    october = rows[(rows["value"] == 4343.5) & (rows["commodity"] == "85051110")]

    assert october["usable"].tolist() == [False]
    assert (~rows["usable"]).sum() == 31


@pytest.mark.parametrize(
    ("as_of", "suspended_from", "suspended_to"),
    [
        ("2025-10-08", None, None),
        ("2025-10-20", "", ""),
        ("2025-11-07", "2025-11-07", "2026-11-10"),
    ],
)
def test_the_october_controls_show_their_suspension_only_once_announced(
    batch: Batch, as_of: str, suspended_from: str | None, suspended_to: str | None
) -> None:
    view = newest(batch.frame("policy_events"), ["event_id"], as_of)
    event = view[view["event_id"] == "2025-10-cn-no61-extraterritorial"]
    columns = ("suspended_from", "suspended_to")

    shown = [event[name].dt.strftime("%F").fillna("").tolist() for name in columns]

    assert shown == ([[], []] if suspended_from is None else [[suspended_from], [suspended_to]])


def test_the_us_rate_on_sintered_magnets_follows_the_known_steps(batch: Batch) -> None:
    steps = rate_steps(batch.frame("tariff_steps"), SINTERED, as_of="2026-10-31")

    assert steps == [
        ("2017-01-01", 2.1), ("2025-02-04", 12.1), ("2025-03-04", 22.1), ("2025-04-05", 32.1),
        ("2025-04-09", 106.1), ("2025-04-10", 147.1), ("2025-05-14", 32.1), ("2025-09-08", 22.1),
        ("2025-11-10", 12.1), ("2026-01-01", 37.1), ("2026-02-24", 27.1),
    ]  # fmt: skip


def test_the_us_rate_as_known_in_april_2025_ends_where_knowledge_ended(batch: Batch) -> None:
    steps = rate_steps(batch.frame("tariff_steps"), SINTERED, as_of="2025-04-09")

    assert steps[-2:] == [("2025-04-10", 147.1), ("2026-01-01", 172.1)]


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    (tmp_path / "data" / "tariff_rates.csv").unlink()

    with pytest.raises(DataError, match=r"Cannot read tariff_rates\.csv"):
        load_bundled(tmp_path / "data")


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(PROJECT_ROOT / "data" / name, dtype={"period": str})


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
