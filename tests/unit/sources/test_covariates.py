from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.covariates import Covariates, read_covariates
from store.arrays import Floats
from store.errors import DataError
from store.months import month_number
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


def every(found: Covariates) -> Floats:
    return found.view(found.first + found.months - 1, horizon=0)


def test_long_rows_become_names_by_series_by_months(tmp_path: Path) -> None:
    text = LONG + "USA,2020-02,rate,2.5\nUSA,2020-08,quota,-7\nDEU,2020-01,rate,\n"

    found = read(tmp_path, text)

    assert found.names == ("quota", "rate")
    assert found.series == ("DEU", "USA")
    assert found.first == FIRST
    assert every(found).shape == (2, 2, 8)
    assert np.argwhere(~np.isnan(every(found))).tolist() == [[0, 1, 7], [1, 1, 1]]
    assert every(found)[0, 1, 7] == -7.0
    assert every(found)[1, 1, 1] == 2.5
    assert found.known_by is None
    assert found.notes == ()


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
        np.testing.assert_array_equal(every(found), every(wide))


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
    assert found.known_by.tolist() == [FIRST + 1, FIRST + 2, FIRST + 1]


def test_of_several_values_of_a_cell_the_newest_known_is_used(tmp_path: Path) -> None:
    text = DATED + (
        "USA,2020-06,rate,30,2020-04-20\nUSA,2020-06,rate,10,2020-02-01\n"
        "USA,2020-06,rate,20,2020-02-11\nUSA,2020-06,rate,20,2020-02-11\n"
    )

    found = read(tmp_path, text)

    nobody = np.zeros(2, dtype=bool)
    seen = [found.at(FIRST + k, 5 - k, needed=nobody)[0, 1, 5] for k in range(4)]
    np.testing.assert_array_equal(seen, [np.nan, 20.0, 20.0, 30.0])
    assert every(found)[0, 1, 5] == 30.0


def test_a_missing_value_of_a_month_to_forecast_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, WIDE + full(8).replace("USA,2020-07,1.0", "USA,2020-07,"))

    with pytest.raises(
        DataError, match="lacks values to forecast after 2020-06: rate of USA in 20"
    ):
        found.at(FIRST + 5, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (f"{DATED}USA,2020-01,rate,1,2020-01-01\n{line}\n", f"1 bad cell: USA: row 3: {fault}")
            for line, fault in {
                "USA,2020-13,rate,1,2020-01-01": "2020-13 is no month",
                "USA,,rate,1,2020-01-01": "period is empty",
                "USA,2020-02,rate,x,2020-01-01": "rate 'x' is no number",
                "USA,2020-02,rate,inf,2020-01-01": "rate inf is not finite",
                "USA,2020-02,,1,2020-01-01": "name is empty",
                "USA,2020-02,rate,1,2020-01": "available_at '2020-01' is no day or moment",
            }.items()
        ),
        (
            f"{WIDE}{full(2)}USA,2020-01-15,7\n",
            "USA: row 6: rate in 2020-01 stands twice, 7.0 here and 1.0 in row 4",
        ),
        ("destination,name,value\nUSA,rate,1\n", "has no column period"),
        ("destination,period,name,rate\nUSA,2020-01,x,1\n", "has no column value"),
        ("destination,period,tonnes\nUSA,2020-01,1\n", "has no column of values"),
    ],
)
def test_a_file_in_doubt_is_refused_and_nothing_is_used(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, text)

    with pytest.raises(DataError, match=message) as caught:
        read_covariates(path, table=TABLE)

    assert str(caught.value).startswith(f"Covariate file {path} ")


QUANTITIES = ("quota", "rate")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["DEU", "USA"]),
        st.integers(1, 9),
        st.sampled_from(QUANTITIES),
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


@quick
@given(ROWS, st.integers(0, 8))
def test_values_that_became_available_later_change_no_bit(
    rows: list[tuple[object, ...]], since: int
) -> None:
    cutoff = FIRST + since
    # Two months in a row: a file that held every other month alone would be no monthly one.
    always = [("USA", month, name, 0, "2019-10-01") for month in (1, 2) for name in QUANTITIES]
    rows = [*rows, *always]
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
