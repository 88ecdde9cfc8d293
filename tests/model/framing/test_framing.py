"""The framer: labeled scenes, training, bundles, and the search."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inpaint_model import load_bundle
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.weights import load_tensors
from inpaint_model.bundle.writer import add_framer, save_bundle
from inpaint_model.cli.main import main
from inpaint_model.document import geometry
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.grouping import MIN_OVERLAP, Choice, Part, grouped
from inpaint_model.document.hole import Hole
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.document.placement import BlendFit, place
from inpaint_model.framing import refining, search
from inpaint_model.framing.frame_holes import frame_holes
from inpaint_model.framing.network import Framer, FramerConfig, Proposals, framer_from
from inpaint_model.framing.search import Proposal
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.framer.backgrounds import scrambled
from inpaint_model.training.framer.loop import train_framer
from inpaint_model.training.framer.scenes import Images, draw_scenes, frame_coordinates
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import FramerTraining
from PIL import Image
from safetensors import safe_open

SMALL = FramerConfig(view=32, widths=(8, 16, 24), threshold=0.5, side_bias=1.0)


def marked_images(count: int = 24, side: int = 64) -> torch.Tensor:
    """Aligned "images" that are easy to find: a bright bar above a dark disc, on gray."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    images = np.full((count, 3, side, side), 128, np.uint8)
    for image in images:
        image[0, (y > 0.15) & (y < 0.35)] = random.integers(220, 256)
        image[:, (x - 0.5) ** 2 + (y - 0.65) ** 2 < 0.05] = random.integers(0, 30)
    return torch.from_numpy(images)


def test_a_scene_shows_the_image_at_the_labeled_frame() -> None:
    """Through the stated frame the pasted image's disc is in the middle below."""
    scenes = draw_scenes(Images(marked_images()), 200, 64, torch.Generator().manual_seed(0))
    assert scenes.views.shape == (200, 4, 64, 64)
    assert 0.5 < scenes.present.float().mean() < 0.8
    side = 2**scenes.log_side
    inside = frame_coordinates(scenes.center, side, scenes.angle, 64)
    disc = (inside[..., 0] ** 2 + (inside[..., 1] - 0.3) ** 2 < 0.1) & (scenes.views[:, 3] > 0)
    large = side * 64 > 20
    darkness = [
        float(view[:3].mean(0)[at].mean())
        for view, at, shown in zip(scenes.views, disc, scenes.present & large, strict=True)
        if shown and at.sum() > 8
    ]
    others = scenes.views[~scenes.present, :3].mean()
    assert np.median(darkness) < float(others) - 0.3


def test_scrambled_images_keep_their_pixels_but_not_their_places() -> None:
    images = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for seed in range(6):
        mixed = scrambled(images, torch.Generator().manual_seed(seed))
        assert (mixed != images).float().mean() > 0.8
        assert torch.equal(mixed.flatten(2).sort()[0], images.flatten(2).sort()[0])


def test_the_frame_in_a_scene_is_the_frame_of_the_document() -> None:
    """The scenes' convention (-1..1 across the view, radians) against the document's matrix."""
    center, side, angle = torch.tensor([[0.2, -0.1]]), torch.tensor([0.4]), torch.tensor([0.5])
    inside = frame_coordinates(center, side, angle, 64)[0].reshape(-1, 2).numpy()
    frame = Frame(32 + 0.2 * 32, 32 - 0.1 * 32, 0.4 * 64, math.degrees(0.5))
    x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    expected = geometry.transform_points(geometry.model_from_document(frame, 2), points) - 1
    assert np.allclose(inside, expected, atol=1e-5)


def test_holes_never_show_and_are_zero() -> None:
    scenes = draw_scenes(Images(marked_images()), 64, 32, torch.Generator().manual_seed(1))
    known = scenes.views[:, 3:]
    assert set(known.unique().tolist()) == {0.0, 1.0}
    assert (scenes.views[:, :3] * (1 - known) == 0).all()
    assert scenes.views.abs().max() <= 1


def test_some_scenes_hide_the_whole_face_and_leave_surroundings() -> None:
    """Whether or not there is a face, so that a hole does not reveal one."""
    scenes = draw_scenes(Images(marked_images()), 2000, 32, torch.Generator().manual_seed(2))
    inside = frame_coordinates(scenes.center, 2**scenes.log_side, scenes.angle, 32)
    known = scenes.views[:, 3]
    face = ((inside[..., 0] / 0.35) ** 2 + ((inside[..., 1] + 0.04) / 0.45) ** 2) < 1
    frame = (inside.abs() < 1).all(dim=-1)
    seen = face.sum((1, 2)) > 4
    hidden = ((1 - known) * face).sum((1, 2)) > 0.9 * face.sum((1, 2))
    partly = (known * frame).sum((1, 2)) > 0.1 * frame.sum((1, 2))
    shares = [
        float((hidden & partly)[seen & (scenes.present == there)].float().mean())
        for there in (True, False)
    ]
    assert min(shares) > 0.15
    assert shares[0] == pytest.approx(shares[1], abs=0.08)


def test_images_are_drawn_according_to_their_weights() -> None:
    weights = torch.tensor([0.0, 1.0, 3.0])
    images = Images(marked_images(3), weights)
    drawn = torch.bincount(images.draw(8000, torch.Generator().manual_seed(0)), minlength=3)
    assert drawn[0] == 0
    assert drawn[2] / drawn[1] == pytest.approx(3, rel=0.1)
    for useless in (torch.zeros(3), torch.ones(2)):
        with pytest.raises(ValueError, match="no image has a positive weight"):
            Images(marked_images(3), useless)


@pytest.mark.slow
def test_training_learns_and_continues_where_it_was(tmp_path: Path) -> None:
    images = Images(marked_images())
    options = FramerTraining(total_kimg=1.024, batch_size=32, snapshot_kimg=0.256, lr=0.004)
    whole = train_framer(options, SMALL, images, RunFolder(tmp_path / "whole"))
    lines = (tmp_path / "whole" / "stats.jsonl").read_text().splitlines()
    first, last = (float(line.split('"center": ')[1].split(",")[0]) for line in lines[::3])
    assert last < 0.8 * first

    deadline, folder = Deadline(), RunFolder(tmp_path / "cut")

    def stop(framer: Framer, kimg: float) -> None:
        if kimg >= 0.5:
            deadline.stop()

    train_framer(options, SMALL, images, folder, stop, deadline)
    with safe_open(folder.state_path, framework="pt") as file:
        reached = json.loads(file.metadata()["numbers"])["cur_nimg"]
    assert reached == 512 + 32  # the step after the deadline
    harmonic_fill = train_framer(options, SMALL, images, folder)
    for one, other in zip(whole.parameters(), harmonic_fill.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_framer_goes_into_a_bundle_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    before = save_bundle(folder, tiny_model(), Card("tiny"), dtype="fp16")
    assert not before.has_framer
    framer = Framer(SMALL)
    info = add_framer(folder, framer)
    assert info.framer == SMALL
    assert info.generator_sha256 == before.generator_sha256
    assert info.weights_sha256 != before.weights_sha256
    loaded = load_bundle(folder).framer
    assert loaded is not None
    assert loaded.config == SMALL
    for one, other in zip(framer.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one.half().float(), other)
    assert set(load_tensors(info)) > set(load_tensors(info, ["framer"]))
    damaged = load_tensors(info, ["framer"])
    damaged.popitem()
    with pytest.raises(ValueError, match="framer cannot be used"):
        framer_from(info.framer, damaged)


def test_the_command_trains_on_several_weighted_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_bundle(tmp_path / "bundle", tiny_model(), Card("tiny"))
    for number, pixels in enumerate(marked_images(4)):
        (tmp_path / f"{number % 2}").mkdir(exist_ok=True)
        image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
        image.save(tmp_path / f"{number % 2}" / f"{number}.png")
    (tmp_path / "weights.csv").write_text("file,weight\n[01].png,2\n")
    command = ["train", "framer", "--bundle", str(tmp_path / "bundle")]
    command += ["--out", str(tmp_path / "run"), "--total-kimg", "0.008", "--batch-size", "4"]
    command += ["--threads", "1", "--weights", str(tmp_path / "weights.csv")]
    assert main([*command, "--data", str(tmp_path / "0"), str(tmp_path / "1")]) == 0
    printed = capsys.readouterr().out
    assert "4 images" in printed
    assert "2 of them have a weight other than 1" in printed
    assert read_bundle(tmp_path / "bundle").has_framer
    assert main(command) == 2
    assert "give --data" in capsys.readouterr().err


def test_the_command_trains_on_samples_of_the_bundles_generator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "bundle"
    save_bundle(folder, tiny_model(), Card("tiny"))
    options = ["--samples", "8", "--total-kimg", "0.008", "--batch-size", "4", "--threads", "1"]
    status = main(
        ["train", "framer", "--bundle", str(folder), "--out", str(tmp_path / "run"), *options]
    )
    assert status == 0
    assert read_bundle(folder).has_framer
    assert "can now find frames" in capsys.readouterr().out


SCALE = 1000  # document px


def located(
    width: int,
    height: int,
    *,
    origin: tuple[int, int] = (0, 0),
    size: tuple[int, int] | None = None,
) -> DocumentImage:
    """Return an image whose red and green encode the position of each pixel."""
    left, top = origin
    y, x = np.mgrid[top : top + height, left : left + width] + 0.5
    pixels = np.stack([x / SCALE, y / SCALE, np.zeros_like(x)], axis=2).astype(np.float32)
    return DocumentImage(pixels, origin=origin, size=size)


def frame_of(view: torch.Tensor) -> Frame:
    """The frame that a view [4, S, S] of such an image shows: x = cx + a u + b v, y = cy - b u
    + a v, where u and v are the view's coordinates, -1..1."""
    S = view.shape[-1]
    known = view[3].numpy() > 0
    x, y = (view[:2].double().numpy()[:, known] + 1) / 2 * SCALE
    v, u = ((np.mgrid[:S, :S] + 0.5) * 2 / S - 1)[:, known]
    one, zero = np.ones_like(u), np.zeros_like(u)
    equations = np.stack([np.stack([one, zero, u, v], 1), np.stack([zero, one, v, -u], 1)])
    cx, cy, a, b = np.linalg.lstsq(equations.reshape(-1, 4), np.concatenate([x, y]))[0].tolist()
    return Frame(cx, cy, 2 * math.hypot(a, b), math.degrees(math.atan2(b, a)))


class Eye(torch.nn.Module):
    """A framer that is right: it proposes `target`, from views of an image made by `located`."""

    def __init__(self, target: Frame) -> None:
        super().__init__()
        self.target, self.confidence, self.config = target, 0.9, SMALL
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.rounds: list[float] = []  # confidences of the next rounds, instead of `confidence`

    def forward(self, views: torch.Tensor) -> Proposals:
        rows = []
        confidence = self.rounds.pop(0) if self.rounds else self.confidence
        for look_ in map(frame_of, views):
            matrix = geometry.model_from_document(look_, 2)
            x, y = geometry.transform_points(matrix, [(self.target.cx, self.target.cy)])[0] - 1
            turn = math.radians(self.target.angle - look_.angle)
            # Less confident where the size of the target differs from that in a second view.
            off = abs(math.log(self.target.side / look_.side / 0.625))
            logit = math.log(confidence / (1 - confidence)) - off
            rows.append(
                [x, y, math.log2(self.target.side / look_.side), math.cos(turn), math.sin(turn)]
                + [logit]
            )
        out = torch.tensor(rows)
        return Proposals(out[:, :2], out[:, 2], out[:, 3:5], out[:, 5])


@pytest.fixture
def eye() -> Eye:
    return Eye(Frame(310, 220, 170, 25))


@dataclass
class Model:
    framer: object
    resolution: int = 32
    device: ClassVar = torch.device("cpu")


def test_a_confident_frame_is_taken_in_document_pixels(eye: Eye) -> None:
    image = located(500, 400, origin=(100, 50), size=(1000, 800))
    coverage = np.zeros((400, 500), np.uint8)
    coverage[150:190, 190:230] = 255  # inside the frame
    coverage[140:145, 235:240] = 255  # also inside: joins
    coverage[350:360, 20:30] = 255  # outside: gets another frame, but has no face either
    hole = Hole(coverage, image.origin)
    found, other = frame_holes(Model(eye), image, hole)  # type: ignore[arg-type]
    assert found.mode == "auto"
    assert found.frame == pytest.approx(eye.target, abs=1e-2)
    assert found.confidence > 0.8
    assert found.box == Box(290, 190, 50, 50)
    assert other.mode == "box"
    assert "outside the face that was found" in other.warning


@pytest.mark.parametrize("exact", [Frame(312, 225, 176, 21), None])
def test_the_frame_that_was_found_is_made_exact_where_possible(
    eye: Eye, exact: Frame | None
) -> None:
    image = located(500, 400, origin=(100, 50), size=(1000, 800))
    coverage = np.zeros((400, 500), np.uint8)
    coverage[150:190, 190:230] = 255
    coverage[350:360, 20:30] = 255  # without a face
    asked: list[Frame] = []

    def align(image: DocumentImage, frame: Frame, overview: DocumentImage | None) -> Frame | None:
        asked.append(frame)
        return exact

    hole = Hole(coverage, image.origin)
    found, other = frame_holes(Model(eye), image, hole, align=align)  # type: ignore[arg-type]
    assert found.mode == "auto"
    assert found.frame == pytest.approx(exact or eye.target, abs=1e-2)
    assert other.mode == "box"
    assert asked[0] == pytest.approx(eye.target, abs=1e-2)


def test_an_exact_frame_is_sure(eye: Eye) -> None:
    eye.confidence = 0.2
    image = located(700, 600)
    coverage = np.zeros((600, 700), np.uint8)
    coverage[200:240, 290:330] = 255
    exact = Frame(312, 225, 176, 21)
    (placement,) = frame_holes(Model(eye), image, Hole(coverage), align=lambda *_: exact)  # type: ignore[arg-type]
    assert (placement.mode, placement.frame, placement.confidence) == ("auto", exact, 1.0)
    assert "No face" not in placement.warning


def test_a_hole_that_ends_just_beyond_the_frame_widens_it(eye: Eye) -> None:
    eye.target = Frame(310, 220, 170, 0)
    image = located(700, 600)
    for top, side in ((130, 180), (115, 170)):  # the frame's own is at 135
        coverage = np.zeros((600, 700), np.uint8)
        coverage[top:200, 290:330] = 255
        (placement,) = frame_holes(Model(eye), image, Hole(coverage))  # type: ignore[arg-type]
        assert placement.frame.side == pytest.approx(side, abs=0.1)
        assert ("The rest is filled smoothly" in placement.warning) == (side == 170)
        assert placement.box == Box(290, top, 40, 200 - top)


def test_a_selection_mostly_outside_the_frame_gets_the_square(eye: Eye) -> None:
    """Around the selection a model of faces would draw a second one."""
    eye.target = Frame(310, 220, 170, 0)
    image = located(700, 600)
    for left, mode in ((320, "auto"), (385, "box")):  # the frame's own end is at 395
        coverage = np.zeros((600, 700), np.uint8)
        coverage[200:240, left:650] = 255
        (placement,) = frame_holes(Model(eye), image, Hole(coverage))  # type: ignore[arg-type]
        assert placement.mode == mode


def test_an_outline_around_the_frame_is_judged_by_its_pixels(eye: Eye) -> None:
    """Its box is where the frame is, but nothing of it would be filled by the model."""
    eye.target = Frame(310, 220, 170, 0)
    image = located(700, 600)
    for inset, mode in ((100, "box"), (80, "auto")):  # of the outline, from the frame's center
        coverage = np.zeros((600, 700), np.uint8)
        coverage[220 - inset : 220 + inset, 310 - inset : 310 + inset] = 255
        coverage[223 - inset : 217 + inset, 313 - inset : 307 + inset] = 0
        (placement,) = frame_holes(Model(eye), image, Hole(coverage))  # type: ignore[arg-type]
        assert placement.mode == mode
        assert ("outside the face that was found" in placement.warning) == (mode == "box")


def specks(count: int, seed: int = 0) -> np.ndarray:
    """Dust [600, 700] of 2 px, and hairlines from side to side."""
    rng = np.random.default_rng(seed)
    coverage = np.zeros((600, 700), np.uint8)
    for x, y in rng.integers([0, 0], [698, 598], (count, 2)):
        coverage[y : y + 2, x : x + 2] = 255
    coverage[:, 50] = coverage[400] = 200
    return coverage


@pytest.mark.parametrize("count", [20, 500, 5000])
def test_scratches_and_dust_are_one_group(eye: Eye, count: int) -> None:
    coverage = specks(count)
    (placement,) = frame_holes(Model(eye), located(700, 600), Hole(coverage))  # type: ignore[arg-type]
    assert placement.mode == "auto"
    assert "The rest is filled smoothly" in placement.warning
    assert np.array_equal(placement.hole.coverage, placement.box.cut(coverage))


def test_a_hole_among_dust_keeps_its_frame(eye: Eye) -> None:
    coverage = specks(200)
    coverage[200:240, 290:330] = 255
    coverage[500:560, 600:660] = 255  # far from what the model knows
    found = frame_holes(Model(eye), located(700, 600), Hole(coverage))  # type: ignore[arg-type]
    assert [placement.mode for placement in found] == ["box", "auto", "auto"]
    filled = np.zeros_like(coverage)
    for placement in found:
        placement.box.cut(filled)[...] += placement.hole.coverage
    assert np.array_equal(filled, coverage)


def test_few_specks_are_framed_like_other_holes(eye: Eye) -> None:
    coverage = np.zeros((600, 700), np.uint8)
    for x, y in ((310, 220), (300, 200), (600, 500)):
        coverage[y : y + 3, x : x + 3] = 255
    found = frame_holes(Model(eye), located(700, 600), Hole(coverage))  # type: ignore[arg-type]
    assert [placement.mode for placement in found] == ["auto", "box"]


@st.composite
def selections(draw: st.DrawFn) -> np.ndarray:
    """Soft selections [180, 220] of one to four rectangles and ellipses, and specks."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    coverage = np.zeros((180, 220), np.uint8)
    y, x = np.mgrid[:180, :220]
    for _ in range(draw(st.integers(1, 4))):
        cx, cy, rx, ry = rng.uniform([0, 0, 1, 1], [220, 180, 120, 90])
        power = rng.choice([2, 20])
        size = (np.abs(x - cx) / rx) ** power + (np.abs(y - cy) / ry) ** power
        soft = ((1.2 - size) * 255 * rng.uniform(0.5, 4)).clip(0, 255)
        coverage = np.maximum(coverage, soft.astype(np.uint8))
    if draw(st.booleans()):
        coverage[rng.integers(180), rng.integers(220)] = rng.integers(1, 256)
    return coverage


class Guess(torch.nn.Module):
    """A framer that proposes the same frame in every view."""

    config = SMALL

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers = torch.nn.Parameter(torch.tensor(numbers))  # x, y, log side, angle, logit

    def forward(self, views: torch.Tensor) -> Proposals:
        x, y, log_side, angle, logit = self.numbers.expand(len(views), 5).unbind(1)
        direction = torch.stack([angle.cos(), angle.sin()], 1)
        return Proposals(torch.stack([x, y], 1), log_side, direction, logit)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(
    coverage=selections(),
    guess=st.builds(
        Guess,
        st.floats(-0.6, 0.6),
        st.floats(-0.6, 0.6),
        st.floats(-2, 0.5),
        st.floats(-0.7, 0.7),
        st.sampled_from([-1.0, 1.0, 4.0]),
    ),
    mode=st.sampled_from(["auto", "box"]),
)
def test_all_of_the_selection_is_filled_with_any_frame(
    coverage: np.ndarray, guess: Guess, mode: Any
) -> None:
    assume((coverage > 0).any())
    model: Any = Model(guess)
    placements = frame_holes(model, located(220, 180), Hole(coverage), frame=mode)
    output = np.random.default_rng(0).random((32, 32, 3), np.float32)
    filled = np.zeros_like(coverage)
    for patch in (BlendFit.of(placement, output).to_patch() for placement in placements):
        part = patch.box.cut(filled)
        assert not (part.astype(bool) & patch.covered).any(), "no pixel belongs to two"
        part += patch.coverage
        assert np.isfinite(patch.fill).all()
    assert np.array_equal(filled, coverage)
    assert not any("Only the part inside" in placement.warning for placement in placements)


def test_a_frame_smaller_than_a_pixel_is_not_used() -> None:
    coverage = np.zeros((180, 220), np.uint8)
    coverage[90, 133] = 255
    model: Any = Model(Guess(0.0, 0.0, -6.0, 0.0, 4.0))
    (placement,) = frame_holes(model, located(220, 180), Hole(coverage), frame="auto")
    assert placement.frame.side >= 32


def test_a_known_bias_of_the_side_is_taken_out(eye: Eye) -> None:
    image = located(700, 600)
    coverage = np.zeros((600, 700), np.uint8)
    coverage[200:240, 290:330] = 255
    eye.config = replace(SMALL, side_bias=1.25)
    best = search.propose(eye, image, Hole(coverage), Box(290, 200, 40, 40))[0]  # type: ignore[arg-type]
    assert best.frame.side == pytest.approx(eye.target.side / 1.25, rel=1e-3)


def test_a_frame_needs_confidence_in_every_view(eye: Eye) -> None:
    image = located(700, 600)
    coverage = np.zeros((600, 700), np.uint8)
    coverage[200:240, 290:330] = 255
    for doubted in range(3):
        eye.rounds = [0.01 if k == doubted else 0.9 for k in range(3)]
        best = search.propose(eye, image, Hole(coverage), Box(290, 200, 40, 40))[0]  # type: ignore[arg-type]
        assert 0.3 < best.confidence < 0.5


def test_low_confidence_gives_a_notice_and_the_square(eye: Eye) -> None:
    eye.confidence = 0.2
    image = located(700, 600)
    coverage = np.zeros((600, 700), np.uint8)
    coverage[200:240, 290:330] = 255
    (placement,) = frame_holes(Model(eye), image, Hole(coverage))  # type: ignore[arg-type]
    assert placement.mode == "box"
    assert placement.frame == geometry.box_frame(Box(290, 200, 40, 40), 700, 600, 32)
    assert placement.confidence < 0.5
    assert placement.warning.startswith("No face was found near the selection")


@pytest.mark.parametrize("weight", [math.nan, math.inf, 1e30])
def test_a_damaged_framer_is_unsure(weight: float) -> None:
    framer = Framer(SMALL).eval()
    for parameter in framer.parameters():
        torch.nn.init.constant_(parameter, weight)
    image = DocumentImage(np.full((60, 70, 3), 99, np.uint8))
    coverage = np.zeros((60, 70), np.uint8)
    coverage[20:24, 29:33] = 255
    (placement,) = frame_holes(Model(framer), image, Hole(coverage))  # type: ignore[arg-type]
    assert placement.frame.side >= 8


def test_without_a_framer_auto_is_box() -> None:
    image = DocumentImage(np.zeros((60, 70, 3), np.uint8))
    coverage = np.zeros((60, 70), np.uint8)
    coverage[20:24, 29:33] = 255
    (placement,) = frame_holes(Model(None), image, Hole(coverage))  # type: ignore[arg-type]
    assert placement.mode == "box"
    assert "cannot find faces" in placement.warning


def test_the_first_views_reach_from_the_hole_to_the_whole_document() -> None:
    crop = DocumentImage(np.zeros((300, 400, 3), np.uint8), origin=(50, 60), size=(3000, 2000))
    hole = Box(200, 200, 60, 40)
    alone = search.first_views(hole, crop)
    helped = search.first_views(hole, DocumentImage.overview(crop.pixels, (3000, 2000)))
    assert alone[0].side == helped[0].side == 75
    assert alone[-1].side == pytest.approx(440)
    assert helped[-1].side == pytest.approx(3300)
    assert all(geometry.contains(view, hole) for view in alone + helped)


def test_a_coarse_view_agrees_with_the_careful_one() -> None:
    y, x = np.mgrid[:300, :300]
    pixels = np.stack([x, y, 255 - x], axis=2).clip(0, 255).astype(np.uint8)
    coverage = np.zeros((300, 300), np.uint8)
    coverage[100:140, 120:180] = 9
    image, frame = DocumentImage(pixels), Frame(150, 140, 160, 20)
    shown, known = search.coarse_view(image, Hole(coverage), frame, 32)
    careful = extract_model_view(image, Hole(coverage), frame, 32)
    assert ((careful.hole == 0) == known).mean() > 0.97
    both = known & (careful.hole == 0)
    assert np.abs(shown[both] * 255 - careful.erased[both]).max() < 6


def test_views_of_the_same_face_are_averaged_and_others_left_out() -> None:
    frame = Frame(100, 80, 50, 179)
    looks = [
        Proposal(frame, 0.9),
        Proposal(Frame(104, 80, 50 * 1.21, -179), 0.9),  # near: two degrees further
        Proposal(Frame(120, 80, 50, 179), 1.0),  # next to it
        Proposal(Frame(100, 80, 90, 179), 1.0),  # much larger
        Proposal(Frame(100, 80, 50, 150), 1.0),  # turned
    ]
    found = search.average_nearby(frame, looks)
    assert found == pytest.approx(Frame(102, 80, 55, 180), abs=1e-4)
    assert search.average_nearby(frame, looks[:1]) == pytest.approx(frame)


def test_share_inside() -> None:
    frame = Frame(50, 50, 20, 0)
    assert geometry.overlap_fraction(frame, Box(42, 42, 10, 10)) == 1
    assert geometry.overlap_fraction(frame, Box(55, 45, 10, 10)) == 0.5
    assert geometry.overlap_fraction(frame, Box(80, 80, 5, 5)) == 0


def parts_of(boxes: Sequence[Box]) -> list[Part]:
    """Parts that fill their boxes."""
    steps = (np.arange(8) + 0.5) / 8
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    return [Part(box, np.array(box[:2]) + grid * np.array(box[2:])) for box in boxes]


def test_groups_grow_until_no_part_joins() -> None:
    def choose(box: Box) -> Choice:
        return Choice(geometry.box_frame(box, 1000, 1000, 0, 3.0), "box", 1.0)

    chain = [Box(100, 500, 40, 40), Box(160, 500, 20, 20), Box(220, 500, 20, 20)]
    far = Box(800, 100, 10, 10)
    groups = grouped(parts_of([far, *chain]), choose)
    assert [members for members, _ in groups] == [[2, 3, 4], [1]]
    dots = [Box(20 * (i % 7), 20 * (i // 7), 1, 1) for i in range(49)]
    with pytest.raises(ValueError, match="more than 32 regions"):
        grouped(parts_of(dots), choose)


def test_crumbs_beside_a_part_belong_to_it() -> None:
    def choose(box: Box) -> Choice:
        return Choice(
            Frame(box.x + box.width / 2, box.y + box.height / 2, 0.9 * box.width), "auto", 1.0
        )

    hair = Box(400, 400, 300, 300)
    beside, far, large = Box(550, 375, 5, 4), Box(550, 360, 5, 4), Box(550, 370, 40, 15)
    groups = grouped(parts_of([hair, beside, far, large]), choose)
    assert [members for members, _ in groups] == [[1, 2], [4, 3]]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 6))
def test_the_frames_of_a_recipe_find_the_same_groups_again(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = [Box(*rng.integers(0, 950, 2).tolist(), *rng.integers(1, 50, 2).tolist())
             for _ in range(count)]  # fmt: skip

    def choose(box: Box) -> Choice:
        """A found frame somewhere over the holes, or, where none is, the square around them."""
        own = np.random.default_rng([seed, *box])
        side = own.uniform(50, 400)
        dx, dy = side * own.uniform(-0.4, 0.4, 2)
        found = Frame(box.x + box.width / 2 + dx, box.y + box.height / 2 + dy, side)
        if own.random() < 0.5 and geometry.overlap_fraction(found, box) >= MIN_OVERLAP:
            return Choice(found, "auto", 1.0)
        return Choice(geometry.box_frame(box, 1000, 1000, 256), "box", 0.0)

    first = grouped(parts_of(boxes), choose)
    recorded = iter([choice.frame for _, choice in first])
    again = grouped(parts_of(boxes), lambda box: Choice(next(recorded), "auto", 1.0))
    assert [members for members, _ in again] == [members for members, _ in first]


@dataclass
class Mirror:
    """A model that reproduces what it sees exactly where the frame is the true one."""

    truth: Frame
    resolution: int = 16
    device: ClassVar = torch.device("cpu")

    def encode(self, image: np.ndarray, hole: np.ndarray) -> Any:
        return image

    def sample(
        self, encoding: Any, seeds: Sequence[int], truncation_psi: float = 1.0
    ) -> np.ndarray:
        return np.zeros((len(seeds), 1, 1), np.float32)

    def render(self, encoding: Any, ws_out: np.ndarray) -> np.ndarray:
        return self.expected[None]

    @property
    def expected(self) -> np.ndarray:
        return (
            extract_model_view(self.document, None, self.truth, 16).erased.astype(np.float32) / 255
        )

    @property
    def document(self) -> DocumentImage:
        y, x = np.mgrid[:200, :200] / 25
        waves = np.stack([np.sin(x + y / 3), np.cos(y - x / 2), np.sin(x * 1.3)], axis=2)
        return DocumentImage((waves * 100 + 127).astype(np.uint8))


@pytest.mark.parametrize(
    "wrong",
    [
        Frame(100, 100, 80 * 1.07, 10),
        Frame(100, 100, 80 / 1.07, 10),
        Frame(100, 100, 80, 13),
        Frame(100, 100, 80, 7),
    ],
)
def test_refining_finds_the_frame_that_the_model_reproduces(wrong: Frame) -> None:
    model = Mirror(Frame(100, 100, 80, 10))
    coverage = np.zeros((200, 200), np.uint8)
    coverage[90:110, 95:105] = 255
    found = refining.refine_by_reconstruction(
        model, model.document, Hole(coverage), [wrong, Frame(60, 60, 40, 0)]
    )
    assert found == pytest.approx(model.truth, abs=1e-6)


def test_all_neighbors_of_a_frame_are_near_it() -> None:
    frame = Frame(10, 20, 100, 30)
    for other in refining.neighbors(frame):
        assert math.hypot(other.cx - frame.cx, other.cy - frame.cy) <= 3.001
        assert other.side == pytest.approx(frame.side, rel=0.071)
        assert abs(other.angle - frame.angle) <= 3


def test_other_groups_do_not_show_in_a_groups_view() -> None:
    pixels = np.zeros((100, 300, 3), np.uint8)
    pixels[40:60, 160:180] = 255
    coverage = np.zeros((100, 300), np.uint8)
    coverage[40:60, 40:60] = 255
    both = coverage.copy()
    both[40:60, 160:180] = 255
    frame = Frame(110, 50, 160, 0)
    placement = place(DocumentImage(pixels), Hole(coverage), frame, 32, selection=Hole(both))
    assert placement.source.erased.max() == 0
    assert placement.source.hole[16, 26] == 255
    assert replace(placement, notices=()).box == Box(40, 40, 20, 20)
