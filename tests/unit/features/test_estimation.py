from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import EvidencePanel
from store.errors import DataError
from store.months import month_number
from store.settings import PROJECT_ROOT
from store.vocabulary import AGGREGATES, DESTINATIONS, HS6, PANEL_COLUMNS
from tests.data.builders import at, bundled_world, make_levels
from tests.data.store_builders import make_observations

AS_OF = at("2019-07-25")


@cache
def bundled(day: str) -> EvidencePanel:
    return evidence_panel(bundled_world().observations, as_of=at(day))


@cache
def levels() -> pd.DataFrame:
    return make_levels(last="2019-06")


@cache
def small() -> EvidencePanel:
    return evidence_panel(levels(), as_of=AS_OF)


def plus(*changes: dict[str, object]) -> pd.DataFrame:
    return pd.concat([levels(), make_observations(*changes)], ignore_index=True)


def figure(month: str, known: str, **changes: object) -> dict[str, object]:
    """Return the change that makes a figure one of a month, known from a day on."""
    return {"period_from": month, "period_to": month, "available_at": known, **changes}


def cells(panel: EvidencePanel) -> pd.DataFrame:
    return panel.frame.pivot_table(index="period", columns="destination", values="tonnes")


def cell(panel: EvidencePanel, destination: str, month: str) -> pd.Series:
    frame = panel.frame
    row = (frame["destination"] == destination) & (frame["period"] == pd.Timestamp(month))
    return frame.loc[row].iloc[0]


def test_published_levels_are_met_within_their_rounding() -> None:
    table = cells(small())
    result = levels()

    found = [
        table.loc[period, name]
        for name, period in zip(result["destination"], result["period_from"], strict=True)
    ]

    assert np.abs(np.array(found) - result["value"]).max() <= 0.5


def test_no_destination_has_more_than_all_metal_magnets_that_china_reports_for_it() -> None:
    table = pd.read_csv(PROJECT_ROOT / "data" / "wider_scope.csv", dtype={"period": str})
    caps = table[table["measure"].eq("hs6_net_weight_t")]
    tonnes = cells(bundled("2026-11-24"))
    caps = caps[caps["destination"].isin(tonnes.columns)]

    assert len(caps) >= 25
    for cap in caps.itertuples():
        assert tonnes.loc[cap.period, cap.destination].sum() < cap.value, cap.period


DAYS = [
    "2019-06-25",
    *(pytest.param(d, marks=pytest.mark.slow) for d in ("2025-10-20", "2026-11-24")),
]


@pytest.mark.parametrize("day", DAYS)
def test_sums_are_exact_and_every_cell_is_positive(day: str) -> None:
    table = cells(bundled(day)).loc[lambda months: months["WLD"].notna()]

    np.testing.assert_allclose(table[list(DESTINATIONS)].sum(axis=1), table["WLD"], rtol=1e-12)
    np.testing.assert_allclose(
        table[list(AGGREGATES["EU27"])].sum(axis=1), table["EU27"], rtol=1e-12
    )
    assert (table > 0).all(axis=None)
    assert (table["EU27"] >= table[list(AGGREGATES["EU27"])].max(axis=1)).all()


@pytest.mark.parametrize("day", DAYS)
def test_no_cell_is_known_before_its_month_ends_nor_after_the_as_of(day: str) -> None:
    frame = bundled(day).frame

    assert (frame["available_at"] <= at(day)).all()
    ends = (frame["period"] + pd.offsets.MonthEnd()).dt.tz_localize("UTC")
    assert (frame["available_at"] > ends).all()


def test_panel_has_every_month_of_every_destination_once_and_in_order() -> None:
    frame = bundled("2025-10-20").frame

    assert tuple(frame.columns) == PANEL_COLUMNS
    assert tuple(frame["destination"].unique()) == (*DESTINATIONS, "WLD", "EU27")
    periods = pd.date_range("2016-01-01", "2025-09-01", freq="MS")
    for _, group in frame.groupby("destination"):
        assert list(group["period"]) == list(periods)
    assert frame["stderr_t"].between(0, np.inf, inclusive="neither").all()


def test_kinds_tell_published_implied_and_guessed_months_apart() -> None:
    growth = {"destination": "WLD", "measure": "yoy_pct", "unit": "pct", "half_width": 0.05}
    told = figure("2019-07-01", "2019-08-20", value=10.0, **growth)

    panel = evidence_panel(plus(told), as_of=at("2019-08-25"))

    assert cell(panel, "USA", "2019-06")["kind"] == "observed"
    assert cell(panel, "WLD", "2019-07")["kind"] == "derived"
    assert cell(panel, "USA", "2019-07")["kind"] == "estimated"
    assert cell(panel, "WLD", "2019-07")["tonnes"] == pytest.approx(
        1.1 * cell(panel, "WLD", "2018-07")["tonnes"], rel=1e-3
    )


def test_a_contradicting_figure_is_listed_with_its_residual_and_moves_nothing_else() -> None:
    page = "https://example.org/wrong"
    wrong = figure("2019-03-01", "2019-04-20", value=2_000.0, source_url=page)

    panel = evidence_panel(plus(wrong), as_of=AS_OF)

    truth = cell(small(), "USA", "2019-03")["tonnes"]
    [row] = panel.suspicious.to_dict("records")
    assert row["statement"] == "USA 2019-03 net_weight_t 2000"
    assert row["source_url"] == page
    assert row["residual_t"] == pytest.approx(2_000.0 - truth, rel=0.01)
    assert np.abs(cells(panel) / cells(small()) - 1).max(axis=None) < 2e-3


def test_a_zero_that_contradicts_the_others_is_no_observed_month() -> None:
    without = levels().query("destination != 'USA' or period_from != '2019-05-01'")
    zero = make_observations(figure("2019-05-01", "2019-06-20", value=0.0))

    panel = evidence_panel(pd.concat([without, zero], ignore_index=True), as_of=AS_OF)

    assert cell(panel, "USA", "2019-05")["kind"] != "observed"
    assert cell(panel, "USA", "2019-05")["tonnes"] > 100
    assert panel.suspicious["statement"].tolist() == ["USA 2019-05 net_weight_t 0"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"usable": False}, id="not usable"),
        pytest.param({"kind": "derived"}, id="derived by us"),
        pytest.param({"commodity": "neodymium oxide"}, id="another commodity"),
        pytest.param({"measure": "mirror_import_t"}, id="an importer's own figure"),
    ],
)
def test_figures_that_are_no_evidence_change_nothing(change: dict[str, object]) -> None:
    other = figure("2019-03-01", "2019-04-20", source_url="https://example.org/other")

    panel = evidence_panel(plus({**other, **change}), as_of=AS_OF)

    np.testing.assert_array_equal(panel.tonnes, small().tonnes)


def test_a_figure_for_a_month_that_runs_yet_does_not_move_the_cutoff_into_it() -> None:
    panel = evidence_panel(plus(figure("2019-07-01", "2019-07-20")), as_of=AS_OF)

    assert panel.cutoff == month_number("2019-06")


def test_an_as_of_before_2019_is_refused() -> None:
    with pytest.raises(DataError, match="as_of=2018-12-31 is too early"):
        evidence_panel(levels(), as_of=at("2018-12-31"))


EU_PARTNERS = {"FRA": 40.0, "NLD": 30.0, "POL": 12.25}
ELSEWHERE = {f"X{place:02d}": 2.5 for place in range(20)} | {"GBR": 33.0, "C701": 0.5}


def listed(*, world: float | None) -> pd.DataFrame:
    """Levels whose last month has neither rest, and a list of all partners of that month."""
    known = levels()
    month = known["period_from"].eq("2019-06-01")
    own = known.loc[month & known["destination"].isin(DESTINATIONS)].set_index("destination")
    eight = own["value"].drop("EU27_REST").to_dict()
    partners = {**eight, **EU_PARTNERS, **ELSEWHERE}
    total = sum(partners.values()) if world is None else world
    rows = [{"destination": name, "value": value} for name, value in partners.items()]
    day = {"period_from": "2019-06-01", "period_to": "2019-06-01", "half_width": 0.0005}
    at_once = {**day, "available_at": "2019-07-20T00:00:00Z", "source": "customs"}
    more = make_observations(
        *({**at_once, **row} for row in [*rows, {"destination": "WLD", "value": total}])
    )
    return pd.concat([known.loc[~month], more], ignore_index=True)


def test_every_partner_of_a_complete_list_counts_in_its_rest() -> None:
    panel = evidence_panel(listed(world=None), as_of=AS_OF)

    rests = [cell(panel, name, "2019-06") for name in ("EU27_REST", "ROW")]
    assert [one["kind"] for one in rests] == ["observed", "observed"]
    assert [one["tonnes"] for one in rests] == pytest.approx([82.25, 83.5], rel=1e-3)


def with_values(moves: dict[str, float]) -> pd.DataFrame:
    """Levels of 2018 and 2019 without two of the world's, and values that move in some months."""
    months = pd.period_range("2018-01", "2019-02", freq="M").astype(str)
    frame = levels()
    world = frame.loc[frame["destination"].eq("WLD")].set_index("period_from")["value"]
    rows = [
        figure(
            month, "2019-07-01", commodity=HS6, destination="WLD", measure="value_musd",
            unit="musd", value=0.06 * world[pd.Timestamp(month)] * moves.get(month, 1.0),
        )
        for month in months
    ]  # fmt: skip
    gap = frame["period_from"].isin([pd.Timestamp("2018-06"), pd.Timestamp("2018-07")])
    return pd.concat([frame.loc[~gap], make_observations(*rows)], ignore_index=True)


def test_a_month_without_a_figure_follows_the_value_of_its_exports() -> None:
    table = with_values({"2018-06": 0.5})

    told = cell(evidence_panel(table, as_of=AS_OF), "WLD", "2018-06")
    untold = cell(evidence_panel(table, as_of=at("2019-06-30")), "WLD", "2018-06")

    assert told["tonnes"] == pytest.approx(0.5 * untold["tonnes"], rel=0.1)
    assert told["stderr_t"] < untold["stderr_t"]
    assert told["kind"] != "observed"
    assert told["available_at"] == at("2019-07-01")


def test_a_unit_value_that_rises_for_good_is_no_rise_of_trade() -> None:
    later = pd.period_range("2018-08", "2019-02", freq="M").astype(str)

    risen = evidence_panel(with_values(dict.fromkeys(later, 1.1)), as_of=AS_OF)
    same = evidence_panel(with_values({}), as_of=AS_OF)

    for month in ("2018-10", "2019-01"):
        assert cell(risen, "WLD", month)["tonnes"] == pytest.approx(
            cell(same, "WLD", month)["tonnes"], rel=0.01
        )


def test_a_year_without_figures_follows_its_share_of_value_once_that_is_available() -> None:
    frame = levels()
    year = frame["period_from"].dt.year
    sums = frame.assign(year=year).pivot_table("value", "year", "destination", aggfunc="sum")
    sums["EU27"] = sums[["DEU", "ITA", "EU27_REST"]].sum(axis=1)
    sums.loc[2018, "IND"] *= 2.0
    rows = [
        {
            "period_from": f"{of}-01-01", "period_to": f"{of}-12-01", "available_at": "2019-07-01",
            "commodity": HS6, "destination": name, "measure": "value_musd", "unit": "musd",
            "value": 0.06 * tonnes,
        }
        for of in (2017, 2018)
        for name, tonnes in sums.loc[of].items()
    ]  # fmt: skip
    without = frame.loc[~(frame["destination"].eq("IND") & year.eq(2018))]
    table = pd.concat([without, make_observations(*rows)], ignore_index=True)

    told, untold = (evidence_panel(rows, as_of=AS_OF) for rows in (table, without))
    before, bare = (evidence_panel(rows, as_of=at("2019-06-30")) for rows in (table, without))

    assert cell(told, "IND", "2018-06")["tonnes"] > 1.4 * cell(untold, "IND", "2018-06")["tonnes"]
    assert cell(told, "IND", "2018-06")["kind"] == "estimated"
    np.testing.assert_array_equal(before.tonnes, bare.tonnes)
