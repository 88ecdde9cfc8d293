"""Fill on a real daemon: events, known pixels, every depth and shape of image."""

from __future__ import annotations

import json
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from daemons import (
    DTYPES,
    SAMPLE_TYPES,
    Caller,
    DaemonProcess,
    header,
    image,
    noise,
    pixels_of,
    square_hole,
)
from inpaint_model import DocumentInpainter
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_protos.v1 import inpaint_pb2 as pb


def check_patches(fill: pb.FillHeader, candidate: pb.Candidate) -> None:
    """The patches hold the selection, and outside of it the document's own bytes."""
    document, hole = pixels_of(fill.crop), pixels_of(fill.hole)[..., 0]
    covered = np.zeros_like(hole)
    for patch in candidate.patches:
        x, y = patch.box.x - fill.crop_box.x, patch.box.y - fill.crop_box.y
        part = np.s_[y : y + patch.box.height, x : x + patch.box.width]
        coverage, pixels = pixels_of(patch.coverage)[..., 0], pixels_of(patch.fill)
        assert pixels.dtype == document.dtype
        assert pixels.shape == document[part].shape
        outside = coverage == 0
        assert pixels[outside].tobytes() == document[part][outside].tobytes()
        assert (covered[part][coverage > 0] == 0).all()
        covered[part] += coverage
    assert covered.tobytes() == hole.tobytes()


def test_events_come_in_their_order(caller: Caller) -> None:
    answer = caller.fill(header(seeds=[7], count=2))
    assert answer.kinds == ["accepted", "frame_chosen", "progress"] + [
        "candidate",
        "progress",
    ] * 2 + ["done"]
    assert answer.progress == [(0, 2), (1, 2), (2, 2)]
    assert [c.seed for c in answer.candidates] == [7, 8]
    assert [c.index for c in answer.candidates] == [0, 1]
    assert len(answer.session_id) >= 16
    timings = answer.timings
    assert timings is not None
    assert timings.total_ms >= timings.first_candidate_ms >= timings.encode_ms > 0


@pytest.mark.parametrize("sample_type", sorted(DTYPES))
def test_the_library_makes_the_same_without_a_daemon(
    caller: Caller, sample_type: pb.SampleType
) -> None:
    fill = header(
        noise(48, 40, 4, sample_type),
        seeds=[5, 6],
        edits=[pb.Edit(name="warmer", value=1.0)],
        variants=[pb.Variant(edits=[pb.Edit(name="brighter", value=2.0)])],
    )
    document = DocumentInpainter(tiny_inpainter())
    session = document.open(pixels_of(fill.crop), pixels_of(fill.hole)[..., 0])
    fills = document.fill(session, [5, 6], edits={"warmer": 1.0}, variants=[{"brighter": 2.0}])
    answer = caller.fill(fill)
    for ours, theirs in zip(fills, answer.candidates, strict=True):
        assert (ours.rendering.index, ours.rendering.variant) == (theirs.index, theirs.variant)
        for patch, message in zip(ours.patches, theirs.patches, strict=True):
            assert patch.box == (
                message.box.x, message.box.y, message.box.width, message.box.height
            )  # fmt: skip
            white = 1.0 if patch.fill.dtype.kind == "f" else float(np.iinfo(patch.fill.dtype).max)
            away = np.abs(patch.fill / white - pixels_of(message.fill) / white)
            assert away.max() < 0.006, "batches of another size sum in another order"
    assert session.attachment() == answer.candidates[0].attachment


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("sample_type", sorted(DTYPES))
@pytest.mark.parametrize("linear", [False, True])
def test_every_depth_keeps_the_known_pixels_bit_for_bit(
    caller: Caller, channels: int, sample_type: pb.SampleType, linear: bool
) -> None:
    fill = header(noise(53, 47, channels, sample_type), linear=linear)
    candidate = caller.fill(fill).candidates[0]
    check_patches(fill, candidate)
    (patch,) = candidate.patches
    assert patch.fill.transfer == (pb.TRANSFER_LINEAR if linear else pb.TRANSFER_SRGB)
    inside = pixels_of(patch.coverage)[..., 0] == 255
    assert pixels_of(patch.fill)[inside].tobytes() != (
        pixels_of(fill.crop)[square_hole(53, 47) == 255].tobytes()
    )


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (1, 9), (2, 3), (31, 33), (257, 129), (8192, 24)]
)
def test_every_size(caller: Caller, width: int, height: int) -> None:
    fill = header(noise(width, height))
    check_patches(fill, caller.fill(fill).candidates[0])


def test_a_full_hole(caller: Caller) -> None:
    fill = header(hole=np.full((40, 48), 255, np.uint8))
    candidate = caller.fill(fill).candidates[0]
    check_patches(fill, candidate)
    assert candidate.patches[0].box == fill.crop_box


def test_a_hole_of_one_faint_pixel(caller: Caller) -> None:
    hole = np.zeros((40, 48), np.uint8)
    hole[11, 13] = 1
    fill = header(hole=hole)
    candidate = caller.fill(fill).candidates[0]
    check_patches(fill, candidate)
    assert candidate.patches[0].box == pb.Box(x=13, y=11, width=1, height=1)


def test_any_soft_coverage_comes_back_unchanged(caller: Caller) -> None:
    hole = np.random.default_rng(3).integers(0, 256, (40, 48)).astype(np.uint8)
    fill = header(hole=hole)
    check_patches(fill, caller.fill(fill).candidates[0])


def test_holes_far_apart_have_a_patch_and_a_frame_each(caller: Caller) -> None:
    hole = np.zeros((60, 600), np.uint8)
    hole[20:40, 10:30] = hole[20:40, 560:580] = 255
    fill = header(noise(600, 60), hole)
    answer = caller.fill(fill)
    assert len(answer.frames) == len(answer.candidates[0].patches) == 2
    check_patches(fill, answer.candidates[0])
    assert [frame.group for frame in answer.frames] == [0, 1]


def test_non_finite_floats_in_the_image_do_no_harm(caller: Caller) -> None:
    pixels = noise(48, 40, 3, pb.SAMPLE_TYPE_F32)
    pixels[0, :4, 0] = np.nan, np.inf, -np.inf, 1e38
    fill = header(pixels)
    candidate = caller.fill(fill).candidates[0]
    check_patches(fill, candidate)
    assert np.isfinite(pixels_of(candidate.patches[0].fill)).all()


def test_a_crop_is_placed_by_its_box(caller: Caller) -> None:
    fill = header(at=(1000, 2000), document=(5000, 4000))
    answer = caller.fill(fill)
    check_patches(fill, answer.candidates[0])
    assert answer.frames[0].frame.cx == pytest.approx(1024)
    assert answer.frames[0].frame.cy == pytest.approx(2020)


def test_an_explicit_frame_is_taken_as_it_is(caller: Caller) -> None:
    frame = pb.Frame(cx=20, cy=18, side=60, angle=12.5)
    answer = caller.fill(header(frame_mode=pb.FRAME_MODE_EXPLICIT, frame=frame))
    (chosen,) = answer.frames
    assert chosen.frame == frame
    assert chosen.confidence == 1.0
    assert chosen.mode == pb.FRAME_MODE_EXPLICIT
    assert chosen.model_resolution == 32


def test_another_sample_type_can_be_asked_for(caller: Caller) -> None:
    raw = pb.Blending(colour_match=False, gradient=False, grain=False, detail=False)
    fill = header(seeds=[1], blending=raw)
    small = pixels_of(caller.fill(fill).candidates[0].patches[0].fill)
    fill.output_sample_type = pb.SAMPLE_TYPE_U16
    large = pixels_of(caller.fill(fill).candidates[0].patches[0].fill)
    assert large.dtype == np.uint16
    assert (large == small.astype(np.uint16) * 257).all()


def test_a_seed_decides_its_candidate(caller: Caller) -> None:
    def by_seed(seeds: list[int]) -> dict[int, bytes]:
        answer = caller.fill(header(seeds=seeds))
        return {c.seed: c.patches[0].fill.data for c in answer.candidates}

    alone, together = by_seed([9]), by_seed([3, 9, 4])
    assert together[9] == alone[9]
    assert len(set(together.values())) == 3


def test_seeds_wrap_and_are_drawn_when_none_is_given(caller: Caller) -> None:
    last = 2**32 - 1
    assert [c.seed for c in caller.fill(header(seeds=[last], count=2)).candidates] == [last, 0]
    first = caller.fill(header()).candidates
    second = caller.fill(header(count=2)).candidates
    assert len(first) == 1
    assert second[1].seed == (second[0].seed + 1) % 2**32
    assert first[0].seed != second[0].seed


def test_variants_follow_their_candidate_and_add_to_its_edits(caller: Caller) -> None:
    fill = header(
        seeds=[1, 2],
        edits=[pb.Edit(name="brighter", value=1.0)],
        variants=[
            pb.Variant(edits=[pb.Edit(name="warmer", value=2.0)]),
            pb.Variant(edits=[pb.Edit(name="brighter", value=-2.0)]),
        ],
    )
    candidates = caller.fill(fill).candidates
    assert [(c.index, c.variant) for c in candidates] == [
        (0, -1), (0, 0), (0, 1), (1, -1), (1, 0), (1, 1),
    ]  # fmt: skip
    edits = [json.loads(c.recipe)["edits"] for c in candidates[:3]]
    assert edits == [{"brighter": 1.0}, {"brighter": 1.0, "warmer": 2.0}, {"brighter": -2.0}]
    assert [bool(c.attachment) for c in candidates[:3]] == [True, False, False]
    assert len({c.patches[0].fill.data for c in candidates}) == 6


def chunks(fill: pb.FillHeader, size: int) -> list[pb.FillRequest]:
    """Return the same request with its images in chunks."""
    images = [(pb.Chunk.TARGET_CROP, fill.crop.data), (pb.Chunk.TARGET_HOLE, fill.hole.data)]
    bare = pb.FillHeader()
    bare.CopyFrom(fill)
    bare.crop.data = bare.hole.data = b""
    return [pb.FillRequest(header=bare)] + [
        pb.FillRequest(chunk=pb.Chunk(target=target, data=data[k : k + size]))
        for target, data in images
        for k in range(0, len(data), size)
    ]


@pytest.mark.parametrize("size", [1000, 4096, 1 << 20])
def test_images_in_chunks_give_the_same(caller: Caller, size: int) -> None:
    fill = header(seeds=[5])
    whole, pieces = caller.fill(fill), caller.fill(chunks(fill, size))
    assert whole.candidates[0].patches == pieces.candidates[0].patches


def test_an_overview_widens_what_the_model_sees(caller: Caller) -> None:
    document = noise(512, 512)
    hole = np.zeros((64, 64), np.uint8)
    hole[20:44, 20:44] = 255
    frame = pb.Frame(cx=132, cy=132, side=300)

    def seen(**fields: Any) -> npt.NDArray[Any]:
        fill = header(
            np.ascontiguousarray(document[100:164, 100:164]),
            hole,
            at=(100, 100),
            document=(512, 512),
            frame_mode=pb.FRAME_MODE_EXPLICIT,
            frame=frame,
            **fields,
        )
        return attachment(caller.fill(fill).candidates[0])

    overview = header(document[::2, ::2].copy()).crop
    assert (seen()[..., 3] == 255).mean() < (seen(overview=overview)[..., 3] == 255).mean()


def attachment(candidate: pb.Candidate) -> npt.NDArray[Any]:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(candidate.attachment)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_recipe_and_attachment_contain_everything(caller: Caller) -> None:
    fill = header(seeds=[11], truncation_psi=0.5, at=(10, 20), document=(100, 90))
    candidate = caller.fill(fill).candidates[0]
    recipe = json.loads(candidate.recipe)
    model = caller.info().models[0]
    assert recipe["format"] == 1
    assert recipe["model"] == "tiny"
    assert recipe["weights_sha256"] == model.weights_sha256
    assert recipe["generator_sha256"] == model.generator_sha256
    assert (recipe["seed"], recipe["truncation_psi"]) == (11, 0.5)
    assert recipe["document"] == [100, 90]
    assert recipe["box"] == [22, 30, 24, 20]
    assert len(candidate.recipe) < 64 << 10
    square = attachment(candidate)
    assert square.shape == (32, 32, 4)
    assert (square[square[..., 3] == 0] == 0).all()
    assert set(np.unique(square[..., 3])) == {0, 255}


@pytest.mark.slow
def test_over_a_unix_socket(daemon: DaemonProcess, tmp_path: Any) -> None:
    with DaemonProcess(tmp_path, "--listen", f"unix:{tmp_path}/socket") as other:
        fill = header(seeds=[5])
        with other.caller() as here, daemon.caller() as there:
            assert other.runtime()["address"] == f"unix:{tmp_path}/socket"
            assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o600
            first, second = here.fill(fill), there.fill(fill)
        assert first.candidates[0].patches == second.candidates[0].patches
        other.process.terminate()
        assert other.ended() == 0
        assert not (tmp_path / "socket").exists()


def test_the_sample_types_here_are_the_contracts() -> None:
    assert set(SAMPLE_TYPES.values()) == set(pb.SampleType.values()) - {0}


def test_a_selection_of_specks_is_filled_in_a_moment(caller: Caller) -> None:
    """Fifty thousand regions, as a color range of a noisy image gives them."""
    hole = (np.random.default_rng(0).random((1024, 1024)) < 0.2).astype(np.uint8) * np.uint8(255)
    fill = header(noise(1024, 1024), hole, seeds=[1])
    check_patches(fill, caller.fill(fill).candidates[0])


def with_context(side: int = 4000, width: int = 50, box_side: int = 400) -> pb.FillHeader:
    """A small crop of a large document, and what lies around it, reduced."""
    fill = header(noise(60, 60), seeds=[3], frame_mode=pb.FRAME_MODE_EXPLICIT)
    fill.frame.CopyFrom(pb.Frame(cx=130, cy=130, side=240))
    fill.document.width = fill.document.height = side
    fill.crop_box.x = fill.crop_box.y = 100
    fill.context.CopyFrom(image(noise(width, 50)))
    fill.context_box.CopyFrom(pb.Box(x=0, y=0, width=box_side, height=400))
    return fill


def test_what_lies_around_a_small_crop_is_seen(caller: Caller) -> None:
    fill = with_context()
    seen = caller.fill(fill).candidates[0]
    check_patches(fill, seen)
    fill.ClearField("context")
    fill.ClearField("context_box")
    alone = caller.fill(fill).candidates[0]
    assert seen.attachment != alone.attachment
    assert caller.info().limits.max_context_side == 2048


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (with_context(side=300), "context_box: extends beyond the document"),
        (with_context(box_side=49), "context_box: must not be smaller than context"),
        (with_context(width=2049, box_side=3000), "context: is 2049 x 50 px"),
    ],
)
def test_a_context_that_makes_no_sense_is_refused(
    caller: Caller, fill: pb.FillHeader, words: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        caller.fill(fill)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in (refused.value.details() or "")
