"""Images as they are sent: raw samples and their format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from .errors import InputError
from .geometry import Extent


class SampleType(IntEnum):
    """Storage format of one sample, little endian. The numbers are those of the wire."""

    U8 = 1  # 0..255
    U16 = 2  # 0..65535
    F16 = 3  # nominally 0..1, may exceed it
    F32 = 4  # nominally 0..1, may exceed it

    @property
    def size(self) -> int:
        """Bytes of one sample."""
        return {SampleType.U8: 1, SampleType.U16: 2, SampleType.F16: 2, SampleType.F32: 4}[self]


class Transfer(IntEnum):
    """Transfer curve of an image; the primaries are always sRGB's."""

    SRGB = 1
    LINEAR = 2


@dataclass(frozen=True)
class Picture:
    """Raw interleaved rows, top to bottom, little endian, no padding.

    `channels` is 1 (gray), 3 (RGB) or 4 (RGBA, straight alpha). A `bytearray` is stored without a
    copy and must not be modified afterwards.
    """

    width: int
    height: int
    channels: int
    data: bytes | bytearray = field(repr=False)
    sample_type: SampleType = SampleType.U8
    transfer: Transfer = Transfer.SRGB

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InputError(f"An image of {self.width} x {self.height} px has no pixels.")
        if self.channels not in (1, 3, 4):
            raise InputError(f"An image has 1, 3 or 4 channels, not {self.channels}.")
        expected = self.width * self.height * self.pixel_bytes
        if len(self.data) != expected:
            raise InputError(
                f"An image of {self.width} x {self.height} px, {self.channels} channels of "
                f"{self.sample_type.name}, has {expected} bytes, not {len(self.data)}."
            )

    @property
    def extent(self) -> Extent:
        """The size of the image."""
        return Extent(self.width, self.height)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel."""
        return self.channels * self.sample_type.size
