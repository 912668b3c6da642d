import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightgbm import Booster
from lightgbm.basic import LightGBMError

import magnetcast as mc
from features.panel.partner_table import PartnerTable, hindsight
from flows.context.run_config import config_of
from flows.context.stores import made_store, store_of
from flows.context.workspace import PartnerTableWorkspace, open_workspace
from flows.publishing.forecast_explanation import why
from flows.publishing.publication_lookup import ExplainRequest, publication, replayed
from flows.run import RunOutcome, backtested_forecast, run, run_workspace
from flows.training.predict import forecast, predict
from flows.training.promote import check_forecasts
from flows.training.train import train
from models.forecasting.fallback import NUMBERS
from models.learning.parameters import PANEL_PRESET
from models.quantile_model import predict_quantiles
from models.registry import model_registry
from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_forecasts, read_runs
from store.facts.writing import write_batch
from store.settings import Settings
from store.vocabulary import CONTRIBUTIONS
from tests.data.builders import at
from tests.data.partner_builders import make_partner_world
from tests.data.registry_builders import champion_of
from tests.flows.conftest import Call, environment, settings_of

NOW = "2024-12-26"
TABLE = config_of("850511")
PARTNERS = 24
WORLD = make_partner_world(partners=PARTNERS, months=60)


@dataclass(frozen=True, slots=True)
class Filled:
    """A store with the tables of some partners, and what the first run on it did."""

    settings: Settings
    outcome: RunOutcome


def fill(settings: Settings, rows: pd.DataFrame, *, name: str = "made-up") -> None:
    batch = Batch((FileRows("comtrade", name, name, {"observations": rows}),))
    write_batch(made_store(settings), batch)


@pytest.fixture(scope="module")
def filled(new_folder: Callable[[], Path], data_dir: Path) -> Filled:
    settings = settings_of(environment(new_folder(), data_dir))
    fill(settings, WORLD.rows())
    return Filled(settings, run(settings, at(NOW), TABLE))


def test_partners_and_their_sums_are_published_a_year_ahead(filled: Filled) -> None:
    rows = read_forecasts(store_of(filled.settings), commodity="850511")

    assert set(rows["destination"]) == {*WORLD.tonnes.index, "WLD", "EU27"}
    assert sorted(rows["period"].unique()) == [
        str(month) for month in pd.period_range("2024-12", "2025-11", freq="M")
    ]
    assert len(rows) == filled.outcome.rows_published == (PARTNERS + 2) * 12
    assert set(rows["status"]) == {"champion"}


@pytest.mark.slow
def test_a_published_table_is_recomputed(filled: Filled) -> None:
    rows = publication(filled.settings, at(NOW), commodity="850511")
    found = replayed(filled.settings, rows)

    assert found.difference == ""
    assert len(found.rows) == (PARTNERS + 2) * 12


def test_a_table_is_forecast_explained_and_trained_by_what_the_registry_holds(
    filled: Filled,
) -> None:
    settings, keys = filled.settings, ["destination", "period"]
    rows = publication(settings, at(NOW), commodity="850511").set_index(keys)

    champion = champion_of(settings, TABLE.model)
    made = predict(settings, at(NOW), TABLE).set_index(keys).loc[rows.index]
    parts = why(settings, ExplainRequest("USA", None, at(NOW), "850511"))

    assert set(rows["model"]) == {champion.model_version}
    np.testing.assert_allclose(made[NUMBERS], rows[NUMBERS].astype(float), rtol=1e-9)
    np.testing.assert_allclose(parts[list(CONTRIBUTIONS)].sum(axis=1), parts["p50"], rtol=1e-9)
    assert parts["p50"].tolist() == pytest.approx(rows.loc["USA", "p50"].tolist())
    assert train(open_workspace(settings, at(NOW), TABLE)) == champion.version


def test_where_the_backtest_fails_the_champion_answers_without_new_scores(filled: Filled) -> None:
    known = open_workspace(filled.settings, at(NOW), TABLE)
    refused = replace(known, parameters=replace(known.parameters, num_leaves=1))  # by LightGBM
    champion = champion_of(filled.settings, TABLE.model)

    rows, seen = backtested_forecast(refused)

    assert set(rows["model"]) == {champion.model_version}
    assert set(rows["status"]) == {"champion"}
    assert seen.scores.empty


@pytest.mark.parametrize(("spoil", "fault"), [(np.nan, "no finite"), (-1.0, "it is negative")])
def test_base_forecasts_answer_where_the_numbers_of_a_version_are_unusable(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, spoil: float, fault: str
) -> None:
    champion = champion_of(filled.settings, TABLE.model)
    known, rows = open_workspace(filled.settings, at(NOW), TABLE), slice(0, 1)

    def spoiled(
        boosters: Mapping[str, Booster], metadata: Mapping[str, object], asked: pd.DataFrame
    ) -> pd.DataFrame:
        made = predict_quantiles(boosters, metadata, asked)
        made.iloc[rows, 0] = spoil
        return made

    monkeypatch.setattr("models.forecasting.fallback.predict_quantiles", spoiled)
    made = forecast(known).set_index("destination")
    first = made.index[0]
    check_forecasts(known, champion)  # of all others it forecasts

    assert set(made.loc[first, "status"]) == {"statistical ensemble"}
    assert made.loc[first, "reason"].str.contains(fault).all()
    assert set(made.drop(index=first)["status"]) == {"champion"}
    world = made["mean"].groupby("destination").sum()
    assert world["WLD"] == pytest.approx(world.drop(["WLD", "EU27"], errors="ignore").sum())

    rows = slice(None)
    with pytest.raises(DataError, match=f"cannot forecast .*{fault}"):
        check_forecasts(known, champion)
    assert set(forecast(known)["status"]) == {"statistical ensemble"}


def test_base_forecasts_with_parameters_of_their_own_after_a_failed_training_are_recomputed(
    new_folder: Callable[[], Path], data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(environment(new_folder(), data_dir))
    fill(settings, WORLD.rows())

    def fails(*_: object) -> None:
        raise LightGBMError("no memory is left")

    monkeypatch.setattr(PartnerTableWorkspace, "train", fails)
    parameters = replace(PANEL_PRESET, pairs=0, horizon_growth=0.5)
    outcome = run_workspace(open_workspace(settings, at(NOW), TABLE, parameters=parameters))

    assert isinstance(outcome, RunOutcome)
    assert set(outcome.forecasts["status"]) == {"statistical ensemble"}
    assert outcome.forecasts["reason"].str.contains("no memory is left").all()
    [entry] = read_runs(store_of(settings)).to_dict("records")
    assert (entry["status"], entry["model_version"]) == ("finished", outcome.forecasts["model"][0])
    assert replayed(settings, publication(settings, at(NOW), commodity="850511")).difference == ""


def past_tables(settings: Settings) -> list[PartnerTable]:
    return open_workspace(settings, at(NOW), TABLE).tables.past()


def test_past_tables_hold_only_what_was_known_then(filled: Filled) -> None:
    past = past_tables(filled.settings)

    assert [table.as_of.strftime("%Y-%m") for table in past] == [
        "2023-12", "2024-03", "2024-06", "2024-09",
    ]  # fmt: skip
    assert [table.late_months for table in past] == [0, 0, 0, 0]
    assert hindsight(past) == ()


def test_a_history_released_at_once_is_replayed_on_what_is_known_now(
    place: Path,  # noqa: ARG001 - a store of its own
) -> None:
    settings = Settings()
    fill(settings, WORLD.rows().assign(available_at=at("2024-12-20")))

    past = past_tables(settings)

    assert [table.tonnes.shape[1] for table in past] == [48, 51, 54, 57]
    assert all(table.is_revised for table in past)
    assert str(hindsight(past)[0]).startswith(
        f"{len(past)} of the {len(past)} replayed past tables"
    )


def test_a_table_that_is_too_late_is_published_as_stale(place: Path) -> None:  # noqa: ARG001
    settings = Settings()
    fill(settings, WORLD.rows())

    for day, status in (("2025-06-26", "replay"), ("2025-08-26", "stale")):
        made = forecast(open_workspace(settings, at(day), TABLE))
        assert set(made["status"]) == {status}


@pytest.mark.slow
def test_python_forecasts_scores_and_trains_a_table_as_the_verbs_do(place: Path) -> None:
    fill(Settings(), WORLD.rows())

    version = mc.train(NOW, commodity="850511", num_leaves=7)
    made = mc.forecast(NOW, "USA", commodity="850511")
    cells = mc.backtest(NOW, "USA", commodity="850511", num_leaves=7)

    champion = champion_of(Settings(), TABLE.model)
    assert champion.version == version
    assert json.loads(champion.parameters) == {"num_leaves": 7}
    assert set(made["model"]) == {champion.model_version}
    assert set(cells["destination"]) == {"USA"}
    assert cells["tonnes"].notna().all()
    file = place / "parameters.toml"
    file.write_text("[parameters]\nnum_leaves = 5\n", encoding="utf-8")
    other = mc.train(NOW, commodity="850511", file=file, learning_rate=0.2)
    registered = model_registry.at_version(Settings(), other, TABLE.model)
    assert json.loads(registered.parameters) == {"learning_rate": 0.2, "num_leaves": 5}
    assert mc.compare(version, other, commodity="850511")["difference"].notna().any()
    assert mc.promote(other, commodity="850511", accept="a test").is_champion


def test_python_reads_panel_and_features_of_a_table_as_of_a_day(place: Path) -> None:  # noqa: ARG001
    fill(Settings(), WORLD.rows())

    panel = mc.panel("2024-06-26", commodity="850511")
    rows = mc.features("2024-06-26", commodity="850511")

    assert panel["available_at"].max() <= at("2024-06-26")
    assert panel["period"].max() == pd.Timestamp("2024-05-01")
    assert rows["period"].min() == pd.Timestamp("2024-06-01")
    assert set(rows["destination"]) <= set(panel["destination"])
    assert {"horizon", "level_tonnes", "offset_tonnes", "experts_tonnes"} < set(rows)


@pytest.mark.slow
def test_a_table_as_of_a_day_is_a_panel_that_predict_takes(place: Path, magnetcast: Call) -> None:
    fill(Settings(), WORLD.rows())
    file, result = str(place / "table.csv"), str(place / "out.csv")
    table = ("data", "panel", "--commodity", "850511", "--as-of", "2024-06-26", "--out", file)

    assert magnetcast(*table)[0] == 0
    panel = pd.read_csv(file)
    assert magnetcast("panel", file, "--horizon", "12", "--out", result)[0] == 0
    forecast = pd.read_csv(result)

    assert list(panel.columns) == ["destination", "period", "tonnes"]
    assert panel["period"].max() == "2024-05"
    assert (forecast["cutoff"].unique().tolist(), len(forecast)) == (
        ["2024-05"],
        (PARTNERS + 2) * 12,
    )


@pytest.mark.slow
def test_what_the_store_learned_later_changes_no_bit_of_a_forecast(
    new_folder: Callable[[], Path], data_dir: Path
) -> None:
    day, rows = at("2024-06-26"), WORLD.rows()
    later = rows["available_at"] > day
    revision = rows.loc[~later].assign(
        value=1e6, available_at=(day + pd.Timedelta(seconds=1)).as_unit("us")
    )
    honest, rich = (settings_of(environment(new_folder(), data_dir)) for _ in range(2))
    fill(honest, rows.loc[~later])
    fill(rich, pd.concat([rows.assign(value=rows["value"].where(~later, 1e6)), revision]))

    tables = [open_workspace(settings, day, TABLE) for settings in (honest, rich)]
    predicted = [forecast(one) for one in tables]

    pd.testing.assert_frame_equal(predicted[0], predicted[1], check_exact=True)
