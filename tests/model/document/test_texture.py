"""Texture from the known pixels: what is copied, from where, and that it is what was missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import large_hole, placement
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.detail_matching import split
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.large_hole import LargeHole
from inpaint_model.document.placement import BlendFit, FramePart, Placement, place
from inpaint_model.document.texture import (
    MOST_OCTAVES,
    SQUARE,
    Exemplar,
    Needs,
    Square,
    finest,
    texture_octaves,
)
from inpaint_model.pipeline.memory_estimate import working_bytes
from scipy import ndimage

SIDE, RESOLUTION, ENLARGED = 800, 128, 512
FRAME = Frame(SIDE / 2, SIDE / 2, SIDE)
FloatImage = npt.NDArray[np.float32]


def strands() -> FloatImage:
    """Soft light with thin strands and flat skin between, [SIDE, SIDE, 3] of 0..1."""
    y, x = np.mgrid[:SIDE, :SIDE]
    along = (x + np.rint(12 * np.sin(y / 40))) % 13
    light = 0.5 + 0.1 * np.sin(x / 170) * np.cos(y / 150) - 0.25 * (along == 0)
    image: FloatImage = np.stack([light + 0.1, light, light - 0.05], 2).astype(np.float32)
    return image


def hole(right: float = 130) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = ((x - 400) / right) ** 2 + ((y - 390) / 90) ** 2 < 1
    return np.where(inside, np.uint8(255), np.uint8(0))


def levels(image: FloatImage) -> npt.NDArray[np.uint8]:
    rounded: npt.NDArray[np.uint8] = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    return rounded


def softened(image: FloatImage) -> FramePart:
    """What a detail network would return: without the finest detail."""
    soft = ndimage.gaussian_filter(image, (1.6, 1.6, 0))
    small = ndimage.zoom(soft, (ENLARGED / SIDE, ENLARGED / SIDE, 1), order=1)
    return FramePart(small.astype(np.float32), (0, 0), ENLARGED)


PART = softened(strands())


def placed(
    pixels: npt.NDArray[np.uint8] | None = None, mask: npt.NDArray[np.uint8] | None = None
) -> Placement:
    pixels = levels(strands()) if pixels is None else pixels
    selected = Hole(hole() if mask is None else mask)
    return place(DocumentImage(pixels), selected, FRAME, RESOLUTION)


def finest_energy(image: npt.NDArray[Any], at: npt.NDArray[np.bool_]) -> float:
    """The mean square of the finest octave of an image [H, W, 3], 0..255."""
    band = split(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1))[1]
    return float(band.square().mean(0)[torch.from_numpy(at)].mean())


def filled(settings: BlendSettings, place: Placement | None = None) -> npt.NDArray[np.uint8]:
    """The document with the hole filled."""
    place = place or placed()
    patch = BlendFit.of(place, PART, settings).to_patch()
    image = place.image.pixels.copy()
    np.copyto(place.box.cut(image), patch.fill, where=(patch.coverage > 0)[..., None])
    return image


INSIDE = ndimage.binary_erosion(hole() > 0, iterations=8)
AROUND = ndimage.binary_dilation(hole() > 0, iterations=60) & (hole() == 0)


@pytest.mark.parametrize(
    ("factor", "octaves"), [(0.2, 0), (1.0, 0), (1.41, 0), (1.42, 2), (2.9, 3), (50.0, 3)]
)
def test_texture_also_replaces_the_softest_octave_of_a_fill(factor: float, octaves: int) -> None:
    assert texture_octaves(factor) == octaves <= MOST_OCTAVES


def test_the_missing_octave_comes_back() -> None:
    known = finest_energy(levels(strands()), AROUND)
    assert 0.8 < finest_energy(filled(BlendSettings()), INSIDE) / known < 1.2
    assert finest_energy(filled(BlendSettings(detail=False)), INSIDE) / known < 0.5


def test_texture_needs_no_grain() -> None:
    known = finest_energy(levels(strands()), AROUND)
    assert 0.8 < finest_energy(filled(BlendSettings(grain=False)), INSIDE) / known < 1.2


def test_the_memory_estimate_covers_the_exemplar() -> None:
    place = placed()
    nothing = Box(0, 0, 0, 0)
    estimate = working_bytes(Box(0, 0, SIDE, SIDE), nothing, 4) - working_bytes(nothing, nothing, 4)
    assert place.exemplar(ENLARGED) is not None
    assert 0 < place.texture_bytes <= estimate


def test_outputs_without_detail_get_no_texture() -> None:
    assert placed().exemplar(RESOLUTION) is None
    assert placed().exemplar(ENLARGED) is not None


def test_what_is_hidden_is_never_copied() -> None:
    """Neither from the hole, nor where the image is transparent."""
    settings = BlendSettings(grain=False)
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    hidden = np.where(hole()[..., None] > 0, noise, levels(strands()))
    assert np.array_equal(filled(settings, placed(hidden)), filled(settings))

    alpha = np.full((SIDE, SIDE, 1), 255, np.uint8)
    alpha[:, :300] = alpha[600:] = 0
    clear = np.concatenate([levels(strands()), alpha], 2)
    other = np.concatenate([np.where(alpha > 0, levels(strands()), noise), alpha], 2)
    one, two = (filled(settings, placed(pixels)) for pixels in (clear, other))
    assert np.array_equal(one[hole() > 0], two[hole() > 0])


def test_nothing_is_added_where_too_little_is_known() -> None:
    selected = np.full((SIDE, SIDE), 255, np.uint8)
    selected[:, :40] = 0
    place = placed(mask=selected)
    assert place.exemplar(ENLARGED) is None
    on, off = (filled(BlendSettings(detail=detail), place) for detail in (True, False))
    assert np.array_equal(on, off)


def test_an_edit_keeps_the_texture() -> None:
    fit = BlendFit.of(placed(), PART)
    lighter = PART._replace(pixels=PART.pixels + np.float32(0.1))
    fill, edit = fit.to_patch(), fit.edit_to_patch(lighter)
    x, y = (fill.box.x, fill.box.y)
    inside = INSIDE[y : y + fill.fill.shape[0], x : x + fill.fill.shape[1]]
    one, two = (
        split(torch.from_numpy(patch.fill.astype(np.float32)).permute(2, 0, 1))[1].numpy()
        for patch in (fill, edit)
    )
    assert np.corrcoef(one[:, inside].ravel(), two[:, inside].ravel())[0, 1] > 0.98


def test_a_large_hole_gets_the_same_texture(monkeypatch: pytest.MonkeyPatch) -> None:
    # Colors are measured at another resolution, and other places may then be slightly more alike.
    exact = BlendSettings(colour_match=False)
    expected, whole = filled(exact), filled(BlendSettings())
    monkeypatch.setattr(placement, "LARGE", 60_000)
    monkeypatch.setattr(large_hole, "_TILE", 96)
    place = placed()
    assert isinstance(place.surroundings, LargeHole)
    made = filled(exact, place)
    one, two = (
        split(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1))[1].numpy()
        for image in (expected, made)
    )
    assert np.corrcoef(one[:, INSIDE].ravel(), two[:, INSIDE].ravel())[0, 1] > 0.99
    tiled = filled(BlendSettings(), place)
    assert 0.9 < finest_energy(tiled, INSIDE) / finest_energy(whole, INSIDE) < 1.1


def squares(seed: int, count: int, octaves: int, gray: bool) -> list[Square]:
    """Squares of noise, of which some pixels are hidden."""
    random = torch.Generator().manual_seed(seed)
    side = SQUARE << octaves
    made = []
    for _ in range(count):
        color = torch.rand(1 if gray else 3, side, side, generator=random).expand(3, -1, -1)
        known = torch.ones(side, side, dtype=torch.bool)
        known[: side // 4] = False
        made.append(Square(color, known))
    return made


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 99),
    count=st.integers(1, 3),
    octaves=st.integers(1, 2),
    gray=st.booleans(),
    rows=st.integers(9, 90),
    columns=st.integers(9, 90),
)
def test_texture_is_made_of_known_blocks(
    seed: int, count: int, octaves: int, gray: bool, rows: int, columns: int
) -> None:
    given = squares(seed, count, octaves, gray)
    exemplar = Exemplar.of(given, octaves)
    assert exemplar is not None
    random = torch.Generator().manual_seed(seed + 1)
    fill = 0.5 + 0.1 * torch.rand(1 if gray else 3, rows, columns, generator=random)
    fill = fill.expand(3, -1, -1)
    needs = Needs.of(fill, torch.ones(rows, columns, dtype=torch.bool), octaves)
    texture = exemplar.texture(needs)
    again = exemplar.texture(needs)
    assert torch.equal(texture.places, again.places)
    added = texture.cut(Box(0, 0, columns, rows))
    assert torch.equal(added, again.cut(Box(0, 0, columns, rows)))
    part = Box(3, 5, columns - 4, rows - 6)
    assert torch.equal(texture.cut(part), added[:, 5 : rows - 1, 3 : columns - 1])
    if gray:
        assert torch.equal(added[0], added[1])
        assert torch.equal(added[0], added[2])
    block, fade, places_along = 4 << octaves, 2, SQUARE - 5
    assert bool((texture.strength <= 1).all())
    for row in range(rows // block):
        for column in range(columns // block):
            place, strength = int(texture.places[row, column]), texture.strength[row, column]
            color, known = given[place // places_along**2]
            y, x = (
                (each + 1) << octaves
                for each in (place // places_along % places_along, place % places_along)
            )
            inner = slice(fade, block - fade)
            source = finest(color, octaves)[1][:, y : y + block, x : x + block]
            assert bool(known[y : y + block, x : x + block].all())
            made = added[:, row * block :, column * block :][:, :block, :block]
            torch.testing.assert_close(
                made[:, inner, inner], source[:, inner, inner] * strength, atol=1e-3, rtol=0
            )


def test_where_nothing_is_wanted_nothing_is_added() -> None:
    exemplar = Exemplar.of(squares(0, 1, 1, False), 1)
    assert exemplar is not None
    fill, nowhere = torch.rand(3, 40, 40), torch.zeros(40, 40, dtype=torch.bool)
    texture = exemplar.texture(Needs.of(fill, nowhere, 1))
    assert not texture.cut(Box(0, 0, 40, 40)).any()


def test_hidden_squares_are_no_exemplar() -> None:
    (square,) = squares(0, 1, 1, False)
    assert Exemplar.of([Square(square.color, torch.zeros_like(square.known))], 1) is None
    assert Exemplar.of([], 1) is None
