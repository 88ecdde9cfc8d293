"""Optional Prometheus metrics, for this machine only.

`prometheus_client` writes the text; the values are collected at each request (docs/decisions/0030).
Requests whose Host is not this machine are refused, so that no web page can read the metrics
through a name that it controls (DNS rebinding). `/live` reports the health of the workers to
supervisors that do not use gRPC.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..config import host_and_port, is_loopback
from ..errors import ConfigurationError
from ..serving.local_backend import Parts
from ..serving.upkeep import STALL_S
from ..wire.request_log import BUCKETS_S, RequestLog

ANSWERS_S, MAX_CONNECTIONS = 10.0, 32  # limits, because every user of this machine can connect


class Metrics(Collector):
    """Collector of the daemon's Prometheus metrics, with its own registry."""

    def __init__(self, request_log: RequestLog, parts: Parts | None) -> None:
        """Create the collector.

        Args:
            request_log: the counters of requests.
            parts: the components of the backend of this machine; None if it computes elsewhere.
        """
        self._accounts = request_log
        self._parts = parts
        self._connections = 0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> str:
        """Return all metrics in Prometheus's text format, version 0.0.4."""
        return generate_latest(self._registry).decode()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its current value, for `prometheus_client`."""
        yield self._requests()
        yield self._fill_seconds()
        yield CounterMetricFamily(
            "inpaint_candidates", "Candidates sent to clients.", self._accounts.candidates
        )
        if self._parts is not None:
            yield from self._of_parts(self._parts)

    def _of_parts(self, parts: Parts) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "inpaint_queue_length", "Requests that wait for a device.", parts.engine.queue_length
        )
        yield GaugeMetricFamily(
            "inpaint_sessions", "Sessions that are kept for edits.",
            len(parts.sessions),
        )  # fmt: skip
        yield _device_busy(parts)
        yield _model_loaded(parts)

    def _requests(self) -> Metric:
        requests = CounterMetricFamily(
            "inpaint_requests", "Finished requests.", labels=("method", "status")
        )
        for labels, count in sorted(self._accounts.requests.items()):
            requests.add_metric(labels, count)
        return requests

    def _fill_seconds(self) -> Metric:
        # prometheus_client's own Histogram would write le="1.0" instead of le="1", which dashboards
        # use, and add a series for its creation time.
        bounds = (*BUCKETS_S, float("inf"))
        counts = accumulate(self._accounts.durations[bound] for bound in bounds)
        names = (*(f"{bound:g}" for bound in BUCKETS_S), "+Inf")
        return HistogramMetricFamily(
            "inpaint_fill_seconds",
            "Durations of fills in seconds.",
            buckets=list(zip(names, counts, strict=True)),
            sum_value=self._accounts.duration_sum_s,
        )

    async def serve(self, address: str) -> asyncio.Server:
        """Answer `GET /metrics` on a loopback address."""
        host, port = host_and_port(address, "metrics")
        try:
            return await asyncio.start_server(self._answer, host.strip("[]"), port)
        except OSError as error:
            raise ConfigurationError(
                f"metrics: cannot listen on {address}: {error.strerror}"
            ) from error

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= MAX_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            await self._answer_one(reader, writer)
        finally:
            self._connections -= 1
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWERS_S)
            status, body = self._response(head.decode("latin-1"))
            content = body.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
                + content
            )
            await asyncio.wait_for(writer.drain(), ANSWERS_S)

    def _response(self, head: str) -> tuple[str, str]:
        request, *fields = head.split("\r\n")
        hosts = [f.partition(":")[2].strip() for f in fields if f.lower().startswith("host:")]
        if not hosts or not is_loopback(re.sub(r":\d+$", "", hosts[0])):
            return "403 Forbidden", "metrics are only available from this machine\n"
        if request.startswith("GET /live "):
            health_problem = self._parts and self._parts.engine.health_problem(STALL_S)
            return (
                ("503 Service Unavailable", f"{health_problem}\n")
                if health_problem
                else ("200 OK", "alive\n")
            )
        if not request.startswith("GET /metrics "):
            return "404 Not Found", "use /metrics or /live\n"
        return "200 OK", self.text()


def _device_busy(parts: Parts) -> Metric:
    busy = GaugeMetricFamily(
        "inpaint_device_busy", "Whether a device is working on a request.", labels=("device",)
    )
    for home, is_busy in zip(parts.engine.homes, parts.engine.busy, strict=True):
        busy.add_metric((str(home.device),), is_busy)
    return busy


def _model_loaded(parts: Parts) -> Metric:
    loaded = GaugeMetricFamily(
        "inpaint_model_loaded", "Number of devices that have a model loaded.", labels=("model",)
    )
    for entry in parts.models.entries.values():
        loaded.add_metric((entry.name,), sum(h.is_loaded(entry) for h in parts.engine.homes))
    return loaded
