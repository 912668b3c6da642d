"""Answers of Eurostat: SDMX messages, faults, and tickets for answers that are prepared later."""

import contextlib
import gzip
import html
import io
import re
import zlib
from typing import Final, TypeVar, cast

import pandas as pd
import sdmx
from sdmx.exceptions import XMLParseError
from sdmx.message import DataMessage, Message, StructureMessage

from sources.http.faults import Refusal, TooMuchError
from store.expansion import Expansion

_Kind = TypeVar("_Kind", bound=Message)

_GZIP: Final = b"\x1f\x8b"
_BROKEN: Final = (
    XMLParseError, RuntimeError, LookupError, AssertionError, TypeError, OSError, EOFError,
    zlib.error,
)  # fmt: skip
"""What reading a body that is no whole message raises."""
_SOAP: Final = 4096
"""Bytes within which a fault or a ticket is written; data are longer, or have neither."""

_CODE: Final = re.compile(r"<faultcode>\s*(\w+)\s*</faultcode>")
_TEXT: Final = re.compile(r"<faultstring>(.*?)</faultstring>", re.DOTALL)
_TICKET: Final = re.compile(r"<queued>.*?<id>\s*([\w-]+)\s*</id>", re.DOTALL)
_STATUS: Final = re.compile(r"<(?:\w+:)?status>\s*([A-Z_]+)\s*</(?:\w+:)?status>")

_NOT_FOUND: Final = "100"
_TOO_BIG: Final = "413"
_REMEDIES: Final = {
    "not available for dissemination": "It has no data for these months, or the data set has a new "
    "code: ask for earlier months, then look the set up in Eurostat's list.",
    "UNKNOWN_REQUEST": "Run the ingest again.",
    "NOT_YET_AVAILABLE": "Run the ingest again later.",
}
"""What to do about a fault 100 that is not about an empty result, by its words."""


def fault_in(body: bytes) -> Refusal | None:
    """Return the fault a body holds, in the provider's own words; None if it holds none."""
    soap = _soap(body)
    if (code := _CODE.search(soap)) is None:
        return None
    found = _TEXT.search(soap)
    text = f"fault {code[1]}: {html.unescape(' '.join(found[1].split())) if found else 'no text'}"
    if code[1] == _TOO_BIG or "EXTRACTION_TOO_BIG" in text:
        return Refusal(text, "too_much")
    if code[1] != _NOT_FOUND:
        return Refusal(text, remedy="The provider may have changed the data set; see its list.")
    remedy = next((do for words, do in _REMEDIES.items() if words in text), None)
    return Refusal(text, "no_data") if remedy is None else Refusal(text, remedy=remedy)


def ticket_in(body: bytes) -> str | None:
    """Return the ticket of an answer that is prepared later; None for any other body."""
    found = _TICKET.search(_soap(body))
    return None if found is None else found[1]


def read_status(body: bytes) -> str:
    """Return the state of a ticket: SUBMITTED, PROCESSING, AVAILABLE or EXPIRED.

    Raises:
        ValueError: The body has none.
    """
    if (found := _STATUS.search(_soap(body))) is None:
        raise ValueError("it has no status of the request")
    return found[1]


def _soap(body: bytes) -> str:
    return body[:_SOAP].decode("utf-8", "replace")


def read_flows(body: bytes) -> dict[str, str]:
    """Return the names of all dataflows by their code.

    Raises:
        ValueError: The body is not such a message.
    """
    message = _message(body, StructureMessage)
    return {str(code): str(flow.name) for code, flow in message.dataflow.items()}


def read_data(body: bytes) -> pd.DataFrame:
    """Return observations: one column per dimension, and ``value``, a number or its text.

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
    series = cast("pd.Series", sdmx.to_pandas(part, dtype=None))
    return series.rename("value").reset_index()


def _plain(body: bytes) -> bytes:
    """Decompress a message that does not grow too large."""
    expansion = Expansion("A compressed SDMX message", len(body))
    with gzip.open(io.BytesIO(body)) as stream:
        plain = stream.read(expansion.cap + 1)
    expansion.check(len(plain))
    return plain


def _message(body: bytes, kind: type[_Kind]) -> _Kind:
    """Read a message, compressed or not; the library's output on a broken one is suppressed."""
    try:
        plain = _plain(body) if body.startswith(_GZIP) else body
        with contextlib.redirect_stdout(io.StringIO()):
            message = sdmx.read_sdmx(io.BytesIO(plain))
    except _BROKEN as err:
        first = str(err).strip().splitlines()
        raise ValueError(f"no SDMX message: {first[-1] if first else type(err).__name__}") from err
    if not isinstance(message, kind):
        raise ValueError(  # noqa: TRY004  # the body is at fault, not the caller
            f"an SDMX {type(message).__name__} instead of a {kind.__name__}"
        )
    return message
