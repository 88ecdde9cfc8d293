"""Bounded cache of fills that can be edited without sending the image again."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models.device_models import DeviceModels
    from .filling import ServedSession


class SessionCache:
    """Sessions by their unguessable IDs; the least recently used is dropped first.

    It is used by the event loop and the workers, hence the lock.
    """

    def __init__(
        self,
        max_count: int,
        max_bytes: int,
        ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, ServedSession]] = (
            OrderedDict()
        )  # oldest use first

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def num_bytes(self) -> int:
        """The size of the images of all sessions, in bytes."""
        with self._lock:
            return self._num_bytes()

    @staticmethod
    def new_id() -> str:
        """Return an ID of 128 random bits."""
        return secrets.token_urlsafe(16)

    def put(self, session_id: str, served: ServedSession) -> bool:
        """Keep a session; return False if it alone exceeds the size of the cache."""
        with self._lock:
            self._expire()
            if served.session.num_bytes > self._max_bytes:
                return False
            self._kept[session_id] = (self._clock(), served)
            while len(self._kept) > self._max_count or self._num_bytes() > self._max_bytes:
                self._kept.popitem(last=False)
        return True

    def get(self, session_id: str) -> ServedSession | None:
        """Return a session and mark it as used; None if it is unknown or expired."""
        with self._lock:
            self._expire()
            if session_id not in self._kept:
                return None
            _, served = self._kept.pop(session_id)
            self._kept[session_id] = (self._clock(), served)
            return served

    def expire(self) -> None:
        """Drop expired sessions. Call it periodically to free their memory."""
        with self._lock:
            self._expire()

    def make_room(self, num_bytes: int, in_use: Collection[str]) -> None:
        """Drop sessions until at most `num_bytes` remain; those in use stay and do not count."""
        with self._lock:
            self._expire()
            left = {k: v[1].session.num_bytes for k, v in self._kept.items() if k not in in_use}
            total = sum(left.values())
            for session_id, size in left.items():
                if total <= num_bytes:
                    return
                del self._kept[session_id]
                total -= size

    def clear(self) -> None:
        """Drop all sessions; for further edits, clients send a recipe and the image again."""
        with self._lock:
            self._kept.clear()

    def forget_encodings(self, model: str, home: DeviceModels) -> None:
        """Drop the encodings of a model that is unloaded from a device; edits recompute them."""
        with self._lock:
            for _, served in self._kept.values():
                if served.entry.name == model and served.home is home:
                    served.session.encodings = None

    def _expire(self) -> None:
        now = self._clock()
        while self._kept:
            oldest, (used, _) = next(iter(self._kept.items()))
            if now - used <= self._ttl_s:
                return
            del self._kept[oldest]

    def _num_bytes(self) -> int:
        return sum(served.session.num_bytes for _, served in self._kept.values())
