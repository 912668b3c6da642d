"""What compressed input may grow to: a small file must not fill memory or disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from store.errors import DataError
from store.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

_RATIO: Final = 200
"""Tables of numbers shrink to a tenth or so; zeros alone to a thousandth."""

ALWAYS: Final = 100 << 20
"""Bytes to which anything may grow."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The caps of one compressed input."""

    what: str
    """To begin a message with."""
    packed: int
    """Bytes, compressed."""

    @property
    def cap(self) -> int:
        return min(Settings().expanded_mb << 20, max(ALWAYS, _RATIO * self.packed))

    def check(self, plain: int) -> None:
        """Refuse what grew too large; what did not grow is not compressed and has no cap."""
        if plain > max(self.packed, ALWAYS) and plain > (cap := self.cap):
            raise DataError(
                f"{self.what} grows from {self.packed:,} bytes to more than {cap:,}. Expected at "
                f"most {_RATIO} times its size, and MAGNETCAST_EXPANDED_MB megabytes. If it is "
                "as it should be, decompress it first or raise the setting; nothing was used."
            )


CELL_BYTES: Final = 8
"""What a cell takes in memory at least; equal ones take next to nothing in a file."""


def parquet_schema(path: Path, what: str) -> "pa.Schema":
    """Return the schema of Parquet, a file or a folder, that does not grow too large."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - of magnetcast[ops], for Parquet alone

    dataset = pq.ParquetDataset(path)
    plain = 0
    for footer in (fragment.metadata for fragment in dataset.fragments):
        for group in map(footer.row_group, range(footer.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                plain += max(column.total_uncompressed_size, CELL_BYTES * column.num_values)
    Expansion(what, sum(Path(file).stat().st_size for file in dataset.files)).check(plain)
    return dataset.schema
