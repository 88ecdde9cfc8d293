"""Optional Prometheus metrics, collected at each request (docs/decisions/0030)."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf

from inpaint_model.inference.host_memory import resident_bytes
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ..scheduling.measurements import Histogram
from ..serving.local_backend import Parts
from ..wire.request_log import RequestLog


class Metrics(Collector):
    """Collector of the daemon's Prometheus metrics, with its own registry."""

    def __init__(self, request_log: RequestLog, parts: Parts | None) -> None:
        """Create the collector.

        Args:
            request_log: the counters of requests.
            parts: the components of the backend of this machine; None if it computes elsewhere.
        """
        self._log = request_log
        self._parts = parts
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> str:
        """Return all metrics in Prometheus's text format, version 0.0.4."""
        return generate_latest(self._registry).decode()

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its current value, for `prometheus_client`."""
        yield self._requests()
        yield _histogram("inpaint_fill_seconds", "Durations of fills in seconds.", self._log.fill_s)
        yield _histogram("inpaint_edit_seconds", "Durations of edits in seconds.", self._log.edit_s)
        yield _histogram(
            "inpaint_first_candidate_seconds",
            "Seconds from a fill's call to its first candidate.",
            self._log.first_candidate_s,
        )
        yield self._queue_seconds()
        yield CounterMetricFamily(
            "inpaint_candidates", "Candidates sent to clients.", self._log.candidates
        )
        yield _gauge("inpaint_process_resident_bytes", "Memory of the process.", resident_bytes())
        if self._parts is not None:
            yield from self._of_requests(self._parts)
            yield from _of_devices(self._parts)

    def _requests(self) -> Metric:
        requests = CounterMetricFamily(
            "inpaint_requests", "Finished requests.", labels=("method", "status")
        )
        for labels, count in sorted(self._log.requests.items()):
            requests.add_metric(labels, count)
        return requests

    def _queue_seconds(self) -> Metric:
        metric = HistogramMetricFamily(
            "inpaint_queue_seconds",
            "Seconds from a request's submission to its first step.",
            labels=("method",),
        )
        for method, histogram in self._log.queue_s.items():
            _add(metric, (method,), histogram)
        return metric

    def _of_requests(self, parts: Parts) -> Iterator[Metric]:
        admission, sessions = parts.admission, parts.sessions
        yield _gauge(
            "inpaint_queue_length", "Requests that wait for a device.", parts.engine.queue_length
        )
        yield _gauge(
            "inpaint_waiting_for_memory", "Requests that wait for memory.", admission.waiting
        )
        yield _gauge(
            "inpaint_request_memory_bytes", "Memory reserved for requests.", admission.reserved
        )
        yield _gauge(
            "inpaint_request_memory_budget_bytes",
            "Memory that requests and kept sessions share.",
            admission.max_bytes,
        )
        yield _gauge("inpaint_sessions", "Sessions that are kept for edits.", len(sessions))
        yield _gauge(
            "inpaint_session_bytes", "Memory of the images of kept sessions.", sessions.num_bytes
        )


def _of_devices(parts: Parts) -> Iterator[Metric]:
    homes = parts.engine.homes
    names = [(str(home.device),) for home in homes]
    device = ("device",)
    busy = GaugeMetricFamily(
        "inpaint_device_busy", "Whether a device is working on a request.", labels=device
    )
    seconds = CounterMetricFamily(
        "inpaint_device_busy_seconds", "Seconds that a device has worked.", labels=device
    )
    used = GaugeMetricFamily(
        "inpaint_model_memory_bytes", "Memory of the loaded models.", labels=device
    )
    limit = GaugeMetricFamily(
        "inpaint_model_memory_budget_bytes", "Limit of that memory; 0 = none.", labels=device
    )
    batches = HistogramMetricFamily(
        "inpaint_batch_size", "Renderings in each batch of a device.", labels=device
    )
    for name, home, is_busy, busy_s in zip(
        names, homes, parts.engine.busy, parts.engine.busy_s, strict=True
    ):
        busy.add_metric(name, is_busy)
        seconds.add_metric(name, busy_s)
        used.add_metric(name, home.resident_bytes)
        limit.add_metric(name, home.budget_bytes)
        _add(batches, name, home.batch_sizes)
    loaded = GaugeMetricFamily(
        "inpaint_model_loaded", "Number of devices that have a model loaded.", labels=("model",)
    )
    for entry in parts.models.entries.values():
        loaded.add_metric((entry.name,), sum(home.is_loaded(entry) for home in homes))
    yield from (busy, seconds, used, limit, batches, loaded)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    metric = HistogramMetricFamily(name, text)
    _add(metric, (), histogram)
    return metric


def _add(metric: HistogramMetricFamily, labels: tuple[str, ...], histogram: Histogram) -> None:
    # prometheus_client's own Histogram would write le="1.0" instead of le="1", which dashboards
    # use, and add a series for its creation time.
    counts, total = histogram.read()
    names = ("+Inf" if isinf(bound) else f"{bound:g}" for bound in histogram.bounds)
    metric.add_metric(labels, list(zip(names, counts, strict=True)), total)
