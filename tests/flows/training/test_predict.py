from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from flows.clock import utc_now
from flows.context.output import write_result
from flows.context.stores import made_store, store_of
from flows.context.workspace import open_workspace
from flows.training.predict import predict
from sources.bundled.all_tables import load_bundled
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_forecasts
from store.facts.writing import write_batch
from store.vocabulary import FORECAST_COLUMNS
from tests.data.builders import QUICK, at
from tests.data.registry_builders import champion_of
from tests.flows.conftest import AS_OF, Published, environment, settings_of


def test_the_champion_forecasts_its_own_day_as_it_was_published(published: Published) -> None:
    frame = predict(published.settings, at(AS_OF))[list(FORECAST_COLUMNS)]

    rows = read_forecasts(store_of(published.settings))
    keys = ["destination", "period"]
    left, right = (table.sort_values(keys, ignore_index=True) for table in (frame, rows))
    pd.testing.assert_frame_equal(left, right[list(FORECAST_COLUMNS)], check_dtype=False)
    assert set(frame["status"]) == {"champion"}


@pytest.mark.slow
def test_a_forecast_from_a_minute_before_the_champions_day_is_trained_as_of_then(
    published: Published,
) -> None:
    as_of = at("2020-04-21T23:59")

    made = predict(published.settings, as_of)

    assert set(made["status"]) == {"replay"}
    [model] = set(made["model"])
    assert model == open_workspace(published.settings, as_of).model_version
    champion = champion_of(published.settings)
    assert model != champion.model_version


def test_the_champion_still_stays_later(published: Published) -> None:
    made = predict(published.settings, at("2020-05-05"))

    assert set(made["status"]) == {"champion"}
    assert set(made["cutoff"]) == {"2020-03"}
    assert made["horizon"].max() == 13


@pytest.mark.slow
def test_rows_that_came_out_later_leave_the_file_of_a_forecast_the_same_to_the_byte(
    new_folder: Callable[[], Path], data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.context.run_config.MAGNETS_PRESET", QUICK)
    batch = load_bundled(data_dir)
    texts = []
    for name, part in (("all", batch), ("known", known_part(batch, at(AS_OF)))):
        settings = settings_of(environment(new_folder(), data_dir))
        write_batch(made_store(settings), part, ingested_at=utc_now())
        out = tmp_path / f"{name}.csv"
        write_result(predict(settings, at(AS_OF))[list(FORECAST_COLUMNS)], out=out, form="csv")
        texts.append(out.read_bytes())

    assert texts[0] == texts[1]
    assert texts[0].count(b"\n") == 1 + 144


def known_part(batch: Batch, as_of: pd.Timestamp) -> Batch:
    return Batch(
        tuple(
            FileRows(
                file.source,
                file.file_name,
                file.sha256[::-1],
                {
                    name: frame.loc[frame["available_at"] <= as_of].reset_index(drop=True)
                    for name, frame in file.tables.items()
                },
            )
            for file in batch.files
        )
    )
