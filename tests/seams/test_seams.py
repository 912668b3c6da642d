"""From a line of a file to an alert: what each step hands on, in numbers worked out by hand.

Read ``conftest.py`` first: it says what the figures are. The tests follow the pipeline
(docs/architecture.md), one after the other.
"""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from features.build import features_at, frame_of
from store.arrays import Floats
from store.facts.reading import read_events, read_forecasts, read_observations
from store.months import month_label
from store.planning import read_alerts
from store.publications.integrity import read_publications
from store.publications.panels import read_panels
from store.vocabulary import AGGREGATES, COMMODITY, DESTINATIONS, QUANTILE_COLUMNS
from tests.seams.conftest import FIRST, SECOND, Home


def months(first: str, last: str) -> list[str]:
    return [str(month) for month in pd.period_range(first, last, freq="M")]


def rows(home: Home, as_of: pd.Timestamp, destination: str) -> pd.DataFrame:
    """Forecast of a destination by month."""
    table = home.forecasts[as_of]
    return table.loc[table["destination"].eq(destination)].set_index("period")


def features(home: Home, as_of: pd.Timestamp, destination: str = "USA") -> pd.DataFrame:
    """Features of a destination by the month that is forecast."""
    frame = frame_of(home.workspaces[as_of].origin)
    frame = frame.loc[frame["destination"].eq(destination)]
    return frame.assign(period=frame["period"].dt.strftime("%Y-%m")).set_index("period")


# 1. Store: what was known when.


def test_only_what_was_out_is_read(home: Home) -> None:
    engine = home.workspaces[FIRST].engine

    magnets = [
        rows.loc[rows["commodity"].eq(COMMODITY), "destination"].value_counts().to_dict()
        for rows in (read_observations(engine, as_of=as_of) for as_of in (FIRST, SECOND))
    ]

    # 33 months to September 2020, and one more of the USA; on the 25th 34 months of all.
    assert magnets == [
        {"USA": 34, "JPN": 33, "DEU": 33, "WLD": 33},
        {"USA": 34, "JPN": 34, "DEU": 34, "WLD": 34},
    ]
    acts = [len(read_events(engine, as_of=as_of)) for as_of in (FIRST, SECOND)]
    assert acts == [0, 1]


# 2. Panel: every month of every destination.


def test_a_published_month_is_as_published_and_the_others_share_the_rest(home: Home) -> None:
    panel = home.workspaces[FIRST].panel.months.set_index(["destination", "period"])
    september = panel.xs(pd.Timestamp("2020-09-01"), level="period")

    published = september.loc[["USA", "JPN", "DEU", "WLD"]]
    assert published["tonnes"].tolist() == pytest.approx([133, 200, 300, 1_200], abs=0.05)
    assert set(published["kind"]) == {"observed"}
    others = september.loc[["KOR", "VNM", "IND", "THA", "ITA", "EU27_REST", "ROW"]]
    assert others["tonnes"].sum() == pytest.approx(1_200 - 133 - 200 - 300, abs=0.1)
    # Nothing tells six of them apart; the rest of the world began with three parts.
    assert np.ptp(others["tonnes"].to_numpy()[:-1]) < 0.01
    assert set(others["kind"]) == {"estimated"}
    inside = september.loc[list(AGGREGATES["EU27"]), "tonnes"].sum()
    assert september.loc["EU27", "tonnes"] == pytest.approx(inside)


def test_a_month_after_the_last_of_the_world_holds_what_is_published_alone(home: Home) -> None:
    panel = home.workspaces[FIRST].panel.months
    (later,) = panel.loc[panel["period"].gt("2020-09-01")].to_dict("records")

    assert (later["destination"], later["kind"]) == ("USA", "observed")
    assert later["period"] == pd.Timestamp("2020-10-01")
    assert later["tonnes"] == pytest.approx(134, abs=0.05)
    assert later["available_at"] == pd.Timestamp("2020-11-10", tz="UTC")


# 3. Origin: the months to forecast, and what is known of them.


def test_targets_follow_the_last_month_of_the_world_for_a_year_ahead(home: Home) -> None:
    first, second = (home.workspaces[as_of].origin for as_of in (FIRST, SECOND))

    assert [month_label(int(m)) for m in first.targets] == months("2020-10", "2021-10")
    assert [month_label(int(m)) for m in second.targets] == months("2020-11", "2021-10")
    assert (first.late_months, second.late_months) == (1, 0)
    assert first.later is not None
    assert (first.later.row.tolist(), first.later.column.tolist()) == ([0], [0])
    assert second.later is None


# 4. Features: which month each number is of.


def log_ratio(tonnes: float | Floats) -> Floats:
    """Log of tonnes to the USA's level on 12 November 2020, each with a hundredth of it.

    The level is the mean of October 2019 to September 2020: 122 to 133 t, which is 127.5 t.
    """
    return np.log((np.asarray(tonnes) + 1.275) / (127.5 + 1.275))


def test_a_lag_is_of_the_month_that_its_name_says(home: Home) -> None:
    row = features(home, FIRST).loc["2020-10"]

    # September 2020 is 133 t, the month before it 132 t and so on; a year back from it 122 t.
    lags = {1: 133, 2: 132, 3: 131, 4: 130, 6: 128, 12: 122}
    for lag, tonnes in lags.items():
        assert row[f"tonnes_lag_{lag}m_log"] == pytest.approx(log_ratio(tonnes), abs=1e-4), lag
    # Means of July to September, April to September and October 2018 to September 2020.
    for count, tonnes in {3: 132, 6: 130.5, 24: 121.5}.items():
        expected = log_ratio(tonnes)
        assert row[f"tonnes_mean_{count}m_log"] == pytest.approx(expected, abs=1e-4), count
    # 131 to 133 t after 128 to 130 t, and after 119 to 121 t a year before.
    momentum, growth = log_ratio(132) - log_ratio(129), log_ratio(132) - log_ratio(120)
    assert row["tonnes_momentum_3m_log"] == pytest.approx(momentum, abs=1e-4)
    assert row["tonnes_year_growth_3m_log"] == pytest.approx(growth, abs=1e-4)
    assert row["world_share"] == pytest.approx(127.5 / 1_200, abs=1e-4)
    assert row["observed_share_12m"] == 1.0


def test_the_same_month_of_last_year_goes_with_the_month_forecast(home: Home) -> None:
    table = features(home, FIRST)

    # October 2019 to September 2020; October 2020 is not in the panel yet: October 2019 again.
    year, before = [*range(122, 134), 122], [*range(110, 122), 110]
    assert table["tonnes_same_month_1y_log"].to_numpy() == pytest.approx(log_ratio(year), abs=1e-4)
    assert table["tonnes_same_month_2y_log"].to_numpy() == pytest.approx(
        log_ratio(before), abs=1e-4
    )
    naive = features_at(home.workspaces[FIRST].origin).base_forecasts["seasonal_naive"]
    assert naive[0] == pytest.approx(year, abs=0.05)
    assert naive[DESTINATIONS.index("JPN")] == pytest.approx([200.0] * 13, abs=0.05)


def test_a_tariff_step_is_a_change_for_a_year_and_then_the_rate(home: Home) -> None:
    table = features(home, FIRST)

    assert table["tariff_rate_pct"].tolist() == [27.0] * 13
    # A year before October 2020 to April 2021 the rate was 2%, from May 2021 on it was 27%.
    assert table["tariff_change_12m_pct"].tolist() == [25.0] * 7 + [0.0] * 6
    assert features(home, FIRST, "JPN")["tariff_rate_pct"].isna().all()


def test_an_act_counts_from_its_announcement_and_takes_hold_on_its_day(home: Home) -> None:
    before, after = features(home, FIRST), features(home, SECOND)
    other = features(home, SECOND, "JPN")

    # Licences have a strength of 0.8 and cover all magnets; they begin in January 2021.
    exposure, threat = "policy_control_exposure", "policy_threat"
    assert before[[exposure, threat]].to_numpy().sum() == 0.0
    assert after[exposure].tolist() == [0.0] * 2 + [0.8] * 10
    assert after[threat].tolist() == [0.8] * 2 + [0.0] * 10
    assert other[[exposure, threat]].to_numpy().sum() == 0.0


# 5. What the act takes.


def test_licences_take_what_they_took_of_germanium_and_less_later(home: Home) -> None:
    (analog,) = home.workspaces[SECOND].snapshot.analogs
    effect = home.workspaces[SECOND].snapshot.effect
    assert effect is not None
    kept = np.median(effect.retained, axis=0)

    # 120 t in the year before, 5 t a month under it, for twelve months.
    assert analog.retained.tolist() == [0.5] * 12
    assert analog.age[:2] == pytest.approx([0.5, 1.5], abs=0.02)
    usa, japan = (kept[DESTINATIONS.index(name)] for name in ("USA", "JPN"))
    assert usa[:2].tolist() == [1.0, 1.0]
    # January 2021 is two months ahead, when 0.5 ** (2 / 3) of the log of a half counts: 0.646.
    # One analog alone is believed in part, and one act in seven does not come as announced.
    assert 0.646 < usa[2] < 0.85
    # Each further month less of it counts: of October, eleven ahead, 0.5 ** (11 / 3).
    assert (np.diff(usa[2:]) > 0).all()
    assert 0.5 ** (0.5 ** (11 / 3)) < usa[11] < 1.0
    assert japan.tolist() == [1.0] * 12


# 6. Forecast.


def test_a_month_that_is_published_is_not_forecast_otherwise(home: Home) -> None:
    october = rows(home, FIRST, "USA").loc["2020-10"]

    assert october["p50"] == pytest.approx(134, abs=0.05)
    assert october["p95"] - october["p05"] < 2.0
    november = rows(home, FIRST, "USA").loc["2020-11"]
    assert november["p95"] - november["p05"] > 20.0


@pytest.mark.parametrize("as_of", [FIRST, SECOND])
def test_means_of_members_add_up_to_their_sums_in_every_month(
    home: Home, as_of: pd.Timestamp
) -> None:
    means = home.forecasts[as_of].pivot_table(index="period", columns="destination", values="mean")

    for name, members in AGGREGATES.items():
        total = means[list(members)].sum(axis=1)
        assert means[name].to_numpy() == pytest.approx(total.to_numpy(), abs=0.01), name
    quantiles = home.forecasts[as_of][list(QUANTILE_COLUMNS)].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_the_act_lowers_its_destination_from_its_month_on_and_no_other(home: Home) -> None:
    usa, japan = rows(home, SECOND, "USA")["p50"], rows(home, SECOND, "JPN")["p50"]

    assert usa["2021-01"] / usa["2020-12"] < 0.85
    assert (usa.loc["2021-01":"2021-10"] > usa["2021-01"] - 0.01).all()
    assert japan["2021-01"] / japan["2020-12"] > 0.95


def test_too_few_months_for_a_model_leave_the_statistical_ensemble(home: Home) -> None:
    for table in home.forecasts.values():
        assert set(table["status"]) == {"statistical ensemble"}
        assert table["reason"].str.startswith("replay: Too little to train on").all()


# 7. Publication.


def test_both_forecasts_are_published_whole_with_their_panels(home: Home) -> None:
    engine = home.workspaces[FIRST].engine
    published = read_forecasts(engine)

    # Thirteen and twelve months of ten destinations and two sums.
    counts = published.groupby("as_of").size()
    assert counts.to_dict() == {FIRST: 13 * 12, SECOND: 12 * 12}
    keys = ["destination", "period"]
    for as_of, table in home.forecasts.items():
        stored = published.loc[published["as_of"].eq(as_of)].set_index(keys)["p50"]
        expected = table.set_index(keys)["p50"]
        assert stored.reindex(expected.index).to_numpy() == pytest.approx(expected, abs=1e-6)
    # A panel begins in January 2016: 57 months of each and October of the USA, then 58 of each.
    digests = read_publications(engine).set_index("as_of")["panel"]
    panels = read_panels(engine, set(digests))
    sizes = {as_of: len(panels[digest].months) for as_of, digest in digests.items()}
    assert sizes == {FIRST: 57 * 12 + 1, SECOND: 58 * 12}


# 8. Page and data.


def test_the_data_of_the_site_are_the_forecast(home: Home) -> None:
    (path,) = home.site.glob("publications/*/2/forecasts.csv")
    with path.open(encoding="utf-8") as file:
        shown = {
            row["period"]: float(row["p50"])
            for row in csv.DictReader(line for line in file if not line.startswith("#"))
            if row["destination"] == "USA"
        }

    expected = rows(home, SECOND, "USA")["p50"]
    assert list(shown) == months("2020-11", "2021-10")
    assert list(shown.values()) == pytest.approx(expected.tolist(), abs=0.0006)
    assert (home.site / "destinations" / "USA.html").exists()


# 9. Alert.


def test_one_alert_is_sent_of_the_month_that_moved_most(home: Home) -> None:
    before, after = (rows(home, as_of, "USA")["p50"] for as_of in (FIRST, SECOND))
    change = (after / before - 1).dropna()

    # Only a second forecast can move; Japan's hardly does.
    (row,) = read_alerts(home.workspaces[SECOND].engine).to_dict("records")
    assert (row["rule"], row["destination"]) == ("usa", "USA")
    assert (row["against"], row["as_of"]) == (FIRST, SECOND)
    assert f"{row['period']:%Y-%m}" == change.abs().idxmax() == "2021-01"
    assert (row["before"], row["after"]) == pytest.approx((before["2021-01"], after["2021-01"]))
    assert change["2021-01"] < -0.15
    [(_, body)] = home.receiver.taken
    assert json.loads(body)["message"] == row["message"]
