"""Blending: what each step does, and that none of them touches a known pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from compositing import composited, filled
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import detail_matching
from inpaint_model.document.blending import RAW, BlendContext, BlendSettings
from inpaint_model.document.color import quantize
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, Placement, place
from inpaint_model.document.resampling import resample
from inpaint_model.evaluation.metrics.seam import seam_step
from scipy import ndimage

SIDE, RESOLUTION = 320, 64
FRAME = Frame(170, 150, 200, 12)
HOLE = Box(130, 110, 80, 70)


def scenery(noise: float = 0.0) -> np.ndarray:
    """A shaded image with an edge, colors and structure at several scales, display values."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    shade = 0.45 + 0.15 * np.sin(x / 70) + 0.1 * np.cos(y / 55)
    soft = ndimage.gaussian_filter(random.standard_normal((SIDE, SIDE)), 6)
    warm = 0.09 + 0.06 * np.sin((x - y) / 45)
    image = np.stack([shade + warm, shade, shade - 0.08], axis=2) + soft[..., None] * 0.8
    image[y + x / 3 > 220] *= 0.7
    image += noise * random.standard_normal(image.shape)
    return image.clip(0, 1).astype(np.float32)


def coverage() -> np.ndarray:
    selected = np.zeros((SIDE, SIDE), np.uint8)
    y, x = np.mgrid[: HOLE.height, : HOLE.width]
    inside = ((x - 40) / 40.0) ** 2 + ((y - 35) / 35.0) ** 2
    HOLE.cut(selected)[...] = ((1.1 - inside).clip(0, 0.1) * 2550).astype(np.uint8)
    return selected


def true_view(image: np.ndarray) -> np.ndarray:
    from inpaint_model.document.geometry import document_from_model

    return resample(image, document_from_model(FRAME, RESOLUTION), RESOLUTION, RESOLUTION)


def other_light(view: np.ndarray) -> np.ndarray:
    """The view as a model that got color, contrast and light wrong would return it."""
    x = np.linspace(-1, 1, RESOLUTION, dtype=np.float32)[:, None]
    tint = np.array([0.08, 0.0, -0.05], np.float32)
    changed: np.ndarray = 0.85 * (view - 0.4) + 0.4 + tint + 0.04 * x
    return changed.clip(0, 1)


def display(pixels: np.ndarray) -> np.ndarray:
    """8-bit samples as display values, float32 0..1."""
    return pixels.astype(np.float32) / np.float32(255)


def placed(pixels: np.ndarray, linear: bool = False) -> Placement:
    return place(DocumentImage(pixels, linear), Hole(coverage()), FRAME, RESOLUTION)


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(
    st.builds(
        BlendSettings,
        colour_match=st.booleans(),
        gradient=st.booleans(),
        feather_px=st.floats(0, 256),
        grain=st.booleans(),
        detail=st.booleans(),
    ),
    st.sampled_from([np.uint8, np.uint16, np.float16, np.float32]),
    st.sampled_from([1, 3, 4]),
    st.booleans(),
)
def test_no_setting_touches_a_known_pixel(
    how: BlendSettings, dtype: Any, channels: int, linear: bool
) -> None:
    random = np.random.default_rng(0)
    pixels = quantize(random.random((SIDE, SIDE, channels), np.float32) * 1.2, dtype)
    placement = placed(pixels, linear)
    result = filled(placement, random.random((RESOLUTION, RESOLUTION, 3), np.float32), how)
    known = coverage() == 0
    assert result.dtype == pixels.dtype
    assert np.array_equal(result[known], pixels[known])
    assert np.isfinite(result.astype(np.float64)).all()


def test_blending_takes_no_edit_back_and_leaves_no_seam() -> None:
    """An edit that changes what the model shows everywhere, on the ring too, as "blonde" does."""
    image = scenery(noise=0.01)
    placement = placed(quantize(image, np.uint8))
    plain = other_light(true_view(image))
    edit = np.array([0.16, 0.12, 0.04], np.float32)
    before = display(filled(placement, plain, None))
    alone = display(filled(placement, plain + edit, None))
    patch = BlendFit.of(placement, plain).edit_to_patch(plain + edit)
    after = display(composited(placement.image, [patch]))
    deep = ndimage.binary_erosion(coverage() == 255, iterations=24)
    kept, kept_alone = ((result - before)[deep].mean(axis=0) / edit for result in (after, alone))
    assert (np.abs(kept - 1) < 0.25).all()
    assert (np.abs(kept_alone) < 0.15).all()
    assert seam_step(after, image, coverage() > 0) < 0.5


def test_a_hole_cut_by_its_frame_has_no_seam_at_the_cut() -> None:
    """Pixels outside the frame are unchanged, and the fill must be continuous with them."""
    image = scenery(noise=0.01)
    beyond = coverage()
    beyond[: HOLE.bottom, 110:230] = 255  # up to the top of the image; the frame begins below
    placement = place(DocumentImage(quantize(image, np.uint8)), Hole(beyond), FRAME, RESOLUTION)
    how = BlendSettings(colour_match=False, grain=False)
    output = other_light(true_view(image))
    output[:10] += 0.25  # an error next to the remaining pixels
    patch = BlendFit.of(placement, output, how).to_patch()
    result = display(composited(placement.image, [patch]))
    hole = np.zeros((SIDE, SIDE), bool)
    patch.box.cut(hole)[...] = patch.coverage > 0
    assert np.count_nonzero(beyond[~hole]) > 1000
    at_cut = hole & (np.arange(SIDE)[:, None] < 100)
    assert seam_step(result, image, hole) < 0.5
    assert seam_step(result, image, at_cut) < 0.5


def test_golden_seams_stay_below_what_can_be_seen() -> None:
    image = scenery(noise=0.01)
    placement = placed(quantize(image, np.uint8))
    output = other_light(true_view(image))
    selected = coverage() > 0
    seam = {
        name: seam_step(display(filled(placement, output, how)), image, selected)
        for name, how in (("raw", RAW), ("blended", None))
    }
    assert seam["raw"] > 3
    assert seam["blended"] < 0.5


@pytest.mark.parametrize(
    "how",
    [
        BlendSettings(gradient=False, grain=False),
        BlendSettings(colour_match=False, grain=False),
        BlendSettings(),
    ],
)
def test_a_wrong_light_is_put_right(how: BlendSettings) -> None:
    image = scenery()
    placement = placed(image)
    output = other_light(true_view(image))
    selected = coverage() == 255
    raw = np.abs(filled(placement, output, RAW) - image)[selected].mean()
    fitted = np.abs(filled(placement, output, how) - image)[selected].mean()
    assert fitted < 0.25 * raw


def test_other_content_beside_the_hole_does_not_stain_it() -> None:
    """A red object ends at the hole, and the fill shows the wall in a slightly different light."""
    image = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    image[135:155, 205:240] = (0.9, 0.2, 0.2)
    selected = coverage() == 255
    image[selected] = 0.0
    output = np.full((RESOLUTION, RESOLUTION, 3), 0.47, np.float32)
    only_membrane = BlendSettings(colour_match=False, grain=False)
    result = filled(placed(image), output, only_membrane)
    x = np.arange(SIDE)
    far = selected & (x < 190)
    assert np.abs(result - 0.5)[far].max() < 0.01
    edge = max(x[selected[145]])
    assert result[145, edge, 0] > 0.7
    assert result[145, edge - 12, 0] < 0.53


def test_a_perfect_fill_is_left_alone() -> None:
    image = scenery()
    placement = placed(image)
    output = true_view(image)
    raw = filled(placement, output, RAW)
    fitted = filled(placement, output, None)
    assert np.abs(fitted - raw).mean() < 0.003


def test_highlights_beyond_white_run_on_into_the_hole() -> None:
    """A bright gradient that exceeds 1 in a linear float document."""
    x = np.linspace(0.5, 6, SIDE, dtype=np.float32)
    pixels = np.broadcast_to(x[None, :, None], (SIDE, SIDE, 3)).copy()
    placement = placed(pixels, linear=True)
    result = filled(placement, np.ones((RESOLUTION, RESOLUTION, 3), np.float32), None)
    selected = coverage() == 255
    assert result[selected].mean() == pytest.approx(pixels[selected].mean(), rel=0.1)
    assert filled(placement, np.ones((64, 64, 3), np.float32), RAW)[selected].max() <= 1 + 1e-6


def test_grain_is_that_of_the_surroundings_and_repeats() -> None:
    noise = 0.04
    image = scenery(noise)
    placement = placed(image)
    output = true_view(scenery())
    fitted = filled(placement, output, BlendSettings(gradient=False))
    plain = filled(placement, output, BlendSettings(gradient=False, grain=False))
    inside = coverage() == 255

    def strength(image: np.ndarray, at: np.ndarray) -> float:
        fine = image - ndimage.gaussian_filter(image, (1, 1, 0))
        return float(np.std(fine[ndimage.minimum_filter(at, 5)]))

    around = ~(coverage() > 0)
    assert strength(plain, inside) < 0.3 * strength(image, around)
    assert strength(fitted, inside) == pytest.approx(strength(image, around), rel=0.25)
    again = filled(placed(image), output, BlendSettings(gradient=False))
    assert np.array_equal(fitted, again)


def test_clean_images_get_no_grain() -> None:
    image = scenery()
    placement = placed(image)
    output = true_view(image)
    with_grain = filled(placement, output, BlendSettings(gradient=False, colour_match=False))
    fine = with_grain - ndimage.gaussian_filter(with_grain, (1, 1, 0))
    assert np.std(fine[coverage() == 255]) < 0.004


def matched(fill: torch.Tensor, known: list[detail_matching.KnownDetail]) -> torch.Tensor:
    laplacian_bands = detail_matching.laplacian_bands(fill, len(known))
    return detail_matching.apply_detail_gains(
        fill, laplacian_bands, detail_matching.detail_gains(laplacian_bands, known)
    )


def test_detail_is_as_sharp_as_on_the_ring() -> None:
    """A fill that is too soft gets sharper, and closer to the truth."""
    random = np.random.default_rng(2)
    texture = ndimage.gaussian_filter(random.standard_normal((3, 200, 200)), (0, 1.5, 1.5))
    document = torch.from_numpy((texture * 0.5 + 0.5).astype(np.float32))
    soft = torch.from_numpy(ndimage.gaussian_filter(document.numpy(), (0, 1.2, 1.2)))
    hole = torch.zeros(200, 200, dtype=torch.bool)
    hole[60:140, 60:140] = True
    known = detail_matching.known_detail(document, hole, ~hole, 1, seed=0)
    sharp = matched(soft, [octave._replace(floor=None) for octave in known])
    before = (soft - document)[:, hole].abs().mean()
    assert (sharp - document)[:, hole].abs().mean() < 0.85 * before


def test_detail_that_is_not_the_documents_is_not_raised() -> None:
    """A fill whose lines differ from the document's is not sharpened."""
    random = np.random.default_rng(4)
    here, elsewhere = (
        torch.from_numpy(ndimage.gaussian_filter(random.standard_normal((3, 200, 200)), (0, 2, 2)))
        for _ in range(2)
    )
    hole = torch.zeros(200, 200, dtype=torch.bool)
    hole[60:140, 60:140] = True
    known = detail_matching.known_detail(0.5 + here.float(), hole, ~hole, 2, seed=0)
    known = [octave._replace(floor=None) for octave in known]
    for lines, least, most in ((here, 1.15, 1.5), (elsewhere, 0.95, 1.05)):
        fill = lines.float() / 2
        raised = matched(fill + 0.5, known) - 0.5
        assert least < float(raised[:, hole].std() / fill[:, hole].std()) < most


def test_the_noise_floor_is_the_noise_and_not_the_structure() -> None:
    generator = torch.Generator().manual_seed(0)
    mixing = torch.tensor([[0.05, 0.0, 0.0], [0.03, 0.03, 0.0], [0.0, 0.0, 0.01]])
    noise = torch.einsum("ij,jhw->ihw", mixing, torch.randn(3, 128, 128, generator=generator))
    noise[:, :, 40:44] += 0.8  # an edge
    floor = detail_matching.noise_floor(noise, torch.ones(128, 128, dtype=torch.bool))
    assert floor is not None
    assert floor.numpy() == pytest.approx((mixing @ mixing.T).numpy(), abs=0.0012)
    assert detail_matching.noise_floor(noise, torch.zeros(128, 128, dtype=torch.bool)) is None


def test_the_feather_fades_in_from_the_border() -> None:
    pixels = np.full((SIDE, SIDE, 3), 0.25, np.float32)
    placement = placed(pixels)
    white = np.ones((RESOLUTION, RESOLUTION, 3), np.float32)
    how = BlendSettings(colour_match=False, gradient=False, grain=False, feather_px=20)
    fill = BlendFit.of(placement, white, how).to_patch().fill[..., 0]
    assert isinstance(placement.surroundings, BlendContext)
    depth = placement.surroundings.depth.numpy()
    inner = placement.box.moved(-placement.region.x, -placement.region.y).cut(depth)
    assert np.allclose(fill[inner > 21], 1, atol=1e-5)
    assert fill[(inner > 0) & (inner <= 1.5)].max() < 0.27
    middle = fill[(inner > 9.5) & (inner < 11.5)]
    assert middle.mean() == pytest.approx(0.625, abs=0.06)


@pytest.mark.parametrize("feather", [-1.0, 257.0, float("nan")])
def test_a_feather_out_of_range_is_refused(feather: float) -> None:
    with pytest.raises(ValueError, match="0 to 256 px"):
        BlendSettings(feather_px=feather)


def test_a_hole_without_known_pixels_is_still_filled() -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    everywhere = Hole(np.full((40, 40), 255, np.uint8))
    placement = place(DocumentImage(pixels), everywhere, Frame(20, 20, 40), 32)
    output = np.full((32, 32, 3), 0.4, np.float32)
    assert (BlendFit.of(placement, output).to_patch().fill == 102).all()
