from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from publication.charts.fan import fan_of
from publication.data_files import publication_files
from publication.pages.briefing import slump_of
from publication.planning.needs import met_at
from publication.planning.planning_file import Need
from publication.usual import usual_at, usual_months
from service.stock import FirmQuestion, firm_answer
from store.publications.panels import NO_PANEL, StoredPanel
from tests.data.builders import at
from tests.publication.pages import Outline, page_of
from tests.publication.stores import NOW, panel_at, publications_of, publish


def panel_of(first: str, tonnes: Sequence[float], kinds: Sequence[str] = ()) -> StoredPanel:
    """Return a panel of Germany from a month on."""
    periods = pd.date_range(first, periods=len(tonnes), freq="MS")
    months = pd.DataFrame(
        {
            "destination": "DEU",
            "period": periods,
            "tonnes": np.asarray(tonnes, dtype=float),
            "stderr_log": 0.1,
            "kind": list(kinds) or ["observed"] * len(tonnes),
            "available_at": (periods + pd.DateOffset(days=50)).tz_localize("UTC"),
        }
    )
    return StoredPanel(months, NO_PANEL.contradictions)


def recorded(*rows: tuple[int, str, str, str, str]) -> pd.DataFrame:
    """Return publications: number, as_of, published_at, state and panel."""
    table = pd.DataFrame(rows, columns=["id", "as_of", "published_at", "state", "panel"])
    return table.assign(as_of=table["as_of"].map(at), published_at=table["published_at"].map(at))


def test_the_usual_is_the_median_of_the_three_years_before_the_year() -> None:
    # 12 months each at 900, 1,000, 1,100 and 1,300 t, then a collapse: only 2023 to 2025 count.
    tonnes = [*[900.0] * 12, *[1000.0] * 12, *[1100.0] * 12, *[1300.0] * 12, *[100.0] * 10]
    kinds = ["estimated"] * 20 + ["observed"] * 38

    (usual,) = usual_months(panel_of("2022-01-01", tonnes, kinds), 2026).values()

    assert usual.tonnes == 1100.0
    assert (usual.months, usual.estimates) == (36, 8)
    assert (f"{usual.first:%Y-%m}", f"{usual.last:%Y-%m}") == ("2023-01", "2025-12")


PANELS = {
    name: panel_of("2021-01-01", [tonnes] * 72)
    for name, tonnes in {"a": 700.0, "b": 800.0, "c": 900.0, "d": 950.0}.items()
}


@pytest.mark.parametrize(
    ("as_of", "panel", "tonnes", "year_before"),
    [
        ("2025-03-01", "a", 700.0, np.nan),
        ("2026-02-10", "b", 800.0, 700.0),
        ("2026-11-30", "d", 800.0, 700.0),  # not what it knows itself
        ("2026-02-01", "c", 900.0, 700.0),  # a past day, published later: what was known then
        ("2027-01-20", "d", 950.0, 800.0),
    ],
)
def test_the_first_publication_of_a_year_fixes_it(
    as_of: str, panel: str, tonnes: float, year_before: float
) -> None:
    publications = recorded(
        (1, "2025-03-01", "2025-03-01", "published", "a"),
        (2, "2026-02-05", "2026-02-05", "held", "d"),
        (3, "2026-02-10", "2026-02-10", "published", "b"),
        (4, "2026-11-30", "2026-11-30", "published", "d"),
        (5, "2026-02-01", "2026-12-01", "published", "c"),
    )

    usual = usual_at(publications, PANELS, at(as_of), PANELS[panel])["DEU"]

    assert usual.tonnes == tonnes
    assert usual.year_before == pytest.approx(year_before, nan_ok=True)


def test_needs_risk_stock_headline_and_files_take_one_number_that_a_surprise_leaves(
    engine: Engine,
) -> None:
    before = publications_of(engine)[0].usual("DEU").tonnes
    later = datetime(2026, 11, 25, tzinfo=UTC)
    panel = panel_at(engine, later)
    halved = panel.months["tonnes"].where(panel.months["destination"].ne("DEU"), other=400.0)
    publish(
        engine,
        later,
        cutoff="2026-07",
        panel=replace(panel, months=panel.months.assign(tonnes=halved)),
    )

    state = publications_of(engine)[0]

    need = Need(name="a", destination="DEU", period_from="2026-12", period_to="2027-02", tonnes=9)
    slump = slump_of(state, fan_of(state, "DEU"), "2026-11")
    firm = firm_answer(state, FirmQuestion(destination="DEU", tonnes=9.0), now=NOW)
    (table,) = (one for one in publication_files(state) if one.name == "destinations")
    (row,) = (row for row in table.rows if row["destination"] == "DEU")
    assert before > 600.0
    assert state.usual("DEU").tonnes == met_at(state, need) == before
    assert slump is not None
    assert slump.usual == before
    assert firm["normal_t"] == row["usual_t"] == pytest.approx(before, abs=0.001)
    assert f"the usual {before:,.0f} t" in Outline(page_of(state, "DEU")).words.replace("\xa0", " ")


def test_a_new_year_says_the_usual_of_both_years(engine: Engine) -> None:
    later = datetime(2027, 1, 25, tzinfo=UTC)
    publish(engine, later, cutoff="2026-07", panel=panel_of("2024-01-01", [640.0] * 31))
    old = publications_of(engine)[0]

    words = Outline(page_of(old, "DEU", now=at("2027-01-26"))).words.replace("\xa0", " ")

    assert "the usual 640 t" in words
    assert "fixed by the first forecast of 2027. In 2026 it was " in words
