from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, select, text

from store.archive import write_sums
from store.database import writing
from store.errors import DataError
from store.facts.reading import latest_forecast, read_forecasts
from store.publications.integrity import content_hash, read_publications, tampered
from store.publications.publication_writing import (
    PublicationContext,
    approve,
    held_forecasts,
    hold_forecasts,
    publish_forecasts,
    reject,
)
from store.schema.database_tables import forecasts
from tests.data.store_builders import NO_FOLDERS, make_forecasts

APRIL = pd.Timestamp("2025-04-22T11:30", tz="UTC")
MAY = pd.Timestamp("2025-05-22T11:30", tz="UTC")
FROZEN = PublicationContext(
    at=APRIL, ahead_from=pd.Timestamp("2025-04-01").date(), made_with='{"code": "c"}'
)


def publish(engine: Engine, frame: pd.DataFrame, *, as_of: pd.Timestamp = APRIL) -> int:
    return publish_forecasts(engine, frame, as_of=as_of, data_vintage="f00d", context=FROZEN)


def hold(engine: Engine, frame: pd.DataFrame, *, as_of: pd.Timestamp = MAY) -> int:
    return hold_forecasts(
        engine, frame, as_of=as_of, data_vintage="beef", because="WLD +60%", context=FROZEN
    )


def change(engine: Engine, statement: str) -> None:
    with writing(engine) as connection:
        connection.execute(text(statement))


def test_a_publication_is_frozen_with_the_digest_of_its_rows(engine: Engine) -> None:
    publish(engine, make_forecasts({}, {"period": "2025-05", "horizon": 2}))

    [one] = read_publications(engine).to_dict("records")
    assert (one["state"], one["rows"], one["models"], one["data_vintage"]) == (
        "published", 2, make_forecasts()["model"][0], "f00d",
    )  # fmt: skip
    assert (one["frozen_at"], one["published_at"]) == (APRIL, APRIL)
    assert one["ahead_from"] == pd.Timestamp("2025-04-01")
    assert len(one["sha256"]) == 64
    assert tampered(engine, NO_FOLDERS) == ()


def test_the_digest_hangs_on_every_number_and_on_no_order(engine: Engine) -> None:
    publish(engine, make_forecasts({}, {"period": "2025-05", "horizon": 2}))
    with engine.begin() as connection:
        found = connection.execute(select(forecasts)).mappings().all()
    rows = pd.DataFrame([dict(row) for row in found])
    rows = rows.assign(**{n: pd.to_datetime(rows[n]) for n in ("as_of", "period", "cutoff")})

    digest = content_hash(rows)

    assert content_hash(rows.iloc[::-1]) == digest
    assert content_hash(rows.assign(reason="another")) == digest
    nudged = rows.assign(p50=rows["p50"].where(rows.index > 0, rows["p50"] * (1 + 2**-52)))
    assert content_hash(nudged) != digest
    assert content_hash(rows.assign(data_vintage="other")) != digest


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE forecasts SET p95 = p95 + 1 WHERE horizon = 2", "2 rows now, 2 then"),
        ("UPDATE forecasts SET model_version = 'another'", "2 rows now, 2 then"),
        ("DELETE FROM forecasts WHERE horizon = 2", "1 rows now, 2 then"),
        ("UPDATE forecasts SET publication = 0 WHERE horizon = 2", "1 rows now, 2 then"),
        ("UPDATE publications SET sha256 = 'f00'", "2 rows now, 2 then"),
    ],
)
def test_rows_that_are_not_what_was_frozen_are_found(
    engine: Engine, statement: str, message: str
) -> None:
    publish(engine, make_forecasts({}, {"period": "2025-05", "horizon": 2}))

    change(engine, statement)

    assert message in str(tampered(engine, NO_FOLDERS)[0])


def test_rows_smuggled_in_beside_a_publication_are_found(engine: Engine) -> None:
    publish(engine, make_forecasts())
    publish(engine, make_forecasts(), as_of=MAY)

    change(engine, "DELETE FROM publications WHERE id = 2")

    assert list(map(str, tampered(engine, NO_FOLDERS))) == [
        "1 rows of the forecasts belong to no publication."
    ]


def test_what_is_held_is_not_among_the_published_until_it_is_approved(engine: Engine) -> None:
    publish(engine, make_forecasts())
    before = read_forecasts(engine)
    number = hold(engine, make_forecasts({"p50": 41.5}))
    pd.testing.assert_frame_equal(read_forecasts(engine), before)
    assert held_forecasts(engine, number)["p50"].tolist() == [41.5]

    day = pd.Timestamp("2025-05-23T08:00", tz="UTC")
    first = pd.Timestamp("2025-05-01").date()
    rows = approve(engine, number, at=day, ahead_from=first, actor="ada", reason="licences")

    assert rows == 1
    assert latest_forecast(engine)["p50"].tolist() == [41.5]
    assert tampered(engine, NO_FOLDERS) == ()
    result = read_publications(engine).iloc[-1]
    said = [result[name] for name in ("state", "decided_by", "note")]
    assert said == ["published", "ada", "licences"]
    assert (result["frozen_at"], result["published_at"]) == (APRIL, day)


def test_what_is_held_and_was_changed_is_an_alarm_and_cannot_be_approved(engine: Engine) -> None:
    number = hold(engine, make_forecasts({"p50": 41.5}))

    change(engine, "UPDATE publications SET payload = replace(payload, '41.5', '45.5')")

    assert "has changed since it was frozen" in str(tampered(engine, NO_FOLDERS)[0])
    with pytest.raises(DataError, match="the rows were changed since, and nothing was published"):
        approve(engine, number, at=MAY, ahead_from=None, actor="ada", reason="licences")
    assert read_forecasts(engine).empty


def test_a_rejected_publication_is_kept_and_never_published(engine: Engine) -> None:
    number = hold(engine, make_forecasts())

    reject(engine, number, actor="ada", reason="the feed was wrong")

    assert read_publications(engine)["state"].tolist() == ["rejected"]
    with pytest.raises(DataError, match=f"Publication {number} is rejected. Expected one that is"):
        approve(engine, number, at=MAY, ahead_from=None, actor="ada", reason="after all")
    assert read_forecasts(engine).empty
    assert tampered(engine, NO_FOLDERS) == ()


@pytest.mark.parametrize("how", [publish, hold])
def test_a_newer_publication_supersedes_one_that_is_held(engine: Engine, how) -> None:  # noqa: ANN001
    first = hold(engine, make_forecasts(), as_of=APRIL)

    how(engine, make_forecasts({"p50": 42.0}), as_of=MAY)

    known = read_publications(engine).set_index("id")
    assert known.loc[first, "state"] == "superseded"


def test_the_same_held_twice_waits_once(engine: Engine) -> None:
    assert hold(engine, make_forecasts()) == hold(engine, make_forecasts())


@pytest.mark.parametrize("change", ["edited", "gone", "no digests"])
def test_a_folder_that_is_not_what_was_written_is_found(
    engine: Engine, tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "85051110" / "1"
    folder.mkdir(parents=True)
    (folder / "forecasts.csv").write_text("p50\n353\n")
    write_sums(folder, ["forecasts.csv"])
    assert tampered(engine, tmp_path) == ()

    if change == "edited":
        (folder / "forecasts.csv").write_text("p50\n354\n")
    else:
        (folder / ("forecasts.csv" if change == "gone" else "SHA256SUMS")).unlink()

    [difference] = tampered(engine, tmp_path)
    assert str(difference).startswith("The folder 85051110/1 of a publication is not what was writ")
