import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from flows.ingest.doubts import outside_own_bands
from flows.ingest.ingest import with_world
from sources.bundled.all_tables import load_bundled
from sources.checks import objections
from store.database import open_store
from store.facts.batch import FileRows
from store.publications.publication_writing import PublicationContext, publish_forecasts
from store.settings import PROJECT_ROOT
from tests.data.builders import at
from tests.data.store_builders import make_forecasts, make_observations

NOW = at("2026-12-01")
SHARES = {"DEU": 840, "USA": 600, "VNM": 560, "KOR": 440, "IND": 270, "JPN": 250, "THA": 140}
REST = {"ITA": 120, "MEX": 320, "POL": 170, "FRA": 140, "HUN": 120, "TWN": 103, "MYS": 80}
OTHERS = (
    "CHE", "NLD", "CZE", "RUS", "GBR", "TUR", "PHL", "DNK", "SVN", "HKG", "ESP", "CAN", "BRA",
    "IDN", "SVK", "SGP", "AUS", "FIN",
)  # fmt: skip
TAIL = ("AUT", "SWE", "ARE", "BEL", "PRT", "ROU")
FULL = {**SHARES, **REST, **dict.fromkeys(OTHERS, 45.0), **dict.fromkeys(TAIL, 11.0), "LUX": 0.5}
"""About what each partner has of 5,000 t a month."""
CUT = {**SHARES, "ITA": 120, **dict.fromkeys(["MEX", "POL", "FRA", *OTHERS[:12]], 0.5)}
"""Eight destinations as usual, fifteen partners of half a tonne."""


@pytest.fixture(scope="module")
def bundled() -> pd.DataFrame:
    return load_bundled(PROJECT_ROOT / "data").frame("observations")


def listed(
    tonnes: dict[str, float], month: str = "2026-10-01", *, partial: bool = False
) -> FileRows:
    rows = [
        {"destination": name, "period_from": month, "period_to": month, "value": t}
        for name, t in tonnes.items()
    ]
    known_at = pd.Timestamp(month, tz="UTC") + pd.DateOffset(months=1, days=19)
    tables = {"observations": make_observations(*rows).assign(available_at=known_at)}
    return FileRows("customs", "a.csv", "0", tables, lists_partners=not partial)


def worlds(file: FileRows) -> list[float]:
    rows = file.tables["observations"]
    return rows.loc[rows["destination"].eq("WLD"), "value"].tolist()


def without(name: str) -> dict[str, float]:
    return {partner: t for partner, t in FULL.items() if partner != name}


def test_a_list_of_all_partners_is_the_world_from_which_forecasts_then_start(
    bundled: pd.DataFrame,
) -> None:
    file = with_world(listed(FULL), bundled)

    assert worlds(file) == [pytest.approx(sum(FULL.values()))]
    assert file.tables["observations"]["note"].iloc[-1] == f"sum of {len(FULL)} partners"
    assert file.world == ("taken as the world's total: 2026-10; forecasts start after 2026-10",)


@pytest.mark.parametrize(
    ("tonnes", "why"),
    [
        (CUT, r"it lacks HUN; TWN; .*in all\), \d\d?% of the newest complete list"),
        (without("DEU"), "it lacks DEU; .*% of the newest complete list"),
        (without("LUX"), "it lacks all small partners, such as EST; IRL"),
    ],
    ids=["cut", "lacks a large one", "lacks small ones"],
)
def test_a_list_that_lacks_trade_is_partial_and_says_why(
    bundled: pd.DataFrame, tonnes: dict[str, float], why: str
) -> None:
    file = with_world(listed(tonnes), bundled)

    assert worlds(file) == []
    assert len(file.tables["observations"]) == len(tonnes)
    assert re.match(f"not taken, as the list is partial: 2026-10, {why}", file.world[0])


WIDE = {**FULL, **{f"C{number}": 0.02 for number in range(100, 298)}}
"""As many names as customs list."""


@pytest.mark.parametrize(
    "tonnes",
    [{**WIDE, "USA": 46.0}, {name: t / 2 for name, t in WIDE.items()}],
    ids=["a shock", "half of all"],
)
def test_a_list_is_complete_by_who_is_on_it_whatever_they_bought(
    bundled: pd.DataFrame, tonnes: dict[str, float]
) -> None:
    file = with_world(listed(tonnes), bundled)

    assert len(tonnes) == 237
    assert worlds(file) == [pytest.approx(sum(tonnes.values()))]
    assert file.world == ("taken as the world's total: 2026-10; forecasts start after 2026-10",)


def test_a_person_may_say_that_a_list_is_complete(bundled: pd.DataFrame) -> None:
    file = with_world(replace(listed(without("USA")), is_complete=True), bundled)

    assert worlds(file) == [pytest.approx(sum(FULL.values()) - 600)]


def test_a_list_is_held_against_the_newest_complete_one(bundled: pd.DataFrame) -> None:
    month = {**without("USA"), "USA": 560, "WLD": sum(FULL.values()) - 40}
    rows = listed(month, "2026-09-01").tables["observations"]
    earlier = pd.concat([bundled, rows], ignore_index=True)

    file = with_world(listed(without("HUN")), earlier)

    assert "it lacks HUN, 2% of the newest complete list" in file.world[0]


def test_nothing_is_complete_without_a_list_to_compare_it_with() -> None:
    file = with_world(listed(FULL), make_observations())

    assert worlds(file) == []
    assert "no complete list is known to compare it with" in file.world[0]


@pytest.mark.parametrize(
    ("published", "is_refused"), [(sum(FULL.values()), False), (5_375.0, True)]
)
def test_a_sum_waits_where_another_world_is_published(
    bundled: pd.DataFrame, published: float, *, is_refused: bool
) -> None:
    month = pd.Timestamp("2026-07-01")
    is_world = bundled["destination"].eq("WLD") & bundled["measure"].eq("net_weight_t")
    is_world &= bundled["period_from"].eq(month) & bundled["period_to"].eq(month)
    earlier = bundled.assign(value=bundled["value"].mask(is_world, published))

    file = with_world(listed(FULL, "2026-07-01"), earlier)
    reasons = objections(file, stored=earlier[earlier["commodity"].eq("85051110")], ingested_at=NOW)

    assert file.world == ("taken as the world's total: 2026-07 if it equals the published one",)
    assert bool(reasons) == is_refused
    assert all("sum 5,029.5, published 5,375 by " in reason for reason in reasons)


@pytest.mark.slow
def test_a_figure_of_a_month_without_a_forecast_is_held_against_the_panel(
    bundled: pd.DataFrame,
) -> None:
    figures = [
        ("2026-07-01", {"WLD": 53_750, "JPN": 19}),
        ("2026-10-01", {"WLD": 500, "JPN": 19, "DEU": 1_050}),
        ("2025-03-01", {"WLD": 532, "JPN": 160}),
    ]
    rows = pd.concat([listed(t, month).tables["observations"] for month, t in figures])

    outside = outside_own_bands(rows, bundled, None, as_of=NOW)

    assert outside["destination"].tolist() == ["WLD", "JPN", "WLD", "JPN", "WLD"]


def test_some_partners_say_nothing_of_the_world(bundled: pd.DataFrame) -> None:
    file = with_world(listed(FULL, partial=True), bundled)

    assert (worlds(file), file.world) == ([], ())


@pytest.mark.slow
def test_a_month_with_a_forecast_is_held_against_that(
    bundled: pd.DataFrame, sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copy(sqlite_template, tmp_path / "store.db")
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    first = make_forecasts().iloc[:1].assign(destination="WLD", period="2026-10")
    quantiles = [name for name in first if re.fullmatch(r"p\d\d|mean", name)]
    forecasts = first.assign(**first[quantiles] * 10_000 / first["p50"].iloc[0])
    context = PublicationContext(at=NOW)
    publish_forecasts(engine, forecasts, as_of=NOW, data_vintage="f", context=context)
    rows = listed({"WLD": 10_000, "JPN": 19}).tables["observations"]

    outside = outside_own_bands(rows, bundled, engine, as_of=NOW)

    engine.dispose()
    assert outside["destination"].tolist() == ["JPN"]
