"""The detail network around holes: where it runs, what it sees, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inpaint_model import DocumentInpainter, Inpainter
from inpaint_model.document import geometry
from inpaint_model.document.blending import RAW, BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, FramePart, Placement, place
from inpaint_model.document.resampling import resample
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.detail_network import DetailConfig, DetailNetwork
from inpaint_model.pipeline.enlarging import Enlarger, doublings, without_specks
from inpaint_model.pipeline.session import Task
from scipy import ndimage

R = 32  # of the tiny model


def network(strength: float = 1.0) -> DetailNetwork:
    """Return a network with random weights; at strength 0 it only enlarges."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = DetailNetwork(DetailConfig(widths=(8, 8), blocks=1)).requires_grad_(False)
        torch.nn.init.normal_(made.head.weight, std=strength)
    return made.eval()


def inpainter(detail: DetailNetwork | None) -> Inpainter:
    made = tiny_inpainter()
    made.detail = detail
    return made


def waves(width: int, height: int) -> np.ndarray:
    """Return a smooth image, uint8 [H, W, 3]."""
    y, x = np.mgrid[:height, :width]
    channels = [0.5 + 0.4 * np.sin(x / (9 + k)) * np.cos(y / (7 + k)) for k in range(3)]
    image: np.ndarray = np.rint(np.stack(channels, 2) * 255).astype(np.uint8)
    return image


def disc(width: int, height: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(columns - x, rows - y) <= radius
    mask: np.ndarray = (inside * 255).astype(np.uint8)
    return mask


def placed(side: float, angle: float = 0.0, size: int = 200) -> Placement:
    hole = Hole(disc(size, size, size / 2, size / 2, side / 6))
    frame = Frame(size / 2, size / 2, side, angle)
    return place(DocumentImage(waves(size, size)), hole, frame, R)


@pytest.mark.parametrize(
    ("factor", "count"), [(0.3, 0), (1.0, 0), (1.4, 0), (1.5, 1), (5.6, 1), (5.7, 2), (40.0, 2)]
)
def test_fills_are_doubled_as_often_as_the_document_is_finer(factor: float, count: int) -> None:
    assert doublings(factor) == count


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(20, 260),
    height=st.integers(20, 260),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
    radius=st.floats(1, 120),
    side=st.floats(12, 400),
    angle=st.floats(-180, 180),
    off=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
)
def test_any_hole_in_any_frame_is_enlarged(
    width: int,
    height: int,
    x: float,
    y: float,
    radius: float,
    side: float,
    angle: float,
    off: tuple[float, float],
) -> None:
    mask = disc(width, height, x * width, y * height, radius)
    assume(mask.any())
    frame = Frame(x * width + off[0] * side, y * height + off[1] * side, side, angle)
    image = DocumentImage(waves(width, height))
    try:
        placement = place(image, Hole(mask), frame, R)
    except ValueError:
        assume(False)
    enlarge = Enlarger(network(), placement)
    box, output = enlarge.box, np.full((R, R, 3), 0.5, np.float32)
    assert box == box.clipped(R, R)
    assert (box.width % enlarge.network.multiple, box.height % enlarge.network.multiple) == (0, 0)
    part = enlarge(output)
    scale = 1 << doublings(placement.upscale_factor)
    assert part.resolution == R * scale
    assert np.isfinite(part.pixels).all()
    if scale > 1:
        assert part.pixels.shape == (box.height * scale, box.width * scale, 3)
    for octave in enlarge.octaves:
        assert bool(((octave.hole == 0) | (octave.hole == 1)).all())
        assert bool((octave.known[:, :, octave.hole[0, 0] == 1] == 0).all())
    patch = BlendFit.of(placement, part, RAW).to_patch()
    outside = placement.hole.coverage == 0
    assert (patch.fill[outside] == placement.document[outside]).all()


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_the_network_sees_the_document_at_the_place_of_the_fill(angle: float) -> None:
    placement = placed(190, angle, 300)
    enlarge = Enlarger(network(), placement)
    assert [octave.known.shape[-1] for octave in enlarge.octaves] == [
        enlarge.box.width * 2,
        enlarge.box.width * 4,
    ]
    display = placement.image.pixels.astype(np.float32) / np.float32(255)
    for scale, octave in zip((2, 4), enlarge.octaves, strict=True):
        to_document = geometry.document_from_model(placement.frame, R * scale)
        wanted = resample(display, to_document, R * scale, R * scale)
        box = enlarge.box
        there = wanted[box.y * scale :, box.x * scale :][: box.height * scale, : box.width * scale]
        known = octave.hole[0, 0].numpy() == 0
        assert known.mean() > 0.3
        found = (octave.known[0].permute(1, 2, 0).numpy() + 1) / 2
        assert np.abs(found - there)[known].max() < 0.02


def test_nothing_of_the_old_content_is_seen() -> None:
    placement = placed(190, 15, 300)
    changed = placement.image.pixels.copy()
    changed[placement.filled.mask] = 255 - changed[placement.filled.mask]
    other = place(DocumentImage(changed), placement.filled, placement.frame, R)
    for one, two in zip(
        Enlarger(network(), placement).octaves, Enlarger(network(), other).octaves, strict=True
    ):
        assert torch.equal(one.known, two.known)
        assert torch.equal(one.hole, two.hole)


def test_without_detail_a_fill_is_only_enlarged() -> None:
    placement = placed(120)
    output = (waves(R, R) / 255).astype(np.float32)
    part = Enlarger(network(0.0), placement)(output)
    plain = BlendFit.of(placement, output, RAW).to_patch()
    enlarged = BlendFit.of(placement, part, RAW).to_patch()
    difference = np.abs(plain.fill.astype(int) - enlarged.fill)
    assert difference.max() <= 6, "two kinds of cubic interpolation"
    assert difference.mean() < 0.7


def test_detail_keeps_the_colors_of_blocks() -> None:
    placement = placed(120)
    output = (waves(R, R) / 255).astype(np.float32)
    plain, detailed = (Enlarger(network(s), placement)(output).pixels for s in (0.0, 1.0))
    assert np.abs(plain - detailed).max() > 0.05

    def means(image: np.ndarray) -> np.ndarray:
        rows, columns = (side // 16 for side in image.shape[:2])
        whole = image[: rows * 16, : columns * 16]
        blocks: np.ndarray = whole.reshape(rows, 16, columns, 16, 3).mean((1, 3))
        return blocks

    within = np.abs(means(plain) - means(detailed))[1:-1, 1:-1].mean()
    assert within < 0.2 * np.abs(plain - detailed).mean()


def fills(detail: DetailNetwork | None, blending: BlendSettings | None = None) -> list[np.ndarray]:
    """Return a fill and an edited one of a document finer than the model."""
    document = DocumentInpainter(inpainter(detail))
    frame = Frame(100, 100, 120)
    mask = disc(200, 200, 100, 100, 25)
    session = document.open(waves(200, 200), mask, frame=frame, blending=blending)
    for prepare in session.preparations():
        prepare()
    (first,) = document.fill(session, [1])
    second = document.edit(session, first.candidate, {}, seed=2)
    return [first.composite, second.composite]


def test_a_model_with_a_detail_network_uses_it_unless_switched_off() -> None:
    without, off, on = fills(None), fills(network(), BlendSettings(detail=False)), fills(network())
    for plain, switched_off, detailed in zip(without, off, on, strict=True):
        assert (plain == switched_off).all()
        assert (plain != detailed).any()
        outside = disc(200, 200, 100, 100, 25) == 0
        assert (detailed[outside] == waves(200, 200)[outside]).all()


def test_reopened_fills_have_the_same_detail() -> None:
    document = DocumentInpainter(inpainter(network()))
    image, mask = waves(200, 200), disc(200, 200, 100, 100, 25)
    session = document.open(image, mask, frame=Frame(100, 100, 120))
    (fill,) = document.fill(session, [3])
    again = document.reopen(fill.recipe, session.attachment(), image, mask)
    (rendering,) = document.render(again, [_task(again)])
    assert (again.patches(rendering)[0].fill == fill.patches[0].fill).all()


def _task(session: Any) -> Any:
    from inpaint_model.pipeline.session import Task

    return Task(0, -1, session.candidates[0])


def test_a_frame_part_of_all_is_the_output() -> None:
    output = np.zeros((R, R, 3), np.float32)
    assert FramePart.of(output) == (output, (0, 0), R)


def test_a_reopened_fill_has_the_same_texture() -> None:
    side = 340
    grain = np.random.default_rng(0).integers(-20, 21, (side, side, 1))
    image = (waves(side, side).astype(np.int64) + grain).clip(0, 255).astype(np.uint8)
    hole, frame = disc(side, side, 290, 290, 30), Frame(side / 2, side / 2, side)
    document = DocumentInpainter(inpainter(network(0.01)))
    session = document.open(image, hole, frame=frame)
    (fill,) = document.fill(session, [3])
    assert session.placements[0].exemplar(4 * R) is not None
    again = document.reopen(fill.recipe, session.attachment(), image, hole)
    (rendering,) = document.render(again, [Task(0, -1, again.candidates[0])])
    assert np.array_equal(again.patches(rendering)[0].fill, fill.patches[0].fill)
    assert again.placements[0].texture_bytes > 0

    plain = document.open(image, hole, frame=frame, blending=BlendSettings(detail=False))
    (without,) = document.fill(plain, [3])
    assert without.patches
    assert plain.placements[0].texture_bytes == 0


@pytest.mark.parametrize("shape", [(3, 1, 1), (3, 2, 5), (1, 64, 80)])
def test_specks_are_taken_by_a_median_of_nine(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).random(shape, np.float32)
    expected = ndimage.median_filter(image, (1, 3, 3), mode="nearest")
    assert np.array_equal(without_specks(torch.from_numpy(image)[None])[0].numpy(), expected)
