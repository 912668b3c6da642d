from collections.abc import Mapping

import pandas as pd
import pytest
from sqlalchemy import Engine

from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.reading import diff_vintages
from store.facts.writing import write_batch
from tests.data.builders import make_events
from tests.data.store_builders import make_observations

AUGUST_20 = "2025-08-20T00:00:00Z"


def ingest(engine: Engine, *changes: Mapping[str, object], source: str = "comtrade") -> int:
    result = [{"source": source, **change} for change in changes]
    digest = str(abs(hash((source, str(result)))))
    file = FileRows(source, source, digest, {"observations": make_observations(*result)})
    return write_batch(engine, Batch((file,))).vintage_ids[0]


def listed(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    columns = ["destination", "period", "before", "after", "change", "what"]
    plain = frame[columns].astype(object).where(frame[columns].notna(), None)
    return list(plain.itertuples(index=False, name=None))


def test_a_diff_tells_new_and_revised_figures_in_tonnes(engine: Engine) -> None:
    first = ingest(engine, {}, {"destination": "DEU", "value": 100.0})
    second = ingest(
        engine,
        {"value": 354.5, "available_at": AUGUST_20},
        {"destination": "DEU", "value": 100.0, "available_at": AUGUST_20},
        {"destination": "JPN", "value": 12.0, "available_at": AUGUST_20},
    )

    frame = diff_vintages(engine, first, second)

    assert list(frame.columns) == [
        "commodity", "origin", "destination", "measure", "period", "before", "after", "change",
        "what", "source",
    ]  # fmt: skip
    assert listed(frame) == [
        ("JPN", "2025-06", None, 12.0, None, "new"),
        ("USA", "2025-06", 353.0, 354.5, 1.5, "revised"),
    ]


def test_two_ingests_of_one_source_are_compared_without_other_sources(engine: Engine) -> None:
    first = ingest(engine, {})
    other = ingest(engine, {"value": 5.0}, source="census")
    last = ingest(engine, {"value": 354.0, "available_at": AUGUST_20})

    assert diff_vintages(engine, first, last)["source"].tolist() == ["comtrade"]
    assert diff_vintages(engine, first, other)["source"].tolist() == ["census"]


def test_a_new_act_and_each_changed_field_of_a_known_one_are_told(engine: Engine) -> None:
    first, second = (
        write_batch(
            engine,
            Batch((FileRows("acts", "acts", digest * 64, {"policy_events": make_events(*acts)}),)),
        ).vintage_ids[0]
        for digest, acts in (
            ("a", [{}]),
            ("b", [
                {"effective_to": "2019-01-31", "severity": 2, "available_at": "2018-12-01"},
                {"event_id": "2018-12-ban", "announced_on": "2018-12-05", "destinations": "USA",
                 "effective_from": None, "summary": "A ban."},
            ]),
        )
    )  # fmt: skip

    frame = diff_vintages(engine, first, second)

    columns = ["destination", "measure", "period", "before", "after", "what"]
    assert set(frame[columns].astype(str).itertuples(index=False, name=None)) == {
        ("WLD", "effective_to", "2018-09-04", "", "2019-01-31", "revised"),
        ("WLD", "severity", "2018-09-04", "3", "2", "revised"),
        ("USA", "event", "2018-12-05", "", "A ban.", "new"),
    }


def test_an_unknown_vintage_is_named_with_the_known_ones(engine: Engine) -> None:
    ingest(engine, {})

    with pytest.raises(DataError, match=r"No vintage 9 .* one of 1\. See `magnetcast data vin"):
        diff_vintages(engine, 1, 9)
