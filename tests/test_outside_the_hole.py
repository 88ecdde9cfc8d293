"""Not a bit outside the hole changes, anywhere between the model's output and the document.

The tests follow a fill from the model's output to the daemon's message, over the wire, and into the
results of each client: the image and the layer of the `inpaint` command, and the layers of Krita
and GIMP, which the hosts composite themselves using the layers' alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from inpaint_cli.layers import layer_image, raw_patch
from inpaint_client import Box, Candidate, Extent, Patch, Transfer, wire
from inpaint_gimp.runs.layers import layer_pixels
from inpaint_krita.host.color import GRAY, GRAY_LINEAR, SRGB, SRGB_LINEAR, Space
from inpaint_krita.runs.paint import paintings
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import composite
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.framing.frame_holes import Model, frame_holes
from inpaint_model.pipeline.session import Candidate as Made
from inpaint_model.pipeline.session import FillSession, Rendering
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.filling.filling import ServedSession
from inpaint_server.models.registry import BundleLoader, ModelRegistry, RegisteredModel
from inpaint_server.serving.finishing import finished_candidate
from inpaint_server.wire.messages import event_message

RESOLUTION = 32
TINY = 1e-6  # tolerance for rounding in sums of floats
DTYPES: list[np.dtype[Any]] = [np.dtype(x) for x in ("u1", "u2", "f2", "f4")]


@dataclass
class Stub:
    """The only property of a model that the frame mode "box" uses."""

    resolution: int = RESOLUTION


class Document(NamedTuple):
    """An image with a hole; the daemon sees the crop at `origin`."""

    pixels: np.ndarray  # [H, W, C]
    linear: bool
    coverage: np.ndarray  # uint8 [H, W], 0 outside the crop
    crop: Box


@cache
def tiny() -> RegisteredModel:
    return ModelRegistry(["tiny"], BundleLoader(torch.device("cpu"))).find("")


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Draw documents of any depth, with one or several holes of any shape and soft edges."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width, height = draw(st.integers(1, 48)), draw(st.integers(1, 48))
    channels, dtype = draw(st.sampled_from([1, 3, 4])), draw(st.sampled_from(DTYPES))
    if dtype.kind == "u":
        pixels = random.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, True)
    else:  # colors and alphas beyond 1, below 0, -0 and numbers too small to be normal
        pixels = (random.random((height, width, channels)) * 3 - 0.5).astype(dtype)
        pixels[random.random(pixels.shape) < 0.1] = -0.0
        pixels[random.random(pixels.shape) < 0.1] = np.finfo(dtype).smallest_subnormal
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    crop = Box(left, top, draw(st.integers(1, width - left)), draw(st.integers(1, height - top)))
    part = np.zeros((crop.height, crop.width), np.uint8)
    for _ in range(draw(st.integers(0, 3))):
        y, x = random.integers(crop.height), random.integers(crop.width)
        part[y : y + random.integers(1, 20), x : x + random.integers(1, 20)] = random.choice(
            [255, 255, int(random.integers(1, 256))]
        )
    dots = random.random(part.shape) < draw(st.sampled_from([0, 0, 0.02, 0.5]))
    part[dots] = random.integers(0, 256, np.count_nonzero(dots))
    part[random.integers(crop.height), random.integers(crop.width)] = random.integers(1, 256)
    coverage = np.zeros((height, width), np.uint8)
    cut(coverage, crop)[...] = part
    return Document(pixels, draw(st.booleans()), coverage, crop)


def two_triangles() -> Document:
    """Return a document with two groups of a hole that do not touch while their boxes overlap."""
    lower_right = np.tri(34, dtype=np.bool_)[:, ::-1]
    coverage = np.zeros((96, 96), np.uint8)
    for start in (17, 45):
        coverage[start : start + 34, start : start + 34][lower_right] = 200
    return Document(np.zeros((96, 96, 3), np.uint8), False, coverage, Box(0, 0, 96, 96))


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    return pixels[box.y : box.bottom, box.x : box.right]


def sent(document: Document, output_dtype: np.dtype[Any], how: BlendSettings) -> Candidate:
    """Return a candidate as a client receives it; the model's output is noise."""
    random = np.random.default_rng(1)
    height, width = document.coverage.shape
    image = DocumentImage(
        np.ascontiguousarray(cut(document.pixels, document.crop)),
        document.linear,
        origin=(document.crop.x, document.crop.y),
        size=(width, height),
    )
    hole = Hole(np.ascontiguousarray(cut(document.coverage, document.crop)), image.origin)
    placements = frame_holes(cast(Model, Stub()), image, hole, frame="box")
    session = FillSession(tiny().info, image, hole, placements, how)
    shape = (RESOLUTION, RESOLUTION, 3)
    outputs = tuple(random.random(shape, np.float32) for _ in placements)
    codes = tuple(np.zeros((2, 4), np.float32) for _ in placements)
    rendering = Rendering(0, -1, Made(0, 1.0, {}, None, codes), outputs, None)
    served = ServedSession(tiny(), session, output_dtype)
    message = event_message(finished_candidate(served, rendering)).SerializeToString()
    event = wire.event(pb.FillEvent.FromString(message))
    assert isinstance(event, Candidate)
    return event


blendings = st.builds(
    BlendSettings,
    colour_match=st.booleans(),
    gradient=st.booleans(),
    feather_px=st.sampled_from([0.0, 3.0, 256.0]),
    grain=st.booleans(),
    detail=st.booleans(),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(document=documents(), how=blendings)
def test_the_command_changes_covered_pixels_only(document: Document, how: BlendSettings) -> None:
    candidate = sent(document, document.pixels.dtype, how)
    layers = [raw_patch(patch) for patch in candidate.patches]
    before, outside = document.pixels.copy(), document.coverage == 0
    result = composite(document.pixels, layers)
    assert (result.dtype, result.shape) == (before.dtype, before.shape)
    assert result[outside].tobytes() == before[outside].tobytes()
    assert document.pixels.tobytes() == before.tobytes()
    for layer in layers:
        known, made = layer.box.cut(before), layer.box.cut(result)
        covered, whole = layer.coverage > 0, layer.coverage == 255
        assert (made >= np.minimum(known, layer.fill) - TINY)[covered].all()
        assert (made <= np.maximum(known, layer.fill) + TINY)[covered].all()
        if document.pixels.shape[2] < 4:
            assert (made[whole] == layer.fill[whole]).all()
    alone = layer_image(document.pixels, layers)
    assert not alone[outside].any()


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(document=documents(), how=blendings, output_dtype=st.sampled_from(DTYPES))
@example(document=two_triangles(), how=BlendSettings(), output_dtype=np.dtype(np.float16))
def test_layers_of_the_hosts_are_transparent_outside_the_hole(
    document: Document, how: BlendSettings, output_dtype: np.dtype[Any]
) -> None:
    """Hosts do not change a pixel where the alpha of the layer above is 0."""
    candidate = sent(document, output_dtype, how)
    height, width = document.coverage.shape
    for host in (gimp_alpha(candidate), krita_alpha(candidate)):
        alpha = np.zeros((height, width))
        for box, values in host:
            assert Box(0, 0, width, height).contains(box)
            cut(alpha, box)[...] = values
        assert not alpha[document.coverage == 0].any()
        assert np.array_equal(alpha > 0, document.coverage > 0)
        assert np.abs(alpha - document.coverage / 255).max() < 1e-3


def gimp_alpha(candidate: Candidate) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield the place and the alpha, 0..1, of the layer that the GIMP plug-in makes."""
    made = layer_pixels(candidate)
    yield made.box, alpha_of(made.data, made.box, candidate.patches[0])


def krita_alpha(candidate: Candidate) -> Iterator[tuple[Box, np.ndarray]]:
    """Yield the places and the alpha, 0..1, of what the Krita plug-in paints into its layer."""
    patch = candidate.patches[0]
    linear = patch.fill.transfer is Transfer.LINEAR
    gray = patch.fill.channels == 1
    profile = (GRAY_LINEAR if linear else GRAY) if gray else (SRGB_LINEAR if linear else SRGB)
    space = Space("GRAYA" if gray else "RGBA", patch.fill.sample_type.name, profile)
    for painting in paintings(candidate.patches, space, never):
        yield painting.box, alpha_of(painting.data, painting.box, patch)


def never(data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
    raise AssertionError(f"converted from {source} to {target}")


def alpha_of(data: bytes | bytearray, box: Box, patch: Patch) -> np.ndarray:
    dtype = raw_patch(patch).fill.dtype
    channels = 2 if patch.fill.channels == 1 else 4
    alpha = np.frombuffer(data, dtype).reshape(box.height, box.width, channels)[..., -1]
    return alpha / (np.iinfo(dtype).max if dtype.kind == "u" else 1.0)
