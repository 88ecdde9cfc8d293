"""The networks for faces compared with those that were published."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from example_tensors import PHOTO, head
from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.segmentation.guided_filter import guided_coefficients
from inpaint_model.segmentation.networks import face_networks
from PIL import Image
from shared_files import SHARED

DETECTOR = "metrics/face_detection_yunet_2026may.onnx"
MESH = "nets/landmarks468_fp16.pt"
PERSON = "nets/person_segmentation_fp16.pt"


@pytest.mark.shared(PHOTO, MESH)
def test_the_mesh_is_that_of_facemesh() -> None:
    mesh, confidence, contours = load_torchscript(SHARED / MESH)(head(192))
    ours = face_networks().mesh(head(192))
    torch.testing.assert_close(ours[0].reshape(1, -1), mesh)
    torch.testing.assert_close(ours[1].reshape(1, -1), contours)
    torch.testing.assert_close(ours[2], confidence[:, 0])
    assert ours[2] > 0.99


@pytest.mark.shared(PHOTO, PERSON)
def test_the_person_is_that_of_selfie_segmentation() -> None:
    (published,) = load_torchscript(SHARED / PERSON)(head(256))
    # Published with 1/6 in half precision.
    torch.testing.assert_close(face_networks().person(head(256)), published, atol=0.02, rtol=0)


@pytest.mark.shared(PHOTO, DETECTOR)
def test_faces_are_those_of_opencv_with_yunet() -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.array(Image.open(SHARED / PHOTO).convert("RGB").resize((320, 320)))[..., ::-1]
    bgr = np.ascontiguousarray(image)
    _, (face,) = cv2.FaceDetectorYN.create(str(SHARED / DETECTOR), "", (320, 320), 0.5).detect(bgr)
    scores, boxes, points = face_networks().detector(
        torch.from_numpy(bgr).permute(2, 0, 1)[None].float()
    )
    best = int(scores[0].argmax())
    box = boxes[0, best].numpy()
    assert float(scores[0, best]) == pytest.approx(face[14], abs=2e-3)
    assert [*box[:2], *(box[2:] - box[:2])] == pytest.approx(list(face[:4]), abs=0.2)
    assert points[0, best].numpy().reshape(-1) == pytest.approx(face[4:14], abs=0.2)


def test_the_guided_filter_is_the_local_linear_regression() -> None:
    random = np.random.default_rng(0)
    guide = random.random((9, 9, 3), np.float32)
    mask = np.float32(0.1) + guide @ np.array([0.5, -0.2, 0.3], np.float32)
    a, b = guided_coefficients(guide, mask, 2, 1e-9)
    assert (a * guide).sum(axis=2) + b == pytest.approx(mask, abs=1e-3)
    assert a[4, 4] == pytest.approx([0.5, -0.2, 0.3], abs=1e-2)


def test_the_guided_filter_smooths_where_the_guide_has_no_edges() -> None:
    mask = np.zeros((21, 21), np.float32)
    mask[10, 10] = 1
    a, b = guided_coefficients(np.full((21, 21, 3), 0.5, np.float32), mask, 2, 1e-3)
    assert np.abs(a).max() < 1e-3
    assert b.sum() == pytest.approx(1, abs=1e-3)
    assert b.max() < 0.05
