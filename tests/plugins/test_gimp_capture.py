"""What is read from an image, and what is refused, on an image made of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from fake_gimp_image import FakeImage, layer
from inpaint_client import Box, Extent, FrameMode, InputError, Limits
from inpaint_gimp.host.target import Item, Kind, NothingSelectedError, choose_item
from inpaint_gimp.runs.arguments import FillSettings
from inpaint_gimp.runs.capture import (
    STRIP_PX,
    Captured,
    capture,
    check_target,
    coverage_of,
    fill_job,
    find_target,
    glance,
    overview,
)
from inpaint_gimp.runs.steps import run_all


def read(image: FakeImage, from_layer: bool, limits: Limits | None = None) -> Captured:
    """Read what a fill needs, in one go."""
    target = find_target(image, from_layer)
    return run_all(capture(image, target, limits or Limits()))


def test_a_small_image_is_sent_completely() -> None:
    image = FakeImage(Extent(300, 200), [layer(300, 200)], Box(10, 20, 50, 40))
    seen, item, *_ = read(image, from_layer=False)
    assert seen.crop_box == Box(0, 0, 300, 200)
    assert (seen.crop.channels, seen.overview, item) == (3, None, 0)
    assert seen.crop.data == image.drawables[0].rgba[..., :3].tobytes()
    hole = np.frombuffer(seen.hole.data, np.uint8).reshape(200, 300)
    assert hole[20:60, 10:60].min() == 200
    assert hole.sum() == 200 * 50 * 40


@pytest.mark.slow
def test_a_large_image_sends_a_crop_and_an_overview() -> None:
    image = FakeImage(Extent(5000, 3000), [layer(5000, 3000)], Box(4000, 100, 100, 100))
    seen = read(image, from_layer=False).capture
    assert seen.crop_box.width == seen.crop_box.height == 1024
    assert seen.crop_box.right <= 5000
    assert seen.overview is not None
    assert seen.overview.extent == Extent(500, 300)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "channels"), [(255, 3), (200, 4)])
def test_of_a_large_crop_only_the_part_near_the_hole_is_sent_in_full(
    alpha: int, channels: int
) -> None:
    hole = Box(1000, 900, 900, 300)
    image = FakeImage(Extent(3000, 2600), [layer(3000, 2600, alpha=alpha)], hole)
    seen, _, view, around = read(image, False, Limits(max_context_side=2048))
    assert seen.crop_box == hole.grow(112)
    assert seen.hole_box == hole
    assert seen.overview is None
    assert seen.context is not None
    assert seen.context.box == Box(0, 0, 3000, 2598)
    assert seen.context.image.extent == Extent(1000, 866)
    shown = image.drawables[0].read(seen.context.box, "R'G'B'A u8", 3)
    pixels = np.frombuffer(shown, np.uint8).reshape(-1, 4)[:, :channels]
    assert seen.context.image.channels == channels
    assert seen.context.image.data == pixels.tobytes()
    assert around == Box(0, 0, 3000, 2600)
    assert view.box.contains(hole)
    assert len(view.pixels) == 4 * view.extent.area == 4 * len(view.coverage)
    assert read(image, False).capture.crop_box == around  # by a daemon that knows no context


@pytest.mark.slow
def test_a_large_image_is_read_in_strips() -> None:
    image = FakeImage(Extent(3000, 2600), [layer(3000, 2600)], Box(1000, 900, 900, 300))
    areas: list[int] = []
    reader = image.drawables[0].read

    def counting(box: Box, babl: str, step: int = 1) -> bytes:
        areas.append(box.extent.area)
        return reader(box, babl, step)

    image.drawables[0].read = counting  # type: ignore[method-assign]
    read(image, False, Limits(max_context_side=2048))
    assert max(areas) <= STRIP_PX
    areas.clear()
    run_all(glance(image, find_target(image, False)))
    assert max(areas) <= STRIP_PX


def test_a_hole_in_memory_reads_like_the_selection() -> None:
    data = bytes(range(1, 13))
    coverage = coverage_of(Box(2, 3, 4, 3), data)
    assert coverage(Box(2, 3, 4, 3), 1) == data
    assert coverage(Box(0, 0, 4, 4), 1) == bytes(12) + bytes([0, 0, 1, 2])
    assert coverage(Box(20, 20, 2, 2), 1) == bytes(4)
    assert len(coverage(Box(0, 0, 8, 8), 4)) == 4


def test_gray_stays_gray_and_transparency_makes_rgba() -> None:
    opaque = FakeImage(Extent(64, 64), [layer(64, 64)], Box(1, 1, 9, 9), base_type="gray")
    assert read(opaque, from_layer=False).capture.crop.channels == 1
    smaller = FakeImage(Extent(64, 64), [layer(40, 64)], Box(1, 1, 9, 9))
    seen = read(smaller, from_layer=True).capture
    assert seen.crop.channels == 4
    rgba = np.frombuffer(seen.crop.data, np.uint8).reshape(64, 64, 4)
    assert (rgba[:, 40:] == 0).all()
    assert smaller.reads == [0]


def test_without_a_selection_what_is_transparent_is_filled() -> None:
    pixels = layer(100, 80, x=10, y=-20)
    pixels.rgba[50:60, 30:45, 3] = 0
    pixels.rgba[49, 30:45, 3] = 100
    seen = read(FakeImage(Extent(200, 100), [pixels]), from_layer=False).capture
    assert seen.hole_box == Box(40, 29, 15, 11)
    hole = np.frombuffer(seen.hole.data, np.uint8).reshape(100, 200)
    assert (hole[30:40, 40:55] == 255).all()
    assert (hole[29, 40:55] == 155).all()
    assert np.count_nonzero(hole) == 15 * 11


def check(image: FakeImage) -> None:
    check_target(image, find_target(image, from_layer=False))


def test_something_to_fill_is_found_before_a_dialog_opens() -> None:
    large = layer(600, 900)
    large.rgba[880, 599, 3] = 254
    check(FakeImage(Extent(600, 900), [large]))
    selected = FakeImage(Extent(9, 9), [layer(9, 9)], Box(1, 1, 2, 2))
    check(selected)
    assert selected.reads == []


def test_a_layer_that_is_transparent_only_beyond_the_canvas_has_nothing_to_fill() -> None:
    pixels = layer(120, 80)
    pixels.rgba[:, 100:, 3] = 0
    with pytest.raises(NothingSelectedError, match="Nothing is selected"):
        check(FakeImage(Extent(100, 80), [pixels]))
    with pytest.raises(NothingSelectedError):
        check(FakeImage(Extent(100, 80), [layer(100, 80)]))
    with pytest.raises(InputError, match="outside the canvas") as caught:
        check(FakeImage(Extent(9, 9), [layer(9, 9, x=20, alpha=9)]))
    assert not isinstance(caught.value, NothingSelectedError)


@pytest.mark.parametrize(
    ("image", "from_layer", "words"),
    [
        (FakeImage(Extent(9, 9), [layer(9, 9)]), False, "Nothing is selected"),
        (FakeImage(Extent(9, 9), []), False, "Nothing is selected"),
        (FakeImage(Extent(9, 9), [layer(9, 9)], Box(1, 1, 2, 2), "indexed"), False, "Mode > RGB"),
        (
            FakeImage(Extent(9, 9), [layer(9, 9)], Box(1, 1, 2, 2), kinds=[Kind.FLOATING]),
            False,
            "floating selection",
        ),
        (
            FakeImage(Extent(9, 9), [layer(9, 9), layer(9, 9)], Box(1, 1, 2, 2)),
            True,
            "2 layers are selected",
        ),
        (
            FakeImage(Extent(9, 9), [layer(9, 9)], Box(1, 1, 2, 2), kinds=[Kind.CHANNEL]),
            True,
            "Select one layer",
        ),
        (
            FakeImage(Extent(90, 90), [layer(9, 9)], Box(50, 50, 20, 20)),
            True,
            "outside the layer “layer 0”",
        ),
        (
            FakeImage(Extent(9, 9), [layer(9, 9, x=20, alpha=0)]),
            False,
            "is outside the canvas",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_filled_is_reported_in_one_sentence_with_the_remedy(
    image: FakeImage, from_layer: bool, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(image, from_layer)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_the_results_go_above_the_topmost_selected_layer() -> None:
    def item(*path: int) -> Item:
        return Item("x", Kind.LAYER, Box(0, 0, 9, 9), False, path)

    assert choose_item([item(2), item(0, 1), item(1)], from_layer=False) == 1
    assert choose_item([], from_layer=False) is None


def test_the_request_matches_the_settings() -> None:
    image = FakeImage(Extent(64, 64), [layer(64, 64)], Box(1, 1, 9, 9))
    seen = read(image, from_layer=False).capture
    job = fill_job(
        seen,
        FillSettings(
            model="m",
            candidates=3,
            seed=9,
            truncation=0.5,
            edits={"smile": 1},
            frame=FrameMode.BOX,
        ),
    )
    assert (job.seeds, job.truncation_psi) == ((9, 10, 11), 0.5)
    assert (job.model, job.edits, job.frame) == ("m", {"smile": 1}, FrameMode.BOX)
    assert job.capture is seen


def test_the_overview_shows_the_whole_image_and_the_hole() -> None:
    image = FakeImage(Extent(640, 480), [layer(640, 480)], Box(320, 160, 64, 32))
    box, seen = run_all(overview(image, find_target(image, False), 160))
    assert box == Box(320, 160, 64, 32)
    assert (seen.box, seen.step, seen.extent) == (Box(0, 0, 640, 480), 4, Extent(160, 120))
    assert len(seen.pixels) == 4 * 160 * 120
    covered = np.frombuffer(bytes(seen.coverage), np.uint8).reshape(120, 160) > 0
    assert covered[40:48, 80:96].all()
    assert np.count_nonzero(covered) == 8 * 16
