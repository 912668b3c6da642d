import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from flows.cli.run_commands import run_tables_and_tell
from flows.clock import utc_now
from flows.context.stores import made_store, single_writer, store_of
from store.errors import StoreError
from store.facts.batch import Batch, FileRows
from store.facts.commodities import save_label
from store.facts.reading import latest_forecast, read_forecasts
from store.facts.writing import write_batch
from store.planning import read_alerts
from store.publications.publication_writing import publish_forecasts
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS, QUANTILE_COLUMNS
from tests.data.builders import at
from tests.data.partner_builders import make_partner_world
from tests.flows.conftest import environment, settings_of

NOW = "2024-02-26"

pytestmark = pytest.mark.slow
GRAPHITE = "=cmd()<b>graphite</b>{{7*7}}[/x]&\"'"
"""A label that would do harm as a formula, markup, a template or a colour of the terminal."""
CODES = ("811292", "250410", "392690")


def filled_settings(settings: Settings) -> Settings:
    """Fill a store with three commodities; the plastics end two months early."""
    for seed, code in enumerate(CODES):
        world = make_partner_world(partners=24, months=37, first="2021-01", seed=seed)
        rows = world.rows().assign(commodity=code)
        if code == "392690":
            rows = rows.loc[rows["period_from"] < "2023-12-01"]
        file = FileRows("comtrade", code, code, {"observations": rows})
        write_batch(made_store(settings), Batch((file,)))
    return settings


@pytest.fixture(scope="module")
def filled(new_folder: Callable[[], Path], data_dir: Path) -> Settings:
    """Return the settings of a store with three commodities, all of them forecast."""
    settings = filled_settings(settings_of(environment(new_folder(), data_dir)))
    save_label(store_of(settings), "250410", GRAPHITE, at=utc_now())
    run_tables_and_tell(settings, at(NOW))
    return settings


def test_each_commodity_is_published_under_its_key_by_its_own_model(filled: Settings) -> None:
    rows = read_forecasts(store_of(filled), commodity=None)

    assert rows.groupby("commodity")["destination"].nunique().to_dict() == dict.fromkeys(CODES, 26)
    models = rows.groupby("commodity")["model"].unique().map(list).to_dict()
    assert len({name for (name,) in models.values()}) == 3
    assert models["811292"][0].startswith("partners-")
    assert rows["commodity"].value_counts().to_dict() == {
        "811292": 26 * 12, "250410": 26 * 12, "392690": 26 * 14,
    }  # fmt: skip


def test_a_home_of_partner_tables_alone_has_a_site_of_them(filled: Settings) -> None:
    index = json.loads((filled.home / "site/api/v1/index.json").read_text(encoding="utf-8"))
    pages = [path.read_text(encoding="utf-8") for path in (filled.home / "site").glob("*.html")]

    assert {row["commodity"] for row in index["publications"]} == {*CODES}
    assert (filled.home / "site/index.html").is_file()
    assert not [page for page in pages if "<b>graphite</b>" in page]


def test_another_writer_is_waited_for_once(filled: Settings) -> None:
    hasty = filled.model_copy(update={"lock_timeout_s": 0.1})

    with ThreadPoolExecutor(1) as another, single_writer(filled):
        done = another.submit(run_tables_and_tell, hasty, at(NOW))
        with pytest.raises(StoreError, match="Another run holds"):
            done.result()


def test_rules_on_goods_look_after_a_run_on_them_and_are_sent_once(filled: Settings) -> None:
    engine = store_of(filled)
    rows = latest_forecast(engine, commodity="250410")[list(FORECAST_COLUMNS)]
    numbers = [*QUANTILE_COLUMNS, "mean"]
    rows = rows.assign(**{name: rows[name] / 2 for name in numbers})
    publish_forecasts(
        engine, rows, as_of=at("2023-11-26"), data_vintage="earlier", commodity="250410"
    )
    (filled.home / "planning.yaml").write_text(
        "alert_rules:\n"
        "  - {name: moved, measure: median, points: 5, destination: USA, commodity: '250410'}\n"
    )

    nobody = filled.model_copy(update={"alert_urls": SecretStr("json://127.0.0.1:9")})
    run_tables_and_tell(nobody, at(NOW) + pd.Timedelta(days=1))

    (result,) = read_alerts(engine).to_dict("records")
    assert (result["fired"], result["attempts"]) == (True, 1)
    assert result["after"] == pytest.approx(2 * result["before"])
    assert f"{GRAPHITE} (250410), United States: median in" in result["message"]
