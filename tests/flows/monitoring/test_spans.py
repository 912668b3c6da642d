import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pandas as pd
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from flows.monitoring import spans
from flows.monitoring.spans import span, spanned
from tests.data.builders import at


class Collector:
    """Takes spans as OTLP over HTTP sends them, and decodes them."""

    def __init__(self) -> None:
        self.decoded: dict[str, dict[str, object]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        for one in scope.spans:
                            outer.decoded[one.name] = {
                                a.key: getattr(a.value, str(a.value.WhichOneof("value")))
                                for a in one.attributes
                            } | {"parent": one.parent_span_id, "id": one.span_id}
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:  # type: ignore[override]
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(params=["MAGNETCAST_OTLP_URL", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def collector(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv(request.param, made.url)
    yield made
    made.server.shutdown()
    made.server.server_close()


@spanned("train", lambda version: {"version": version})
def trained(as_of: pd.Timestamp) -> int:
    with span("features", {"rows": 216}):
        return as_of.month


def test_spans_arrive_with_what_they_tell_one_within_the_other(collector: Collector) -> None:
    assert trained(at("2026-11-25")) == 11
    spans._tracer(collector.url).span_processor.force_flush()

    train, features = (collector.decoded[f"magnetcast.{name}"] for name in ("train", "features"))
    assert (train["as_of"], train["version"]) == ("2026-11-25 00:00:00+00:00", 11)
    assert features["rows"] == 216
    assert features["parent"] == train["id"]


def test_without_an_address_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)

    assert trained(at("2026-11-25")) == 11
    assert spans._tracer(spans._collector()) is None


def test_without_the_extra_the_run_goes_on_and_states_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("MAGNETCAST_OTLP_URL", f"http://127.0.0.1:9/{tmp_path.name}")
    absent = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, absent, None)

    assert trained(at("2026-11-25")) == 11
    assert "the extra is not installed. Run `uv pip install" in capsys.readouterr().err
