"""Where the daemon listens: TCP, Unix socket, TLS, or a socket that systemd already opened."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import grpc.aio

from .config import ServerConfig, TlsConfig, host_and_port, is_local
from .errors import ConfigurationError
from .restarting import PASSED_SOCKET


def server_credentials(tls: TlsConfig) -> grpc.ServerCredentials:
    """Certificate and key, and the authority that clients' certificates must come from."""
    try:
        key, certificate = tls.key.read_bytes(), tls.certificate.read_bytes()
        authority = tls.client_ca.read_bytes() if tls.client_ca else None
    except OSError as error:
        raise ConfigurationError(f"tls: cannot read {error.filename}: {error.strerror}") from error
    return grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=authority, require_client_auth=authority is not None
    )


@asynccontextmanager
async def listening(server: grpc.aio.Server, config: ServerConfig) -> AsyncIterator[str]:
    """Open the configured address; gives the address that clients use. Start the server inside."""
    passed = _passed_socket()
    if passed is not None:
        async with _relayed(server, passed) as address:
            yield address
    elif config.listen.startswith("unix:"):
        path = Path(config.listen.removeprefix("unix:")).expanduser().absolute()
        _make_way(path)
        _bind(server, f"unix:{path}", None)
        try:
            yield f"unix:{path}"
        finally:
            path.unlink(missing_ok=True)
    else:
        host, _ = host_and_port(config.listen)
        port = _bind(server, config.listen, config.tls)
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104
        yield f"{'tls://' if config.tls else ''}{host}:{port}"


def _bind(server: grpc.aio.Server, address: str, tls: TlsConfig | None) -> int:
    umask = os.umask(0o177)  # a Unix socket becomes 0600; files made elsewhere are not affected
    try:
        if tls is not None:
            return int(server.add_secure_port(address, server_credentials(tls)))
        return int(server.add_insecure_port(address))
    except RuntimeError as error:
        raise ConfigurationError(
            f"cannot listen on {address}: another program may use it; choose another address "
            "with --listen (port 0 takes any free one)"
        ) from error
    finally:
        os.umask(umask)


def _make_way(path: Path) -> None:
    """Remove the socket that a killed daemon left, but nothing else."""
    if len(os.fsencode(path)) > 100:
        raise ConfigurationError(f"listen: the path {path} is too long for a Unix socket")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"listen: {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"listen: {path} exists and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(os.fsencode(path)) == 0:
            raise ConfigurationError(f"listen: another program listens on {path}")
    path.unlink()


def _passed_socket() -> socket.socket | None:
    """The listening socket of systemd's socket activation, if there is one."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        raise ConfigurationError("socket activation must pass exactly one socket")
    # A copy of it, and the variables as they are: after a restart both serve a second time.
    passed = socket.socket(fileno=os.dup(PASSED_SOCKET))
    passed.setblocking(False)
    address = _address_of(passed)
    if not is_local(address):
        passed.close()
        raise ConfigurationError(f"socket activation on {address}: only local addresses are served")
    return passed


def _address_of(listener: socket.socket) -> str:
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    return (
        f"[{name[0]}]:{name[1]}" if listener.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"
    )


@asynccontextmanager
async def _relayed(server: grpc.aio.Server, listener: socket.socket) -> AsyncIterator[str]:
    """Serve a socket that somebody else opened.

    gRPC's Python server cannot take over a listening socket, so it listens on a private Unix
    socket and every connection is passed through to it.
    """
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:  # mode 0700
        inner = str(Path(folder, "relay"))
        _bind(server, f"unix:{inner}", None)
        relays: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            relays.add(task)
            try:
                with suppress(asyncio.CancelledError):  # below, at the end; asyncio would log it
                    await _relay(reader, writer, inner)
            finally:
                relays.discard(task)

        kind = (
            asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
        )
        outer = await kind(connected, sock=listener)
        try:
            yield _address_of(listener)
        finally:
            outer.close()
            for task in relays:
                task.cancel()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inner: str) -> None:
    """Both directions of one connection, until either side closes."""
    try:
        inner_reader, inner_writer = await asyncio.open_unix_connection(inner)
    except OSError:
        writer.close()
        return
    copies = [
        asyncio.create_task(_copy(reader, inner_writer)),
        asyncio.create_task(_copy(inner_reader, writer)),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        for end in (writer, inner_writer):
            end.close()
            with suppress(OSError):
                await end.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(1 << 18):
            writer.write(data)
            await writer.drain()
