import numpy as np
import pandas as pd
import pytest

from sources.checks import objections
from sources.providers.rows import observations
from store.facts.batch import FileRows
from store.vocabulary import COMMODITY
from tests.data.builders import bundled_world
from tests.data.store_builders import make_observations

NOW = pd.Timestamp("2026-11-25T08:00:00Z")

EXPORTS = {"DEU": 1000.0, "USA": 600.0, "KOR": 500.0, "VNM": 400.0, "JPN": 350.0}


def rows(tonnes: dict[str, float], month: str, source: str) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "commodity": "85051110", "destination": tonnes.keys(), "measure": "net_weight_t",
            "period": pd.Timestamp(month), "value": tonnes.values(), "half_width": 0.0005,
            "available_at": pd.Timestamp("2026-11-20", tz="UTC"),
        }
    )  # fmt: skip
    return observations([frame], source=source, source_url="x")


def found(tonnes: dict[str, float], known: pd.DataFrame) -> tuple[str, ...]:
    tables = {"observations": rows(tonnes, "2026-08-01", "customs")}
    file = FileRows("customs", "a.csv", "0", tables, completeness=0.6)
    return objections(file, stored=known, ingested_at=NOW)


@pytest.mark.slow
@pytest.mark.parametrize("month", ["2026-08-01", "2026-06-01"], ids=["the month", "another month"])
def test_imports_are_reported_from_exports_by_what_is_known(month: str) -> None:
    imports = {"DEU": 60.0, "USA": 9.0, "KOR": 30.0, "VNM": 45.0, "JPN": 110.0}
    known = rows(EXPORTS, month, "published_figures")

    (objection,) = found(imports, known)

    assert objection.startswith("Weights differ from those stored of China's exports in ")
    assert "USA 9.0 t against 600.0 t" in objection


@pytest.mark.slow
def test_exports_pass_beside_what_is_known_and_a_control_that_halves_them_too() -> None:
    near = {name: 1.02 * tonnes for name, tonnes in EXPORTS.items()}
    halved = {name: 0.4 * tonnes for name, tonnes in EXPORTS.items()}

    assert found(near, rows(EXPORTS, "2026-08-01", "published_figures")) == ()
    assert found(halved, rows(EXPORTS, "2026-07-01", "published_figures")) == ()
    assert found(EXPORTS, rows({}, "2026-08-01", "published_figures")) == ()


def test_one_partner_that_is_far_off_does_not_make_a_table_one_of_imports() -> None:
    apart = {**EXPORTS, "DEU": 9 * EXPORTS["DEU"]}

    assert found(apart, rows(EXPORTS, "2026-08-01", "published_figures")) == ()
    assert found(apart, rows(EXPORTS, "2026-07-01", "published_figures")) == ()


def test_a_usual_month_is_not_one_that_stands_out() -> None:
    months = {"2026-05-01": 1.0, "2026-06-01": 1.1, "2026-07-01": 20.0}
    known = [
        rows({name: times * tonnes for name, tonnes in EXPORTS.items()}, month, "published_figures")
        for month, times in months.items()
    ]

    assert found(EXPORTS, pd.concat(known, ignore_index=True)) == ()


def test_china_is_no_partner_of_its_own_exports() -> None:
    (objection,) = found({**EXPORTS, "CHN": 80.0}, rows(EXPORTS, "2026-08-01", "published_figures"))

    assert objection.startswith("China is its own partner in 1 months, as in tables of")


def priced(*flows: tuple[str, str, float, float]) -> pd.DataFrame:
    """Build weight and value of flows: partner, month, tonnes, dollars a kilogram."""
    return make_observations(
        *(
            {
                "destination": partner, "period_from": month, "period_to": month,
                "measure": measure, "unit": unit, "value": value, "available_at": "2026-11-20",
                "source": "customs",
            }
            for partner, month, tonnes, price in flows
            for measure, unit, value in (
                ("net_weight_t", "t", tonnes), ("value_musd", "musd", tonnes * price / 1e3),
            )
        )
    )  # fmt: skip


def unusual(new: pd.DataFrame, known: pd.DataFrame) -> list[str]:
    """Return what is objected to prices."""
    file = FileRows("customs", "japan.csv", "0", {"observations": new}, completeness=0.6)
    reasons = objections(file, stored=known, ingested_at=NOW)
    return [reason for reason in reasons if reason.startswith("Unit values are not")]


MONTHS = [f"{month:%Y-%m}" for month in pd.period_range("2025-07", "2026-07", freq="M")]
JAPAN = priced(
    *(("JPN", month, 250.0, 60.0 + 4 * np.sin(at)) for at, month in enumerate(MONTHS)),
    *(("WLD", month, 5_000.0, 48.0 + at / 4) for at, month in enumerate(MONTHS)),
)


@pytest.mark.parametrize(
    ("price", "refused"),
    [(95.0, True), (600.0, True), (6.0, True), (63.0, False), (50.0, False)],
    ids=["imports", "weights by ten", "values by ten", "a regular month", "a cheap month"],
)
def test_one_partner_is_held_against_its_own_prices(price: float, *, refused: bool) -> None:
    found = unusual(priced(("JPN", "2026-08", 110.0, price)), JAPAN)

    assert bool(found) is refused
    if refused:
        assert f"JPN {price:,.1f} USD/kg against 40.2 to 89.5" in found[0]
        assert "japan.csv of customs" in found[0]


def test_a_partner_without_a_past_is_held_against_the_world() -> None:
    known = bundled_world().observations

    (reason,) = unusual(priced(("JPN", "2026-08", 110.0, 95.0)), known)

    assert "JPN 95.0 USD/kg against 26.2 to 86.9" in reason
    assert unusual(priced(("JPN", "2026-08", 250.0, 60.0)), known) == []


def test_a_table_is_judged_by_most_of_its_value_and_not_by_a_parcel() -> None:
    japan, parcel = ("JPN", "2026-08", 250.0, 61.0), ("HKG", "2026-08", 15.0, 250.0)

    assert unusual(priced(japan, parcel), JAPAN) == []
    assert len(unusual(priced(("JPN", "2026-08", 110.0, 95.0), parcel), JAPAN)) == 1


def test_one_odd_price_of_three_months_decides_nothing() -> None:
    new = priced(("JPN", "2026-08", 50.0, 61.0), ("JPN", "2026-09", 50.0, 150.0),
                 ("JPN", "2026-10", 50.0, 62.0))  # fmt: skip

    assert unusual(new, JAPAN) == []


@pytest.mark.parametrize(("copies", "usable"), [(1, True), (3, False)], ids=["another", "unusable"])
def test_usual_prices_are_those_of_most_usable_versions(copies: int, *, usable: bool) -> None:
    is_value = JAPAN["measure"].eq("value_musd")
    odd = JAPAN.assign(value=JAPAN["value"].mask(is_value, 10 * JAPAN["value"]), usable=usable)
    known = pd.concat([JAPAN, JAPAN, *([odd] * copies)], ignore_index=True)

    assert unusual(priced(("JPN", "2026-08", 110.0, 63.0)), known) == []


def test_a_price_is_impossible_by_its_usual_month_and_not_by_its_worst() -> None:
    new = priced(("JPN", "2026-08", 50.0, 50.0), ("JPN", "2026-09", 50.0, 6_000.0),
                 ("JPN", "2026-10", 50.0, 50.0))  # fmt: skip
    file = FileRows("customs", "japan.csv", "0", {"observations": new})

    assert objections(file, stored=JAPAN.iloc[:0], ingested_at=NOW) == ()


@pytest.mark.slow
def test_no_price_of_the_bundled_facts_is_unusual() -> None:
    every = bundled_world().observations
    ours = every[every["commodity"].eq(COMMODITY) & every["period_from"].eq(every["period_to"])]
    rows = ours[ours["measure"].isin(["net_weight_t", "value_musd"])]
    flows = [flow for _, flow in rows.groupby(["destination", "period_from"])]
    both = [flow for flow in flows if flow["measure"].nunique() == 2]

    assert len(both) == 39
    for flow in both:
        known = every[every["period_to"] < flow["period_from"].iloc[0]]
        cells = flow.drop_duplicates("measure").assign(source="customs", kind="reported")
        assert unusual(cells, known) == []
