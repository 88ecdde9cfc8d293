"""Forward connections to the first of several servers that accepts them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress


class Relay:
    """One address for several servers, which exists during the block."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._targets = [target.rpartition(":")[::2] for target in targets]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = [self._listener]
        self._start(self._accept)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *exception: object) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                far = self._reach()
                if far is None:
                    near.shutdown(socket.SHUT_RDWR)
                    continue
                self._open.append(far)
                self._start(_pass, near, far)
                self._start(_pass, far, near)

    def _reach(self) -> socket.socket | None:
        for host, port in self._targets:
            with suppress(OSError):
                return socket.create_connection((host, int(port)))
        return None

    def _start(self, work: object, *arguments: socket.socket) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
