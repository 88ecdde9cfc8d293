"""The daemon with the portrait model: selections that reach beyond a face, or lie beside it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from daemons import Caller, DaemonProcess, header, pixels_of, recipe_source
from inpaint_model import DocumentInpainter, load_bundle
from inpaint_model.document.geometry import Frame
from inpaint_protos.v1 import inpaint_pb2 as pb

pytestmark = pytest.mark.slow

SIDE = 256  # of the face, px
LEFT, TOP = 60, 40  # of the face in the image


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A face of the model's own before a gray wall, [420, 560, 3]."""
    document = DocumentInpainter(load_bundle("portrait"))
    blank = np.full((SIDE, SIDE, 3), 128, np.uint8)
    whole = document.open(blank, np.ones((SIDE, SIDE), bool), frame=Frame(128, 128, SIDE))
    (face,) = document.fill(whole, [3])
    wall = np.random.default_rng(0).normal(150, 3, (420, 560, 3)).clip(0, 255).astype(np.uint8)
    wall[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = face.composite
    return wall


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    folder = tmp_path_factory.mktemp("portrait")
    with DaemonProcess(folder, "--model", "portrait") as daemon, daemon.caller() as caller:
        yield caller


def far_reaching() -> np.ndarray:
    """From the mouth and the shoulder to far right of the face."""
    hole = np.zeros((420, 560), np.uint8)
    hole[190:380, 180:500] = 255
    hole[189, 180:500] = 128
    return hole


def test_the_entire_selection_is_filled_without_an_edge(image: np.ndarray, caller: Caller) -> None:
    hole = far_reaching()
    marked = image.copy()
    marked[hole > 0] = (255, 0, 255)  # what is to go
    fill = header(marked, hole, seeds=[1])
    answer = caller.fill(fill)
    (chosen,) = answer.frames
    assert chosen.mode == pb.FRAME_MODE_AUTO
    right = chosen.frame.cx + chosen.frame.side / 2
    assert 250 < right < 400, "the frame is the face's, far short of the selection"
    assert "The rest is filled smoothly" in chosen.warning
    (patch,) = answer.candidates[0].patches
    assert patch.box == pb.Box(x=180, y=189, width=320, height=191)
    coverage = pixels_of(patch.coverage)[..., 0]
    assert np.array_equal(coverage, hole[189:380, 180:500])
    result = pixels_of(patch.fill)
    assert not (result == (255, 0, 255)).all(axis=2).any()
    columns = result[10:].astype(float).mean(axis=0)
    steps = np.abs(np.diff(columns, axis=0)).max(axis=1)
    edge = round(right) - 180
    assert steps[edge - 4 : edge + 4].max() <= steps[: edge - 4].max()
    assert steps[edge - 4 : edge + 4].max() < 4


def test_only_an_explicit_frame_cuts_the_fill_with_a_notice(
    image: np.ndarray, caller: Caller
) -> None:
    frame = pb.Frame(cx=LEFT + SIDE / 2, cy=TOP + SIDE / 2, side=SIDE)
    fill = header(image, far_reaching(), seeds=[1], frame_mode=pb.FRAME_MODE_EXPLICIT, frame=frame)
    answer = caller.fill(fill)
    assert "Only the part inside the frame is filled" in answer.frames[0].warning
    (patch,) = answer.candidates[0].patches
    assert patch.box.x + patch.box.width == LEFT + SIDE
    alpha = pixels_of(patch.coverage)[50, :, 0].astype(int)
    assert alpha[0] == 255
    assert alpha[-1] < 5
    assert np.diff(alpha).min() > -30


def test_the_recipe_fills_the_entire_selection_again(image: np.ndarray, caller: Caller) -> None:
    fill = header(image, far_reaching(), seeds=[1])
    candidate = caller.fill(fill).candidates[0]
    (again,) = caller.edit(pb.EditHeader(source=recipe_source(fill, candidate))).candidates
    assert again.patches == candidate.patches


@pytest.mark.parametrize("part", ["mouth", "hair"])
def test_a_recipe_has_detail_texture_and_background_again(
    image: np.ndarray, caller: Caller, part: str
) -> None:
    """In a document that is three times as fine as the model."""
    large = np.kron(image, np.ones((3, 3, 1), np.uint8))
    noise = np.random.default_rng(1).normal(0, 2, large.shape)
    large = (large + noise).clip(0, 255).astype(np.uint8)
    hole = np.zeros(large.shape[:2], np.uint8)
    x, y = 3 * LEFT, 3 * TOP
    if part == "mouth":
        hole[y + 500 : y + 620, x + 250 : x + 520] = 255
    else:
        hole[: y + 260, x - 60 : x + 830] = 255
    fill = header(large, hole, seeds=[1])
    answer = caller.fill(fill)
    assert answer.frames[0].enlargement > 2
    (candidate,) = answer.candidates
    source = recipe_source(fill, candidate)
    (again,) = caller.edit(pb.EditHeader(source=source)).candidates
    assert again.patches == candidate.patches
    plain = pb.Blending(detail=False)
    (other,) = caller.edit(pb.EditHeader(source=source, blending=plain)).candidates
    assert other.patches != candidate.patches


@pytest.mark.parametrize(
    ("box", "offered"),
    [
        ((400, 60, 60, 60), True),  # the wall
        ((LEFT + 80, TOP + 165, 10, 8), True),  # a blemish on the cheek
        ((LEFT + 60, TOP + 105, 130, 35), False),  # the eyes
    ],
)
def test_a_smooth_candidate_is_offered_where_the_model_is_out_of_its_depth(
    image: np.ndarray, caller: Caller, box: tuple[int, ...], offered: bool
) -> None:
    x, y, width, height = box
    hole = np.zeros((420, 560), np.uint8)
    hole[y : y + height, x : x + width] = 255
    answer = caller.fill(header(image, hole, seeds=[1], smooth=pb.SMOOTH_FILL_AUTO))
    methods = [candidate.method for candidate in answer.candidates]
    assert methods == [pb.METHOD_MODEL] + [pb.METHOD_SMOOTH] * offered
    if not offered:
        return
    original = image[y : y + height, x : x + width].astype(float)
    smooth = pixels_of(answer.candidates[1].patches[0].fill)
    assert np.abs(smooth - original).mean() < 12
    if original.mean() == pytest.approx(150, abs=1):  # on the face, which is its own, it is right
        by_model = pixels_of(answer.candidates[0].patches[0].fill)
        assert np.abs(by_model - original).mean() > 12


def test_fills_of_a_face_are_judged_and_edits_change_the_likeness(
    image: np.ndarray, caller: Caller
) -> None:
    hole = np.zeros((420, 560), np.uint8)
    hole[TOP + 100 : TOP + 135, LEFT + 60 : LEFT + 200] = 255  # the eyes
    answer = caller.fill(header(image, hole, seeds=[1, 2], smooth=pb.SMOOTH_FILL_ALWAYS))
    first, second, smooth = answer.candidates
    for candidate in (first, second):
        assert 0.3 < candidate.likeness < 1
        assert 0 < candidate.naturalness < 1
    assert first.naturalness != second.naturalness
    assert not smooth.HasField("likeness")
    assert not smooth.HasField("naturalness")
    edited = pb.EditHeader(session_id=answer.session_id)
    edited.edits.add(name="skin_lightness", value=2.0)
    (changed,) = caller.edit(edited).candidates
    assert changed.likeness != first.likeness


def test_nothing_is_claimed_of_a_wall_or_of_a_face_that_is_gone(
    image: np.ndarray, caller: Caller
) -> None:
    wall = np.zeros((420, 560), np.uint8)
    wall[30:60, 440:500] = 255
    (candidate,) = caller.fill(header(image, wall, seeds=[1])).candidates
    assert not candidate.HasField("likeness")
    assert not candidate.HasField("naturalness")
    face = np.zeros((420, 560), np.uint8)
    face[TOP + 40 : TOP + 240, LEFT + 40 : LEFT + 216] = 255
    (candidate,) = caller.fill(header(image, face, seeds=[1])).candidates
    assert not candidate.HasField("likeness")
    assert candidate.HasField("naturalness")
