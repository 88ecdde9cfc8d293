"""The interface between the protocol that clients speak and what answers their requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..filling.specs import EditSpec, FillSpec, ImageHeader, SegmentSpec
from .answers import Answer, Description, ModelState, SegmentAnswer


@dataclass(frozen=True)
class Caller:
    """Who makes a request, and until when."""

    client: Hashable = ""  # all clients get equal shares of a device
    deadline: float | None = None  # as of time.monotonic(); None = none


class Upload(Protocol):
    """The images of a request, which may still be on their way."""

    @property
    def present(self) -> int:
        """The bytes of crop and hole that are already in memory."""

    async def images(self, shapes: Sequence[ImageHeader]) -> Sequence[bytes | bytearray]:
        """Receive the images, in the order of their descriptions. May be called once."""


class Backend(Protocol):
    """Answers requests. Every error of a request is a `RequestError`, unless it is a bug.

    Whoever stops reading the answers must close the generator, which cancels the request.
    """

    @property
    def has_failed(self) -> bool:
        """Whether a device was lost, so that all requests are refused."""

    def fill(self, spec: FillSpec, upload: Upload, caller: Caller) -> AsyncGenerator[Answer, None]:
        """Yield the frames, candidates and variants of a hole, each as soon as it is ready.

        Memory is reserved before the images are received.
        """

    def edit(self, spec: EditSpec, upload: Upload, caller: Caller) -> AsyncGenerator[Answer, None]:
        """Yield a candidate with changes, based on its session or its recipe and attachment."""

    def segment(
        self, spec: SegmentSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[SegmentAnswer, None]:
        """Yield the faces in an image, then the masks of their parts."""

    async def describe(self) -> Description:
        """Describe the backend."""

    async def load_model(self, name: str, caller: Caller) -> ModelState:
        """Load a model on every device."""

    async def unload_model(self, name: str, caller: Caller) -> bool:
        """Free a model's memory on every device, and return whether it was loaded on any."""

    def health_problem(self) -> str | None:
        """Return why a restart would help; None if it would not. Must not block."""

    async def run(self, on_ready: Callable[[bool], None]) -> None:
        """Work in the background until cancelled.

        Args:
            on_ready: called with whether requests are answered without delay, when that changes.
        """

    def stop(self) -> None:
        """Accept no more requests and release the devices."""
