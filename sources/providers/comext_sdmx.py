"""SDMX messages of Eurostat as plain tables, read by the sdmx1 library."""

import contextlib
import io
from collections.abc import Mapping
from typing import Final, TypeVar, cast

import pandas as pd
import sdmx
from sdmx.exceptions import XMLParseError
from sdmx.message import DataMessage, Message, StructureMessage

from sources.http.faults import TooMuchError

DATA: Final = "application/vnd.sdmx.genericdata+xml;version=2.1"
STRUCTURE: Final = "application/vnd.sdmx.structure+xml;version=2.1"

_Kind = TypeVar("_Kind", bound=Message)


def read_flows(body: bytes) -> dict[str, str]:
    """Return the names of all dataflows by their code.

    Raises:
        ValueError: The body is not such a message.
    """
    message = _message(body, StructureMessage)
    return {str(code): str(flow.name) for code, flow in message.dataflow.items()}


def read_data(body: bytes) -> pd.DataFrame:
    """Return observations: one column per dimension, and ``value``.

    Raises:
        ValueError: The body is not a data message, or repeats an observation.
        TooMuchError: It announces a file for later instead of data.
    """
    message = _message(body, DataMessage)
    if message.footer is not None and not any(len(part) for part in message.data):
        raise TooMuchError(
            "comext defers the answer to a separate file. Expected the data at once. Request fewer "
            "months."
        )
    parts = [_table(part) for part in message.data if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"value": []})
    if rows.duplicated([name for name in rows.columns if name != "value"]).any():
        raise ValueError("it has an observation twice")
    return rows


def _table(part: object) -> pd.DataFrame:
    """Turn one data set into rows."""
    series = cast("pd.Series", sdmx.to_pandas(part))
    return series.rename("value").reset_index().astype({"value": "float64"})


def _message(body: bytes, kind: type[_Kind]) -> _Kind:
    """Read a message; the library's printed output on a broken one is suppressed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            message = sdmx.read_sdmx(io.BytesIO(body))
    except (XMLParseError, RuntimeError, LookupError, AssertionError, TypeError) as err:
        first = str(err).strip().splitlines()
        raise ValueError(f"no SDMX message: {first[-1] if first else type(err).__name__}") from err
    if not isinstance(message, kind):
        raise ValueError(  # noqa: TRY004  # the body is at fault, not the caller
            f"an SDMX {type(message).__name__} instead of a {kind.__name__}"
        )
    return message


def columns_of(rows: pd.DataFrame) -> Mapping[str, str]:
    """Return the columns by their lower-case name, because providers differ in case."""
    return {str(name).lower(): str(name) for name in rows.columns}
