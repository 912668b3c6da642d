import json

import pandas as pd
import pytest
from sqlalchemy import Engine, text

from store.errors import DataError
from store.facts.reading import latest_forecast, read_forecasts, read_publication, read_runs
from store.publications.backtests import CELL_COLUMNS, read_scores, write_scores
from store.publications.integrity import tampered
from store.publications.publication_rows import read_published
from store.publications.publication_writing import (
    RunRecord,
    close_runs,
    publish_forecasts,
    read_publications,
    start_run,
)
from store.vocabulary import FORECAST_COLUMNS
from tests.data.store_builders import NO_FOLDERS, make_forecasts

APRIL = pd.Timestamp("2025-04-10", tz="UTC")
MAY = pd.Timestamp("2025-05-10", tz="UTC")
SCORE = {
    "model": "m", "scope": "ALL", "horizon_from": 1, "horizon_to": 6,
    "metric": "mae", "value": 12.5, "cells": 60,
}  # fmt: skip


def publish(engine: Engine, frame: pd.DataFrame, *, as_of: pd.Timestamp = APRIL) -> int:
    return publish_forecasts(engine, frame, as_of=as_of, data_vintage="f00d")


def test_a_published_forecast_reads_back_as_its_file_columns(engine: Engine) -> None:
    result = {"drivers": '["tariff"]', "contributions": '{"level": 40.0}'}
    frame = make_forecasts(result)

    assert [publish(engine, frame) for _ in range(2)] == [1, 0]

    published = read_forecasts(engine, as_of=APRIL)
    pd.testing.assert_frame_equal(
        published[list(FORECAST_COLUMNS)], frame[list(FORECAST_COLUMNS)], check_dtype=False
    )
    assert published["as_of"].tolist() == [APRIL]
    assert published["drivers"].tolist() == ['["tariff"]']
    assert published["contributions"].tolist() == ['{"level": 40.0}']
    assert published["data_vintage"].tolist() == ["f00d"]


def test_a_second_publication_of_a_moment_stays_beside_the_first(engine: Engine) -> None:
    publish(engine, make_forecasts())
    changed = make_forecasts({"period": "2025-05", "horizon": 2}, {"p50": 41.0})

    assert publish(engine, changed) == 2

    assert read_forecasts(engine)["p50"].tolist() == [41.0, 40.0]
    first, second = read_publications(engine)["id"]
    assert read_publication(engine, first)["p50"].tolist() == [40.0]
    pd.testing.assert_frame_equal(read_publication(engine, second), read_forecasts(engine))
    assert tampered(engine, NO_FOLDERS) == ()


def test_the_latest_forecast_is_the_newest_no_later_than_asked(engine: Engine) -> None:
    publish(engine, make_forecasts({"period": "2025-05", "p95": 90.0}), as_of=MAY)
    publish(engine, make_forecasts())

    assert latest_forecast(engine)["as_of"].tolist() == [MAY]
    assert latest_forecast(engine, as_of=MAY - pd.Timedelta("1s"))["as_of"].tolist() == [APRIL]
    assert latest_forecast(engine, as_of=APRIL - pd.Timedelta("1s")).empty


def keep(engine: Engine, frame: pd.DataFrame, **more: object) -> bool:
    return write_scores(engine, frame, as_of=APRIL, **more)


def test_each_backtest_of_a_moment_keeps_its_scores(engine: Engine) -> None:
    score = pd.DataFrame([SCORE])

    assert (keep(engine, score), keep(engine, score)) == (True, False)
    again = score.assign(value=13.0)
    assert keep(engine, again, data_vintage="beef")
    newest = again.assign(commodity="85051110", as_of=APRIL, data_vintage="beef")
    pd.testing.assert_frame_equal(read_scores(engine), newest, check_dtype=False, check_like=True)
    with engine.begin() as connection:
        kept = connection.scalars(text("SELECT scores FROM backtests ORDER BY id")).all()
    assert [json.loads(scores)[0][5] for scores in kept] == [12.5, 13.0]


def test_the_forecasts_of_the_newest_backtest_are_kept_even_where_its_scores_are_there(
    engine: Engine,
) -> None:
    score = pd.DataFrame([SCORE])
    cell = ("USA", "2024-12", "2025-02", 10.25, 20.5, 30.125, 31.0)
    cells = pd.DataFrame([cell], columns=list(CELL_COLUMNS))

    keep(engine, score)
    assert read_published(engine).cells.empty
    assert keep(engine, score, cells=cells)
    pd.testing.assert_frame_equal(read_published(engine).cells, cells)
    assert keep(engine, score.assign(value=13.0))
    assert read_published(engine).cells.empty
    assert read_published(engine, commodity="850511").cells.empty


def test_a_backtest_that_repeats_the_newest_to_nine_digits_is_not_written(engine: Engine) -> None:
    score = pd.DataFrame([SCORE, {**SCORE, "metric": "loss", "value": float("nan")}])
    keep(engine, score, data_vintage="f00d")

    assert not keep(
        engine, score.assign(value=[12.5 * (1 + 1e-13), float("nan")]), data_vintage="f00d"
    )
    assert keep(engine, score.assign(value=[12.5 * (1 + 1e-7), float("nan")]), data_vintage="f00d")
    assert keep(engine, score, data_vintage="f00d")
    assert keep(engine, score, data_vintage="beef")
    assert set(read_scores(engine)["data_vintage"]) == {"beef"}


def test_a_killed_run_is_settled_by_whether_its_forecast_stays(engine: Engine) -> None:
    for name, as_of in (("published", APRIL), ("silent", MAY)):
        start_run(
            engine,
            RunRecord(run_id=name, flow="run", as_of=as_of, data_vintage="f00d", started_at=as_of),
        )
    publish(engine, make_forecasts({}))

    settled = close_runs(engine, at=MAY)

    status = read_runs(engine).set_index("run_id")["status"].to_dict()
    assert (settled, status) == (2, {"published": "finished", "silent": "failed"})
    assert close_runs(engine, at=MAY) == 0


def test_scores_and_forecasts_of_another_commodity_stay_beside_them(engine: Engine) -> None:
    score = pd.DataFrame([SCORE])
    keep(engine, score)
    publish(engine, make_forecasts())

    assert keep(engine, score.assign(value=1.0), commodity="850511")
    high = make_forecasts({"p95": 90.0})
    publish_forecasts(engine, high, as_of=MAY, data_vintage="f00d", commodity="850511")

    assert read_scores(engine)["value"].tolist() == [12.5]
    assert read_scores(engine, commodity="850511")["value"].tolist() == [1.0]
    assert latest_forecast(engine)["as_of"].tolist() == [APRIL]
    assert latest_forecast(engine, commodity="850511")["p95"].tolist() == [90.0]
    assert read_forecasts(engine, commodity=None)["commodity"].tolist() == ["850511", "85051110"]


def test_a_forecast_that_breaks_its_schema_is_not_published(untouched: Engine) -> None:
    with pytest.raises(DataError, match="quantiles cross"):
        publish(untouched, make_forecasts({"destination": "DEU"}, {"p50": 29.0}))

    assert read_forecasts(untouched).empty
