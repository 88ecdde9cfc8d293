"""The HTTP address of the metrics.

On a loopback address, requests whose Host is not this machine are refused, so that no web page can
read the metrics through a name that it controls (DNS rebinding). Other machines need TLS and the
token for metrics, with which they cannot fill anything. `/live` reports the health of the workers
to supervisors that do not use gRPC, without the token.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress

from inpaint_protos.secret import Secret

from ..config import host_and_port, is_loopback
from ..errors import ConfigurationError

ANSWERS_S, MAX_CONNECTIONS = 10.0, 32  # limits, because every user of this machine can connect


class MetricsServer:
    """A small HTTP server."""

    def __init__(
        self,
        address: str,
        text: Callable[[], str],
        health_problem: Callable[[], str | None],
        token: Callable[[], Secret] = Secret,
    ) -> None:
        """Prepare the server.

        Args:
            address: HOST:PORT.
            text: returns the metrics.
            health_problem: returns why the daemon should be restarted, if it should.
            token: returns the current token for metrics; an empty one is not required.
        """
        self._address = address
        self._text = text
        self._health_problem = health_problem
        self._token = token
        self._connections = 0

    async def start(self, context: ssl.SSLContext | None = None) -> asyncio.Server:
        """Listen; with TLS if a context is given.

        Raises:
            ConfigurationError: the address cannot be used.
        """
        host, port = host_and_port(self._address, "metrics")
        try:
            return await asyncio.start_server(
                self._answer,
                host.strip("[]"),
                port,
                ssl=context,
                ssl_handshake_timeout=ANSWERS_S if context else None,
            )
        except OSError as error:
            raise ConfigurationError(
                f"metrics: cannot listen on {self._address}: {error.strerror}"
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
            challenge = "WWW-Authenticate: Bearer\r\n" if status.startswith("401") else ""
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                f"{challenge}Content-Length: {len(content)}\r\nConnection: close\r\n\r\n".encode()
                + content
            )
            await asyncio.wait_for(writer.drain(), ANSWERS_S)

    def _response(self, head: str) -> tuple[str, str]:
        request, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines)
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if self._is_local and not is_loopback(re.sub(r":\d+$", "", fields.get("host", ""))):
            return "403 Forbidden", "metrics are only available from this machine\n"
        if request.startswith("GET /live "):
            health_problem = self._health_problem()
            return (
                ("503 Service Unavailable", f"{health_problem}\n")
                if health_problem
                else ("200 OK", "alive\n")
            )
        if not self._is_authorized(fields):
            return "401 Unauthorized", "send `Authorization: Bearer TOKEN` (metrics_token_file)\n"
        if not request.startswith("GET /metrics "):
            return "404 Not Found", "use /metrics or /live\n"
        return "200 OK", self._text()

    @property
    def _is_local(self) -> bool:
        return is_loopback(host_and_port(self._address, "metrics")[0])

    def _is_authorized(self, fields: Mapping[str, str]) -> bool:
        token = self._token()
        given = fields.get("authorization", "").encode("latin-1")
        return not token or hmac.compare_digest(given, f"Bearer {token.reveal()}".encode())
