"""ICC profiles: whether one fits the pixels that it came with, and the way to sRGB and back.

littleCMS converts, in float32: its integer formats would lose what 16 bits hold
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
_HEADER = 128  # bytes; a table of tags comes after it


class Profile(NamedTuple):
    """A profile that may be used, or nothing and why."""

    icc: bytes = b""
    note: str = ""


class IccSpace:
    """The space of an ICC profile, gray or RGB, by matrix or by table.

    Colors that sRGB does not hold become the nearest that it does, channel by channel.
    """

    def __init__(self, icc: bytes, channels: int) -> None:
        from imagecodecs import cms_profile

        self._icc = icc
        self._kind = "rgb" if channels == 3 else "gray"
        self._srgb = cms_profile("srgb")

    def to_srgb(self, values: Floats) -> Floats:
        """Return sRGB's values [H, W, 1 or 3] for this space's.

        Raises:
            imagecodecs.CmsError: the profile is broken, or not of this many channels.
        """
        source = values if self._kind == "rgb" else values[..., 0]
        return _transformed(source, self._icc, self._kind, self._srgb, "rgb")[
            ..., : values.shape[2]
        ]

    def from_srgb(self, values: Floats) -> Floats:
        """Return this space's values [H, W, 1 or 3] for sRGB's.

        Raises:
            imagecodecs.CmsError: as `to_srgb`, or the profile describes one direction only.
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
    """Return a CMYK image as sRGB, by its profile if that can be used, and what there is to say.

    CMYK is filled, and written, as sRGB.
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
    """Judge by the header alone."""
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
