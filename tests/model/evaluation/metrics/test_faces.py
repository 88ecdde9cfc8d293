"""Detected faces, asymmetry and eyes: made-up meshes, and the real networks where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.data.dataset import load_images
from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics import feature_networks
from inpaint_model.evaluation.metrics.asymmetry import RealFaces, mirror, mirror_residuals
from inpaint_model.evaluation.metrics.detection import detected_share, load_detector
from inpaint_model.evaluation.metrics.eyes import eye_difference, eye_pairs
from inpaint_model.evaluation.metrics.feature_networks import load_evaluation_networks, meshes_of
from inpaint_model.evaluation.metrics.mesh_pairs import MIRROR
from scipy.spatial.transform import Rotation
from shared_files import SHARED
from torch import Tensor
from torch.nn import functional as F

FOLDERS = [SHARED / "metrics", SHARED / "nets"]
PORTRAITS = "faces/portraits256.zip"
shared = pytest.mark.shared("metrics", "nets", PORTRAITS)


def symmetric_face(seed: int = 0) -> Float64Array:
    """[468, 3] around x = 0, some 1 wide."""
    points = np.random.default_rng(seed).normal(size=(468, 3)) * (0.3, 0.4, 0.2)
    return (points + points[MIRROR] * (-1, 1, 1)) / 2


def turned(face: Float64Array, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Float64Array:
    return Rotation.from_euler("zyx", (roll, yaw, pitch)).apply(face)


# --- landmarks ----------------------------------------------------------------------------------


def test_each_landmark_is_the_mirror_image_of_its_mirror_image() -> None:
    assert np.array_equal(MIRROR[MIRROR], np.arange(468))
    assert (np.arange(468) == MIRROR).sum() == 28
    # the outer corners of the eyes, the corners of the mouth; tip of the nose and chin
    assert MIRROR[[33, 61, 1, 152]].tolist() == [263, 291, 1, 152]


angle = st.floats(-0.5, 0.5)


@settings(max_examples=30, deadline=None)
@given(yaw=angle, pitch=angle, roll=angle, scale=st.floats(0.1, 200), shift=st.floats(-99, 99))
def test_a_symmetrical_face_has_no_residual_however_it_is_turned(
    yaw: float, pitch: float, roll: float, scale: float, shift: float
) -> None:
    face = scale * turned(symmetric_face(), yaw, pitch, roll) + shift
    faces = mirror(face[None])
    assert np.abs(mirror_residuals(faces)).max() < 1e-9
    if pitch == 0 and roll == 0:
        assert faces.turns[0] == pytest.approx([yaw, 0], abs=1e-9)


def test_turns_are_yaw_and_roll() -> None:
    face = symmetric_face()
    for yaw, roll in ((0.3, 0.0), (0.0, -0.2)):
        faces = mirror(turned(face, yaw, roll=roll)[None])
        assert faces.turns[0] == pytest.approx([yaw, roll], abs=1e-9)
        assert faces.axes[0] == pytest.approx(
            Rotation.from_euler("zyx", (roll, yaw, 0)).as_matrix(), abs=1e-9
        )


def test_a_displaced_landmark_leaves_its_displacement_along_the_face_s_axes() -> None:
    face = symmetric_face()
    face[33, 1] += 0.01
    size = np.sqrt(((face - face.mean(axis=0)) ** 2).sum(axis=1).mean())
    for yaw in (0.0, 0.4):
        (residual,) = mirror_residuals(mirror(turned(face, yaw)[None])) * size
        assert residual[33] == pytest.approx([0, 0.01, 0], abs=3e-4)
        assert residual[263] == pytest.approx([0, -0.01, 0], abs=3e-4)
        others = np.setdiff1d(np.arange(468), [33, 263])
        assert np.abs(residual[others]).max() < 3e-4


def many_faces(count: int, pose_error: float, noise: float = 0.003, seed: int = 0) -> Float64Array:
    """Turned symmetrical faces whose depth is misjudged, as networks do, and some noise."""
    rng = np.random.default_rng(seed)
    faces = np.stack([turned(symmetric_face(), yaw) for yaw in rng.normal(size=count) * 0.2])
    return (faces + rng.normal(size=faces.shape) * noise) * (1, 1, 1 + pose_error)


def test_what_head_pose_does_to_real_faces_is_taken_out() -> None:
    real, others = many_faces(60, 0.3), many_faces(60, 0.3, seed=1)
    faces = mirror(real)
    raw = np.sqrt((mirror_residuals(faces) ** 2).sum(axis=2).mean(axis=1))
    assert np.corrcoef(raw, np.abs(faces.turns[:, 0]))[0, 1] > 0.9
    fit = RealFaces(real)
    assert np.median(fit.own) < 0.6 * np.median(raw)
    assert np.median(fit.asymmetry(others)) == pytest.approx(np.median(fit.own), rel=0.05)
    lopsided = others.copy()
    lopsided[:, 33, 1] += 0.3
    assert np.median(fit.asymmetry(lopsided)) > 1.5 * np.median(fit.own)


def test_a_real_face_is_corrected_by_a_fit_to_the_others() -> None:
    real = many_faces(25, 0.2)
    own = RealFaces(real).own
    for left_out in (0, 11):
        others = RealFaces(np.delete(real, left_out, axis=0))
        assert own[left_out] == pytest.approx(others.asymmetry(real[[left_out]])[0])


def test_asymmetry_needs_enough_real_faces() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        RealFaces(many_faces(19, 0.1))


# --- eyes ---------------------------------------------------------------------------------------


def maps(images: Tensor) -> list[Tensor]:
    return [F.avg_pool2d(images.float() / 127.5, 4), F.avg_pool2d(images.float() / 127.5, 16)]


def upright_meshes(count: int) -> Float64Array:
    """Eyes a quarter of the image apart, symmetrical about its middle."""
    face = symmetric_face() * 0.2
    for corners, x in (((33, 133), -0.125), ((263, 362), 0.125)):
        face[list(corners)] = (x, 0, 0)
    return np.repeat(face[None] - face.mean(axis=0) + 0.5, count, axis=0)


def test_eyes_are_cut_out_and_the_right_one_is_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(256, (2, 3, 64, 32), generator=generator, dtype=torch.uint8)
    images = torch.cat([half, half.flip(3)], dim=3)
    left, right = eye_pairs(images, upright_meshes(2))
    assert left.shape == (2, 3, 64, 64)
    assert (left.int() - right.int()).abs().max() <= 1  # rounding
    assert left.float().std() > 20
    assert eye_difference(maps, images, upright_meshes(2)).max() < 1e-4
    one_sided = images.clone()
    one_sided[1, :, :, 32:] = 128  # no right eye
    same, other = eye_difference(maps, one_sided, upright_meshes(2))
    assert same < 1e-4
    assert other > 0.01


# --- the real networks --------------------------------------------------------------------------


def test_the_share_counts_scores_from_0_9() -> None:
    assert detected_share(np.array([0, 0.89, 0.9, 0.95])) == 0.5


def test_a_file_that_is_no_detector_is_named(tmp_path: Path) -> None:
    (tmp_path / feature_networks.DETECTOR).write_bytes(b"no network")
    with pytest.raises(ValueError, match=feature_networks.DETECTOR):
        load_detector(tmp_path / feature_networks.DETECTOR)


@pytest.fixture(scope="module")
def portraits() -> Tensor:
    return load_images(f"{SHARED / PORTRAITS}:val", 128, limit=60).pixels


@pytest.mark.slow
@shared
def test_the_detector_finds_faces_in_portraits_and_none_in_noise(portraits: Tensor) -> None:
    detect = load_evaluation_networks(FOLDERS).detect
    assert detect is not None
    assert detected_share(detect(portraits)) > 0.95
    assert detected_share(detect(torch.randint_like(portraits[:10], 256))) == 0
    assert detected_share(detect(portraits[:10].flip(2))) < 0.5  # upside down
    larger = F.interpolate(portraits[:10].float(), (300, 300)).to(torch.uint8)
    assert detected_share(detect(larger)) > 0.8


@pytest.mark.slow
@shared
def test_the_table_of_pairs_is_that_of_the_network(portraits: Tensor) -> None:
    mesh = load_evaluation_networks(FOLDERS).mesh
    assert mesh is not None
    mean = meshes_of(mesh, portraits).mean(axis=0)
    mirrored = meshes_of(mesh, portraits.flip(3)).mean(axis=0) * (-1, 1, 1) + (1, 0, 0)
    distances = np.linalg.norm(mean[:, None] - mirrored, axis=2)
    assert (distances.argmin(axis=0) == MIRROR).mean() > 0.95
    assert np.median(distances[MIRROR, np.arange(468)]) < 0.005  # of the image's side


@pytest.mark.slow
@shared
def test_planted_asymmetry_is_seen(portraits: Tensor) -> None:
    judges = load_evaluation_networks(FOLDERS)
    assert judges.mesh is not None
    assert judges.maps is not None
    meshes = meshes_of(judges.mesh, portraits)
    real = RealFaces(meshes)
    shifted = portraits.clone()
    shifted[..., 64:] = portraits[..., 64:].roll(4, dims=2)  # px of 128
    lopsided = real.asymmetry(meshes_of(judges.mesh, shifted))
    assert np.median(lopsided) > 1.6 * np.median(real.own)
    # A smeared eye: the landmarks hardly notice, the comparison of the eyes does.
    smeared = portraits[:8].clone()
    eye = smeared[:, :, 50:70, 66:94].float()
    smeared[:, :, 50:70, 66:94] = F.avg_pool2d(
        eye, 13, stride=1, padding=6, count_include_pad=False
    ).to(torch.uint8)
    difference = eye_difference(judges.maps, portraits[:8], meshes[:8])
    assert np.median(eye_difference(judges.maps, smeared, meshes[:8])) > 1.2 * np.median(difference)
