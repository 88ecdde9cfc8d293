"""Choose the color space in which pixels are sent to the daemon, for every document color space.

The wire supports sRGB primaries, gamma-encoded or linear, gray or color. Pixels that already have
such a space are sent unchanged. All others are converted by Krita in a scratch document.
"""

from __future__ import annotations

from typing import NamedTuple

from inpaint_client.images import Picture, SampleType, Transfer

SRGB = "sRGB-elle-V2-srgbtrc.icc"
SRGB_LINEAR = "sRGB-elle-V2-g10.icc"
GRAY = "Gray-D50-elle-V2-srgbtrc.icc"
GRAY_LINEAR = "Gray-D50-elle-V2-g10.icc"

# Krita names profiles by their description; these are the same colors under other names.
SRGB_NAMES = frozenset(
    {SRGB, "sRGB-elle-V4-srgbtrc.icc", "sRGB built-in", "sRGB IEC61966-2.1", "sRGB"}
)
_SRGB_LINEAR_NAMES = frozenset(
    {
        SRGB_LINEAR,
        "sRGB-elle-V4-g10.icc",
        "krita-2.5, lcms sRGB built-in with linear gamma TRC",
    }
)
_GRAY_NAMES = frozenset({GRAY, "Gray-D50-elle-V4-srgbtrc.icc"})
_GRAY_LINEAR_NAMES = frozenset({GRAY_LINEAR, "Gray-D50-elle-V4-g10.icc"})

_SAMPLES = {
    "U8": SampleType.U8,
    "U16": SampleType.U16,
    "F16": SampleType.F16,
    "F32": SampleType.F32,
}
_CHANNELS = {"GRAYA": 2, "RGBA": 4, "CMYKA": 5, "LABA": 4, "XYZA": 4, "YCbCrA": 4}


class Space(NamedTuple):
    """A color space with Krita's names, for example ("RGBA", "U8", "sRGB built-in")."""

    model: str
    depth: str
    profile: str

    @property
    def sample_type(self) -> SampleType:
        return _SAMPLES[self.depth]

    @property
    def pixel_bytes(self) -> int:
        return _CHANNELS[self.model] * self.sample_type.size

    @property
    def layout(self) -> str:
        """Channel order in memory for gray and RGB: BGRA for integers, RGBA for floats."""
        if self.model == "GRAYA":
            return "YA"
        return "BGRA" if self.depth in ("U8", "U16") else "RGBA"


class Route(NamedTuple):
    """How pixels of a space are sent: in the space `travel`, with the wire's `transfer`."""

    travel: Space
    transfer: Transfer

    def is_direct(self, space: Space) -> bool:
        """Whether the bytes of `space` need no conversion."""
        return self.travel == space


def route(space: Space) -> Route:
    """Return the route for pixels of `space` that loses the least precision.

    Raises:
        KeyError: the color model or depth is unknown.
    """
    _CHANNELS[space.model], _SAMPLES[space.depth]
    is_float = space.depth in ("F16", "F32")
    gray = space.model == "GRAYA"
    if gray or space.model == "RGBA":
        if space.profile in (_GRAY_NAMES if gray else SRGB_NAMES):
            return Route(space, Transfer.SRGB)
        if space.profile in (_GRAY_LINEAR_NAMES if gray else _SRGB_LINEAR_NAMES):
            return Route(space, Transfer.LINEAR)
    model = "GRAYA" if gray else "RGBA"
    if is_float:  # values may exceed 1, which is meaningful only in linear light
        return Route(Space(model, "F32", GRAY_LINEAR if gray else SRGB_LINEAR), Transfer.LINEAR)
    # 16 bits even for 8-bit documents, so that conversion to another space adds no banding.
    return Route(Space(model, "U16", GRAY if gray else SRGB), Transfer.SRGB)


def space_of(image: Picture, like: Space) -> Space:
    """Return the space of an image from the wire: `like` itself if no conversion is needed."""
    gray = image.channels == 1
    linear = image.transfer is Transfer.LINEAR
    profile = (GRAY_LINEAR if linear else GRAY) if gray else (SRGB_LINEAR if linear else SRGB)
    plain = Space("GRAYA" if gray else "RGBA", image.sample_type.name, profile)
    way = route(like)
    same = (plain.model, plain.depth, image.transfer) == (like.model, like.depth, way.transfer)
    return like if same and way.is_direct(like) else plain
