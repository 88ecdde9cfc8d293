"""Listening addresses of the daemon: TCP, TLS, or a Unix socket."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio

from ..config import ServerConfig, host_and_port
from ..errors import ConfigurationError


@asynccontextmanager
async def listening(
    server: grpc.aio.Server, config: ServerConfig, credentials: grpc.ServerCredentials | None
) -> AsyncIterator[str]:
    """Open the configured address, and yield the address that clients use.

    Start the server inside the context.

    Args:
        server: the gRPC server.
        config: the settings.
        credentials: TLS credentials; None = unencrypted.
    """
    if config.listen.startswith("unix:"):
        path = Path(config.listen.removeprefix("unix:")).expanduser().absolute()
        _make_way(path)
        _bind(server, f"unix:{path}", None)
        try:
            yield f"unix:{path}"
        finally:
            path.unlink(missing_ok=True)
    else:
        host, _ = host_and_port(config.listen)
        port = _bind(server, config.listen, credentials)
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104
        yield f"{'tls://' if credentials else ''}{host}:{port}"


def _bind(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    umask = os.umask(0o177)  # a Unix socket gets mode 0600
    try:
        if credentials is not None:
            return int(server.add_secure_port(address, credentials))
        return int(server.add_insecure_port(address))
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen on {address}: another program may be using it; choose another address "
            "with --listen (port 0 takes any free port)"
        ) from error
    finally:
        os.umask(umask)


def _make_way(path: Path) -> None:
    """Remove the socket that a killed daemon left behind, but no other file."""
    if len(os.fsencode(path)) > 100:
        raise ConfigurationError(
            f"listen: the path {path} is too long for a Unix socket; use at most 100 bytes"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"listen: {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(
            f"listen: {path} exists and is not a socket; choose another path or remove it"
        )
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(os.fsencode(path)) == 0:
            raise ConfigurationError(
                f"listen: another program listens on {path}; stop it or choose another path"
            )
    path.unlink()
