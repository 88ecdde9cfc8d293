"""Prometheus metrics on an option, for this machine only.

The text format is four lines a metric; a library would add a dependency, a thread and global state
for it. Requests whose Host is not this machine's are refused, so that no web page can read them
through a name that it controls (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from .accounting import BUCKETS_S, Accounts
from .config import host_and_port, is_loopback
from .device_models import DeviceModels
from .engine import Engine
from .errors import ConfigurationError
from .models import ModelRegistry
from .sessions import SessionCache


class Metrics:
    """What the daemon did and holds, as text."""

    def __init__(
        self,
        accounts: Accounts,
        engine: Engine[DeviceModels],
        models: ModelRegistry,
        sessions: SessionCache,
    ) -> None:
        self._accounts = accounts
        self._engine = engine
        self._models = models
        self._sessions = sessions

    def text(self) -> str:
        """All metrics in Prometheus' text format, version 0.0.4."""
        accounts = self._accounts
        lines = ["# TYPE inpaint_requests_total counter"]
        for (method, status), count in sorted(accounts.requests.items()):
            lines.append(f'inpaint_requests_total{{method="{method}",status="{status}"}} {count}')
        lines.append("# TYPE inpaint_fill_seconds histogram")
        total = 0
        for bucket in BUCKETS_S:
            total += accounts.durations[bucket]
            lines.append(f'inpaint_fill_seconds_bucket{{le="{bucket:g}"}} {total}')
        total += accounts.durations[float("inf")]
        lines += [
            f'inpaint_fill_seconds_bucket{{le="+Inf"}} {total}',
            f"inpaint_fill_seconds_sum {accounts.duration_sum_s:.6f}",
            f"inpaint_fill_seconds_count {total}",
            "# TYPE inpaint_candidates_total counter",
            f"inpaint_candidates_total {accounts.candidates}",
            "# TYPE inpaint_queue_length gauge",
            f"inpaint_queue_length {self._engine.queue_length}",
            "# TYPE inpaint_sessions gauge",
            f"inpaint_sessions {len(self._sessions)}",
            "# TYPE inpaint_device_busy gauge",
        ]
        homes = self._engine.homes
        for home, busy in zip(homes, self._engine.busy, strict=True):
            lines.append(f'inpaint_device_busy{{device="{home.device}"}} {int(busy)}')
        lines.append("# TYPE inpaint_model_loaded gauge")
        for entry in self._models.entries.values():
            name = entry.name.replace("\\", "\\\\").replace('"', '\\"')
            loaded = sum(home.is_loaded(entry) for home in homes)  # on how many devices
            lines.append(f'inpaint_model_loaded{{model="{name}"}} {loaded}')
        return "\n".join(lines) + "\n"

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
        with suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError
        ):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10.0)
            status, body = self._response(head.decode("latin-1"))
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
            )
            await writer.drain()
        writer.close()

    def _response(self, head: str) -> tuple[str, str]:
        request, *fields = head.split("\r\n")
        hosts = [f.partition(":")[2].strip() for f in fields if f.lower().startswith("host:")]
        if not hosts or not is_loopback(re.sub(r":\d+$", "", hosts[0])):
            return "403 Forbidden", "only this machine may ask\n"
        if not request.startswith("GET /metrics "):
            return "404 Not Found", "ask for /metrics\n"
        return "200 OK", self.text()
