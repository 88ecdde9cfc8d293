"""grpclib's channel, configured for transferring images."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from google.protobuf.message import DecodeError
from grpclib.client import Channel, Handler
from grpclib.config import Configuration
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.protocol import H2Protocol
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from h2.events import Event
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, RETRY_INFO
from inpaint_protos.status.v1 import status_pb2

from .errors import Reason

FRAME_BYTES = 256 << 10  # the amount that asyncio reads at once; the default of HTTP/2 is 16 KiB


class ImageChannel(Channel):
    """Channel that accepts large HTTP/2 frames, because the overhead is per frame.

    grpclib has no option for this. A connection that the server wants to end is replaced for the
    next call, and stays until its running calls are done.
    """

    def __init__(self, *address: Any, **options: Any) -> None:  # noqa: ANN401 (grpclib's own)
        super().__init__(*address, **options)
        self._open: set[asyncio.Transport] = set()

    def _protocol_factory(self) -> H2Protocol:
        return _ImageProtocol(Handler(), self._config, self._h2_config, self._open)

    def abort(self) -> None:
        """Close all connections; pending calls fail.

        A normal close would wait for the server's TLS shutdown, possibly beyond the event loop.
        """
        transports = tuple(self._open)
        self.close()
        for transport in transports:
            transport.abort()


class _ImageProtocol(H2Protocol):
    def __init__(
        self,
        handler: Handler,
        config: Configuration,
        h2_config: H2Configuration,
        still_open: set[asyncio.Transport],
    ) -> None:
        super().__init__(handler, config, h2_config)
        self._still_open = still_open
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._transport = cast(asyncio.Transport, transport)
        self._still_open.add(self._transport)
        http2 = self.connection._connection
        http2.update_settings({SettingCodes.MAX_FRAME_SIZE: FRAME_BYTES})
        # h2 ends all streams at a GOAWAY frame, also if the server asks to finish them first.
        self._close_at_once = http2._frame_dispatch_table[GoAwayFrame]
        http2._frame_dispatch_table[GoAwayFrame] = self._received_goaway
        self.connection.flush()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._still_open.discard(self._transport)
        waiting = [each for each in self.processor.streams.values() if not each.trailers]
        if len(waiting) == len(self.processor.streams):
            super().connection_lost(exc)
            return
        # Answers that arrived together with the end of the connection can still be read.
        self.handler.close()
        for stream in waiting:
            stream.__terminated__("Connection lost")

    def _received_goaway(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        if frame.error_code != ErrorCodes.NO_ERROR:
            return cast(tuple[list[Frame], list[Event]], self._close_at_once(frame))
        self.handler.close()  # the channel then opens another connection for the next call
        for number, stream in self.processor.streams.items():
            if number > frame.last_stream_id:
                stream.__terminated__("the server did not begin it")
        return [], []


class ReasonCodec(StatusDetailsCodecBase):
    """Codec that reads the reason for a refusal and the retry delay from the status details."""

    def encode(self, status: Status, message: str | None, details: object) -> bytes:
        """Raise NotImplementedError, because clients never send a status."""
        raise NotImplementedError

    def decode(self, status: Status, message: str | None, data: bytes) -> Reason | None:
        """Return the reason; None if the details are not from an inpainting daemon."""
        reason, retry_after_s = None, None
        try:
            for detail in status_pb2.Status.FromString(data).details:
                if detail.type_url == ERROR_INFO and reason is None:
                    info = status_pb2.ErrorInfo.FromString(detail.value)
                    if info.domain == DOMAIN:
                        reason = Reason(info.reason, dict(info.metadata))
                elif detail.type_url == RETRY_INFO:
                    delay = status_pb2.RetryInfo.FromString(detail.value).retry_delay
                    retry_after_s = max(0.0, delay.seconds + delay.nanos / 1e9)
        except DecodeError:
            return None
        return reason and reason._replace(retry_after_s=retry_after_s)
