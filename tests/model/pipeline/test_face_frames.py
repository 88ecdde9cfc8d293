"""Frames aligned by landmarks, of the example portrait and of what is no face."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from inpaint_client.example import PORTRAIT
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.pipeline.face_frames import aligned
from PIL import Image

SIDE = 400  # of the portrait in a document, px
LEFT, TOP = 120, 60
ROUGH = Frame(LEFT + SIDE / 2, TOP + SIDE / 2, SIDE)


def document() -> np.ndarray:
    """The portrait in a larger gray document, uint8 [500, 700, 3]."""
    pixels = np.full((500, 700, 3), 128, np.uint8)
    portrait = Image.open(PORTRAIT).convert("RGB").resize((SIDE, SIDE))
    pixels[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = np.asarray(portrait)
    return pixels


def close(one: Frame, other: Frame, tolerance: float = 0.004) -> bool:
    turn = (one.angle - other.angle + 180) % 360 - 180
    return (
        math.hypot(one.cx - other.cx, one.cy - other.cy) < tolerance * other.side
        and abs(math.log(one.side / other.side)) < 4 * tolerance
        and abs(turn) < 100 * tolerance
    )


@pytest.fixture(scope="module")
def exact() -> Frame:
    frame = aligned(DocumentImage(document()), ROUGH)
    assert frame is not None
    assert close(frame, ROUGH, 0.03), "the example is a portrait in FFHQ's alignment"
    return frame


@pytest.mark.parametrize("turn", [0.0, 4.0, -15.0])
@pytest.mark.parametrize(("x", "y"), [(0.03, 0.0), (-0.02, 0.03), (0.05, -0.2)])
@pytest.mark.parametrize("scale", [0.85, 1.15])
def test_the_frame_hardly_depends_on_the_one_that_is_given(
    x: float, y: float, scale: float, turn: float, exact: Frame
) -> None:
    moved = Frame(ROUGH.cx + x * SIDE, ROUGH.cy + y * SIDE, ROUGH.side * scale, turn)
    found = aligned(DocumentImage(document()), moved)
    assert found is not None
    assert close(found, exact)


def test_the_frame_turns_with_the_document(exact: Frame) -> None:
    pixels = np.rot90(document(), axes=(1, 0)).copy()  # clockwise
    height = document().shape[0]
    found = aligned(DocumentImage(pixels), Frame(height - ROUGH.cy, ROUGH.cx, SIDE, -90.0))
    assert found is not None
    assert close(found, Frame(height - exact.cy, exact.cx, exact.side, exact.angle - 90))


def test_a_crop_is_continued_by_the_overview(exact: Frame) -> None:
    whole = document()
    crop = DocumentImage(whole[200:330, 200:420], origin=(200, 200), size=(700, 500))
    small = np.asarray(Image.fromarray(whole).resize((350, 250), Image.Resampling.BOX))
    overview = DocumentImage.overview(small, (700, 500))
    assert aligned(crop, ROUGH) is None, "most of the face is unknown"
    found = aligned(crop, ROUGH, overview)
    assert found is not None
    assert close(found, exact, 0.01)


def test_gray_documents_have_faces_too(exact: Frame) -> None:
    gray = np.asarray(Image.fromarray(document()).convert("L"))[..., None]
    found = aligned(DocumentImage(gray), ROUGH)
    assert found is not None
    assert close(found, exact, 0.01)


def test_a_transparent_selection_is_not_a_face() -> None:
    pixels = np.dstack([document(), np.full((500, 700), 255, np.uint8)])
    pixels[TOP + 170 : TOP + 230, LEFT + 100 : LEFT + 300, 3] = 0
    assert aligned(DocumentImage(pixels), ROUGH) is None


def test_there_is_none_without_a_face() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (500, 700, 3), np.uint8)
    assert aligned(DocumentImage(noise), ROUGH) is None
    assert aligned(DocumentImage(np.full_like(noise, 128)), ROUGH) is None


def test_another_face_nearby_does_not_count() -> None:
    beside = ROUGH._replace(cx=ROUGH.cx + 0.4 * SIDE)
    assert aligned(DocumentImage(document()), beside) is None


def test_fills_of_faces_are_framed_by_landmarks(exact: Frame) -> None:
    mask = np.zeros((500, 700), np.uint8)
    mask[TOP + 180 : TOP + 205, LEFT + 120 : LEFT + 280] = 255
    inpainter = load_bundle("portrait")
    (placement,) = DocumentInpainter(inpainter).open(document(), mask).placements
    assert placement.mode == "auto"
    assert close(placement.frame, exact)
    other = replace(inpainter.info, card=replace(inpainter.info.card, alignment="none"))
    inpainter.info = other
    (placement,) = DocumentInpainter(inpainter).open(document(), mask).placements
    assert placement.mode == "auto"
    assert not close(placement.frame, exact), "that of the framer"
