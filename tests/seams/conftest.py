"""A small home from made-up figures: three destinations, three years, an act and a tariff step.

A figure says which month it is of, so that what each step makes of it can be worked out by hand:

- The USA take 101 t in January 2018, 102 t in February and so on: 133 t in September 2020.
- Japan takes 200 t a month and Germany 300 t, the world 1,200 t: the other destinations, of which
  nothing is published, share what is left.
- A month is out on the 20th of the next; October 2020 of the USA alone on 10 November already.
- The USA raise their tariff from 2% to 27% on 1 May 2020 (announced on 10 April).
- China puts exports to the USA under licence from 1 January 2021 (announced on 18 November 2020).
  It did so once before, with germanium: of 10 t a month 5 t were left.

There are two forecasts: on 12 November 2020, when of October only the USA are known, and on the
25th, when all is and the licences are announced. Three years are too short for a model, so that the
statistical ensemble forecasts.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pydantic import SecretStr

from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.ingest.ingest import ingest
from flows.publishing.planning_alerts import alert
from flows.publishing.publish_or_hold import objections, publish
from flows.publishing.site_writing import show_publications
from flows.training.predict import forecast
from publication.planning.planning_file import FILE
from store.settings import PROJECT_ROOT, Settings
from tests.data.builders import at
from tests.data.store_builders import EVENT, FIGURE, TARIFF, write_csv
from tests.helpers import Receiver, receiving, settings_in
from tests.plain_flows import plain_flows
from tests.publication.fixtures import sites_in_english

FIRST, SECOND = at("2020-11-12"), at("2020-11-25")

ACT = {
    "event_id": "2020-11-licences", "announced_on": "2020-11-18", "effective_from": "2021-01-01",
    "destinations": "USA",
}  # fmt: skip
STEPS = (
    {"component": "MFN", "rate_pct": "2", "effective_from": "2018-01-01", "announced_on": ""},
    {"component": "S301", "rate_pct": "25", "effective_from": "2020-05-01",
     "announced_on": "2020-04-10"},
)  # fmt: skip
GERMANIUM = {
    "event_id": "2017-07-germanium", "announced_on": "2017-07-03", "effective_from": "2017-08-01",
    "products": "germanium", "material": "germanium", "exempt": "",
}  # fmt: skip
RULES = {
    "alert_rules": [
        {"name": "usa", "measure": "median", "points": 15, "destination": "USA"},
        {"name": "japan", "measure": "median", "points": 15, "destination": "JPN"},
    ]
}


def tonnes_of(destination: str, month: pd.Period) -> int:
    """Tonnes of a month, as the docstring has them."""
    usa = 101 + (month - pd.Period("2018-01", "M")).n
    return {"USA": usa, "JPN": 200, "DEU": 300, "WLD": 1_200}[destination]


def figures() -> list[dict[str, str]]:
    return [
        {
            "period": str(month), "destination": name, "value": str(tonnes_of(name, month)),
            "published_on": "2020-11-10" if (name, str(month)) == ("USA", "2020-10")
            else f"{month + 1}-20",
        }
        for month in pd.period_range("2018-01", "2020-10", freq="M")
        for name in ("USA", "JPN", "DEU", "WLD")
    ]  # fmt: skip


def germanium() -> list[dict[str, str]]:
    """120 t in the year before the control, 5 t in each month under it."""
    months = pd.period_range("2017-08", "2018-07", freq="M")
    year = {"period": "2016-07..2017-06", "value": "120"}
    spans = [year, *({"period": str(month), "value": "5.0"} for month in months)]
    return [{**s, "destination": "WLD", "published_on": "2019-01-20"} for s in spans]


def write_data(folder: Path) -> Path:
    """Write the bundled tables of the made-up world."""
    shutil.copytree(PROJECT_ROOT / "data", folder)
    for path in folder.glob("*.csv"):
        if path.stem not in {"customs_partners", "release_dates"}:
            header = path.read_text(encoding="utf-8").splitlines()[0]
            path.write_text(header + "\n", encoding="utf-8")
    write_csv(folder / "published_figures.csv", FIGURE, *figures())
    write_csv(folder / "analog_figures.csv", {**FIGURE, "material": "germanium"}, *germanium())
    write_csv(folder / "policy_events.csv", EVENT, ACT)
    act = {name: value for name, value in EVENT.items() if name != "covers"}
    write_csv(folder / "analog_events.csv", act, GERMANIUM)
    write_csv(folder / "tariff_rates.csv", TARIFF, *STEPS)
    return folder


@dataclass(frozen=True)
class Home:
    """The home after two forecasts, with what each was made from."""

    settings: Settings
    workspaces: dict[pd.Timestamp, Workspace]
    forecasts: dict[pd.Timestamp, pd.DataFrame]
    site: Path
    receiver: Receiver
    """Of what was sent after each."""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp("seams")
    data_dir, workspaces, forecasts = write_data(folder / "data"), {}, {}
    with plain_flows(), sites_in_english(), receiving() as receiver:
        settings = settings_in(
            folder, data_dir=data_dir, threads=1, alert_urls=SecretStr(receiver.address)
        )
        ingest(settings)
        (settings.home / FILE).write_text(yaml.safe_dump(RULES), encoding="utf-8")
        for as_of in (FIRST, SECOND):
            workspaces[as_of] = open_workspace(settings, as_of)
            forecasts[as_of] = forecast(workspaces[as_of])
            held = objections(workspaces[as_of], forecasts[as_of])
            publish(workspaces[as_of], forecasts[as_of], held)
            alert(settings, as_of)
        site = show_publications(settings)
        assert site is not None
        yield Home(settings, workspaces, forecasts, site, receiver)
        store_of(settings).dispose()
