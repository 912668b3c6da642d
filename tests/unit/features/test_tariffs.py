import numpy as np
import pandas as pd
import pytest

from features.build import frame_of
from features.families.tariffs import importer_rate
from tests.data.builders import make_origin, make_tariffs

MFN = {"importer": "USA", "component": "MFN", "rate_pct": 2.0, "effective_from": "2016-01-01"}
EXTRA = {
    "importer": "USA", "component": "EXTRA", "rate_pct": 30.0, "effective_from": "2020-07-16",
    "announced_on": "2020-05-01",
}  # fmt: skip


def usa(*steps: dict[str, object]) -> pd.DataFrame:
    """Return the frame of the USA at cutoff 2020-06, by period."""
    frame = frame_of(make_origin(tariffs=make_tariffs(*steps)))
    return frame.loc[frame["destination"] == "USA"].set_index("period")


def days(start: str, end: str) -> np.ndarray:
    return pd.date_range(start, end).to_numpy().astype("datetime64[D]").astype(np.int64)


def test_a_step_within_a_month_counts_by_its_days() -> None:
    rows = usa(MFN, EXTRA)

    july, august = rows.loc["2020-07-01"], rows.loc["2020-08-01"]
    assert july["tariff_rate_pct"] == pytest.approx(2 + 30 * 16 / 31)
    assert july["tariff_peak_pct"] == 32.0
    assert july["tariff_peak_days_share"] == pytest.approx(16 / 31)
    assert (august["tariff_rate_pct"], august["tariff_peak_days_share"]) == (32.0, 1.0)


def test_changes_are_counted_against_earlier_months_and_the_last_known_ones() -> None:
    rows = usa(MFN, {**EXTRA, "effective_from": "2020-08-01"})

    september, november = rows.loc["2020-09-01"], rows.loc["2020-11-01"]
    assert (september["tariff_change_1m_pct"], september["tariff_change_3m_pct"]) == (0.0, 30.0)
    assert (november["tariff_change_3m_pct"], november["tariff_change_12m_pct"]) == (0.0, 30.0)
    assert november["tariff_change_level_pct"] == 30.0


def test_the_next_announced_change_is_seen_from_the_months_before_it() -> None:
    rows = usa(MFN, {**EXTRA, "effective_from": "2020-09-01"})

    july, september = rows.loc["2020-07-01"], rows.loc["2020-09-01"]
    assert july["tariff_next_change_months"] == 2.0
    assert september["tariff_next_change_months"] == 12.0


def test_a_step_that_ends_falls_back_to_nothing_the_day_after() -> None:
    tariffs = make_tariffs(MFN, {**EXTRA, "effective_to": "2020-07-17"})

    rate = importer_rate(tariffs, "USA", days("2020-07-15", "2020-07-18"))

    assert list(rate) == [2.0, 32.0, 32.0, 2.0]


@pytest.mark.parametrize(
    "step",
    [
        pytest.param({"component": "IGST"}, id="a tax the importer gets back"),
        pytest.param({"product_scope": "HTS 8505.11.0010"}, id="magnets of another kind"),
        pytest.param({"rate_pct": float("nan")}, id="a rate not determined"),
        pytest.param({"importer": "IND"}, id="another importer"),
    ],
)
def test_steps_that_do_not_bind_sintered_magnets_do_not_count(step: dict[str, object]) -> None:
    tariffs = make_tariffs(MFN, {**EXTRA, **step})

    assert list(importer_rate(tariffs, "USA", days("2020-08-01", "2020-08-01"))) == [2.0]


def test_members_of_eu27_pay_its_rate_and_the_world_pays_the_mean_of_its_parts() -> None:
    tariffs = make_tariffs(MFN, {"importer": "EU27", "rate_pct": 8.0})

    frame = frame_of(make_origin(tariffs=tariffs, tonnes={"USA": 300.0}))

    rate = frame.groupby("destination")["tariff_rate_pct"].first()
    assert (rate["DEU"], rate["ITA"], rate["EU27_REST"], rate["EU27"]) == (8.0, 8.0, 8.0, 8.0)
    assert rate["WLD"] == pytest.approx((300 * 2 + 3 * 100 * 8) / 600)
    assert np.isnan(rate["JPN"])
