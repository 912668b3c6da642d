import zlib

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, func, select, text, update

from store.database import writing
from store.publications.integrity import read_publications, tampered
from store.publications.panels import StoredPanel, read_panels
from store.publications.publication_writing import (
    PublicationContext,
    approve,
    hold_forecasts,
    publish_forecasts,
)
from store.schema.database_tables import panels
from store.vocabulary import PANEL_COLUMNS
from tests.data.store_builders import NO_FOLDERS, make_forecasts, make_panel

APRIL = pd.Timestamp("2025-04-22T11:30", tz="UTC")
MAY = pd.Timestamp("2025-05-22T11:30", tz="UTC")


def publish(engine: Engine, panel: StoredPanel | None, *, as_of: pd.Timestamp = APRIL) -> None:
    frozen = PublicationContext(at=as_of, panel=panel)
    publish_forecasts(engine, make_forecasts(), as_of=as_of, data_vintage="f00d", context=frozen)


def count(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.scalar(select(func.count()).select_from(panels)) or 0


def named(engine: Engine) -> list[str]:
    return read_publications(engine)["panel"].tolist()


def test_the_panel_behind_a_publication_comes_back_to_the_last_bit(engine: Engine) -> None:
    panel = make_panel({"tonnes": 0.1 + 0.2, "stderr_log": 1 / 3}, {"destination": "DEU"})
    publish(engine, panel)

    [digest] = named(engine)
    found = read_panels(engine, [digest])[digest]

    assert digest == panel.digest == found.digest
    assert found.months["destination"].tolist() == ["DEU", "USA"]
    usa = found.frame.set_index("destination").loc["USA"]
    assert (usa["tonnes"], usa["stderr_t"]) == (0.1 + 0.2, 1 / 3 * (0.1 + 0.2))
    assert found.contradictions["source_url"].tolist() == ["https://a.org/worst", "https://a.org/b"]
    assert tuple(found.frame) == PANEL_COLUMNS


def test_the_digest_hangs_on_every_value_and_on_no_order() -> None:
    panel = make_panel({}, {"destination": "DEU"})

    assert StoredPanel(panel.months.iloc[::-1], panel.contradictions).digest == panel.digest
    nudged = panel.months.assign(tonnes=np.nextafter(panel.months["tonnes"], 0))
    others = [
        panel.months.assign(kind="derived"), panel.months.assign(available_at=MAY),
        panel.months.assign(period=pd.Timestamp("2025-04-01")), panel.months.iloc[:1], nudged,
    ]  # fmt: skip
    digests = {StoredPanel(months, panel.contradictions).digest for months in others}
    assert len(digests | {panel.digest, StoredPanel(panel.months, panel.contradictions[:1]).digest}
               | {StoredPanel(panel.months, panel.contradictions[::-1]).digest}) == 8  # fmt: skip


def test_a_panel_packed_by_another_program_is_what_was_stored(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(engine, make_panel())
    [digest] = named(engine)
    with writing(engine) as connection:
        plain = zlib.decompress(connection.scalar(select(panels.c.content)))
        connection.execute(update(panels).values(content=zlib.compress(plain, 0)))
    monkeypatch.setattr("zlib.compress", lambda content: b"packed in another way: " + content)

    assert make_panel().digest == digest
    assert tampered(engine, NO_FOLDERS) == ()
    publish(engine, make_panel(), as_of=MAY)
    assert count(engine) == 1


def test_two_publications_of_one_day_with_one_figure_changed_name_two_panels(
    engine: Engine,
) -> None:
    publish(engine, make_panel({}, {"destination": "DEU"}))
    first = read_panels(engine, named(engine))
    later = APRIL + pd.Timedelta(hours=2)

    publish(engine, make_panel({}, {"destination": "DEU", "tonnes": 41.0}), as_of=later)

    assert len(set(named(engine))) == 2
    assert count(engine) == 2
    [(digest, kept)] = first.items()
    pd.testing.assert_frame_equal(read_panels(engine, [digest])[digest].months, kept.months)


def test_what_is_held_names_its_panel_and_keeps_it_when_approved(engine: Engine) -> None:
    frozen = PublicationContext(at=APRIL, panel=make_panel())
    number = hold_forecasts(
        engine, make_forecasts(), as_of=APRIL, data_vintage="f00d", because="WLD", context=frozen
    )

    approve(engine, number, at=MAY, ahead_from=None, actor="ada", reason="licences")

    assert named(engine) == [make_panel().digest]
    assert tampered(engine, NO_FOLDERS) == ()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE panels SET content = :other",
        "UPDATE panels SET content = :no_panel",
        "DELETE FROM panels",
        "UPDATE publications SET panel = 'f00d'",
    ],
)
def test_a_panel_that_is_not_what_was_stored_is_found(engine: Engine, statement: str) -> None:
    publish(engine, make_panel({}, {"destination": "DEU", "kind": "estimated"}))

    other = zlib.compress(make_panel({}, {"destination": "DEU", "kind": "observed"}).content)
    with writing(engine) as connection:
        connection.execute(text(statement), {"other": other, "no_panel": b""})

    [result] = tampered(engine, NO_FOLDERS)
    assert str(result).startswith(
        "The panel behind publication 1 as of 2025-04-22 (85051110) is not what"
    )
