"""The outlines of eyes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_client.example import PORTRAIT
from inpaint_model.document.geometry import Box
from inpaint_model.segmentation import mesh_points
from inpaint_model.segmentation.eyes import eye_outlines
from inpaint_model.segmentation.faces import Face, find_faces
from inpaint_model.segmentation.outlines import filled, grown
from PIL import Image

Pixels = npt.NDArray[np.float32]
SKIN = 0.6


@pytest.fixture(scope="module")
def portrait() -> Pixels:
    image = Image.open(PORTRAIT).convert("RGB").resize((1024, 1024))
    return np.asarray(image, np.float32) / np.float32(255)


@pytest.fixture(scope="module")
def face(portrait: Pixels) -> Face:
    return find_faces(portrait)[0]


def drawn(face: Face, shape: tuple[int, ...], lids: float) -> Pixels:
    """Draw dark eyeballs in plain skin, with lids that are darker than the skin by `lids`."""
    image = np.full(shape, SKIN, np.float32)
    for eye, ring in (
        (mesh_points.LEFT_EYE, mesh_points.LEFT_LIDS),
        (mesh_points.RIGHT_EYE, mesh_points.RIGHT_LIDS),
    ):
        edge = grown(face.outline(ring), 0.004 * face.frame.side)
        for outline, gray in ((edge, SKIN - lids), (face.outline(eye), 0.1)):
            inside = filled([outline], shape[1], shape[0])[..., None]
            image = image * (1 - inside) + np.float32(gray) * inside
    return image


def heights(image: Pixels, face: Face) -> npt.NDArray[np.float64]:
    """Return how far both outlines reach above and below the eyeballs, [2, 2] px."""
    rings = (mesh_points.LEFT_EYE, mesh_points.RIGHT_EYE)
    return np.array(
        [
            (
                face.outline(ring)[:, 1].min() - outline[:, 1].min(),
                outline[:, 1].max() - face.outline(ring)[:, 1].max(),
            )
            for outline, ring in zip(eye_outlines(image, face), rings, strict=True)
        ]
    )


def test_an_upper_lid_without_a_fold_ends_at_the_lashes(portrait: Pixels, face: Face) -> None:
    with_lids = heights(drawn(face, portrait.shape, 0.15), face)
    without = heights(drawn(face, portrait.shape, 0.0), face)
    assert (without[:, 0] < 0.6 * with_lids[:, 0]).all()
    assert (without[:, 0] > 0.4 * with_lids[:, 0]).all()  # the lashes
    np.testing.assert_array_equal(without[:, 1], with_lids[:, 1])  # below


def test_noise_of_the_skin_is_no_lid(portrait: Pixels, face: Face) -> None:
    plain = drawn(face, portrait.shape, 0.0)
    noise = np.random.default_rng(0).normal(0, 0.03, plain.shape).astype(np.float32)
    np.testing.assert_allclose(heights(plain + noise, face), heights(plain, face), atol=2)


def test_eyes_beyond_the_edge_of_the_image_have_outlines(portrait: Pixels, face: Face) -> None:
    below = Box(0, 0, portrait.shape[1], round(face.points[:, 1].min())).cut(portrait)
    for outline in eye_outlines(below, face):
        assert outline.shape == (16, 2)
        assert np.isfinite(outline).all()
