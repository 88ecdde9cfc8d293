"""The parts of faces, compared with outlines that were drawn by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from inpaint_client.example import PORTRAIT
from inpaint_model.document.geometry import Box
from inpaint_model.segmentation.parts import PARTS, Part, PartMask, Segmentation
from PIL import Image, ImageDraw
from scipy.ndimage import binary_closing, distance_transform_edt
from shared_files import SHARED

Bools = npt.NDArray[np.bool_]
PHOTOS = json.loads(Path(__file__).with_name("outlines.json").read_text("utf-8"))
# Mean over the ten photographs. Decision 0049 says why that of eyes is lower.
LEAST = {"skin": 0.88, "eyes": 0.82, "mouth": 0.85, "hair": 0.78}
NO_FOLD = "005_03"  # no fold above the eyes


def covered(masks: Iterator[PartMask], shape: tuple[int, ...]) -> Bools:
    whole = np.zeros(shape[:2], np.uint8)
    for mask in masks:
        there = mask.box.cut(whole)
        np.maximum(there, mask.coverage, out=there)
    return whole > 127


def drawn(outlines: Sequence[Any], size: tuple[int, int]) -> Bools:
    image = Image.new("1", size)
    for outline in outlines:
        ImageDraw.Draw(image).polygon([tuple(point) for point in outline], fill=1)
    return np.array(image)


def by_hand(pixels: npt.NDArray[np.uint8], photo: dict[str, Any]) -> dict[str, Bools]:
    """Return the masks of a photograph, [H, W]. Skin includes the brows."""
    size = (pixels.shape[1], pixels.shape[0])
    face, eyes, mouth = (drawn(photo[name], size) for name in ("face", "eyes", "mouth"))
    around = drawn(photo["around_hair"], size) & ~face & ~drawn(photo["not_hair"], size)
    dark = pixels.mean(axis=2) < photo["darker_than"]
    closed = binary_closing(dark & around, iterations=8) & around  # with its highlights
    return {"skin": face & ~eyes & ~mouth, "eyes": eyes, "mouth": mouth, "hair": closed}


@cache
def overlaps() -> dict[str, dict[str, float]]:
    """Return the intersection over union of each part in each photograph."""
    found: dict[str, dict[str, float]] = {part: {} for part in LEAST}
    for name, photo in PHOTOS.items():
        pixels = np.asarray(Image.open(SHARED / "photos" / f"{name}.jpg").convert("RGB"))
        segmentation = Segmentation(pixels.astype(np.float32) / np.float32(255))
        assert len(segmentation.faces) == 1
        for part, there in by_hand(pixels, photo).items():
            parts: tuple[Part, ...] = ("skin", "brows") if part == "skin" else (part,)  # type: ignore[assignment]
            here = covered(segmentation.masks(parts), pixels.shape)
            found[part][name] = float((here & there).sum() / (here | there).sum())
    return found


@pytest.mark.shared("photos/001_03.jpg")
@pytest.mark.slow
@pytest.mark.parametrize("part", LEAST)
def test_parts_are_those_drawn_by_hand(part: str) -> None:
    each = overlaps()[part]
    assert float(np.mean(list(each.values()))) >= LEAST[part], each


@pytest.mark.shared(f"photos/{NO_FOLD}.jpg")
@pytest.mark.slow
def test_eyes_without_a_fold_are_selected_without_the_skin_above() -> None:
    assert overlaps()["eyes"][NO_FOLD] >= 0.64  # with the mesh's lids 0.56


@pytest.fixture(scope="module")
def portrait() -> npt.NDArray[np.float32]:
    return np.asarray(Image.open(PORTRAIT).convert("RGB"), np.float32) / np.float32(255)


def test_a_portrait_that_the_project_has_drawn_itself_has_all_parts(
    portrait: npt.NDArray[np.float32],
) -> None:
    segmentation = Segmentation(portrait)
    (face,) = segmentation.faces
    assert face.confidence > 0.9
    side = portrait.shape[0]
    assert face.frame.side == pytest.approx(side, rel=0.1)  # it is in FFHQ alignment
    assert (face.frame.cx, face.frame.cy) == pytest.approx((side / 2, side / 2), abs=side / 12)
    masks = list(segmentation.masks(PARTS))
    assert [(mask.face, mask.part) for mask in masks] == [
        *((0, part) for part in PARTS if part != "background"),
        (-1, "background"),
    ]
    for mask in masks:
        assert mask.coverage.shape == (mask.box.height, mask.box.width)
        assert mask.box.clipped(side, side) == mask.box
        assert all(edge.any() for edge in (*mask.coverage[[0, -1]], *mask.coverage.T[[0, -1]]))
    areas = {mask.part: int((mask.coverage > 127).sum()) for mask in masks}
    assert areas["skin"] > areas["glasses"] > areas["eyes"] > areas["brows"] / 2
    soft = next(mask.coverage for mask in masks if mask.part == "hair")
    assert ((soft > 20) & (soft < 235)).mean() > 0.03


def test_parts_of_a_face_do_not_overlap(portrait: npt.NDArray[np.float32]) -> None:
    segmentation = Segmentation(portrait)
    each = [
        covered(segmentation.masks([part]), portrait.shape)
        for part in PARTS
        if part not in ("glasses", "hair")
    ]
    assert (np.sum(each, axis=0) > 1).mean() < 1e-3


def test_hair_has_no_faint_coverage_far_from_it(portrait: npt.NDArray[np.float32]) -> None:
    """A wisp that nobody sees would enlarge what is filled."""
    segmentation = Segmentation(portrait)
    (hair,) = segmentation.masks(["hair"])
    reach = 0.05 * segmentation.faces[0].frame.side + 1
    away = distance_transform_edt(hair.coverage < 128, return_distances=True)
    assert (np.asarray(away)[hair.coverage > 0] <= 2**0.5 * reach).all()
    assert (hair.coverage[(np.asarray(away) > 2) & (np.asarray(away) < reach / 2)] > 0).any()


@pytest.mark.parametrize("room", [0.01, 0.05])
def test_masks_with_room_reach_further_on_all_sides(
    portrait: npt.NDArray[np.float32], room: float
) -> None:
    segmentation = Segmentation(portrait)
    (close,), (wide,) = (segmentation.masks(["mouth"], room=each) for each in (0.0, room))
    px = room * segmentation.faces[0].frame.side
    at = close.box
    shown = np.zeros((at.height + 400, at.width + 400), np.uint8)
    wide.box.moved(200 - at.x, 200 - at.y).cut(shown)[...] = wide.coverage
    of_half, of_any = (
        np.asarray(distance_transform_edt(~np.pad(close.coverage > least, 200)))
        for least in (127, 0)
    )
    assert (shown[of_half < 0.8 * px - 1] > 127).all()
    assert (shown[of_any > 2**0.5 * (1.6 * px + 3)] == 0).all()
    assert (shown[200:-200, 200:-200] >= close.coverage).all()


def test_masks_move_with_the_image(portrait: npt.NDArray[np.float32]) -> None:
    side = portrait.shape[0]
    canvas = np.full((side + 120, side + 200, 3), 0.5, np.float32)
    canvas[70 : 70 + side, 150 : 150 + side] = portrait
    there = covered(Segmentation(canvas).masks(["skin"]), canvas.shape)[70:-50, 150:-50]
    here = covered(Segmentation(portrait).masks(["skin"]), portrait.shape)
    assert (here & there).sum() / (here | there).sum() > 0.93


def test_two_faces_have_their_own_masks_and_the_larger_one_is_first(
    portrait: npt.NDArray[np.float32],
) -> None:
    side = portrait.shape[0]
    small = Image.fromarray(np.uint8(portrait * 255)).resize((side // 2, side // 2))
    both = np.full((side, side + side // 2, 3), 0.4, np.float32)
    both[:, :side] = portrait
    both[side // 2 :, side:] = np.asarray(small, np.float32) / 255
    segmentation = Segmentation(both)
    assert [round(face.frame.side / side, 1) for face in segmentation.faces] == [1.0, 0.5]
    (second,) = segmentation.masks(["mouth"], [1])
    assert second.face == 1
    assert second.box.x > side
    assert {mask.face for mask in segmentation.masks(["mouth"])} == {0, 1}


@pytest.mark.parametrize("part", ["hair", "skin"])
@pytest.mark.parametrize("distance", [0.62, 0.8])
def test_people_side_by_side_have_parts_of_their_own(
    portrait: npt.NDArray[np.float32], part: Part, distance: float
) -> None:
    """A portrait and its mirror image, which meet at the middle between the faces."""
    side = portrait.shape[0]
    alone = Segmentation(portrait)
    frame = alone.faces[0].frame
    end = round(frame.cx + distance * frame.side / 2)  # of the left half
    both = np.concatenate([portrait[:, :end], portrait[:, :end][:, ::-1]], axis=1)
    left = covered(alone.masks([part]), portrait.shape)[:, :end]
    pair = Segmentation(both)
    assert len(pair.faces) == 2
    for number, face in enumerate(pair.faces):
        expected = np.zeros((side, 2 * end), bool)
        if face.frame.cx < end:
            expected[:, :end] = left
        else:
            expected[:, end:] = left[:, ::-1]
        found = covered(pair.masks([part], [number]), both.shape)
        assert (found & expected).sum() / (found | expected).sum() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (40, 3), (300, 200)])
def test_an_image_without_faces_is_all_background(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).random((*shape, 3), np.float32)
    segmentation = Segmentation(noise)
    assert segmentation.faces == []
    assert list(segmentation.masks(["hair", "eyes"])) == []
    for mask in segmentation.masks(PARTS):
        assert mask.part == "background"
        assert mask.box.clipped(shape[1], shape[0]) == mask.box


def test_a_face_at_the_edge_of_the_image_is_cut(portrait: npt.NDArray[np.float32]) -> None:
    side = portrait.shape[0]
    left = portrait[:, : round(0.62 * side)]
    for mask in Segmentation(left).masks(PARTS):
        assert mask.box.intersection(Box(0, 0, left.shape[1], side)) == mask.box


def test_the_same_image_always_has_the_same_masks(portrait: npt.NDArray[np.float32]) -> None:
    first, second = (list(Segmentation(portrait).masks(["hair"])) for _ in range(2))
    assert first[0].box == second[0].box
    assert np.array_equal(first[0].coverage, second[0].coverage)
