import io
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.publishing.publication_lookup import Replay, publication, replayed
from flows.publishing.publish_or_hold import ahead_from, objections, publish
from flows.publishing.site_writing import write_missing_folders
from flows.run import run
from flows.system_health import examine
from store.errors import DataError
from store.facts.reading import latest_forecast, read_forecasts
from store.publications.integrity import read_publications
from store.settings import Settings
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Call, Published

LATER = "2020-05-10"


def change(settings: Settings, statement: str) -> None:
    connection = sqlite3.connect(settings.home / "magnetcast.db")
    with connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


Draft = tuple[Workspace, pd.DataFrame]


def draft(
    settings: Settings,
    factor: float,
    *,
    limit: float | None = 30.0,
    as_of: str | pd.Timestamp = LATER,
    facts: str = "later",
) -> Draft:
    """Return a forecast of some weeks later: what stands, times a factor."""
    table = latest_forecast(store_of(settings))
    numbers = [name for name in table if name.startswith("p") and name[1:].isdigit()] + ["mean"]
    own = settings.model_copy(update={"gate_pct": limit})
    known = replace(
        open_workspace(own, at(as_of) if isinstance(as_of, str) else as_of), data_vintage=facts
    )
    return known, table.assign(**{name: table[name] * factor for name in numbers})


def alarms(settings: Settings) -> set[str]:
    return {one.name for one in examine(settings, at(LATER)).alarms}


def test_a_run_freezes_what_it_publishes_with_what_it_was_made_with(published: Published) -> None:
    [one] = read_publications(store_of(published.settings)).to_dict("records")

    assert (one["state"], one["rows"]) == ("published", 144)
    assert one["models"] == published.outcome.forecasts["model"].iloc[0]
    for result in ("numpy", "lightgbm", "observations", "ingest", "code"):
        assert f'"{result}"' in one["made_with"]
    workspace = open_workspace(published.settings, one["as_of"])
    assert one["panel"] == workspace.history.panel(one["as_of"]).stored.digest


@pytest.mark.parametrize(
    ("now", "first"),
    [
        ("2020-04-19T23:59", "2020-03-01"),
        ("2020-04-20", "2020-04-01"),
        ("2020-05-19", "2020-04-01"),
    ],
)
def test_a_month_is_ahead_until_the_day_of_its_release(
    published: Published, now: str, first: str
) -> None:
    found = ahead_from(store_of(published.settings), figures="85051110", now=at(now))

    assert found == pd.Timestamp(first).date()


def test_a_forecast_that_does_not_add_up_is_refused(home: Settings) -> None:
    known, table = draft(home, 1.0)
    table.loc[table["destination"] == "USA", "mean"] *= 1.01

    with pytest.raises(DataError, match=r"does not add up: WLD has .* nothing was published"):
        objections(known, table)


@pytest.mark.slow
def test_what_moves_too_far_is_held_and_served_once_it_is_approved(
    home: Settings, magnetcast: Call
) -> None:
    before = latest_forecast(store_of(home))
    made = draft(home, 1.5)
    because = objections(*made)
    assert "WLD" in str(because)

    assert publish(*made, because) == 0
    write_missing_folders(home)

    pd.testing.assert_frame_equal(latest_forecast(store_of(home)), before)
    assert "held" in alarms(home)
    waiting = read_publications(store_of(home)).iloc[-1]
    assert (home.home / "held/publications/85051110" / str(waiting["id"]) / "index.html").exists()
    assert not (home.publications_dir / "85051110" / str(waiting["id"])).exists()
    assert (waiting["state"], waiting["data_vintage"]) == ("held", "later")
    number = str(waiting["id"])
    code, out, _ = magnetcast("publications", "show", number)
    assert (code, len(out.splitlines())) == (0, 145)
    listed = magnetcast("publications", "list", "--format", "csv")[1]
    assert str(because) in pd.read_csv(io.StringIO(listed))["held_because"].to_list()
    assert magnetcast("publications", "approve", number, "--reason", " ")[0] == 1

    assert magnetcast("publications", "approve", number, "--reason", "licences")[0] == 0

    approved = latest_forecast(store_of(home))
    assert approved["p50"].tolist() == (before["p50"] * 1.5).tolist()
    assert "held" not in alarms(home)
    assert "tampered" not in alarms(home)
    folder = home.publications_dir / "85051110" / number
    assert (home.home / "site" / "publications/85051110" / number / "index.html").exists()
    assert magnetcast("publications", "verify")[0] == 0
    (folder / "forecasts.csv").chmod(0o644)
    (folder / "forecasts.csv").write_bytes((folder / "forecasts.csv").read_bytes()[:-1])
    code, _, message = magnetcast("publications", "verify")
    assert code == 1
    assert f"folder 85051110/{number} of a publication is not what was written: forecasts.csv" in (
        message
    )
    shutil.rmtree(folder)
    write_missing_folders(home)
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert (folder / "SHA256SUMS").exists(), "from the database, written later"
    assert f"{approved['p50'].max():,.0f}" in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("destination", "tonnes", "moves"),
    [
        pytest.param("USA", "9012", True, id="moves the world too"),
        pytest.param("USA", "30", False, id="too low"),
        pytest.param("WLD", "39000", False, id="world ten times"),
    ],
)
def test_a_figure_that_is_implausible_is_named_and_holds_the_next_publication(
    home: Settings, magnetcast: Call, destination: str, tonnes: str, *, moves: bool
) -> None:
    figure = ["--destination", destination, "--period", "2020-10", "--published-on", "2020-11-10"]
    far = f"outside the 99.9% band of what was expected: {destination} 2020-10 {int(tonnes):,} t ("
    moving = "New figures (USA 2020-10) push months they do not cover outside their 80% band: WLD"

    code, _, err = magnetcast(
        "ingest", "figure", *figure, "--tonnes", tonnes, "--source", "https://example.org/a"
    )

    assert (code, far in err, "waits for a person" in err) == (0, True, True)
    made = draft(home, 1.0, limit=None, as_of="2020-11-12")
    because = objections(*made)
    assert (far in str(because), moving in str(because)) == (True, moves)
    assert publish(*made, because) == 0
    assert magnetcast("publications", "approve", "2", "--reason", "a licence")[0] == 0
    assert objections(*draft(home, 1.0, limit=None, as_of="2020-11-13")) is None


@pytest.mark.slow
def test_a_figure_before_the_first_publication_holds_it(home: Settings, magnetcast: Call) -> None:
    change(home, "DELETE FROM publications")
    assert objections(*draft(home, 1.0, limit=None, as_of="2020-11-12")) is None
    figure = ["--destination", "WLD", "--period", "2019-03", "--published-on", "2020-11-10"]

    _, _, err = magnetcast("ingest", "figure", *figure, "--tonnes", "39000", "--source", "A")

    assert "of what was expected: WLD 2019-03 39,000 t (" in err
    because = objections(*draft(home, 1.0, limit=None, as_of="2020-11-12"))
    assert "of what was expected: WLD 2019-03 39,000 t (" in str(because)


@pytest.mark.slow
@pytest.mark.parametrize("decided", ["held", "rejected"])
def test_the_same_facts_are_not_forecast_again_while_a_person_decides(
    home: Settings, decided: str
) -> None:
    moment = at(AS_OF) + pd.Timedelta(hours=1)
    facts = str(latest_forecast(store_of(home))["data_vintage"].iloc[0])
    made = draft(home, 1.5, as_of=moment, facts=facts)
    publish(*made, objections(*made))
    if decided == "rejected":
        change(home, "UPDATE publications SET state = 'rejected', note = 'no' WHERE id = 2")
    change(home, "DELETE FROM forecasts")

    outcome = run(home, moment + pd.Timedelta(hours=12))

    assert (outcome.is_new, outcome.rows_published) == (False, 0)
    assert outcome.held.startswith(f"{decided}: ")
    assert read_forecasts(store_of(home)).empty


@pytest.mark.slow
def test_a_publication_is_recomputed_and_rows_changed_in_the_database_are_an_alarm(
    home: Settings, magnetcast: Call, tmp_path: Path
) -> None:
    out = tmp_path / "again.csv"
    assert magnetcast("replay", "--as-of", AS_OF, "--out", str(out))[0] == 0
    again = pd.read_csv(out)["p95"].tolist()
    assert again == pytest.approx(read_forecasts(store_of(home))["p95"].tolist(), rel=1e-9)
    change(home, "UPDATE forecasts SET p50 = p50 * 1.001 WHERE destination = 'USA' AND horizon = 2")

    assert "tampered" in alarms(home)
    assert magnetcast("status")[0] == 2
    code, _, err = magnetcast("replay", "--as-of", AS_OF)
    assert code == 1
    assert "1 of 1152 numbers differ, most of all p50 of USA in 2020-05" in err


def replay_of(settings: Settings) -> Replay:
    return replayed(settings, publication(settings, at(AS_OF)))


@pytest.mark.slow
def test_figures_dated_back_by_a_later_ingest_do_not_reach_a_replay(home: Settings) -> None:
    change(
        home,
        "INSERT INTO observations SELECT commodity, origin, destination, measure, period_from, "
        "period_to, value * 3, unit, half_width, kind, usable, available_at, source, "
        "'https://example.org/later', note, 999 FROM observations WHERE destination = 'USA' AND "
        "period_from >= '2019-06-01' AND available_at < '2020-04-01'",
    )

    assert replay_of(home).difference == ""


@pytest.mark.slow
def test_a_fact_that_is_gone_makes_a_difference(home: Settings) -> None:
    change(
        home, "DELETE FROM observations WHERE destination = 'USA' AND period_from = '2020-01-01'"
    )

    assert "numbers differ, most of all" in replay_of(home).difference


def test_nine_digits_are_compared(home: Settings) -> None:
    rows = publication(home, at(AS_OF))
    near, far = (rows.assign(mean=rows["mean"] * (1 + by)) for by in (1e-12, 1e-6))

    assert Replay(rows, near).difference == ""
    assert "144 of 1152 numbers differ, most of all mean of" in Replay(rows, far).difference


@pytest.mark.slow
def test_a_model_that_was_changed_or_is_gone_is_named_and_not_run(home: Settings) -> None:
    [path] = home.artifact_dir.rglob("p50.txt")

    path.write_bytes(path.read_bytes().replace(b"leaf_value", b"leaf_valve"))
    with pytest.raises(DataError, match="cannot be loaded"):
        replay_of(home)
    path.unlink()
    with pytest.raises(DataError, match="cannot be loaded"):
        replay_of(home)


def test_a_model_that_no_registry_knows_is_named(home: Settings) -> None:
    change(home, "UPDATE forecasts SET model_version = 'magnetcast-forgotten'")

    with pytest.raises(DataError, match="magnetcast-forgotten cannot be loaded"):
        replay_of(home)
