from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from features.panel.partner_table import PartnerTable
from flows.cli.forecast_commands import predict_table
from flows.cli.run_commands import run_tables_and_tell
from flows.context.stores import made_store, read_markers, store_of
from flows.publishing.past_report import write_past_report
from flows.publishing.reproduce import reproduce
from flows.publishing.run_config import table_config
from flows.publishing.table_pipeline import hindsight, record
from flows.publishing.table_snapshot import full_commodities, open_table
from flows.run import RunOutcome, run
from models.evaluation.backtest import Backtest
from models.learning.spec import EngineSpec
from models.registry import runs
from store.errors import DataError
from store.facts.batch import Batch, FileRows
from store.facts.reading import latest_forecast, read_forecasts, read_runs, read_scores
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.builders import at
from tests.data.partner_builders import make_cells, make_partner_rows, make_partner_world
from tests.flows.conftest import copied_settings, environment, settings_of

NOW = "2024-12-26"
PARTNERS = 40
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
    return Filled(settings, run(settings, at(NOW), table_config("850511")))


def test_partners_and_their_sums_are_published_a_year_ahead(filled: Filled) -> None:
    rows = read_forecasts(store_of(filled.settings), commodity="850511")

    assert set(rows["destination"]) == {*WORLD.tonnes.index, "WLD", "EU27"}
    assert sorted(rows["period"].unique()) == [
        str(month) for month in pd.period_range("2024-12", "2025-11", freq="M")
    ]
    assert len(rows) == filled.outcome.rows_published == (PARTNERS + 2) * 12
    assert set(rows["status"]) == {"champion"}


def test_the_magnets_do_not_see_them(filled: Filled) -> None:
    assert read_forecasts(store_of(filled.settings)).empty
    assert latest_forecast(store_of(filled.settings)).empty
    assert read_scores(store_of(filled.settings)).empty


def test_a_second_run_publishes_nothing(filled: Filled) -> None:
    engine = store_of(filled.settings)
    before = read_forecasts(engine, commodity=None)

    again = run(filled.settings, at(NOW) + pd.Timedelta(days=2), table_config("850511"))

    assert (again.is_new, again.rows_published) == (False, 0)
    assert again.report == filled.outcome.report
    pd.testing.assert_frame_equal(read_forecasts(engine, commodity=None), before)


@pytest.mark.slow
def test_a_published_table_is_made_again_bit_for_bit(filled: Filled) -> None:
    found = reproduce(filled.settings, at(NOW), "850511")

    assert found.missing == ()
    assert found.difference == ""
    assert len(found.rows) == (PARTNERS + 2) * 12


def test_a_run_on_all_tables_tells_one_line_of_each(
    filled: Filled, capsys: pytest.CaptureFixture[str]
) -> None:
    run_tables_and_tell(filled.settings, at(NOW))

    output = capsys.readouterr().err.splitlines()
    assert output[-1].startswith(
        f"table     850511: {PARTNERS} destinations, 2024-12 to 2025-11, 0 rows"
    )


def test_report_and_published_rows_are_the_same(filled: Filled) -> None:
    folder = filled.settings.reports_dir / "2024-12-26-850511"

    predicted = pd.read_csv(folder / "forecasts.csv").set_index(["destination", "period"])["p50"]
    stored = read_forecasts(store_of(filled.settings), commodity="850511")
    published = stored.set_index(["destination", "period"])["p50"]
    pd.testing.assert_series_equal(
        predicted.sort_index(), published.sort_index(), check_dtype=False
    )
    assert filled.outcome.report == folder / "index.html"


@pytest.mark.slow
def test_its_report_is_written_again_as_it_was_and_in_german(
    filled: Filled, tmp_path: Path
) -> None:
    english, german = (
        write_past_report(
            filled.settings, None, commodity="850511", language=code, folder=tmp_path / code
        ).read_text(encoding="utf-8")
        for code in ("en", "de")
    )

    assert english == filled.outcome.report.read_text(encoding="utf-8")
    assert f"in {PARTNERS} Bestimmungsländer, Prognose, Stand" in german


def test_scores_are_kept_beside_seasonal_naive_and_last_value(filled: Filled) -> None:
    scores = read_scores(store_of(filled.settings), commodity="850511")

    own = f"partners-{open_table(filled.settings, at(NOW), '850511').spec.digest}"
    assert {model.rsplit("-", 2)[0] for model in scores["model"]} == {
        own, "seasonal_naive", "last_value",
    }  # fmt: skip
    assert {"ALL", "WLD", "USA"} <= set(scores["scope"])


def test_the_run_is_noted_in_the_store_and_in_mlflow(filled: Filled) -> None:
    row = read_runs(store_of(filled.settings)).iloc[0]

    client, _ = runs.connect(filled.settings)
    assert isinstance(client, MlflowClient)
    answer = client.get_run(str(row["mlflow_run_id"]))
    assert (row["flow"], row["status"]) == ("run-table", "finished")
    assert answer.data.tags["commodity"] == "850511"
    assert answer.data.tags["model_version"] == row["model_version"]
    assert 0 < answer.data.metrics["wape_ALL"] < 1


def past_tables(settings: Settings) -> list[PartnerTable]:
    return open_table(settings, at(NOW), "850511").past()


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
    assert hindsight(past)[0].startswith(f"{len(past)} of the {len(past)} past tables")


def test_a_table_of_the_magnets_has_a_key_of_its_own(place: Path) -> None:  # noqa: ARG001
    settings = Settings()
    fill(settings, WORLD.rows().assign(commodity="85051110", source="customs"))

    result = open_table(settings, at(NOW), "85051110")

    assert result.config.published_as == "85051110-partners"
    assert full_commodities(settings, at(NOW)) == ["85051110"]


def test_a_table_that_is_too_late_is_published_as_stale(place: Path) -> None:  # noqa: ARG001
    settings = Settings()
    fill(settings, WORLD.rows())

    assert open_table(settings, at("2025-06-26"), "850511").status == "champion"
    assert open_table(settings, at("2025-08-26"), "850511").status == "stale"


def test_a_commodity_without_a_table_is_reported_of_with_those_that_have_one(
    filled: Filled,
) -> None:
    with pytest.raises(DataError, match=r"No full partner table of commodity 999999 .* 850511\."):
        run(filled.settings, at(NOW), table_config("999999"))


def test_a_table_that_cannot_be_forecast_stops_no_other(
    place: Path,  # noqa: ARG001 - a store of its own
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = Settings()
    short = make_partner_world(partners=PARTNERS, months=20, first="2023-01").rows()
    fill(settings, short.assign(commodity="111111"))

    run_tables_and_tell(settings, at("2024-12-26"))

    assert "table     111111: not forecast. The partner table" in capsys.readouterr().err


@pytest.mark.slow
def test_news_of_a_month_makes_a_new_forecast(
    filled: Filled, tmp_path: Path, data_dir: Path
) -> None:
    settings = copied_settings(filled.settings, tmp_path / "copy", data_dir)
    news = make_cells({"USA": {"2024-10": 5000.0}}).assign(available_at=at("2024-12-27"))
    fill(settings, make_partner_rows(news), name="revised")

    assert run(settings, at("2024-12-28"), table_config("850511")).is_new

    latest = latest_forecast(store_of(settings), commodity="850511")
    assert set(latest["as_of"]) == {at("2024-12-28")}


@pytest.mark.slow
def test_predict_and_panel_write_the_table_as_of_a_day(
    place: Path, magnetcast: Callable[..., tuple[int, str, str]]
) -> None:
    fill(Settings(), WORLD.rows())
    result = ("--commodity", "850511", "--as-of", "2024-06-26", "--out", str(place / "out.csv"))

    assert magnetcast("panel", *result)[0] == 0
    panel = pd.read_csv(place / "out.csv")
    assert magnetcast("predict", *result)[0] == 0
    forecast = pd.read_csv(place / "out.csv")

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

    predicted = [
        predict_table(settings, day, "850511", EngineSpec()) for settings in (honest, rich)
    ]

    pd.testing.assert_frame_equal(predicted[0], predicted[1], check_exact=True)


def test_predict_refuses_a_commodity_and_a_panel_at_once(
    place: Path,  # noqa: ARG001 - a store of its own
    magnetcast: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, output = magnetcast("predict", "--commodity", "850511", "--panel", "x.csv")

    assert code == 1
    assert "name two things to forecast" in output


def test_an_mlflow_that_is_broken_costs_a_table_its_record_alone(
    filled: Filled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database, " * 1000)
    result = open_table(filled.settings, at(NOW), "850511")
    away = filled.settings.model_copy(
        update={"tracking_uri": f"sqlite:///{tmp_path / 'mlflow.db'}"}
    )
    nothing = pd.DataFrame()
    seen = Backtest(nothing, nothing, nothing)

    kept = record(replace(result, settings=away), seen)

    assert kept is None
    assert "850511: its record is incomplete: MLflow's database" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_came_to_grief_leaves_a_note_until_one_succeeds(
    place: Path,  # noqa: ARG001 - a store of its own
) -> None:
    settings = Settings()
    fill(settings, make_partner_world(partners=PARTNERS, months=40, first="2021-01").rows())
    settings.reports_dir.write_text("no folder")

    with pytest.raises(OSError, match="reports"):
        run(settings, at("2024-05-26"), table_config("850511"))
    (left,) = read_markers(settings)
    settings.reports_dir.unlink()
    run(settings, at("2024-05-26"), table_config("850511"))

    assert left.name == "the run on 850511"
    assert "reports" in left.error
    assert read_markers(settings) == ()
