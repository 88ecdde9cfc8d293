"""Skin in the example portrait."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_client.example import PORTRAIT
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import Placement, place
from inpaint_model.pipeline.skin import skin_of
from PIL import Image

R = 256


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.asarray(Image.open(PORTRAIT).convert("RGB").resize((R, R)))


def placed(pixels: np.ndarray, mask: np.ndarray) -> Placement:
    return place(DocumentImage(pixels), Hole(mask), Frame(R / 2, R / 2, R), R, mode="auto")


def lower_half() -> np.ndarray:
    y = np.arange(R)[:, None]
    return np.broadcast_to(np.where(y > 145, np.uint8(255), np.uint8(0)), (R, R)).copy()


def test_skin_is_the_face_without_eyes_brows_and_mouth(portrait: np.ndarray) -> None:
    output = portrait.astype(np.float32) / np.float32(255)
    skin = skin_of(placed(portrait, lower_half()), output)
    assert skin is not None
    assert skin.color == pytest.approx(output[70:95, 110:150].mean((0, 1)), abs=0.12)  # forehead
    cheek, mouth, eye, hair = (
        skin.mask[at] for at in ((160, 95), (186, 128), (120, 95), (200, 30))
    )
    assert cheek > 0.9
    assert max(mouth, eye, hair) < 0.3


def test_what_the_hole_held_does_not_matter(portrait: np.ndarray) -> None:
    output, mask = portrait.astype(np.float32) / np.float32(255), lower_half()
    other = np.where(mask[..., None] > 0, np.uint8(255) - portrait, portrait)
    one, two = (skin_of(placed(each, mask), output) for each in (portrait, other))
    assert one is not None
    assert two is not None
    assert np.array_equal(one.mask, two.mask)
    assert np.array_equal(one.color, two.color)


def test_no_skin_without_a_face_or_where_none_is_known(portrait: np.ndarray) -> None:
    noise = np.random.default_rng(0).random((R, R, 3)).astype(np.float32)
    gray = np.full_like(portrait, 127)
    assert skin_of(placed(gray, lower_half()), noise) is None
    everything = np.full((R, R), 255, np.uint8)
    everything[:20] = 0
    assert (
        skin_of(placed(portrait, everything), portrait.astype(np.float32) / np.float32(255)) is None
    )


def test_small_holes_are_governed_by_their_border(portrait: np.ndarray) -> None:
    output = portrait.astype(np.float32) / np.float32(255)
    cheek = np.zeros((R, R), np.uint8)
    cheek[150:170, 80:110] = 255
    assert skin_of(placed(portrait, cheek), output) is None
    cheek[135:180, 70:115] = 255
    assert skin_of(placed(portrait, cheek), output) is not None
