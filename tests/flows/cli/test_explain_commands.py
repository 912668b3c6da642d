import io
from pathlib import Path

import pandas as pd
import pytest

from flows.clock import utc_now
from flows.context.stores import store_of
from flows.publishing import forecast_explanation
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_forecasts, read_observations
from store.facts.writing import write_batch
from store.settings import Settings
from store.vocabulary import CHANGES, CONTRIBUTIONS, NOT_REPRODUCED
from tests.data.builders import at
from tests.flows.conftest import AS_OF, LATER, Call, Published, copied, point_at

PARTS = [*CONTRIBUTIONS, NOT_REPRODUCED]


@pytest.mark.usefixtures("home")
def test_every_published_month_of_a_destination_is_explained(magnetcast: Call) -> None:
    code, text, err = magnetcast("explain", "USA", "--as-of", AS_OF, "--format", "csv")

    assert code == 0, err
    table = pd.read_csv(io.StringIO(text))
    assert table["period"].tolist() == [
        str(month) for month in pd.period_range("2020-04", "2021-03", freq="M")
    ]
    rows = read_forecasts(store_of(Settings()), as_of=at(AS_OF)).query("destination == 'USA'")
    assert table["p50"].tolist() == pytest.approx(rows["p50"].tolist(), rel=1e-12)
    assert table[PARTS].sum(axis=1).tolist() == pytest.approx(rows["p50"].tolist(), rel=1e-9)
    assert table[NOT_REPRODUCED].abs().max() < 1e-6
    assert (table[list(CONTRIBUTIONS[1:])].abs().max() > 0.1).sum() > 5


@pytest.mark.slow
def test_a_change_is_split_into_parts_that_add_up(
    second_run: Published,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    magnetcast: Call,
) -> None:
    point_at(copied(second_run, tmp_path / "place", data_dir).folder, data_dir, monkeypatch)
    out = tmp_path / "new" / "change.csv"

    code, text, err = magnetcast("explain", "USA", "--since", "2020-05-01", "--out", str(out))

    assert (code, text) == (0, ""), err
    table = pd.read_csv(out)
    assert set(table["since"]) == {AS_OF}
    assert set(table["as_of"]) == {LATER}
    assert (table["period"].min(), table["period"].max()) == ("2020-05", "2021-03")
    change = (table["after_p50"] - table["before_p50"]).tolist()
    assert table["change"].tolist() == pytest.approx(change)
    assert table[list(CHANGES)].sum(axis=1).tolist() == pytest.approx(change, abs=1e-9)
    assert table["new_actuals"].abs().max() > 1.0
    for name in ("revised_actuals", NOT_REPRODUCED):
        assert table[name].abs().max() < 1e-6, name
    for words in (("--since", LATER, "--as-of", AS_OF), ("--since", AS_OF, "--period", "2021-04")):
        assert magnetcast("explain", "USA", *words)[0] == 1, words


def test_a_change_of_which_no_model_is_left_is_not_reproduced(
    second_run: Published,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    magnetcast: Call,
) -> None:
    point_at(copied(second_run, tmp_path / "place", data_dir).folder, data_dir, monkeypatch)
    monkeypatch.setattr(forecast_explanation, "model_of", lambda *_: None)

    code, text, err = magnetcast("explain", "USA", "--since", "2020-05-01", "--format", "csv")

    assert code == 0, err
    table = pd.read_csv(io.StringIO(text))
    change = (table["after_p50"] - table["before_p50"]).tolist()
    assert table["change"].tolist() == table[NOT_REPRODUCED].tolist() == pytest.approx(change)
    assert not table[[name for name in CHANGES if name != NOT_REPRODUCED]].any(axis=None)
    assert max(map(abs, change)) > 1.0


@pytest.mark.usefixtures("home")
def test_rows_that_came_in_late_do_not_reach_the_explanation(magnetcast: Call) -> None:
    result = read_observations(store_of(Settings()), as_of=at(AS_OF))
    march = result["destination"].eq("WLD") & result["period_from"].eq(pd.Timestamp("2020-03-01"))
    revision = result.loc[march & result["measure"].eq("net_weight_t")]
    moment = revision["available_at"] + pd.Timedelta(hours=1)
    figure = revision.assign(value=revision["value"] * 1.2, available_at=moment)
    assert (len(figure), (figure["available_at"] < at(AS_OF)).all()) == (1, True)
    late = FileRows("late", "late.csv", "b" * 64, {"observations": figure})
    write_batch(store_of(Settings()), Batch((late,)), ingested_at=utc_now())

    code, text, err = magnetcast("explain", "USA", "--as-of", AS_OF, "--format", "csv")

    assert code == 0, err
    table = pd.read_csv(io.StringIO(text))
    assert table[NOT_REPRODUCED].abs().max() < 1e-6
    assert table[PARTS].sum(axis=1).tolist() == pytest.approx(table["p50"].tolist(), rel=1e-9)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("XXX", "--as-of", AS_OF),
         r"No forecast for destination 'XXX' as of 2020-04-22. Expected one of DEU, EU27"),
        (("USA", "--period", "2023-01", "--as-of", AS_OF),
         "--period 2023-01 is not forecast as of 2020-04-22. Expected 2020-04 to 2021-03."),
        (("USA", "--period", "spring", "--as-of", AS_OF),
         "--period 'spring' is no month. Expected YYYY-MM"),
        (("USA", "--since", "2020-04-21"),
         "Nothing was published by 2020-04-21. Expected 2020-04-22 or later"),
    ],
    ids=["destination", "period", "no-month", "too-early"],
)  # fmt: skip
def test_what_cannot_be_explained_is_reported(
    magnetcast: Call, words: tuple[str, ...], message: str
) -> None:
    code, text, err = magnetcast("explain", *words)

    assert (code, text) == (1, "")
    assert message in err
