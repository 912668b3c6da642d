from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.panel.partner_table import PartnerTable, partner_table
from models.evaluation.backtest import rolling_origin_backtest
from models.forecasting.decomposition import stages_of
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import forecast_file
from models.forecasting.panel_forecaster import PLAIN, PanelForecaster
from models.forecasting.snapshot import Snapshot
from store.months import month_label
from tests.data.builders import at
from tests.data.engine_builders import BRIEF
from tests.data.partner_builders import COMMODITY, PartnerWorld, make_partner_world

NOW = at("2024-01-26")
WORLD = make_partner_world(partners=30, months=48)


def table_at(day: pd.Timestamp, rows: pd.DataFrame | None = None) -> PartnerTable:
    return partner_table(WORLD.rows() if rows is None else rows, commodity=COMMODITY, as_of=day)


def forecast_at(table: PartnerTable) -> pd.DataFrame:
    known = Snapshot.of_table(table)
    model = PanelForecaster(BRIEF).train(known)
    rows = rows_of(known.origin)
    stages = stages_of(model, rows, known.origin, known.effect, known.tree)
    labels = rows[["destination", "period", "horizon"]].assign(cutoff=month_label(known.cutoff))
    labels = labels.astype({"horizon": int})
    return forecast_file(pd.concat([labels, stages.published], axis=1), status="champion")


@pytest.fixture(scope="module")
def forecast() -> pd.DataFrame:
    return forecast_at(table_at(NOW))


def test_a_trained_model_served_by_rows_says_what_the_engine_does(forecast: pd.DataFrame) -> None:
    engine = next(PanelForecaster(BRIEF).fit(Snapshot.of_table(table_at(NOW))).predict())

    pd.testing.assert_frame_equal(forecast_file(engine, status="champion"), forecast, rtol=1e-12)


def test_a_sum_unknown_for_a_year_is_forecast_by_its_parts_and_no_published_month() -> None:
    table = table_at(NOW)
    tonnes = table.tonnes.copy()
    tonnes.loc["WLD", tonnes.columns[-12:]] = np.nan

    silent = replace(table, tonnes=tonnes)

    mean = forecast_at(silent).pivot_table(index="period", columns="destination", values="mean")
    np.testing.assert_allclose(mean.drop(columns=["WLD", "EU27"]).sum(axis=1), mean["WLD"])
    months = Snapshot.of_table(silent).published_months
    world = months.loc[months["destination"] == "WLD", "period"]
    assert world.max() == pd.Timestamp("2022-12-01")


def test_a_destination_that_stopped_stays_at_zero_in_its_band_beside_sums() -> None:
    tonnes = WORLD.tonnes.copy()
    tonnes.loc["USA", tonnes.columns[-6:]] = 0.0

    made = forecast_at(table_at(NOW, PartnerWorld(tonnes).rows())).set_index("destination")

    np.testing.assert_allclose(made.loc["USA", "p50"], 0.0, atol=1e-12)
    assert (made.loc["USA", "p95"] > 0).all()
    assert (made.loc["WLD", "p50"] > 0).all()


def test_rows_known_later_change_no_bit_of_a_forecast(forecast: pd.DataFrame) -> None:
    longer = make_partner_world(partners=30, months=60).rows()
    known = WORLD.rows()
    later = longer.loc[longer["available_at"] > NOW].assign(value=1e9)
    revised = known.assign(available_at=NOW + pd.Timedelta(seconds=1), value=1e9)
    revised = revised.astype({"available_at": known["available_at"].dtype})
    rows = pd.concat([later, known, revised], ignore_index=True)

    made = forecast_at(table_at(NOW, rows))

    pd.testing.assert_frame_equal(made, forecast, check_exact=True)


def test_past_tables_are_scored_against_what_is_known_now() -> None:
    now = table_at(NOW)

    past = [Snapshot.of_table(table_at(at(day))) for day in ("2023-04-26", "2023-07-26")]
    truth = Snapshot.of_table(now).published_months
    found = rolling_origin_backtest(PanelForecaster(BRIEF, PLAIN), past, truth, label="tables")

    assert set(found.cells["model"]) == {"magnetcast", "experts", "seasonal_naive", "last_value"}
    own = found.cells.loc[found.cells["model"] == "magnetcast"]
    assert own.groupby("cutoff")["horizon"].max().to_dict() == {"2023-03": 9, "2023-06": 6}
    usa = own.loc[(own["destination"] == "USA") & (own["period"] == "2023-12-01"), "tonnes"]
    assert set(usa) == {WORLD.tonnes.loc["USA", "2023-12-01"]}
    assert np.isfinite(found.scores["value"]).all()
