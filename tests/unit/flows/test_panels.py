from collections.abc import Iterator

import pandas as pd
import pytest
from sqlalchemy import Engine

from features.panel.evidence import evidence_panel
from features.panel.partner_table import partner_table
from flows.context.recipes import FIRST_PRIOR
from flows.publishing.panels import store_missing_panels, table_panel
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from store.publications.integrity import PublicationContext, read_publications
from store.publications.panels import StoredPanel, read_panels
from store.publications.publishing import publish_forecasts
from store.vocabulary import COMMODITY
from tests.data.builders import at, make_levels
from tests.data.partner_builders import make_cells, make_partner_rows, make_partner_world
from tests.data.store_builders import make_forecasts

GOODS = "811292"
WORLD = make_partner_world(partners=40, months=30, first="2022-01")
AS_OF = at("2024-08-01")


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = open_store("sqlite://")
    yield opened
    opened.dispose()


def take_in(engine: Engine, rows: pd.DataFrame, name: str) -> None:
    write_batch(engine, Batch((FileRows("comtrade", name, name, {"observations": rows}),)))


def publish(engine: Engine, commodity: str, as_of: pd.Timestamp, made_with: str = "") -> None:
    frozen = PublicationContext(at=as_of, made_with=made_with)
    publish_forecasts(
        engine, make_forecasts(), as_of=as_of, data_vintage="f00d", commodity=commodity,
        context=frozen,
    )  # fmt: skip


def behind(engine: Engine) -> list[StoredPanel]:
    names = read_publications(engine)["panel"].tolist()
    found = read_panels(engine, names)
    return [found[name] for name in names]


def test_cells_that_a_source_lists_are_observed_and_sums_derived() -> None:
    rows = WORLD.rows().assign(commodity=GOODS)

    panel = table_panel(partner_table(rows, commodity=GOODS, as_of=AS_OF), rows).frame

    newest = panel.loc[panel["period"] == panel["period"].max()].set_index("destination")
    assert newest.loc[["USA", "WLD", "EU27"], "kind"].tolist() == [
        "observed", "observed", "derived",
    ]  # fmt: skip
    assert newest.loc["WLD", "tonnes"] == pytest.approx(WORLD.tonnes.iloc[:, -1].sum())
    assert newest.loc["USA", "tonnes"] == WORLD.tonnes.loc["USA"].iloc[-1]
    assert (newest["stderr_t"] == 0).all()
    assert (panel["available_at"] <= AS_OF).all()


@pytest.mark.slow
def test_an_older_publication_is_given_the_panel_of_what_its_ingests_had_brought(
    engine: Engine,
) -> None:
    take_in(engine, WORLD.rows().assign(commodity=GOODS), "first")
    then = read_observations(engine, as_of=AS_OF, commodity=GOODS)
    publish(engine, GOODS, AS_OF, made_with='{"ingest": 1}')
    publish(engine, GOODS, AS_OF + pd.Timedelta(days=1))
    dated_back = make_partner_rows(make_cells({"USA": {"2024-06": 7.0}})).assign(commodity=GOODS)
    take_in(engine, dated_back.assign(available_at=AS_OF), "second")

    store_missing_panels(engine)

    old, new = behind(engine)
    table = partner_table(then, commodity=GOODS, as_of=AS_OF)
    assert old.digest == table_panel(table, then).digest
    usa = new.months.set_index(["destination", "period"])["tonnes"]
    assert usa["USA", pd.Timestamp("2024-06-01")] == 7.0


@pytest.mark.slow
def test_the_magnets_are_given_the_evidence_panel_and_only_once(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in(engine, make_levels(last="2019-06"), "levels")
    publish(engine, COMMODITY, at("2019-07-25"))

    store_missing_panels(engine)
    output = capsys.readouterr().err
    store_missing_panels(engine)

    levels = make_levels(last="2019-06")
    solved = evidence_panel(levels, as_of=at("2019-07-25"), prior=FIRST_PRIOR)
    assert [panel.digest for panel in behind(engine)] == [solved.stored.digest]
    assert "the panel behind publication 1 (85051110 as of 2019-07-25) is stored" in output
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_a_panel_that_cannot_be_made_stops_no_other(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    take_in(engine, WORLD.rows().assign(commodity=GOODS), "table")
    publish(engine, "250410", AS_OF)
    publish(engine, GOODS, AS_OF)

    store_missing_panels(engine)

    assert [bool(name) for name in read_publications(engine)["panel"]] == [False, True]
    assert "the panel behind publication 1 (250410 as of 2024-08-01) cannot be made. " in (
        capsys.readouterr().err
    )
