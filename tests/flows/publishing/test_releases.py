"""A winter of the schedule under a simulated clock: no release, late or double, is missed.

The world is small: a few small trees, nine past origins to learn from and two to be
measured on.
All else is what runs unattended; `tests/faults` breaks it.
"""

import re
import shutil
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from flows.context.stores import made_store, store_of
from flows.deployments import publish
from flows.publishing.publication_lookup import publication, replayed
from store.facts.reading import latest_forecast, read_forecasts
from store.publications.integrity import read_publications, tampered
from store.settings import Settings
from tests.data.builders import QUICK, at, make_levels
from tests.data.store_builders import EVENT, FIGURE, TARIFF, figures_of, write_csv
from tests.flows.conftest import Call, with_eu27

pytestmark = pytest.mark.slow


EVENING = pd.Timedelta(hours=11, minutes=30)
"""19:30 in Beijing, when the schedule tries for the first time."""

ALWAYS = {"backup"}
"""Nobody backs this world up."""


@dataclass(frozen=True)
class Release:
    """One release of the customs."""

    due: str
    months: tuple[str, ...]
    late_days: int = 0
    revises: str = ""
    """Month whose figure for the USA is published anew, five percent higher."""


RELEASES = (
    Release("2020-12-20", ("2020-11",), revises="2020-09"),
    Release("2021-01-20", ("2020-12",), late_days=3),
    Release("2021-03-20", ("2021-01", "2021-02")),
)


@dataclass
class World:
    """The clock, the figures and the store of the winter."""

    settings: Settings
    levels: pd.DataFrame
    folder: Path
    magnetcast: Call
    monkeypatch: pytest.MonkeyPatch

    def move_to(self, moment: pd.Timestamp) -> None:
        """Set the clock, and how far back this small world learns and measures itself."""
        read = SimpleNamespace(now=lambda tz: moment)  # noqa: ARG005
        simulated = SimpleNamespace(Timestamp=read, Timedelta=pd.Timedelta)
        self.monkeypatch.setattr("flows.clock.pd", simulated)
        for name, months in (
            ("features.evidence_history.FIRST_TRAINING", 9),
            ("models.forecasting.evidence_forecaster.FIRST_REPLAY", 2),
        ):
            self.monkeypatch.setattr(name, f"{moment - pd.DateOffset(months=months):%Y-%m-%d}")

    def hand_in(self, release: Release, day: pd.Timestamp) -> None:
        """Ingest the figures of a release."""
        result = self.levels.loc[self.levels["period_from"].isin(pd.to_datetime(release.months))]
        again = self.levels.loc[
            (self.levels["period_from"] == pd.Timestamp(release.revises or "1900-01"))
            & self.levels["destination"].isin(["USA", "WLD"])
        ]
        change = 0.05 * again.loc[again["destination"] == "USA", "value"].sum()
        rows = pd.concat([result, again.assign(value=again["value"] + change)])
        path = self.folder / f"{release.months[-1]}.csv"
        write_csv(path, FIGURE, *figures_of(rows, day))
        assert self.magnetcast("ingest", "figures", str(path))[0] == 0

    def hand_in_early(self, release: Release, day: pd.Timestamp) -> None:
        """Ingest the customs' file of one destination, before the world's figure is out."""
        month = pd.Timestamp(release.months[-1])
        tonnes = self.levels.set_index(["destination", "period_from"])["value"]["USA", month]
        path = self.folder / "customs.csv"
        path.write_text(
            "Date,Commodity code,Trading partner code,Trading partner,Quantity,Unit,US dollar\n"
            f"{month:%Y%m},85051110,502,United States,{tonnes * 1e3},kg,{tonnes * 5e4}\n"
        )
        words = ("--flow", "export", "--published-on", f"{day:%Y-%m-%d}")
        code, _, err = self.magnetcast("ingest", "customs", str(path), *words)
        assert code == 0, err

    def run(self) -> None:
        """Do what the schedule does."""
        publish.with_options(retries=0)()

    def alarms(self, moment: pd.Timestamp) -> set[str]:
        """Return what is wrong by the status."""
        self.move_to(moment)
        code, output, _ = self.magnetcast("status")
        found = set(re.findall(r"^(?:WARNING|BROKEN) (\S+):", output, re.MULTILINE))
        assert code == bool(found)
        return found - ALWAYS


def know_only_the_past(data: Path) -> None:
    """Leave of the other tables what was known then: guards refuse facts of the future."""
    for name in ("release_dates.csv", "analog_events.csv"):
        table = pd.read_csv(data / name, dtype=str, keep_default_na=False)
        table.iloc[:0].to_csv(data / name, index=False)
    quota = {"announced_on": "2019-11-08", "effective_from": "2019-11-08", "instrument": "quota"}
    write_csv(data / "policy_events.csv", EVENT, {"event_id": "2019-11-cn-quota", **quota})
    step = {"component": "MFN", "rate_pct": "2.1"}
    write_csv(
        data / "tariff_rates.csv",
        TARIFF,
        {**step, "announced_on": "2015-12-01", "effective_from": "2016-01-01"},
    )


@pytest.fixture
def world(
    place: Path, data_dir: Path, magnetcast: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> World:
    """Point everything at a folder in which the figures up to October 2020 are known."""
    assert place.exists()
    shutil.copytree(data_dir, tmp_path / "data")
    monkeypatch.setenv("MAGNETCAST_DATA_DIR", str(tmp_path / "data"))
    levels = with_eu27(make_levels(last="2021-02"))
    before = levels.loc[levels["period_from"] < pd.Timestamp(RELEASES[0].months[0])]
    write_csv(tmp_path / "data" / "published_figures.csv", FIGURE, *figures_of(before))
    know_only_the_past(tmp_path / "data")
    monkeypatch.setattr("flows.context.run_config.MAGNETS_PRESET", QUICK)
    return World(Settings(), levels, tmp_path, magnetcast, monkeypatch)


def test_every_release_of_a_winter_is_published(world: World) -> None:
    for release in RELEASES:
        evening = at(release.due) + EVENING
        arrival = evening + pd.Timedelta(days=release.late_days)
        before = read_publications(made_store(world.settings))
        world.move_to(evening)
        if release.late_days:
            arrive_late(world, release, arrival)
        else:
            world.hand_in(release, evening.normalize())
            world.run()
        assert_stands(world, release, arrival, before)

    engine = store_of(world.settings)
    cutoffs = set(read_forecasts(engine)["cutoff"])
    assert {release.months[-1] for release in RELEASES} <= cutoffs
    live = read_publications(engine)
    assert set(live["state"]) == {"published"}
    assert all(later > one for one, later in pairwise(live["as_of"]))
    first = publication(world.settings, at(RELEASES[0].due) + pd.Timedelta(days=1))
    assert replayed(world.settings, first).difference == ""


def arrive_late(world: World, release: Release, arrival: pd.Timestamp) -> None:
    """Let the schedule run on one destination's figure; the alarm comes and goes with lateness."""
    evening = at(release.due) + EVENING
    world.hand_in_early(release, evening - pd.Timedelta(days=2))
    world.run()
    stands = latest_forecast(store_of(world.settings))
    assert stands["as_of"].max() == evening
    assert stands["cutoff"].max() < release.months[-1]
    early = stands.loc[stands["period"] == release.months[-1]].set_index("destination")
    width = (early["p95"] - early["p05"]) / early["p50"]
    assert width["USA"] < 0.01 < width.drop("USA").min()
    assert world.alarms(at(release.due) + pd.Timedelta(days=2, hours=1)) == set()
    assert world.alarms(at(release.due) + pd.Timedelta(days=3)) == {"late-data"}
    world.move_to(arrival)
    world.hand_in(release, arrival.normalize())
    world.run()


def assert_stands(
    world: World, release: Release, arrival: pd.Timestamp, before: pd.DataFrame
) -> None:
    """Hold what stands against what must: for the coming months, of this moment, once, intact."""
    engine = store_of(world.settings)
    stands = latest_forecast(engine)
    assert set(stands["as_of"]) == {arrival}
    assert set(stands["cutoff"]) == {release.months[-1]}
    ahead = pd.period_range(pd.Period(release.months[-1], "M") + 1, periods=12, freq="M")
    assert sorted(set(stands["period"]))[:12] == [str(month) for month in ahead]
    everything = read_forecasts(engine)
    assert not everything.duplicated(["as_of", "destination", "period"]).any()
    known = read_publications(engine)
    assert len(known) == len(before) + 1 + bool(release.late_days)
    assert known["ahead_from"].iloc[-1] == ahead[0].start_time
    assert known["frozen_at"].iloc[-1] == arrival
    assert tampered(engine, world.settings.publications_dir) == ()
    assert world.alarms(arrival + pd.Timedelta(days=4)) == set()
    if release.late_days:
        world.move_to(arrival + pd.Timedelta(days=1))
        world.run()
        assert len(read_publications(engine)) == len(known)
