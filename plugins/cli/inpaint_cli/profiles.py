"""ICC profiles: check whether they fit the pixels, and convert to sRGB and back.

littleCMS converts in float32, because its integer formats would lose precision of 16-bit images
(docs/decisions/0033).
"""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Floats = npt.NDArray[np.float32]

GRAY, RGB, CMYK = "GRAY", "RGB", "CMYK"
_HEADER = 128  # bytes; a table of tags follows


class Profile(NamedTuple):
    """A usable profile, or an empty one with a note."""

    icc: bytes = b""
    note: str = ""


class IccSpace:
    """Color space of a gray or RGB ICC profile, with a matrix or a table.

    Colors outside of sRGB are clipped, channel by channel.
    """

    def __init__(self, icc: bytes, channels: int) -> None:
        from imagecodecs import cms_profile

        self._icc = icc
        self._kind = "rgb" if channels == 3 else "gray"
        self._srgb = cms_profile("srgb")

    def to_srgb(self, values: Floats) -> Floats:
        """Convert values [H, W, 1 or 3] of this space to sRGB.

        Raises:
            imagecodecs.CmsError: the profile is damaged or for another number of channels.
        """
        source = values if self._kind == "rgb" else values[..., 0]
        return _transformed(source, self._icc, self._kind, self._srgb, "rgb")[
            ..., : values.shape[2]
        ]

    def from_srgb(self, values: Floats) -> Floats:
        """Convert sRGB values [H, W, 1 or 3] to this space.

        Raises:
            imagecodecs.CmsError: as for `to_srgb`, or the profile only supports one direction.
        """
        colors = np.broadcast_to(values, (*values.shape[:2], 3))
        result = _transformed(colors, self._srgb, "rgb", self._icc, self._kind)
        return result.reshape(values.shape)


def _transformed(
    values: Floats, source: bytes, source_kind: str, target: bytes, target_kind: str
) -> Floats:
    from imagecodecs import CMS, cms_transform

    result: Floats = cms_transform(
        np.ascontiguousarray(values.clip(0, 1)),
        source,
        target,
        colorspace=source_kind,
        outcolorspace=target_kind,
        intent=CMS.INTENT.PERCEPTUAL,
    )
    return result.clip(0, 1)


def fitting(icc: bytes, kind: str) -> Profile:
    """Return a file's profile if it describes pixels of this kind (`GRAY` or `RGB`)."""
    profile = _of_kind(icc, kind)
    if not profile.icc:
        return profile
    from imagecodecs import CmsError

    channels = 3 if kind == RGB else 1
    try:
        IccSpace(icc, channels).to_srgb(np.zeros((1, 1, channels), np.float32))
    except CmsError:
        return Profile(note="the color profile is damaged and is ignored")
    return profile


def rgb_from_cmyk(image: Image.Image, icc: bytes) -> tuple[Image.Image, str]:
    """Convert a CMYK image to sRGB, using its profile if possible.

    CMYK images are filled and written as sRGB.

    Returns:
        The converted image and a note, which may be empty.
    """
    profile = _of_kind(icc, CMYK)
    if not profile.icc:
        return image.convert("RGB"), profile.note
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        converted = None
    if converted is None:
        return image.convert("RGB"), "the color profile is damaged and is ignored"
    return converted, ""


def _of_kind(icc: bytes, kind: str) -> Profile:
    """Check the header of a profile."""
    if not icc:
        return Profile()
    if len(icc) < _HEADER or icc[36:40] != b"acsp":
        return Profile(note="the color profile is damaged and is ignored")
    space = icc[16:20].decode("latin-1").strip()
    if space.upper() != kind:
        name = space if space.isascii() and space.isalnum() else "something else"
        return Profile(
            note=f"the color profile is for {name}, the pixels are {kind}; it is ignored"
        )
    return Profile(icc)
