"""The color space in which pixels are sent, and the space of an image from the wire."""

from __future__ import annotations

import pytest
from inpaint_client.images import Picture, SampleType, Transfer
from inpaint_krita.host.color import (
    GRAY,
    GRAY_LINEAR,
    SRGB,
    SRGB_LINEAR,
    Space,
    route,
    space_of,
)

MODELS = ["GRAYA", "RGBA", "CMYKA", "LABA", "XYZA", "YCbCrA"]
DEPTHS = ["U8", "U16", "F16", "F32"]


@pytest.mark.parametrize(
    ("space", "transfer"),
    [
        (Space("RGBA", "U8", SRGB), Transfer.SRGB),
        (Space("RGBA", "U8", "sRGB built-in"), Transfer.SRGB),
        (Space("RGBA", "U16", SRGB_LINEAR), Transfer.LINEAR),
        (Space("RGBA", "F32", SRGB_LINEAR), Transfer.LINEAR),
        (Space("RGBA", "F16", SRGB), Transfer.SRGB),
        (Space("GRAYA", "U8", GRAY), Transfer.SRGB),
        (Space("GRAYA", "F32", GRAY_LINEAR), Transfer.LINEAR),
    ],
)
def test_srgb_and_gray_are_sent_unchanged(space: Space, transfer: Transfer) -> None:
    way = route(space)
    assert way.is_direct(space)
    assert way.transfer is transfer


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("depth", DEPTHS)
def test_everything_else_is_converted_without_losing_depth(model: str, depth: str) -> None:
    way = route(Space(model, depth, "some profile"))
    assert not way.is_direct(Space(model, depth, "some profile"))
    assert way.travel.model == ("GRAYA" if model == "GRAYA" else "RGBA")
    is_float = depth.startswith("F")
    assert way.travel.depth == ("F32" if is_float else "U16")
    assert (way.transfer is Transfer.LINEAR) == is_float


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(KeyError):
        route(Space("HSYA", "U8", SRGB))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("channels", "model"), [(1, "GRAYA"), (3, "RGBA"), (4, "RGBA")])
@pytest.mark.parametrize("transfer", list(Transfer))
def test_a_reply_is_the_documents_own_space_only_if_it_means_the_same(
    depth: str, channels: int, model: str, transfer: Transfer
) -> None:
    kind = SampleType[depth]
    image = Picture(1, 1, channels, bytes(channels * kind.size), kind, transfer)
    for other_depth in DEPTHS:
        for like in (
            Space("RGBA", other_depth, SRGB),
            Space("RGBA", other_depth, SRGB_LINEAR),
            Space("GRAYA", other_depth, GRAY),
            Space("RGBA", other_depth, "Adobe RGB"),
        ):
            found = space_of(image, like)
            assert (found.model, found.depth) == (model, depth)
            means_the_same = (
                like.model == model
                and other_depth == depth
                and like.profile != "Adobe RGB"
                and (like.profile == SRGB_LINEAR) == (transfer is Transfer.LINEAR)
            )
            assert (found == like) == means_the_same


@pytest.mark.parametrize(
    ("model", "depth", "size", "layout"),
    [("RGBA", "U8", 4, "BGRA"), ("RGBA", "F16", 8, "RGBA"), ("GRAYA", "U16", 4, "YA")],
)
def test_layouts_in_memory(model: str, depth: str, size: int, layout: str) -> None:
    space = Space(model, depth, "")
    assert (space.pixel_bytes, space.layout) == (size, layout)
