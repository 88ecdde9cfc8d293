"""Traces as a collector receives them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from daemons import DaemonProcess, header
from eventually import eventually
from inpaint_protos.v1 import inpaint_pb2 as pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

pytestmark = pytest.mark.slow
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}  # ms between two transmissions


class Collector:
    """Receives spans over HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def requests(self) -> list[Span]:
        return [span for span in self.spans if span.kind == Span.SPAN_KIND_SERVER]

    def children(self, parent: Span) -> list[Span]:
        own = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return sorted(own, key=lambda span: span.start_time_unix_nano)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()
    thread.join()


@pytest.fixture
def daemon(collector: Collector, tmp_path: Path) -> Iterator[DaemonProcess]:
    config = f"traces: {collector.address}"
    with DaemonProcess(tmp_path, config=config, environment=SOON) as daemon:
        yield daemon


def facts(span: Span) -> dict[str, object]:
    return {
        each.key.removeprefix("inpaint."): getattr(each.value, str(each.value.WhichOneof("value")))
        for each in span.attributes
    }


def test_a_fill_and_an_edit(collector: Collector, daemon: DaemonProcess) -> None:
    with daemon.caller() as caller:
        filled = caller.fill(header(seeds=[1, 2]))
        caller.edit(pb.EditHeader(session_id=filled.session_id))
    assert eventually(lambda: len(collector.requests()) == 2)
    fill, edit = sorted(collector.requests(), key=lambda span: span.start_time_unix_nano)
    assert (fill.name, edit.name) == ("Fill", "Edit")
    assert fill.trace_id != edit.trace_id
    told = facts(fill)
    assert told["status"] == "OK"
    assert told["model"] == "tiny"
    assert told["crop"] == "48x40x3"
    assert (told["seeds"], told["candidates"]) == (2, 2)

    one = ["render", "blend", "send"]
    names = [span.name for span in collector.children(fill)]
    assert names == ["wait for memory", "upload", "queue", "encode", *one, *one]
    names = [span.name for span in collector.children(edit)]
    assert names == ["wait for memory", "queue", "encode", *one]
    for parent in (fill, edit):
        for span in collector.children(parent):
            assert span.trace_id == parent.trace_id
            assert span.start_time_unix_nano <= span.end_time_unix_nano
            slack = 2_000_000  # ns between two clocks
            assert parent.start_time_unix_nano - slack <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano + slack


def test_the_trace_of_a_client_goes_on(collector: Collector, daemon: DaemonProcess) -> None:
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with daemon.caller() as caller:
        own = caller.metadata
        caller.metadata = (*own, ("traceparent", f"00-{trace}-{parent}-01"))
        caller.fill(header(seeds=[1]))
        caller.metadata = (*own, ("traceparent", "nonsense"))
        caller.fill(header(seeds=[1]))
    assert eventually(lambda: len(collector.requests()) == 2)
    ours, other = sorted(collector.requests(), key=lambda span: span.start_time_unix_nano)
    assert (ours.trace_id.hex(), ours.parent_span_id.hex()) == (trace, parent)
    assert other.trace_id.hex() != trace


def test_a_refused_request(collector: Collector, daemon: DaemonProcess) -> None:
    with daemon.caller() as caller, pytest.raises(grpc.RpcError):
        caller.fill(header(model="nobody"))
    assert eventually(lambda: len(collector.requests()) == 1)
    (span,) = collector.requests()
    assert facts(span)["status"] == "NOT_FOUND"


def test_a_collector_that_is_away_harms_nothing(tmp_path: Path) -> None:
    config = "traces: http://127.0.0.1:1"
    with DaemonProcess(tmp_path, config=config, environment=SOON) as daemon:
        with daemon.caller() as caller:
            assert caller.fill(header(seeds=[1])).candidates
        daemon.process.terminate()
        assert daemon.process.wait(60) == 0


@pytest.mark.parametrize("url", ["http://collector.studio:4318", "collector:4318", "https://"])
def test_spans_do_not_travel_in_the_clear(url: str, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, config=f"traces: '{url}'") as daemon:
        assert daemon.process.wait(30) == 2
        assert "must be an https URL" in daemon.log.read_text().splitlines()[-1]


def test_without_the_setting_nothing_is_imported() -> None:
    code = (
        "import sys, inpaint_server.daemon.main\n"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
