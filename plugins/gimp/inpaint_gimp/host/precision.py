"""Sample formats for sending pixels: GIMP's precisions in terms of babl and of the wire."""

from __future__ import annotations

from typing import NamedTuple

from inpaint_client import Picture, SampleType, Transfer


class SampleFormat(NamedTuple):
    """A sample type with a transfer curve.

    A babl format without a space means sRGB primaries. So reading and writing in a format from
    `babl()` is all the color management needed, for any profile of the image.
    """

    sample_type: SampleType
    transfer: Transfer

    def babl(self, layout: str) -> str:
        """Return the babl format for the layout "Y", "YA", "RGB" or "RGBA"."""
        model = layout if self.transfer is Transfer.LINEAR else _CURVED[layout]
        return f"{model} {_BABL_TYPES[self.sample_type]}"


_CURVED = {"Y": "Y'", "YA": "Y'A", "RGB": "R'G'B'", "RGBA": "R'G'B'A"}
_BABL_TYPES = {
    SampleType.U8: "u8",
    SampleType.U16: "u16",
    SampleType.F16: "half",
    SampleType.F32: "float",
}

# 32-bit integers and doubles are sent as floats; this affects only the fill, not the image.
_SAMPLE_TYPES = {
    "u8": SampleType.U8,
    "u16": SampleType.U16,
    "u32": SampleType.F32,
    "half": SampleType.F16,
    "float": SampleType.F32,
    "double": SampleType.F32,
}

LAYOUTS = {1: "Y", 3: "RGB", 4: "RGBA"}  # of the wire's images, by channels
WITH_ALPHA = {1: "YA", 3: "RGBA", 4: "RGBA"}


def document_format(precision: str) -> SampleFormat:
    """Return the format for the nick of a precision, for example "u8-non-linear"."""
    depth, _, curve = precision.partition("-")
    return SampleFormat(
        _SAMPLE_TYPES[depth], Transfer.LINEAR if curve == "linear" else Transfer.SRGB
    )


def image_format(image: Picture) -> SampleFormat:
    return SampleFormat(image.sample_type, image.transfer)
