"""Small input that grows: refused by a cap, before it fills memory."""

import gzip
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.panel import read_panel
from sources.files.yaml_table import composed
from sources.providers.comext import read_data
from store.errors import DataError

GROWS = r"grows from [\d,]+ bytes to more than [\d,]+\. Expected .*MAGNETCAST_EXPANDED_MB"
HEADER = b"destination,period,tonnes\n"
ROWS = b"USA,2024-01,0\n" * 70_000
BOMB = gzip.compress(HEADER) + gzip.compress(ROWS) * 110
"""108 MB from some 400 kB."""


def test_a_compressed_table_may_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv.gz"
    path.write_bytes(BOMB)

    with pytest.raises(DataError, match=GROWS):
        read_panel(path)


def test_parquet_of_equal_rows_may_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "panel.parquet"
    zeros = pa.array(np.zeros(4_600_000))
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(4_600_000, np.int32)), ["2024-01"])
    pq.write_table(pa.table({"destination": text, "period": text, "tonnes": zeros}), path)

    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=GROWS):
        read_panel(path)


def test_a_compressed_message_of_a_provider_may_not_grow_without_end() -> None:
    with pytest.raises(DataError, match=GROWS):
        read_data(BOMB)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- &a {x: 1}\n- *a\n", "an alias at line 2; write its values out"),
        ("- " * 21 + "x", "more than 20 levels at line 1; write it flat"),
        ("[" * 30_000, "more than 20 levels at line 1; write it flat"),
    ],
)
def test_yaml_cannot_multiply_itself(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=re.escape(f"body is not YAML: {reason}.")):
        composed("body", text.encode())
