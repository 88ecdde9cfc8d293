"""Traces with OpenTelemetry, sent by OTLP over HTTP. Only this module imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from . import __version__, spans

TRACE_HEADER = "traceparent"


class OpenTelemetryTracer:
    """Implementation of `spans.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("inpaint_server", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def span(self, name: str) -> AbstractContextManager[object]:
        """Record the time in which the context is active."""
        return self._tracer.start_as_current_span(name)

    def add(self, name: str, began: float, ended: float, facts: Mapping[str, object]) -> None:
        """Record a time in the past, given by two values of time.time()."""
        span = self._tracer.start_span(
            name, start_time=int(began * 1e9), attributes=_attributes(facts)
        )
        span.end(int(ended * 1e9))

    def request(self, name: str, trace: str) -> AbstractContextManager[object]:
        """Record a request as part of a client's trace."""
        context = self._propagator.extract({TRACE_HEADER: trace}) if trace else None
        return self._tracer.start_as_current_span(name, context, SpanKind.SERVER)

    def note(self, facts: Mapping[str, object]) -> None:
        """Add attributes to the current span."""
        trace.get_current_span().set_attributes(_attributes(facts))


def install(address: str) -> Callable[[], None]:
    """Send the spans of this process to a collector, and return the function that stops it.

    Args:
        address: URL of the collector, such as http://127.0.0.1:4318.
    """
    resource = Resource.create({"service.name": "inpaint-server", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=address.rstrip("/") + "/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    spans.install(OpenTelemetryTracer(provider))

    def stop() -> None:
        spans.uninstall()
        provider.shutdown()  # sends what is left

    return stop


def _attributes(facts: Mapping[str, object]) -> dict[str, str | int | float]:
    return {
        f"inpaint.{key}": value if isinstance(value, int | float) else str(value)
        for key, value in facts.items()
    }
