"""The fake daemon's address, token, TLS and runtime file."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class RequireToken(grpc.aio.ServerInterceptor):
    """Answers UNAUTHENTICATED to requests without the right token, on every service."""

    def __init__(self, token: str) -> None:
        self._expected = ("authorization", f"Bearer {token}")

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        if self._expected in tuple(tuple(pair) for pair in details.invocation_metadata):
            return await continuation(details)
        handler = await continuation(details)

        async def refuse(request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")

        kind = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return kind(refuse)


@dataclass
class Listening:
    """The server's address: a Unix socket if `unix` is set, otherwise loopback."""

    port: int = 0
    unix: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    max_age_s: float = 0.0  # then the server asks clients to open another connection; 0 = never

    @property
    def options(self) -> list[tuple[str, int]]:
        """The server's options."""
        age = [("grpc.max_connection_age_ms", round(1000 * self.max_age_s))]
        return UNLIMITED + (age if self.max_age_s else [])

    def add_to(self, server: grpc.aio.Server) -> str:
        """Bind the server; return the address in the client's notation."""
        if self.unix:
            server.add_insecure_port(f"unix:{self.unix}")
            Path(self.unix).chmod(0o600) if Path(self.unix).exists() else None
            return f"unix:{self.unix}"
        if self.tls_cert:
            client_ca = Path(self.tls_client_ca).read_bytes() if self.tls_client_ca else None
            credentials = grpc.ssl_server_credentials(
                [(Path(self.tls_key).read_bytes(), Path(self.tls_cert).read_bytes())],
                client_ca,
                require_client_auth=client_ca is not None,
            )
            return (
                f"tls://localhost:{server.add_secure_port(f'127.0.0.1:{self.port}', credentials)}"
            )
        return f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{self.port}')}"


async def start(
    service: pb_grpc.InpaintServicer, listening: Listening, token: str
) -> tuple[grpc.aio.Server, str]:
    """Start a server; return it and its address."""
    server = grpc.aio.server(
        options=listening.options, interceptors=[RequireToken(token)] if token else None
    )
    pb_grpc.add_InpaintServicer_to_server(service, server)
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    address = listening.add_to(server)
    await server.start()
    return server, address


def write_runtime_file(folder: Path, address: str, token: str) -> Path:
    folder = folder / "inpaint"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "server.json"
    path.touch(mode=0o600)
    content = {"address": address, "token": token, "pid": os.getpid(), "version": "0.0-fake"}
    path.write_text(json.dumps(content))
    return path
