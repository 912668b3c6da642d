import io
import os
from pathlib import Path

import httpx
import pandas as pd
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli.command_line import VERBS, main
from flows.context.stores import made_store
from store.home import VARIABLE
from store.settings import PROJECT_ROOT, Settings
from tests.flows.conftest import Call

SCENARIO = str(PROJECT_ROOT / "scenarios" / "us-tariff-60.yaml")

READING = [
    "alerts", "backtest", "backup kept.tar.zst", "compare 1 2", "data diff 1 2", "explain USA",
    "home upgrade", "home copy --to sqlite:///copy.db", "data panel", "promote",
    "prune", "publications list",
    "data quarantine list", "replay --publication 1", "data review accept 1 --event event.yaml",
    "rollback", "site", "run --commodity 850511", "status", "train", "data vintages",
]  # fmt: skip

ELSEWHERE = {"config", "ingest", "forecast", "panel", "restore", "scenario", "serve", "up"}
"""Verbs that read nothing of the home, or bring the first of it."""

REFUSED = {
    "ingest nothing": "'nothing' is neither a file nor a source. Expected a downloaded",
    "ingest events none.yaml": "Cannot read none.yaml",
    "ingest figure --period 2026-10 --destination JPN --tonnes many --source x": "'many' is not a",
    "ingest figure --period 2026-13 --destination JPN --tonnes 5 --source x": "'2026-13'",
    "ingest comtrade --since 2150-01": "--since 2150-01 lies in the future",
    **{
        f"{verb} --as-of 2200-01-01": "--as-of 2200-01-01 lies in the future"
        for verb in ("backtest", "data panel", "forecast", "run", "train")
    },
    "forecast --set fancy=1": "there is no parameter 'fancy'",
    "forecast --set num_leaves=many": "num_leaves=many does not fit",
    "forecast --set num_leaves=3 --set num_leaves=4": "--set num_leaves is given twice",
    "forecast --parameters old.toml": "old.toml has format 0. Expected 1",
    "restore none.tar.gz": "none.tar.gz is refused: [Errno 2]",
    "restore old.toml": "old.toml is refused: Not a gzipped file",
    "run --as-of soon": "--as-of 'soon' is no date",
    "scenario none.yaml": "Cannot read none.yaml",
    "scenario old.toml --as-of 2200-01-01": "lies in the future",
}
"""Message by bad input."""


@pytest.fixture
def nowhere(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with one file, and name a home that does not exist."""
    for name in ("TRACKING_URI", "ARTIFACT_DIR", "DATABASE_URL"):
        monkeypatch.delenv(f"MAGNETCAST_{name}", raising=False)
    monkeypatch.setenv("MAGNETCAST_DATA_DIR", str(data_dir))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "old.toml").write_text("format = 0\n")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def made(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(set(paths) - {"here", "here/old.toml"})


@pytest.mark.slow
@pytest.mark.parametrize("words", READING)
def test_a_verb_that_reads_states_that_there_is_no_data_and_makes_nothing(
    nowhere: Path, magnetcast: Call, words: str
) -> None:
    code, out, err = magnetcast("--home", "../home", *words.split())

    assert (code, out) == (1, "")
    assert err.count("error: ") == 1
    if words.startswith("compare"):
        assert "holds no run" in err
    else:
        assert f"the home is {nowhere / 'home'} (--home)" in err
        assert "`magnetcast ingest` loads the bundled ones" in err
    assert made(nowhere) == []


def test_every_verb_was_tried_on_a_home_that_is_not_there() -> None:
    verbs = {name for modules in VERBS.values() for names in modules.values() for name in names}

    assert {words.split()[0] for words in READING} | ELSEWHERE == verbs


@pytest.mark.parametrize(("words", "expected"), REFUSED.items())
def test_bad_input_is_one_message_and_makes_nothing(
    nowhere: Path, magnetcast: Call, words: str, expected: str
) -> None:
    code, out, err = magnetcast("--home", "../home", *words.split())

    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert expected in err
    assert made(nowhere) == []


@pytest.mark.parametrize("words", [("--home", "a", "config"), ("config", "--home=a")])
def test_config_tells_the_home_and_why(nowhere: Path, magnetcast: Call, words: list[str]) -> None:
    code, out, _ = magnetcast(*words, "show", "--format", "csv")

    rows = pd.read_csv(io.StringIO(out)).set_index("name")
    assert code == 0
    assert rows.loc["home", ["value", "source"]].tolist() == [str(nowhere / "here/a"), "--home"]
    assert os.environ[VARIABLE] == str(nowhere / "elsewhere")


@pytest.mark.slow
def test_an_empty_home_is_forecast_and_then_asked_what_if(nowhere: Path, magnetcast: Call) -> None:
    words = ("--as-of", "2020-01-22", "--format", "csv")
    made_store(Settings())  # as `magnetcast serve` does

    code, out, err = magnetcast("forecast", *words)
    again = magnetcast("scenario", SCENARIO, *words)

    assert code == 0, err
    assert err.count("so the bundled facts were loaded") == 1
    assert len(pd.read_csv(io.StringIO(out))) == 144
    assert again[0] == 0, again[2]
    assert "so the bundled facts were loaded" not in again[2]
    assert (nowhere / "elsewhere" / "magnetcast.db").exists()


@pytest.mark.parametrize(
    ("err", "is_of_prefect"),
    [
        (httpx.ConnectError("off", request=httpx.Request("GET", "http://127.0.0.1:9/api/a")), True),
        (httpx.ConnectError("off", request=httpx.Request("GET", "http://127.0.0.1:8/data")), False),
        (httpx.InvalidURL("Invalid port: 'abc'"), False),
    ],
    ids=["its API", "a provider", "no address"],
)
def test_only_calls_to_prefects_api_are_prefects(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    err: Exception,
    is_of_prefect: bool,  # noqa: FBT001 - a case
) -> None:
    def fail(_: object) -> None:
        raise err

    monkeypatch.setattr("flows.cli.command_line._check_words", fail)
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(
            SystemExit if is_of_prefect else type(err), match="1" if is_of_prefect else str(err)
        ),
    ):
        main()

    assert ("Start it with `magnetcast up`" in capsys.readouterr().err) == is_of_prefect
