"""A champion of an older version, which names features that are gone."""

import json
import re

import pandas as pd
import pytest

from flows.cli.run_commands import run_and_tell
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.run import RunOutcome
from flows.system_health import examine
from flows.training.predict import forecast
from flows.training.promote import promote
from flows.training.train import SERVED_MODEL
from models.evaluation.backtest import Backtest
from models.forecasting.model_frame import rows_of
from models.learning.boosters import texts_of
from models.registry import model_registry
from models.registry.runs import open_run
from models.registry.stored_model import digest_of
from store.publications.publication_writing import publish_forecasts
from store.settings import Settings
from tests.data.builders import at
from tests.data.cell_builders import make_cells
from tests.data.registry_builders import champion_of
from tests.flows.conftest import LATER, Call

GONE = "holt_winters_distance"


def succeeded(settings: Settings) -> None:
    """Register the champion's model once more, as if trained on later facts, as challenger."""
    champion, model = model_registry.at_version(settings, 1), model_registry.load(settings, 1)
    rows = rows_of(open_workspace(settings, at(LATER)).origin)
    names = {"as_of": at(LATER).isoformat(), "data_vintage": "later", "model_version": "later"}
    tags = {**names, "recipe": "of today", "parameters": champion.parameters, "commodity": "m"}
    with open_run(settings, name="train", tags={"flow": "train"}):
        version = model_registry.register(
            settings, boosters=texts_of(model.boosters), metadata=model.metadata, example=rows,
            tags=tags, script=SERVED_MODEL,
        )  # fmt: skip
    model_registry.set_alias(settings, "challenger", version)


def outdated(settings: Settings) -> None:
    """Let the champion name a feature that is gone, under a digest of its files."""
    champion = champion_of(settings)
    folder = settings.artifact_dir / champion.folder / "artifacts" / "model"
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    metadata["features"][-1] = GONE
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    digest = digest_of({file.name: file.read_text("utf-8") for file in folder.glob("[mp]*[nt]")})
    model_registry.set_tags(settings, champion.version, {"sha256": digest})


def test_a_champion_that_cannot_answer_is_no_rival_and_its_fallback_is_told(home: Settings) -> None:
    succeeded(home)
    outdated(home)
    day = at(LATER)

    fallback = forecast(open_workspace(home, day))
    publish_forecasts(store_of(home), fallback, as_of=day, data_vintage="fallback")
    words = {alarm.name: str(alarm.words) for alarm in examine(home, day).alarms}
    result = Backtest(pd.DataFrame(), make_cells(), pd.DataFrame())
    outcome = promote(home, day, result=result)

    assert set(fallback["status"]) == {"statistical ensemble"}
    assert f"features that are no more: {GONE}" in words["fallback"]
    assert f"features that are no more: {GONE}" in words["champion"]
    assert "no file is damaged" in words["champion"]
    assert outcome.is_champion
    assert set(forecast(open_workspace(home, day))["status"]) == {"champion"}


def test_a_publication_by_a_fallback_is_the_last_line_of_a_run_and_its_exit_code(
    home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forecasts = forecast(open_workspace(home, at(LATER)))
    outcome = RunOutcome(forecasts=forecasts, fallback="seasonal naive (champion: gone)")
    monkeypatch.setattr("flows.run.run", lambda *_: outcome)

    with pytest.raises(SystemExit) as end:
        run_and_tell(home, at(LATER))

    assert end.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("seasonal naive (champion: gone).")


def test_a_publication_of_another_version_says_which_one_and_is_not_recomputed(
    home: Settings, magnetcast: Call
) -> None:
    outdated(home)

    code, _, err = magnetcast("replay", "--as-of", LATER)

    assert code == 1
    assert re.search(
        r"was made by magnetcast [\d.]+, commit \S+, and this version, .*cannot rec", err
    )
    assert GONE in err
    assert "restore" not in err.lower()
