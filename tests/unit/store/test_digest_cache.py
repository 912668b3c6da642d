import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from store.digest_cache import DigestCache, Values

KEY = "a" * 64


def values() -> Values:
    table = pd.DataFrame(
        {
            "place": ["USA", "ÖST", None],
            "name": ["one", "two", "three"],
            "period": pd.to_datetime(["2026-01-01", None, "2026-03-01"]),
            "as_of": pd.to_datetime(["2026-01-01T00:00:00.000001"] * 3, utc=True),
            "tonnes": [0.1 + 0.2, np.nan, -0.0],
            "months": [1, 2, 3],
        }
    )
    return {
        "strip": np.arange(12.0).reshape(3, 4)[:, :3].T, "kind": np.array([[1, 2]], dtype=np.int8),
        "moment": np.array(["2026-01-01"], dtype="datetime64[s]"), "count": 3, "share": 0.1,
        "text": "graphite", "table": table, "none": table.iloc[:0],
    }  # fmt: skip


def never() -> Values:
    raise AssertionError("computed though it was kept")


def small(number: int) -> Callable[[], Values]:
    return lambda: {"number": number, "noise": np.random.default_rng(number).random(1_000)}


def check_equal(left: Values, right: Values) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(value, right[name], check_exact=True)
        elif isinstance(value, np.ndarray):
            assert value.dtype == right[name].dtype
            np.testing.assert_array_equal(value, right[name])
        else:
            assert type(value) is type(right[name])
            assert value == right[name]


def test_kept_values_have_the_bits_and_types_of_those_just_computed(tmp_path: Path) -> None:
    made = DigestCache(tmp_path / "new", 10**6).fetch(KEY, values)

    kept = DigestCache(tmp_path / "new", 10**6).fetch(KEY, never)

    check_equal(made, kept)
    check_equal(made, DigestCache().fetch(KEY, values))
    pd.testing.assert_frame_equal(kept["table"], values()["table"], check_exact=True)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda sound: sound[: len(sound) // 2], id="cut short"),
        pytest.param(lambda sound: sound[:0], id="empty"),
        pytest.param(lambda sound: b"no file of ours" + sound, id="foreign"),
        pytest.param(
            lambda sound: sound[:100] + bytes([sound[100] ^ 1]) + sound[101:], id="one bit turned"
        ),
    ],
)
def test_a_file_that_is_not_sound_is_made_again(
    tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    cache = DigestCache(tmp_path, 10**6)
    made = cache.fetch(KEY, values)
    sound = (tmp_path / KEY).read_bytes()
    (tmp_path / KEY).write_bytes(spoil(sound))

    again = cache.fetch(KEY, values)

    check_equal(made, again)
    check_equal(made, cache.fetch(KEY, never))


def test_the_least_recently_used_files_go_beyond_the_bound(tmp_path: Path) -> None:
    DigestCache(tmp_path, 10**6).fetch("0", small(0))
    size = (tmp_path / "0").stat().st_size
    for number in range(1, 6):
        DigestCache(tmp_path, 10**6).fetch(str(number), small(number))
    for number in range(6):
        os.utime(tmp_path / str(number), (number, number))
    DigestCache(tmp_path, 10**6).fetch("0", never)

    DigestCache(tmp_path, 4 * size).fetch("6", small(6))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "5", "6"]


def test_a_folder_that_cannot_be_written_costs_no_value(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    assert DigestCache(tmp_path / "file", 10**6).fetch(KEY, small(1))["number"] == 1


def test_several_writers_and_readers_of_one_key_see_whole_files_only(tmp_path: Path) -> None:
    def fetch(number: int) -> Values:
        return DigestCache(tmp_path, 10**6).fetch(str(number % 3), small(number % 3))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fetch, range(120)))

    for number, one in enumerate(found):
        check_equal(one, DigestCache().fetch(KEY, small(number % 3)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]


def test_nothing_that_needs_pickle_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        DigestCache(tmp_path, 10**6).fetch(KEY, lambda: {"thing": np.array([{}], dtype=object)})
