"""Arrays that pass between functions: names of their kinds, and records with an entry a row."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

_Record = TypeVar("_Record", bound="DataclassInstance")

Rows = NDArray[np.integer[Any]] | Flags | slice


def take(record: _Record, rows: Rows) -> _Record:
    """Some rows of a dataclass of arrays, of dictionaries of arrays and of names."""
    return replace(
        record,
        **{member.name: _taken(getattr(record, member.name), rows) for member in fields(record)},
    )


def join(records: Sequence[_Record]) -> _Record:
    """The rows of all records, one after the other; there is at least one."""
    first = records[0]
    joined = {
        member.name: _joined([getattr(r, member.name) for r in records]) for member in fields(first)
    }
    return replace(first, **joined)


def _taken(value: Any, rows: Rows) -> Any:  # noqa: ANN401 - arrays of any type, or a dictionary
    if isinstance(value, dict):
        return {name: array[rows] for name, array in value.items()}
    return value if isinstance(value, tuple) else value[rows]


def _joined(values: Sequence[Any]) -> Any:  # noqa: ANN401 - arrays of any type, or dictionaries
    if isinstance(values[0], dict):
        return {name: np.concatenate([arrays[name] for arrays in values]) for name in values[0]}
    return values[0] if isinstance(values[0], tuple) else np.concatenate(values)
