"""grpclib's channel, configured for transferring images."""

from __future__ import annotations

import asyncio

from google.protobuf.message import DecodeError
from grpclib.client import Channel, Handler
from grpclib.const import Status
from grpclib.encoding.base import StatusDetailsCodecBase
from grpclib.protocol import H2Protocol
from h2.settings import SettingCodes
from inpaint_protos.sentences import DOMAIN, ERROR_INFO, RETRY_INFO
from inpaint_protos.status.v1 import status_pb2

from .errors import Reason

FRAME_BYTES = 256 << 10  # the amount that asyncio reads at once; the default of HTTP/2 is 16 KiB


class ImageChannel(Channel):
    """Channel that accepts large HTTP/2 frames, because the overhead is per frame.

    grpclib has no option for this.
    """

    def _protocol_factory(self) -> H2Protocol:
        return _ImageProtocol(Handler(), self._config, self._h2_config)


class _ImageProtocol(H2Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.connection._connection.update_settings({SettingCodes.MAX_FRAME_SIZE: FRAME_BYTES})
        self.connection.flush()


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
