"""grpclib's channel, set up for pictures."""

from __future__ import annotations

import asyncio

from grpclib.client import Channel, Handler
from grpclib.protocol import H2Protocol
from h2.settings import SettingCodes

FRAME_BYTES = 256 << 10  # what asyncio reads at a time; without a word HTTP/2 allows 16 KiB


class PictureChannel(Channel):
    """A channel whose daemon may answer in large frames: each costs the same, whatever it holds.

    grpclib has no option for it.
    """

    def _protocol_factory(self) -> H2Protocol:
        return _PictureProtocol(Handler(), self._config, self._h2_config)


class _PictureProtocol(H2Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.connection._connection.update_settings({SettingCodes.MAX_FRAME_SIZE: FRAME_BYTES})
        self.connection.flush()
