"""Write the daemon's patches into layers, one after another, strip by strip."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol

from inpaint_client.events import Patch

from ..host.color import Space
from ..host.document_protocol import Painting
from .cooperative_task import CooperativeTask
from .paint import Convert, paintings


class Canvas(Protocol):
    """The part of a document used for writing."""

    def write(self, layer_id: str, painting: Painting) -> bool: ...


class Order(NamedTuple):
    layer: str
    patches: tuple[Patch, ...]
    space: Space  # of the document
    done: Callable[[], None]


class Writer:
    """A queue, since candidates may arrive faster than they are written."""

    def __init__(
        self, canvas: Canvas, convert: Convert, failed: Callable[[Exception], None]
    ) -> None:
        self._canvas = canvas
        self._convert = convert
        self._failed = failed
        self._orders: deque[Order] = deque()
        self._steps: CooperativeTask[None] | None = None

    @property
    def is_busy(self) -> bool:
        return self._steps is not None or bool(self._orders)

    def write(self, order: Order) -> None:
        """Queue an order; `order.done` is called when the layer is complete."""
        self._orders.append(order)
        if self._steps is None:
            self._next()

    def stop(self) -> None:
        """Discard everything not yet written."""
        self._orders.clear()
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None

    def _next(self) -> None:
        order = self._orders.popleft()

        def done(_: None) -> None:
            self._steps = None
            order.done()
            if self._orders and self._steps is None:
                self._next()

        def failed(error: Exception) -> None:
            self.stop()
            self._failed(error)

        self._steps = CooperativeTask(self._write(order), done, failed)

    def _write(self, order: Order) -> Generator[None, None, None]:
        for painting in paintings(order.patches, order.space, self._convert):
            self._canvas.write(order.layer, painting)
            yield
