"""Spans of a run for a collector of OpenTelemetry: off unless one is named.

``MAGNETCAST_OTLP_URL`` or OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT`` names it. The tracer
is our own, not the process-wide one, so that no library's spans go out with ours.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from flows.context.console import echo
from store.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_P = ParamSpec("_P")
_R = TypeVar("_R")

SEND_S: Final = 5
"""A collector that does not answer must not hold a run for longer at its end."""

Attributes = Mapping[str, str | int | float | bool]


@contextmanager
def span(name: str, attributes: Attributes | None = None) -> Iterator[dict[str, Any]]:
    """Span what happens within; does nothing where no collector is named.

    Args:
        name: What is done.
        attributes: What is known of it at its start.

    Yields:
        A dictionary; what is put in becomes attributes at the end.
    """
    tracer = _tracer(_collector())
    result_attributes: dict[str, Any] = {}
    if tracer is None:
        yield result_attributes
        return
    with tracer.start_as_current_span(f"magnetcast.{name}", attributes=attributes) as made:
        try:
            yield result_attributes
        finally:
            made.set_attributes(result_attributes)


def spanned(
    name: str, attributes_of: Callable[[Any], Attributes] = lambda _: {}
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Span each call of a function, with its moment and attributes of its result."""

    def decorated(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with span(name, _moment(signature.bind(*args, **kwargs).arguments)) as attributes:
                result = function(*args, **kwargs)
                attributes.update(attributes_of(result))
                return result

        return called

    return decorated


def _moment(arguments: Mapping[str, object]) -> dict[str, str]:
    """Return the moment among the arguments of a call."""
    for value in (arguments.get("as_of"), getattr(arguments.get("workspace"), "as_of", None)):
        if value is not None:
            return {"as_of": str(value)}
    return {}


def _collector() -> str:
    """Return where spans go, empty for nowhere."""
    return Settings().otlp_url or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")


@lru_cache(maxsize=4)
def _tracer(collector: str) -> "Tracer | None":
    """Return what makes spans for a collector; None where none is named or can be reached."""
    if not collector:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        echo(
            f"spans     none are sent to {collector}: the extra is not installed. "
            "Run `uv pip install 'magnetcast[otel]'`, or unset MAGNETCAST_OTLP_URL."
        )
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": "magnetcast"}))
    exporter = OTLPSpanExporter(endpoint=f"{collector}/v1/traces", timeout=SEND_S)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("magnetcast")
