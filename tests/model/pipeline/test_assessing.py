"""How fills of faces are judged, and where nothing is claimed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_client.example import PORTRAIT
from inpaint_model import DocumentInpainter
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame, Mode
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import Placement, place
from inpaint_model.inference.assessor import Assessor, likeness
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.recognition_network import FEATURES
from inpaint_model.pipeline.assessing import (
    UNKNOWN,
    Assessment,
    GroupAssessor,
    assess,
    can_judge,
)
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
R = 256
FACE = Frame(R / 2, R / 2, R)


def portrait() -> np.ndarray:
    image = Image.open(PORTRAIT).convert("RGB").resize((R, R))
    return np.asarray(image)


def box(top: float, bottom: float, left: float = 0.2, right: float = 0.8) -> Hole:
    """Return a hole; the sides are fractions of the image's."""
    mask = np.zeros((R, R), np.uint8)
    mask[int(top * R) : int(bottom * R), int(left * R) : int(right * R)] = 255
    return Hole(mask)


def placed(hole: Hole, pixels: np.ndarray | None = None, mode: Mode = "explicit") -> Placement:
    image = DocumentImage(portrait() if pixels is None else pixels)
    return place(image, hole, FACE, R, mode=mode)


def unit(pixels: np.ndarray) -> FloatImage:
    return (pixels / 255).astype(np.float32)


def test_the_same_face_has_full_likeness_and_any_color_shift_is_forgiven() -> None:
    judge = GroupAssessor(Assessor(), placed(box(0.4, 0.5)))
    same = judge(unit(portrait())).likeness
    assert same == pytest.approx(1, abs=0.02)
    darker = judge(unit(portrait()) - 0.1).likeness
    assert darker == pytest.approx(1, abs=0.02)


def test_a_changed_face_has_less() -> None:
    judge = GroupAssessor(Assessor(), placed(box(0.4, 0.55)))
    found = judge(np.full((R, R, 3), 0.5, np.float32)).likeness
    assert found is not None
    assert found < 0.9


def test_nothing_is_claimed_if_most_of_the_face_is_selected() -> None:
    assert GroupAssessor(Assessor(), placed(box(0.2, 0.95))).original is None
    assert GroupAssessor(Assessor(), placed(box(0.0, 0.25, 0, 1))).original is not None


def test_nothing_is_claimed_if_the_image_was_transparent() -> None:
    rgba = np.dstack([portrait(), np.full((R, R), 255, np.uint8)])
    hole = box(0.4, 0.5)
    assert GroupAssessor(Assessor(), placed(hole, rgba)).original is not None
    rgba[110:114, 110:114, 3] = 0
    assert GroupAssessor(Assessor(), placed(hole, rgba)).original is None


def test_several_groups_have_the_least_likeness_and_the_mean_naturalness() -> None:
    def judge(alike: float | None, natural: float | None) -> object:
        return lambda output: Assessment(alike, natural)

    outputs = [np.zeros((R, R, 3), np.float32)] * 3
    judges = [judge(0.8, 0.5), judge(None, None), judge(0.3, 0.7)]
    found = assess(judges, outputs)  # type: ignore[arg-type]
    assert found.likeness == 0.3
    assert found.naturalness == pytest.approx(0.6)
    assert assess([judge(None, None)], outputs[:1]) == UNKNOWN  # type: ignore[list-item]


def test_only_faces_in_the_known_alignment_are_judged() -> None:
    face = placed(box(0.4, 0.5))
    assert can_judge("ffhq", [face])
    assert not can_judge("cats", [face])
    assert not can_judge("ffhq", [face, placed(box(0.4, 0.5), mode="box")])


def test_naturalness_is_the_share_of_fills_that_score_lower() -> None:
    head = NaturalnessHead()
    with torch.no_grad():
        head.weight[0] = 2.0
        head.mean.fill_(1.0)
        head.deviation.fill_(0.5)
    features = torch.zeros(3, FEATURES)
    features[:, 0] = torch.tensor([0.25, 0.5, 0.75])
    expected = torch.tensor([0.1587, 0.5, 0.8413])
    torch.testing.assert_close(head(features), expected, atol=1e-4, rtol=0)


def test_likeness_is_symmetric_and_within_its_range() -> None:
    rng = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 1, FEATURES, generator=rng) * 4 - 2
    assert likeness(one, other) == likeness(other, one) == 0
    assert likeness(one, one) == pytest.approx(1)
    assert likeness(one, 3 * one) == pytest.approx(1)


def test_sessions_judge_their_fills() -> None:
    document = DocumentInpainter(tiny_inpainter(resolution=64))
    session = document.open(portrait(), box(0.4, 0.5), frame=FACE)
    (fill,) = document.fill(session, [0])
    assert fill.assessment.likeness is not None
    assert 0 <= fill.assessment.likeness <= 1
    assert fill.assessment.naturalness is None  # the model has nothing that judges it
    assert document.smooth(session).assessment == UNKNOWN


def test_small_models_and_squares_around_the_hole_are_not_judged() -> None:
    small = DocumentInpainter(tiny_inpainter(resolution=32))
    assert not small.open(portrait(), box(0.4, 0.5), frame=FACE).assessors
    larger = DocumentInpainter(tiny_inpainter(resolution=64))
    assert not larger.open(portrait(), box(0.4, 0.5), frame="box").assessors
