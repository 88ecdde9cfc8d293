"""Where a plain background is found, and what is in front of it, in the example portrait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from inpaint_client.example import PORTRAIT
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame, transform_points
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import Placement, place
from inpaint_model.pipeline.backdrops import find_backdrop, matte_of
from PIL import Image
from scipy.ndimage import gaussian_filter

MARGIN, FACE, R = 100, 300, 256
SIDE = FACE + 2 * MARGIN
FRAME = Frame(SIDE / 2, SIDE / 2, FACE)
WALL = np.array([0.63, 0.66, 0.72])
CROWN = np.s_[MARGIN - 40 : MARGIN - 5, MARGIN + 60 : -MARGIN - 60]  # above the frame


def on_a_wall(noise: float = 0.0) -> np.ndarray:
    """Return the example before a wall that goes on around it, uint8 [SIDE, SIDE, 3]."""
    face = np.asarray(Image.open(PORTRAIT).convert("RGB").resize((FACE, FACE)), np.float32) / 255
    random = np.random.default_rng(0).standard_normal((SIDE, SIDE, 1))
    structure = gaussian_filter(random, (4, 4, 0))
    image = WALL + noise * structure / structure.std()
    image = np.broadcast_to(image, (SIDE, SIDE, 3)).copy()
    at = (np.arange(FACE) + 0.5) / FACE - 0.5
    shown = ((at / 0.42) ** 2 + ((at[:, None] - 0.06) / 0.5) ** 2 < 1)[..., None]
    inner = image[MARGIN:-MARGIN, MARGIN:-MARGIN]
    inner[...] = np.where(shown, face, inner)
    pixels: np.ndarray = np.rint(image.clip(0, 1) * 255).astype(np.uint8)
    return pixels


def hair() -> np.ndarray:
    """A selection of all hair, with room, also above the frame."""
    y, x = np.mgrid[:SIDE, :SIDE]
    around = ((x - SIDE / 2) / 150) ** 2 + ((y - SIDE / 2 + 5) / 180) ** 2 < 1
    face = ((x - SIDE / 2) / 70) ** 2 + ((y - SIDE / 2 - 20) / 95) ** 2 < 1
    return np.where(around & ~face & (y < SIDE / 2 + 60), np.uint8(255), np.uint8(0))


def placed(pixels: np.ndarray, mask: np.ndarray) -> Placement:
    found = place(DocumentImage(pixels), Hole(mask), FRAME, R, mode="auto", whole=True)
    return replace(found, find_backdrop=find_backdrop)


def face_on_blue() -> np.ndarray:
    """What a model may draw: the same face, before another wall, up to the frame's top."""
    return np.asarray(Image.open(PORTRAIT).convert("RGB").resize((R, R)), np.float32) / 255


def test_the_wall_is_found_and_the_person_is_not_part_of_it() -> None:
    where = placed(on_a_wall(), hair())
    backdrop = where.backdrop
    assert backdrop is not None
    assert np.abs(backdrop.wall - WALL).max() < 0.03
    x, y = transform_points(backdrop.from_document, [(SIDE / 2, SIDE / 2 + 30)])[0].astype(int)
    assert backdrop.person[y, x] > 0.9
    assert backdrop.person[8, 8] < 0.1


def test_what_the_hole_held_does_not_matter() -> None:
    pixels, mask = on_a_wall(), hair()
    other = np.where(mask[..., None] > 0, np.uint8(255) - pixels, pixels)
    one, two = (placed(each, mask).backdrop for each in (pixels, other))
    assert one is not None
    assert two is not None
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.person, two.person)


@pytest.mark.parametrize("what", ["a busy background", "eyes alone", "everything"])
def test_no_backdrop_for(what: str) -> None:
    mask = hair()
    if what == "eyes alone":
        mask = np.zeros_like(mask)
        mask[235:260, 190:310] = 255
    if what == "everything":
        mask = np.full_like(mask, 255)
        mask[260:280, 240:260] = 0
    pixels = on_a_wall(0.08 if what == "a busy background" else 0.0)
    assert placed(pixels, mask).backdrop is None


def test_the_matte_shows_the_head_and_ends_it_round_below_the_frames_top() -> None:
    where = placed(on_a_wall(), hair())
    output = face_on_blue()
    output[:60, 40:216] = (0.2, 0.15, 0.1)  # hair that reaches the top
    matte = matte_of(where, output)
    assert matte is not None
    corners = transform_points(
        matte.from_document, [(SIDE / 2, MARGIN + 12), (MARGIN + 72, MARGIN + 4)]
    )
    (x, y), (left, top) = corners.astype(int)
    assert matte.person[y, x] > 0.7
    assert matte.person[top, left] < 0.3
    above = transform_points(matte.from_document, [(SIDE / 2, MARGIN - 20)])[0].astype(int)
    assert matte.person[above[1], above[0]] < 0.2


def test_hair_that_goes_on_above_the_selection_is_not_cut() -> None:
    pixels, mask = on_a_wall(), hair()
    pixels[:MARGIN, SIDE // 2 - 60 : SIDE // 2 + 60] = (50, 38, 25)
    mask[: MARGIN - 4] = 0
    where = placed(pixels, mask)
    output = face_on_blue()
    output[:60, 40:216] = (0.2, 0.15, 0.1)
    if where.backdrop is not None:
        matte = matte_of(where, output)
        assert matte is not None
        x, y = transform_points(matte.from_document, [(SIDE / 2 - 50, MARGIN + 4)])[0].astype(int)
        assert matte.person[y, x] > 0.4


@pytest.mark.slow
def test_new_hair_is_shown_before_the_wall_itself() -> None:
    document = DocumentInpainter(load_bundle("portrait"))
    pixels, mask = on_a_wall(), hair()
    session = document.open(pixels, mask, frame=FRAME)
    assert all(each.backdrop is not None for each in session.placements)
    (fill,) = document.fill(session, [1])
    result = fill.composite.astype(np.float32) / 255
    assert np.abs(result - WALL)[CROWN].max() < 0.06
    assert np.array_equal(fill.composite[mask == 0], pixels[mask == 0])
    bare = replace(session, placements=[replace(p, find_backdrop=None) for p in session.placements])
    bare.enlargers, bare._fittings = (), {}
    (before,) = (patch.fill for patch in bare.patches(fill.rendering))
    box = session.placements[0].box
    above = np.s_[CROWN[0].start - box.y : CROWN[0].stop - box.y]
    assert np.abs(before[above, 100:-100] / 255 - WALL).max() > 0.1


@pytest.mark.slow
def test_a_gray_portrait_stays_exactly_gray() -> None:
    document = DocumentInpainter(load_bundle("portrait"))
    gray = on_a_wall().mean(axis=2, keepdims=True).round().astype(np.uint8).repeat(3, axis=2)
    session = document.open(gray, hair(), frame=FRAME)
    assert session.placements[0].backdrop is not None
    (fill,) = document.fill(session, [1])
    assert (np.ptp(fill.composite, axis=2) == 0).all()
