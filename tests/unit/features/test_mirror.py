from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.months import month_number
from features.panel.evidence import evidence_panel
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
from tests.data.builders import at, bundled_world, make_levels, true_tonnes
from tests.data.mirror_builders import (
    PARTNERS,
    Partner,
    changed,
    levels_but_newest,
    make_records,
    with_records,
)
from tests.data.store_builders import make_observations

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


# --- which rows count ---------------------------------------------------------------------------


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


def test_a_value_serves_only_where_there_is_no_weight() -> None:
    weight = make_records(DEU, last="2020-10")
    value = make_records(replace(DEU, measure="mirror_import_meur"), first="2020-09")

    rows = partner_figures(pd.concat([value, weight]), PANEL_DESTINATIONS)

    later = rows["period_from"] > pd.Timestamp("2020-10-01")
    assert set(rows.loc[later, "measure"]) == {"mirror_import_meur"}
    assert set(rows.loc[~later, "measure"]) == {"mirror_import_t"}


def test_of_two_addresses_the_newer_record_counts() -> None:
    old = make_records(USA)
    new = old.assign(
        value=old["value"] * 2,
        source_url="https://example.org/moved",
        available_at=old["available_at"] + pd.Timedelta(days=1),
    )

    rows = partner_figures(pd.concat([new, old]), PANEL_DESTINATIONS)

    np.testing.assert_allclose(rows["value"], old["value"] * 2)


# --- what is learned ----------------------------------------------------------------------------


def test_bias_lag_and_spread_of_a_partner_are_learned() -> None:
    [mirror] = learned(make_records(DEU))

    bias, scale = mirror.pattern.at(mirror.months[-2:-1])
    assert bias[0] == pytest.approx(0.3, abs=0.03)
    assert mirror.pattern.same_month == pytest.approx(0.3, abs=0.1)
    assert mirror.pattern.spread == pytest.approx(0.04, abs=0.015)
    assert 0.04 < scale[0] < 0.1


def test_one_wild_month_moves_the_bias_little() -> None:
    calm = learned(make_records(USA))[0].pattern
    wild = learned(changed(make_records(USA), "2020-06-01", {"value": 9_000.0}))[0].pattern

    month = np.array([month_number("2020-12")])
    assert wild.at(month)[0][0] == pytest.approx(calm.at(month)[0][0], abs=0.02)


def test_the_spread_widens_for_months_far_from_those_learned_from() -> None:
    short = truth()
    early = replace(short, tonnes=short.tonnes[:, :36], stderr=short.stderr[:, :36])
    [mirror] = learned(make_records(USA), early)

    near, far, further = mirror.pattern.at(month_number("2018-12") + np.array([1, 12, 60]))[1]

    assert near < far < further < 0.4


def test_a_partner_without_published_exports_gets_the_bias_of_the_others_and_a_wide_spread() -> (
    None
):
    exports = truth()
    hidden = exports.stderr.copy()
    hidden[exports.names.index("DEU")] = 0.5
    records = make_records(USA, replace(DEU, bias=-0.1), replace(JPN, bias=-0.1))

    found = {m.destination: m.pattern for m in learned(records, replace(exports, stderr=hidden))}

    bias, scale = found["DEU"].at(np.array([month_number("2020-12")]))
    assert len(found["DEU"].months) == 0
    assert bias[0] == pytest.approx(-0.037, abs=0.01)  # two partners at -0.1 against a belief of 0
    assert 0.3 < scale[0] < 0.5


def test_a_short_series_leans_on_the_spread_of_the_others() -> None:
    noisy = replace(USA, noise=0.3)
    alone = learned(make_records(noisy, first="2020-10"))[0].pattern
    beside = learned(pd.concat([make_records(noisy, first="2020-10"), make_records(DEU, JPN)]))[
        -1
    ].pattern

    assert beside.spread < alone.spread


def test_learning_a_month_leaves_that_month_out() -> None:
    month = month_number("2020-06")
    for value in (300.0, 3_000.0):
        rows = changed(make_records(USA), "2020-06-01", {"value": value})
        [mirror] = learned(rows)
        bias = mirror.pattern.at(np.array([month]))[0][0]

        assert bias == pytest.approx(-0.1, abs=0.05)


# --- what it shows -------------------------------------------------------------------------------


def test_a_record_speaks_of_a_mix_of_its_month_and_the_month_before() -> None:
    mirrors = learned(make_records(USA))

    statement = mirror_statements(mirrors, first=mirrors[0].months[0] - 1, last=10**6)[3]

    assert statement.above is not None
    assert statement.above.destinations == ("USA",)
    assert statement.above.end - statement.above.start == 1
    assert sum(statement.above.weights) == pytest.approx(1.0)
    assert statement.above.weights[1] == mirrors[0].pattern.same_month
    assert statement.below is None
    assert not statement.is_bound


def test_copies_of_one_customs_book_weigh_as_much_as_one() -> None:
    copy = replace(USA, commodity="850511", source="comtrade_mirror")
    alone = learned(make_records(USA))
    both = learned(
        pd.concat(
            [
                make_records(USA),
                make_records(USA).assign(
                    commodity=copy.commodity,
                    source=copy.source,
                    source_url="https://example.org/copy",
                ),
            ]
        )
    )
    span = {"first": month_number("2016-01"), "last": month_number("2020-12")}

    one, two = mirror_statements(alone, **span)[-1], mirror_statements(both, **span)[-1]

    assert two.scale == pytest.approx(one.scale * np.sqrt(2), rel=0.05)


@pytest.mark.slow
def test_records_sharpen_the_newest_months_of_their_partners() -> None:
    plain, sharp = panel_with(), panel_with(*PARTNERS)

    for name in ("USA", "DEU", "JPN"):
        exact = truth().at(name, np.array([month_number("2020-12")]))[0][0]
        before, after = newest(plain, name), newest(sharp, name)
        assert after["stderr_t"] / after["tonnes"] < 0.6 * before["stderr_t"] / before["tonnes"]
        assert after["tonnes"] == pytest.approx(exact, rel=0.12)
    assert newest(sharp, "WLD")["tonnes"] == pytest.approx(4585.0, abs=0.5)


def test_imports_of_the_month_after_the_cutoff_tell_of_exports_within_it() -> None:
    early = evidence_panel(
        with_records(levels_but_newest(), make_records(DEU, last="2020-12")), as_of=AS_OF
    )
    late = panel_with(DEU)

    assert late.cutoff == early.cutoff == month_number("2020-12")
    assert late.frame.shape == early.frame.shape
    assert newest(late, "DEU")["stderr_t"] < 0.8 * newest(early, "DEU")["stderr_t"]


def test_records_alone_move_no_cutoff_and_make_nothing_observed() -> None:
    panel = evidence_panel(
        with_records(make_levels(last="2020-10"), make_records(*PARTNERS)), as_of=AS_OF
    )

    assert panel.cutoff == month_number("2020-10")
    assert newest(panel_with(*PARTNERS), "USA")["kind"] == "estimated"


def test_a_cell_is_as_fresh_as_the_last_record_that_speaks_of_it() -> None:
    sharp = panel_with(USA)

    assert newest(sharp, "USA")["available_at"] == at("2021-03-09")
    assert newest(sharp, "VNM")["available_at"] == at("2021-01-20")


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


def test_reach_tells_of_a_month_nobody_published_yet() -> None:
    panel = evidence_panel(make_levels(last="2020-10"), as_of=AS_OF, reach=month_number("2020-12"))

    assert panel.cutoff == month_number("2020-12")
    assert newest(panel, "WLD")["kind"] == "estimated"
    assert newest(panel, "WLD")["stderr_t"] > 200.0


# --- nothing without records ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2019-06-25", "2026-11-24"])
def test_without_usable_records_the_panel_is_the_same_to_the_bit(day: str) -> None:
    plain = bundled_world().observations
    useless = make_records(USA).assign(usable=False)
    without = plain.loc[~plain["measure"].str.startswith("mirror")]

    panels = [
        evidence_panel(rows, as_of=at(day))
        for rows in (plain, with_records(plain, useless), without)
    ]

    for other in panels[1:]:
        pd.testing.assert_frame_equal(panels[0].frame, other.frame, check_exact=True)
        pd.testing.assert_frame_equal(panels[0].suspicious, other.suspicious, check_exact=True)
    assert all(panel.gaps.empty for panel in panels)


# --- gaps -----------------------------------------------------------------------------------------


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


def test_months_whose_exports_are_not_published_are_not_judged() -> None:
    gaps = panel_with(USA).gaps.set_index("period")["state"]

    assert list(gaps.loc["2020-10-01":]) == ["in", "estimated", "estimated"]


def test_a_month_beyond_the_limits_is_out() -> None:
    wrong = changed(make_records(USA), "2020-06-01", {"value": 1_200.0})

    gaps = gap_table(learned(wrong)).set_index("period")["state"]

    assert list(gaps.index[gaps == "out"]) == [pd.Timestamp("2020-06-01")]


def test_without_records_there_are_no_gaps() -> None:
    gaps = gap_table([])

    assert tuple(gaps.columns) == GAP_COLUMNS
    assert gaps.empty


def test_records_are_not_modified() -> None:
    rows = with_records(levels_but_newest(), make_records(USA))
    before = rows.copy(deep=True)

    evidence_panel(rows, as_of=AS_OF)

    pd.testing.assert_frame_equal(rows, before)


def test_a_record_of_one_month_only_states_little_and_breaks_nothing() -> None:
    one = make_records(USA, first="2020-12", last="2020-12")

    panel = evidence_panel(with_records(levels_but_newest(), one), as_of=AS_OF)

    assert 0.0 < newest(panel, "USA")["stderr_t"] <= newest(panel_with(), "USA")["stderr_t"]


def test_an_importer_key_of_another_heading_is_no_record() -> None:
    rows = make_observations({"commodity": "CN85051990", "measure": "mirror_import_t", "unit": "t"})

    assert partner_figures(rows, PANEL_DESTINATIONS).empty
