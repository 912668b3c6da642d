import json
from datetime import date
from io import StringIO
from types import SimpleNamespace

import pandas as pd
import pytest

import magnetcast as mc
from flows.cli.options import moment
from flows.clock import utc_now
from flows.context.stores import store_of
from store.facts.reading import latest_forecast
from store.facts.writing import write_batch
from store.settings import PROJECT_ROOT, Settings
from tests.data.store_builders import make_batch, make_observations
from tests.flows.conftest import Call

DAY = "2020-05-22"
CLOCK = "14:03:05.678901"
SHOWN = f"{DAY}T14:03:05Z"
EARLY = f"{DAY}T08:00:01Z"
FIGURE = {"period_from": "2020-04-01", "period_to": "2020-04-01", "value": 554.0,
          "available_at": f"{DAY}T09:00:00Z"}  # fmt: skip
"""Known between the two publications of the day."""


def test_the_clock_and_typed_moments_have_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    read = SimpleNamespace(now=lambda tz: pd.Timestamp(f"{DAY}T{CLOCK}", tz=tz))
    monkeypatch.setattr("flows.clock.pd", SimpleNamespace(Timestamp=read))

    assert utc_now() == moment(None) == moment(f"{DAY}T{CLOCK}") == pd.Timestamp(SHOWN)
    assert moment(DAY) == pd.Timestamp(SHOWN), "today counts until now"
    assert moment("2020-05-21") == moment(date(2020, 5, 21)) == pd.Timestamp("2020-05-21T23:59:59Z")
    assert moment(pd.Timestamp("2020-05-21")) == pd.Timestamp("2020-05-21T00:00Z")


@pytest.mark.slow
@pytest.mark.usefixtures("home")
def test_moments_of_the_clock_are_found_again_by_file_verb_and_python(magnetcast: Call) -> None:
    engine = store_of(Settings())
    assert magnetcast("run", "--as-of", f"{DAY}T08:00:01.25")[0] == 0
    write_batch(engine, make_batch(make_observations(FIGURE)), ingested_at=utc_now())
    assert magnetcast("run", "--as-of", f"{DAY}T{CLOCK}")[0] == 0
    rows = latest_forecast(engine)
    assert rows["as_of"].iloc[0] == pd.Timestamp(SHOWN)

    site = Settings().home / "site/api/v1"
    newest = json.loads((site / "destinations/USA.json").read_text(encoding="utf-8"))
    assert newest["as_of"] == SHOWN
    listed = json.loads((site / "publications.json").read_text(encoding="utf-8"))["rows"]
    assert [row["as_of"] for row in listed][:2] == [SHOWN, EARLY]

    def answer_of(*words: str) -> pd.DataFrame:
        code, output, err = magnetcast(*words, "--as-of", DAY, "--format", "csv")
        assert code == 0, err
        found = pd.read_csv(StringIO(output)).query("destination == 'USA'")
        return found.set_index("period").rename(columns={"base_p50": "p50"})

    # A bare day counts whole: the figure of 09:00 and the publication after it.
    medians = pytest.approx(rows.loc[rows["destination"] == "USA", "p50"].tolist(), abs=1e-3)
    levers = PROJECT_ROOT / "scenarios" / "us-tariff-60.yaml"
    for words in (("explain", "USA"), ("forecast",), ("scenario", str(levers))):
        assert answer_of(*words)["p50"].tolist() == medians, words
    for made in (mc.explain("USA", DAY), mc.forecast(DAY, "USA")):
        assert made["p50"].tolist() == medians
    assert mc.scenario(levers, DAY).query("destination == 'USA'")["base_p50"].tolist() == medians
    panels = [mc.panel(EARLY), mc.panel(DAY), mc.panel(SHOWN)]
    early, *same = [p.query("destination == 'USA'").set_index("period")["tonnes"] for p in panels]
    known = pd.DataFrame(newest["history"]).set_index("period")["tonnes"]
    for other in (*same, answer_of("data", "panel")["tonnes"]):
        assert other.tolist() == pytest.approx(known.tolist(), abs=1e-3)
    assert early["2020-04-01"] != same[0]["2020-04-01"]
    assert "nothing new" in magnetcast("run", "--as-of", DAY)[2]
    assert magnetcast("explain", "USA", "--since", EARLY, "--as-of", DAY)[0] == 0
