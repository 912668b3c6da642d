from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.months import month_number
from sources.files.covariates import Covariates
from sources.files.covariates_file import read_covariates
from store.errors import DataError
from tests.examples import few

FIRST = month_number("2020-01")
TABLE = pd.DataFrame(
    np.ones((2, 6)),
    index=pd.Index(["DEU", "USA"], name="destination", dtype="str"),
    columns=pd.Index(FIRST + np.arange(6), name="number"),
)
LONG = "destination,period,name,value\n"
DATED = "destination,period,name,value,available_at\n"
WIDE = "destination,period,rate\n"
END = "Correct or remove those rows; nothing was used."
EXPECTED = (
    "Expected a series name, a month as YYYY-MM, finite numbers and, if there is a column "
    f"available_at, a UTC moment. {END}"
)


def write(folder: Path, text: str, name: str = "rates.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Covariates:
    return read_covariates(write(folder, text), table=TABLE)


def full(months: int, *, value: float = 1.0) -> str:
    """Return rows of the wide form for both series in the first months of 2020."""
    return "".join(
        f"{name},2020-{month:02d},{value}\n"
        for name in ("DEU", "USA")
        for month in range(1, months + 1)
    )


def test_long_rows_become_names_by_series_by_months(tmp_path: Path) -> None:
    text = LONG + "USA,2020-02,rate,2.5\nUSA,2020-08,quota,-7\nDEU,2020-01,rate,\n"

    found = read(tmp_path, text)

    assert found.names == ("quota", "rate")
    assert found.series == ("DEU", "USA")
    assert found.first == FIRST
    assert found.latest.shape == (2, 2, 8)
    assert np.argwhere(~np.isnan(found.latest)).tolist() == [[0, 1, 7], [1, 1, 1]]
    assert found.latest[0, 1, 7] == -7.0
    assert found.latest[1, 1, 1] == 2.5
    assert found.known_by is None
    assert found.notes == ()


def test_each_further_column_is_a_covariate_where_there_is_no_name(tmp_path: Path) -> None:
    text = "rate,destination,period,quota,tonnes\n1,USA,2020-01,5,99\n2,DEU,2020-01,,99\n"

    found = read(tmp_path, text)

    assert found.names == ("quota", "rate")
    np.testing.assert_array_equal(found.latest[:, :, 0], [[np.nan, 5.0], [2.0, 1.0]])


def test_long_and_wide_and_other_file_forms_read_the_same(tmp_path: Path) -> None:
    wide = read(tmp_path, WIDE + full(8))
    long = read(tmp_path, LONG + full(8).replace(",1.0", ",rate,1.0"))
    rows = pd.read_csv(tmp_path / "rates.csv")
    rows.to_csv(tmp_path / "rates.csv.gz", index=False)
    rows.assign(period=pd.PeriodIndex(rows["period"], freq="M")).to_parquet(
        tmp_path / "rates.parquet"
    )

    for found in (
        long,
        read_covariates(tmp_path / "rates.csv.gz", table=TABLE),
        read_covariates(tmp_path / "rates.parquet", table=TABLE),
    ):
        assert found.names == wide.names
        np.testing.assert_array_equal(found.latest, wide.latest)


def test_other_destinations_and_far_months_are_noted(tmp_path: Path) -> None:
    text = f"{WIDE}{full(1)}USA,202001,1\nUSA,2019-12,1\nUSA,2052-01,1\nITA,2020-01,1\n,2020-01,3\n"

    found = read(tmp_path, text)

    assert found.latest.shape == (1, 2, 6)
    assert found.notes == (
        "destinations not in the panel, left out: ITA",
        "2 rows before the panel's first month or over 10 years after its last left out",
    )


def test_values_without_a_date_are_known_from_the_start(tmp_path: Path) -> None:
    view = read(tmp_path, WIDE + full(8)).at(FIRST, 7)

    assert view.shape == (1, 2, 8)
    assert (view == 1.0).all()


def test_a_value_is_used_from_the_month_in_which_it_became_available(tmp_path: Path) -> None:
    text = DATED + (
        "USA,2020-04,rate,4,2020-02-29T23:59:59Z\n"
        "USA,2020-05,rate,5,2020-03-01\n"
        "USA,2020-06,rate,6,2020-03-01T01:00:00+02:00\n"
    )

    found = read(tmp_path, text)

    nobody = np.zeros(2, dtype=bool)
    february = found.at(month_number("2020-02"), 4, needed=nobody)[0, 1]
    march = found.at(month_number("2020-03"), 3, needed=nobody)[0, 1]
    np.testing.assert_array_equal(february[3:], [4.0, np.nan, 6.0])
    np.testing.assert_array_equal(march[3:], [4.0, 5.0, 6.0])
    assert found.known_by is not None
    assert found.known_by[0, 1, 3:].tolist() == [FIRST + 1, FIRST + 2, FIRST + 1]


def test_of_several_values_of_a_cell_the_newest_known_is_used(tmp_path: Path) -> None:
    text = DATED + (
        "USA,2020-06,rate,30,2020-04-20\nUSA,2020-06,rate,10,2020-02-01\n"
        "USA,2020-06,rate,20,2020-02-11\nUSA,2020-06,rate,20,2020-02-11\n"
    )

    found = read(tmp_path, text)

    nobody = np.zeros(2, dtype=bool)
    seen = [found.at(FIRST + k, 5 - k, needed=nobody)[0, 1, 5] for k in range(4)]
    np.testing.assert_array_equal(seen, [np.nan, 20.0, 20.0, 30.0])
    assert found.latest[0, 1, 5] == 30.0


def test_moments_of_parquet_are_read_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "rates.parquet"
    moments = pa.array([np.datetime64("2020-02-29T23:00", "us")])
    zone = pa.timestamp("us", tz="Asia/Shanghai")
    columns = {"destination": ["USA"], "period": ["2020-04"], "rate": [4.0]}
    pq.write_table(pa.table({**columns, "available_at": moments.cast(zone)}), path)

    found = read_covariates(path, table=TABLE)

    assert found.known_by is not None
    assert found.known_by[0, 1, 3] == month_number("2020-02")


def test_gaps_of_the_past_are_missing_values(tmp_path: Path) -> None:
    text = WIDE + full(8).replace("USA,2020-01,1.0\n", "")

    view = read(tmp_path, text).at(FIRST + 2, 2)

    assert np.argwhere(np.isnan(view)).tolist() == [[0, 1, 0]]
    assert view.shape == (1, 2, 5)


def test_a_missing_value_of_a_month_to_forecast_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, WIDE + full(8).replace("USA,2020-07,1.0", "USA,2020-07,"))

    with pytest.raises(DataError) as caught:
        found.at(FIRST + 5, 2)

    assert str(caught.value) == (
        f"Covariate file {tmp_path / 'rates.csv'} lacks values to forecast after 2020-06: "
        "rate of USA in 2020-07. Expected a value known by then of each series in each month to "
        "forecast. Add the rows, or leave the covariate or these series out."
    )


def test_many_missing_values_are_counted_with_those_known_too_late(tmp_path: Path) -> None:
    text = DATED + "DEU,2020-05,rate,1,2020-05-01\nUSA,2020-04,rate,1,2020-01-01\n"

    with pytest.raises(DataError) as caught:
        read(tmp_path, text).at(FIRST + 2, 12)

    assert (
        "rate of DEU in 2020-04, rate of DEU in 2020-05 (available only in 2020-05), "
        "rate of DEU in 2020-06, rate of DEU in 2020-07, rate of DEU in 2020-08, ... and 18 more."
    ) in str(caught.value)


def test_a_series_without_any_row_lacks_all_its_months_unless_it_is_not_needed(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, WIDE + "".join(full(8).splitlines(keepends=True)[:8]))

    assert found.missing(FIRST + 5, 2).tolist() == [[[False, False], [True, True]]]
    with pytest.raises(DataError, match=r"rate of USA in 2020-07, rate of USA in 2020-08\. "):
        found.at(FIRST + 5, 2)
    assert found.at(FIRST + 5, 2, needed=np.array([True, False])).shape == (1, 2, 8)


def test_a_cutoff_before_the_panel_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path, WIDE + full(8))

    with pytest.raises(DataError) as caught:
        found.at(FIRST - 1, 2)

    assert str(caught.value) == (
        f"Covariate file {tmp_path / 'rates.csv'} begins with the panel in 2020-01, after the "
        "cutoff 2019-12. Expected a cutoff in the panel. Take a later one."
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("USA,2020-13,rate,1,2020-01-01", "2020-13 is no month", id="no month"),
        pytest.param("USA,,rate,1,2020-01-01", "period is empty", id="no period"),
        pytest.param("USA,2020-02,rate,x,2020-01-01", "rate 'x' is no number", id="a word"),
        pytest.param("USA,2020-02,rate,inf,2020-01-01", "rate 'inf' is not finite", id="infinite"),
        pytest.param("USA,2020-02,,1,2020-01-01", "name is empty", id="no name"),
        pytest.param(
            "USA,2020-02,rate,1,", "available_at 'nan' is no day or moment", id="no moment"
        ),
        pytest.param(
            "USA,2020-02,rate,1,2020-01", "available_at '2020-01' is no day or moment", id="month"
        ),
        pytest.param(
            "USA,2020-02,rate,1,2020-02-30",
            "available_at '2020-02-30' is no day or moment",
            id="no such day",
        ),
        pytest.param(
            "USA,2020-02,rate,1,2020-02-03 soon",
            "available_at '2020-02-03 soon' is no day or moment",
            id="no such time",
        ),
    ],
)
def test_a_bad_cell_is_named_and_nothing_is_used(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, f"{DATED}USA,2020-01,rate,1,2020-01-01\n{line}\n")

    with pytest.raises(DataError) as caught:
        read_covariates(path, table=TABLE)

    assert (
        str(caught.value) == f"Covariate file {path} has 1 bad cell: row 3: {message}. {EXPECTED}"
    )


def test_many_bad_cells_are_counted_and_five_reported(tmp_path: Path) -> None:
    path = write(tmp_path, WIDE + full(4, value=1).replace(",1\n", ",x\n") + "USA,2020-05,1\n")

    with pytest.raises(DataError) as caught:
        read_covariates(path, table=TABLE)

    result = "; ".join(f"row {row}: rate 'x' is no number" for row in range(2, 7))
    assert str(caught.value) == (
        f"Covariate file {path} has 8 bad cells: {result}; ... (8 in all). {EXPECTED}"
    )


def test_a_cell_with_two_values_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"{WIDE}{full(2)}USA,2020-01-15,7\n")

    with pytest.raises(DataError) as caught:
        read_covariates(path, table=TABLE)

    assert str(caught.value) == (
        f"Covariate file {path} has two values for one cell: rate of USA in 2020-01 is 1.0 in row "
        "4 and 7.0 in row 6. Expected one value per series, month and name, or a later "
        "available_at with the newer one. Remove the wrong row."
    )


@pytest.mark.parametrize(
    ("header", "lacking"),
    [
        pytest.param("destination,name,value", "has no column period", id="no period"),
        pytest.param("destination,period,name,rate", "has no column value", id="no value"),
        pytest.param("destination,period,tonnes", "has no column of values", id="nothing else"),
    ],
)
def test_a_missing_column_is_named_with_those_there_are(
    tmp_path: Path, header: str, lacking: str
) -> None:
    path = write(tmp_path, f"{header}\n{header}\n")

    with pytest.raises(DataError) as caught:
        read_covariates(path, table=TABLE)

    assert str(caught.value) == (
        f"Covariate file {path} {lacking}. Expected destination, period, name, value and perhaps "
        f"available_at, or, without name, a column a covariate. It has "
        f"{header.replace(',', ', ')}. Rename or add the column."
    )


def test_a_file_about_other_series_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, WIDE + "usa,2020-01,1\n")

    with pytest.raises(DataError) as caught:
        read_covariates(path, table=TABLE)

    assert str(caught.value) == (
        f"Covariate file {path} has no value of the panel's series in its months. Expected rows of "
        "DEU; USA; destinations not in the panel: usa. Compare the names and months of both files."
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Covariate file .*none\.csv does not exist\. "):
        read_covariates(tmp_path / "none.csv", table=TABLE)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["DEU", "USA"]),
        st.integers(1, 9),
        st.sampled_from(["quota", "rate"]),
        st.integers(-3, 3),
        st.dates(pd.Timestamp("2019-11-01").date(), pd.Timestamp("2020-09-30").date()),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row[0], row[1], row[2], row[4]),
)
quick = few(60)


def dated(rows: list[tuple[object, ...]]) -> str:
    return DATED + "".join(
        f"{name},2020-{month:02d},{quantity},{value},{day}\n"
        for name, month, quantity, value, day in rows
    )


def seen(found: Covariates, cutoff: int) -> bytes:
    return found.at(cutoff, 3, needed=np.zeros(2, dtype=bool)).tobytes()


@pytest.mark.slow
@quick
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[object, ...]], random: object) -> None:
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]

    with TemporaryDirectory() as folder:
        first, second = read(Path(folder), dated(rows)), read(Path(folder), dated(mixed))

    assert first.names == second.names
    assert first.latest.tobytes() == second.latest.tobytes()
    for cutoff in range(FIRST, FIRST + 9):
        assert seen(first, cutoff) == seen(second, cutoff)


@pytest.mark.slow
@quick
@given(ROWS, st.integers(0, 8))
def test_values_that_became_available_later_change_no_bit(
    rows: list[tuple[object, ...]], since: int
) -> None:
    cutoff = FIRST + since
    rows = [*rows, *(("USA", 1, name, 0, "2019-10-01") for name in ("quota", "rate"))]
    poisoned = [
        (*row[:3], 1e9 if month_number(str(row[4])) > cutoff else row[3], row[4]) for row in rows
    ]
    known_only = [row for row in rows if month_number(str(row[4])) <= cutoff]

    with TemporaryDirectory() as folder:
        views = [
            seen(read(Path(folder), dated(result)), cutoff)
            for result in (rows, poisoned, known_only)
        ]

    assert views[0] == views[1] == views[2]
