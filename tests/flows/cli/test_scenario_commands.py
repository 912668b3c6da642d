import io
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from store.schema.scenario import RESULT_COLUMNS
from store.settings import Settings
from tests.flows.conftest import AS_OF, Call, Published

TARIFF = """
name: Rate of 40
tariffs:
  - {importer: USA, rate_pct: 40, announced_on: 2020-05-01, effective_from: 2020-07-01}
"""


def rows_stored(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(home / "magnetcast.db")) as database:
        names = [
            n for (n,) in database.execute("select name from sqlite_master where type='table'")
        ]
        return {
            name: database.execute(f'select count(*) from "{name}"').fetchone()[0]  # noqa: S608
            for name in names
        }


@pytest.mark.slow
def test_a_scenario_is_answered_against_what_was_published(
    home: Settings, first_run: Published, magnetcast: Call, tmp_path: Path
) -> None:
    before = rows_stored(home.home)
    file = tmp_path / "what.yaml"
    file.write_text(TARIFF, encoding="utf-8")

    code, out, err = magnetcast("scenario", str(file), "--as-of", AS_OF, "--format", "csv")

    assert code == 0, err
    table = pd.read_csv(io.StringIO(out), keep_default_na=False)
    assert list(table.columns) == list(RESULT_COLUMNS)
    predicted = first_run.outcome.forecasts.set_index(["destination", "period"])["p50"]
    base = table.set_index(["destination", "period"])["base_p50"]
    pd.testing.assert_series_equal(base, predicted.loc[base.index], check_names=False, atol=1e-3)
    usa = table.loc[(table["destination"] == "USA") & (table["period"] > "2020-07")]
    assert (usa["difference_mean"] < 0).all()
    assert rows_stored(home.home) == before
