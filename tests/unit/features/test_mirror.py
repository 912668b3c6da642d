from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.panel.estimation import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS, EvidencePanel
from features.panel.mirror import (
    GAP_COLUMNS,
    Exports,
    Mirror,
    fit_mirrors,
    gap_table,
    mirror_statements,
    partner_figures,
)
from store.months import month_number
from tests.data.builders import at, make_levels, true_tonnes
from tests.data.mirror_builders import (
    PARTNERS,
    Partner,
    changed,
    levels_but_newest,
    make_records,
    with_records,
)

AS_OF = at("2021-03-26")
NEWEST = pd.Timestamp("2020-12-01")
USA, DEU, JPN = PARTNERS


@cache
def panel_with(*partners: Partner) -> EvidencePanel:
    records = [make_records(*partners)] if partners else []
    return evidence_panel(with_records(levels_but_newest(), *records), as_of=AS_OF)


@cache
def truth() -> Exports:
    months = pd.period_range("2016-01", "2020-12", freq="M")
    exact = true_tonnes(months)
    names = tuple(name for name in PANEL_DESTINATIONS if name in exact)
    tonnes = np.array([exact[name] for name in names])
    return Exports(names, month_number("2016-01"), tonnes, np.full_like(tonnes, 0.001))


def learned(records: pd.DataFrame, exports: Exports | None = None) -> list[Mirror]:
    return fit_mirrors(partner_figures(records, PANEL_DESTINATIONS), exports or truth())


def newest(panel: EvidencePanel, destination: str) -> pd.Series:
    frame = panel.frame
    return frame.loc[(frame["destination"] == destination) & (frame["period"] == NEWEST)].iloc[0]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"commodity": "85051110"}, id="a press figure under China's own code"),
        pytest.param({"commodity": "neodymium oxide"}, id="another commodity"),
        pytest.param({"usable": False}, id="not usable"),
        pytest.param({"kind": "derived"}, id="derived by us"),
        pytest.param({"origin": "JPN"}, id="from another origin"),
        pytest.param({"destination": "FRA"}, id="an importer the panel does not hold"),
        pytest.param({"measure": "net_weight_t"}, id="no import"),
        pytest.param({"value": 0.0}, id="nothing imported"),
        pytest.param({"period_to": pd.Timestamp("2021-12-01")}, id="not one month"),
    ],
)
def test_rows_that_are_no_monthly_partner_record_are_left_out(change: dict[str, object]) -> None:
    records = make_records(USA).assign(**change)

    assert partner_figures(records, PANEL_DESTINATIONS).empty


def test_the_lines_of_one_american_heading_are_one_series() -> None:
    sintered = make_records(USA)
    other = make_records(replace(USA, commodity="US8505110050")).assign(value=10.0)

    both = partner_figures(pd.concat([other, sintered]), PANEL_DESTINATIONS)

    alone = partner_figures(sintered, PANEL_DESTINATIONS)
    assert set(both["series"]) == {"US85051100"}
    np.testing.assert_allclose(both["value"], alone["value"] + 10.0)


def test_a_month_without_the_main_line_is_not_whole() -> None:
    sintered = make_records(USA, last="2020-12")
    other = make_records(replace(USA, commodity="US8505110050")).assign(value=10.0)

    rows = partner_figures(pd.concat([other, sintered]), PANEL_DESTINATIONS)

    assert rows["period_from"].max() == NEWEST


def test_of_two_addresses_the_newer_record_counts() -> None:
    old = make_records(USA)
    new = old.assign(
        value=old["value"] * 2,
        source_url="https://example.org/moved",
        available_at=old["available_at"] + pd.Timedelta(days=1),
    )

    rows = partner_figures(pd.concat([new, old]), PANEL_DESTINATIONS)

    np.testing.assert_allclose(rows["value"], old["value"] * 2)


def test_bias_lag_and_spread_of_a_partner_are_learned() -> None:
    [mirror] = learned(make_records(DEU))

    bias, scale = mirror.pattern.at(mirror.months[-2:-1])
    assert bias[0] == pytest.approx(0.3, abs=0.03)
    assert mirror.pattern.same_month == pytest.approx(0.3, abs=0.1)
    assert mirror.pattern.spread == pytest.approx(0.04, abs=0.015)
    assert 0.04 < scale[0] < 0.1


def test_learning_a_month_leaves_that_month_out() -> None:
    month = month_number("2020-06")
    for value in (300.0, 3_000.0):
        rows = changed(make_records(USA), "2020-06-01", {"value": value})
        [mirror] = learned(rows)
        bias = mirror.pattern.at(np.array([month]))[0][0]

        assert bias == pytest.approx(-0.1, abs=0.05)


def test_a_record_speaks_of_a_mix_of_its_month_and_the_month_before() -> None:
    mirrors = learned(make_records(USA))

    statement = mirror_statements(mirrors, first=mirrors[0].months[0] - 1, last=10**6)[3]

    assert statement.above.destinations == ("USA",)
    assert statement.above.end - statement.above.start == 1
    assert sum(statement.above.weights) == pytest.approx(1.0)
    assert statement.above.weights[1] == mirrors[0].pattern.same_month
    assert statement.below is None
    assert not statement.is_bound


@pytest.mark.slow
def test_records_sharpen_the_newest_months_of_their_partners() -> None:
    plain, sharp = panel_with(), panel_with(*PARTNERS)

    for name in ("USA", "DEU", "JPN"):
        exact = truth().at(name, np.array([month_number("2020-12")]))[0][0]
        before, after = newest(plain, name), newest(sharp, name)
        assert after["stderr_t"] / after["tonnes"] < 0.6 * before["stderr_t"] / before["tonnes"]
        assert after["tonnes"] == pytest.approx(exact, rel=0.12)
    assert newest(sharp, "WLD")["tonnes"] == pytest.approx(4585.0, abs=0.5)


@pytest.mark.slow
def test_records_alone_move_no_cutoff_and_make_nothing_observed() -> None:
    panel = evidence_panel(
        with_records(make_levels(last="2020-10"), make_records(*PARTNERS)), as_of=AS_OF
    )

    assert panel.cutoff == month_number("2020-10")
    assert newest(panel_with(*PARTNERS), "USA")["kind"] == "estimated"


@pytest.mark.slow
def test_a_record_that_contradicts_the_published_month_is_listed_and_moves_nothing() -> None:
    levels = make_levels(last="2020-12")
    calm = evidence_panel(with_records(levels, make_records(USA)), as_of=AS_OF)
    wrong = changed(make_records(USA), "2020-06-01", {"value": 9_000.0})

    panel = evidence_panel(with_records(levels, wrong), as_of=AS_OF)

    [row] = panel.suspicious.to_dict("records")
    assert row["statement"] == "USA 2020-06 mirror_import_t 9000"
    assert row["source_url"] == "https://example.org/census"
    assert row["weight"] < 0.02
    assert row["residual_t"] > 5_000.0
    assert np.abs(panel.tonnes / calm.tonnes - 1).max() < 2e-3


def test_the_gap_table_has_both_sides_and_control_limits() -> None:
    gaps = panel_with(USA).gaps

    assert tuple(gaps.columns) == GAP_COLUMNS
    row = gaps.loc[gaps["period"] == pd.Timestamp("2020-06-01")].iloc[0]
    months = [month_number("2020-05"), month_number("2020-06")]
    before, same = truth().at("USA", np.array(months))[0]
    assert row["exports_t"] == pytest.approx(same, abs=0.5)
    assert min(before, same) - 1 < row["arriving_t"] < max(before, same) + 1
    assert row["log_gap"] == pytest.approx(np.log(row["imports"] / row["arriving_t"]))
    assert row["lower"] < row["expected"] < row["upper"]
    assert row["expected"] == pytest.approx(-0.1, abs=0.03)
    assert row["state"] == "in"


def test_a_month_beyond_the_limits_is_out() -> None:
    wrong = changed(make_records(USA), "2020-06-01", {"value": 1_200.0})

    gaps = gap_table(learned(wrong)).set_index("period")["state"]

    assert list(gaps.index[gaps == "out"]) == [pd.Timestamp("2020-06-01")]
