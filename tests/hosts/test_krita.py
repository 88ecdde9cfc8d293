"""The Krita plug-in in real Kritas, driven as a person drives it."""

from __future__ import annotations

import builtins
import importlib.util
import json
import os
import shutil
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from daemons import DaemonProcess
from fake_daemon import FakeDaemon, Script, color_of, part_box
from fake_krita import FakeDocument, FakePixels
from inpaint_client.blocking import BlockingClient
from inpaint_client.endpoint import parse_endpoint
from inpaint_client.events import Candidate, Method
from inpaint_client.example import PORTRAIT
from inpaint_client.geometry import Box, Extent
from inpaint_client.info import Limits
from inpaint_client.recipe import parse_recipe
from inpaint_client.requests import FillJob, SmoothFill
from inpaint_client.session.contact_sheet import arrange
from inpaint_client.session.history import unpack
from inpaint_krita.host.selection import KeptSelection, box_of
from inpaint_krita.runs.capture import capture
from inpaint_krita.runs.fill_settings import FillSettings, fill_job
from inpaint_krita.runs.run_history import PREFIX
from inpaint_protos.v1 import inpaint_pb2 as pb
from kra import Kra, read_kra
from krita_host import KritaHost, RunKrita
from PIL import Image
from relay import Relay

TOKEN = "secret"
pytestmark = pytest.mark.hosts


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """The real daemon with the tiny model."""
    with DaemonProcess(tmp_path_factory.mktemp("daemon")) as process:
        process.runtime()
        yield process


def reach(daemon: DaemonProcess) -> dict[str, str]:
    """The environment that leads to a daemon."""
    runtime = daemon.runtime()
    return {"INPAINT_SERVER": runtime["address"], "INPAINT_TOKEN": runtime["token"]}


@pytest.mark.next_host
def test_an_artists_session(run_krita: RunKrita, daemon: DaemonProcess) -> None:
    run = run_krita("artist", reach(daemon), arguments={"slider": "brighter"})
    check_files(run.out, daemon, "brighter")


def check_files(out: Path, daemon: DaemonProcess, slider: str) -> None:
    """The saved documents, read without Krita, match the daemon's answer to the same request."""
    extent = Extent(640, 480)
    shape = (extent.height, extent.width)
    mask = np.frombuffer((out / "mask.raw").read_bytes(), np.uint8).reshape(shape)
    before = np.frombuffer((out / "before.raw").read_bytes(), np.uint8).reshape(*shape, 4)
    job = job_of(before, mask, extent)
    runtime = daemon.runtime()
    endpoint = parse_endpoint(runtime["address"], runtime["token"])
    with BlockingClient(lambda: endpoint) as client:
        plain = [each for each in client.fill(job) if isinstance(each, Candidate)]
        edited_job = replace(job, seeds=(6,), edits={slider: 1.0}, smooth=SmoothFill.NEVER)
        edited = [each for each in client.fill(edited_job) if isinstance(each, Candidate)]
    filled = read_kra(out / "filled.kra")
    for candidate in plain:
        is_smooth = candidate.method is Method.SMOOTH
        layer = filled.find(
            f"{candidate.index + 1} · smooth"
            if is_smooth
            else f"{candidate.index + 1} · seed {candidate.seed}"
        )
        assert layer.visible == (candidate.index == 0)
        check_layer(layer.pixels, candidate, mask)
    check_merged(filled, before, mask, filled.find("1 · seed 5").pixels)
    stored = [name for name in filled.annotations if name.startswith(PREFIX)]
    assert len(stored) == 1
    run = unpack(filled.annotations[stored[0]])
    assert run.seeds == (5, 6, 7)
    assert [parse_recipe(each.recipe).seed for each in run.results] == [5, 6, 7, 0]
    assert [each.is_smooth for each in run.results] == [False, False, False, True]
    assert run.results[0].attachment == plain[0].attachment

    after_edit = read_kra(out / "edited.kra")
    # One rendering alone may differ from one of three in the last bit before rounding.
    check_layer(after_edit.find("2 · seed 6").pixels, edited[0], mask, tolerance=1)
    check_merged(after_edit, before, mask, after_edit.find("2 · seed 6").pixels)
    kept = [each for each in read_kra(out / "kept.kra").layers if each.kind != "selectionmask"]
    assert [each.kind for each in kept] == ["paintlayer", "paintlayer"]
    visible, edited_layer = kept[0].pixels, after_edit.find("2 · seed 6").pixels
    assert visible is not None
    assert edited_layer is not None
    assert np.array_equal(visible, edited_layer)


def job_of(before: np.ndarray, mask: np.ndarray, extent: Extent) -> FillJob:
    """What the plug-in asked, made from the same pixels."""
    document = FakeDocument(extent)
    document.root.children[0].data = bytearray(before.tobytes())
    selection = KeptSelection(Box.of_extent(extent), mask.tobytes())
    steps = capture(FakePixels(document, selection), box_of(selection), Limits())
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return fill_job(FillSettings(seed=5, candidates=3, smooth="always"), stop.value, {})


def check_layer(
    pixels: np.ndarray | None, candidate: Candidate, mask: np.ndarray, tolerance: int = 0
) -> None:
    """The layer holds the reply in the hole, and the selection's coverage as its alpha."""
    assert pixels is not None
    assert np.array_equal(pixels[..., 3], mask)
    (patch,) = candidate.patches
    box = patch.box
    fill = np.frombuffer(patch.fill.data, np.uint8).reshape(box.height, box.width, -1)
    inside = mask[box.y : box.bottom, box.x : box.right] > 0
    layer = pixels[box.y : box.bottom, box.x : box.right, 2::-1]
    difference = np.abs(layer[inside].astype(int) - fill[..., :3][inside])
    assert difference.max() <= tolerance
    assert difference.mean() <= tolerance / 8


def check_merged(kra: Kra, before: np.ndarray, mask: np.ndarray, layer: np.ndarray | None) -> None:
    """Outside nothing changed; fully inside it is the layer; between, a mixture."""
    assert layer is not None
    merged, known = kra.merged[..., :3], before[..., 2::-1]
    assert np.array_equal(merged[mask == 0], known[mask == 0])
    assert np.array_equal(merged[mask == 255], layer[..., 2::-1][mask == 255])
    share = mask[..., None] / 255
    mixture = known + (layer[..., 2::-1].astype(float) - known) * share
    assert np.abs(merged - mixture).max() <= 1


def test_holes_whose_boxes_overlap_are_all_filled(
    run_krita: RunKrita, daemon: DaemonProcess, tmp_path: Path
) -> None:
    lower_right = np.tri(100, dtype=np.bool_)[:, ::-1]
    mask = np.zeros((400, 480), np.uint8)
    for start, value in ((100, 255), (185, 200)):
        mask[start : start + 100, start : start + 100][lower_right] = value
    (tmp_path / "mask.raw").write_bytes(mask.tobytes())
    run = run_krita(
        "groups",
        reach(daemon),
        arguments={"slider": "brighter"},
        files={"mask.raw": tmp_path / "mask.raw"},
    )
    assert len(json.loads(str(run.value))["groups"]) == 2
    filled, edited = (
        read_kra(run.out / name).find("1 · seed 5").pixels for name in ("filled.kra", "edited.kra")
    )
    assert filled is not None
    assert edited is not None
    assert np.array_equal(filled[..., 3], mask)
    assert np.array_equal(edited[..., 3], mask)
    assert not np.array_equal(edited, filled)


def test_every_kind_of_document(run_krita: RunKrita) -> None:
    """With a daemon that returns one known color, so that every conversion is recognizable."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        answers = run_krita("colors", environment, timeout=240).value
    red, green, blue = color_of(5)
    for answer in answers:
        assert answer["layer_space"] == [answer["model"], answer["depth"], answer["profile"]]
        if answer["direct"]:
            assert answer["layer"] == _bytes_of(answer["model"], answer["depth"]), answer
        else:  # a small gamut, or Krita's own coarse conversion in 8 bits
            tolerance = {"CMYKA": 8, "YCbCrA": 10}.get(answer["model"], 2)
            linear = answer["depth"].startswith("F")
            expected = [_shown(value, linear) for value in (red, green, blue)]
            difference = max(abs(a - b) for a, b in zip(answer["shown"], expected, strict=True))
            assert difference <= tolerance, answer


def _bytes_of(model: str, depth: str) -> str:
    """The fake daemon's color as that kind of document stores it."""
    red, green, blue = color_of(5)
    values = (green, 1.0) if model == "GRAYA" else (blue, green, red, 1.0)
    if depth.startswith("F"):
        values = values if model == "GRAYA" else (red, green, blue, 1.0)
        return struct.pack(f"<{len(values)}{'e' if depth == 'F16' else 'f'}", *values).hex()
    top, letter = (255, "B") if depth == "U8" else (65535, "H")
    return struct.pack(f"<{len(values)}{letter}", *(round(top * each) for each in values)).hex()


def _shown(value: float, linear: bool) -> int:
    if not linear:
        return round(255 * value)
    curve = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return round(255 * curve)


def test_selections_and_layers(run_krita: RunKrita, daemon: DaemonProcess) -> None:
    answers = run_krita("layers", reach(daemon), timeout=240).value
    for source in ("visible", "layer"):
        for name, (parent, below) in {
            "Background": ("root", "Background"),
            "inner": ("a group", "inner"),
            "a group": ("root", "a group"),
            "a vector layer": ("root", "a vector layer"),
            "a mask": ("root", "Background"),
            "hidden": ("root", "hidden"),
            "locked": ("root", "locked"),
            "a filter layer": ("root", "a filter layer"),
        }.items():
            answer = answers[f"{name} {source}"]
            assert answer[:2] == [parent, below], (name, answer)
            assert answer[3] == name, (name, answer)  # the active layer stays
    assert "hidden" in answers["hidden layer"][2]
    assert "has no pixels" in answers["a filter layer layer"][2]


def test_mixing_with_a_candidate_and_with_layers(run_krita: RunKrita) -> None:
    """With a daemon that returns the colors of what is mixed."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        seen = run_krita("mix", environment).value
        requests = [edit.mixing for edit in daemon.service.edits if edit.mixing.HasField("picture")]
    own, other = ([round(255 * each) for each in color_of(seed)][::-1] for seed in (5, 6))
    assert seen["plain"][:3] == seen["back"][:3] == own
    assert seen["other"][:3] == other
    assert seen["half"][:3] == pytest.approx(np.add(own, other) / 2, abs=1)
    assert seen["layer"][:3] == pytest.approx([20, 40, 220], abs=1)
    assert "empty" in seen["notice"]
    (sent,) = requests
    assert (sent.picture.width, sent.picture.height, sent.picture.channels) == (100, 80, 4)
    assert sent.picture.data == bytes([220, 40, 20, 255]) * (100 * 80)
    box = sent.picture_box
    assert (box.x, box.y, box.width, box.height) == (90, 50, 100, 80)


def test_dragging_the_dot_of_the_mixer_pad(run_krita: RunKrita) -> None:
    """With a real mouse: the layer changes meanwhile, one step takes all of it back."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run = run_krita("mixer_pad", environment)
        moves = [edit for edit in daemon.service.edits if edit.HasField("mixing")]
    seen = run.value
    own, right, below, across = (
        [round(255 * each) for each in color_of(seed)][::-1] for seed in (5, 6, 7, 8)
    )
    middle = np.mean([own, right, below, across], axis=0)
    assert seen["plain"][:3] == seen["undone"][:3] == own
    assert seen["is_held"]
    assert seen["middle"][:3] == pytest.approx(middle, abs=3)  # to a px of the screen
    assert seen["corner"][:3] == seen["redone"][:3] == pytest.approx(right, abs=1)
    assert seen["dot"] == [0, 0]
    assert seen["reopened"] == ["Several: mixer pad", 1, 0]
    assert seen["below"][:3] == pytest.approx(below, abs=1)
    assert len(moves) >= 3
    assert seen["selection_stays"]
    known, mixed = (
        np.frombuffer((run.out / name).read_bytes(), np.uint8).reshape(240, 320, 4)
        for name in ("known.raw", "mixed.raw")
    )
    changed = (known != mixed).any(-1)
    assert changed[60:120, 100:180].mean() > 0.99
    changed[60:120, 100:180] = False
    assert not changed.any()


def test_thumbnails_show_the_candidates_pixels(run_krita: RunKrita) -> None:
    """In their places, and in the colors that the canvas shows, in every kind of document."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        answer = run_krita("thumbnails", environment).value
    assert len(answer["marks"]) == 4
    for marks in answer["marks"]:
        for seen, expected in marks:
            assert seen == pytest.approx(expected, abs=3)
    assert len(answer["flat"]) == 5
    for kind, seen, shown in answer["flat"]:
        assert seen == pytest.approx(shown, abs=3), kind


def test_the_wheel_scrolls_the_docker_and_changes_nothing(run_krita: RunKrita) -> None:
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        answer = run_krita("wheel", environment).value
    assert {name for name, *_ in answer["seen"]} >= {"ElidedList", "QSpinBox", "QuietSlider"}
    for name, button, moved, is_same in answer["seen"]:
        assert is_same, name
        assert moved > 0 if button == "5" else moved < 0, name
    assert answer["focused"] == [4, 0]  # with the focus it changes the value, and nothing scrolls


def test_an_artist_fills_edits_and_keeps_with_the_mouse_alone(
    run_krita: RunKrita, tmp_path: Path
) -> None:
    """What scripts/record-animation records."""
    image = tmp_path / "image.png"
    portrait(image)
    wanted = {
        "window": [960, 624],
        "box": [130, 170, 240, 240],
        "seed": 7,
        "order": [2, 1],
        "edit": ["brighter", 0.5],
    }
    with DaemonProcess(tmp_path) as daemon:
        run = run_krita("animation", reach(daemon), arguments=wanted, files={"image.png": image})
    answer = run.value
    assert answer["seed"] == 8
    assert answer["layers"] == ["Background", "Seed 8 · Inpaint · Tiny (random weights)"]
    assert list(answer["edits"]) == ["brighter"]
    assert answer["edits"]["brighter"] == pytest.approx(0.5, abs=0.1)
    starts = [start for start, _ in answer["scenes"]]
    assert starts == sorted(starts)


@pytest.mark.parametrize("language", [pytest.param("", marks=pytest.mark.next_host), "de"])
def test_a_first_start_on_a_small_screen(
    run_krita: RunKrita, krita: KritaHost, language: str
) -> None:
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        settings = f"language={language}" if language else ""
        run = run_krita("small_screen", environment, settings=settings)
    seen = run.value
    assert seen["height"] >= 300
    assert seen["narrow"] <= 260
    assert seen["slider"] >= 80
    assert seen["shortcuts"] == [f"Ctrl+Alt+Shift+{key}" for key in "FXNPAE"] + 11 * [""]
    if folder := os.environ.get("INPAINT_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for shot in run.out.glob("*.png"):
            shutil.copy(shot, Path(folder) / f"{krita.version}-{language or 'en'}-{shot.name}")


@pytest.mark.next_host
def test_parts_of_faces_are_selected_in_one_undo_step(run_krita: RunKrita) -> None:
    """The mask of the daemon at the document's size, which is twice that of what was sent."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run = run_krita("parts", environment)
        sent = [(each.image.width, each.image.height) for each in daemon.service.segments]
    assert (sent[:2], sent[3:]) == (2 * [(1000, 400)], [(64, 64)])  # sent[2] is a race of the crop
    shape = (801, 2000)
    hair, eyes = (
        np.frombuffer((run.out / f"{name}.raw").read_bytes(), np.uint8).reshape(shape)
        for name in ("hair", "eyes")
    )
    for part, mask in ((pb.PART_HAIR, hair), (pb.PART_EYES, eyes)):
        x, y, width, height = (2 * each for each in part_box(part, 1000, 400))
        assert (mask[y + 4 : y + height - 4, x + 4 : x + width - 4] == 255).all()
        assert 60 < mask[y + height // 2, x] < 160  # the soft border
        outside = mask.copy()
        outside[y - 2 : y + height + 2, x - 2 : x + width + 2] = 0
        assert not outside.any()


@pytest.mark.next_host
def test_a_selection_says_whose_part_is_meant(run_krita: RunKrita) -> None:
    selections = {
        "left": (100, 100, 700, 600),
        "right": (1450, 350, 60, 60),
        "beside": (0, 0, 9, 9),
    }
    with FakeDaemon(Script(token=TOKEN, faces=2)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run = run_krita("whose_part", environment, arguments={"selections": selections})
    x, y, width, height = part_box(pb.PART_EYES, 500, 400)
    for name, faces in (("left", [True, False]), ("right", [False, True]), ("beside", 2 * [True])):
        mask = np.frombuffer((run.out / f"{name}.raw").read_bytes(), np.uint8).reshape(800, 2000)
        row = mask[2 * y + height]
        assert [row[2 * (k * 500 + x) + width] == 255 for k in (0, 1)] == faces, name


@pytest.mark.slow
def test_a_part_of_a_portrait_becomes_candidates(run_krita: RunKrita, tmp_path: Path) -> None:
    """With the model that ships: select and fill, from two entries of the menu."""
    parts = ("eyes", "mouth")
    with DaemonProcess(tmp_path, "--model", "portrait") as daemon:
        run = run_krita(
            "part_fill",
            reach(daemon),
            arguments={"parts": parts},
            files={"image.png": PORTRAIT},
            timeout=240,
        )
    assert run.value["model"] == "portrait"
    for part in parts:
        mask = np.frombuffer((run.out / f"{part}.raw").read_bytes(), np.uint8).reshape(512, 512)
        assert mask.any()
        group = next(
            each for each in read_kra(run.out / f"{part}.kra").layers if each.kind == "grouplayer"
        )
        fills = [each.pixels for each in group.children]
        assert len(fills) == 4
        for pixels in fills:
            assert pixels is not None
            np.testing.assert_array_equal(pixels[..., 3], mask)
        colors = {pixels[mask > 0, :3].tobytes() for pixels in fills if pixels is not None}
        assert len(colors) == 4, "candidates are the same"


@pytest.mark.next_host
def test_several_images_and_layers_are_filled(run_krita: RunKrita) -> None:
    sizes = ((300, 200), (260, 240), (320, 180))
    boxes = {f"{w}x{h}": part_box(pb.PART_EYES, w, h) for w, h in sizes}
    with FakeDaemon(Script(token=TOKEN, delay_s=0.15)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run_krita("batch", environment, arguments={"boxes": boxes}, timeout=240)
        # Each layer twice: the selection, and the mouth.
        fills = [bytes(fill.crop.data[:30]) for fill in daemon.service.fills[-6:]]
        segments = [bytes(each.image.data[:30]) for each in daemon.service.segments[-3:]]
    for own_pixels in (fills[:3], fills[3:], segments):
        assert len(set(own_pixels)) == 3


@pytest.mark.next_host
def test_a_contact_sheet_shows_every_candidate(run_krita: RunKrita) -> None:
    """From the layers' pixels, live edits included, and nothing in the document changes."""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run = run_krita("contact_sheet", environment)
    with Image.open(run.out / "portrait contact sheet.png") as file:
        sheet = np.asarray(file.convert("RGB"))
    side = 220
    size = (sheet.shape[1], sheet.shape[0])
    layouts = (  # of one line, and with a second one below the edited candidate
        arrange(Extent(side, side), [line, 2 * line, line, line]) for line in range(99)
    )
    layout = next(each for each in layouts if each.extent == size)
    middles = [
        tuple(sheet[place.image.y + side // 2, place.image.x + side // 2])
        for place in layout.places
    ]
    edited = [color_of(5, {"smile": 1.0}), color_of(6), color_of(7)]
    assert middles[0] == (40, 120, 200)
    for seen, color in zip(middles[1:], edited, strict=True):
        assert seen == pytest.approx([round(255 * each) for each in color], abs=2)
    for place in layout.places:
        corner = sheet[place.image.y + 3, place.image.x + 3]
        assert tuple(corner) == (40, 120, 200)  # the image around the selection
        caption = sheet[place.caption.y : place.caption.bottom, place.caption.x :][:, :side]
        assert caption.std() > 5, "there are no words below the image"


@pytest.mark.next_host
def test_no_mistake_of_ours_stops_the_artist(run_krita: RunKrita) -> None:
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        log = str(run_krita("guard", environment).value)
    for place in ("Grid.paintEvent", "Controller._check_document", "InpaintDocker.canvasChanged"):
        assert f"{place} failed" in log
    assert "Traceback (most recent call last)" in log


def bgr(seed: int, **edits: float) -> list[int]:
    """The fake daemon's color as a document in Krita has it."""
    return [round(255 * each) for each in color_of(seed, edits)][::-1]


def test_a_run_goes_above_every_run_that_it_overlaps(run_krita: RunKrita) -> None:
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        seen = run_krita("overlaps", environment).value
        third = daemon.service.fills[2]
    box, crop = third.crop_box, third.crop
    start = 3 * ((65 - box.y) * crop.width + 110 - box.x)  # next to its hole, in the second run's
    assert list(crop.data[start : start + 3]) == bgr(7)[::-1], "the model sees the current pixels"
    assert seen == {
        "first": bgr(5),
        "second": bgr(7),
        "another candidate": bgr(8),
        "third": bgr(9),
        "another candidate of the third": bgr(10),
        "elsewhere": bgr(11),
        "above the kept one": bgr(13),
    }


def test_candidates_are_added_deleted_and_kept(run_krita: RunKrita) -> None:
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        seen = run_krita("candidates", environment).value
    assert seen == {
        "more": bgr(9),
        "more undone": bgr(7),
        "second": bgr(6),
        "its neighbor": bgr(7),
        "kept": bgr(5),
        "kept and edited": bgr(5, smile=1.0),
        "from the file": [5, 9],
    }


def test_cancel_and_a_daemon_that_dies(run_krita: RunKrita, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.5) as daemon:
        arguments = {"pid": daemon.process.pid}
        value = run_krita("trouble", reach(daemon), arguments=arguments).value
    assert value["notice"]


def test_another_daemon_continues_a_fill(run_krita: RunKrita, tmp_path: Path) -> None:
    """One that is killed in the middle; what it lacked comes into the same group, in one step."""
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("one-token-for-both")
    config = f"token_file: {token}"
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
    with (
        DaemonProcess(folders[0], slow_s=1.0, config=config) as first,
        DaemonProcess(folders[1], config=config) as second,
        Relay([each.runtime()["address"] for each in (first, second)]) as relay,
    ):
        value = run_krita(
            "resumed",
            {"INPAINT_SERVER": relay.address, "INPAINT_TOKEN": "one-token-for-both"},
            arguments={"pid": first.process.pid},
        ).value
    assert "stopped in the middle of the fill" in value["notice"]
    assert not value["is_problem"]
    assert value["layers"] == len(value["seeds"]) == len(set(value["seeds"])) == 5
    assert value["groups"] == 2


def test_the_daemon_is_started(run_krita: RunKrita, krita: KritaHost, tmp_path: Path) -> None:
    """Natively the program starts a daemon; in the chroot, which has no Python for one, it hands
    over the runtime file of one that runs outside."""
    with DaemonProcess(tmp_path) as outside:
        outside.runtime()
        program = tmp_path / "inpaint-server"
        if krita.name == "native":
            command = (
                f"export PYTHONPATH={os.pathsep.join(filter(None, sys.path))}\n"
                f"exec timeout 120 {sys.executable} -m inpaint_server --device cpu --model tiny"
            )
        else:
            command = (
                'sleep 1; mkdir -p "$XDG_RUNTIME_DIR/inpaint"; umask 077\n'
                f"echo '{outside.runtime_file.read_text()}' "
                '> "$XDG_RUNTIME_DIR/inpaint/server.json"\nexec sleep 30'
            )
        program.write_text(f"#!/bin/sh\n{command}\n", "utf-8")
        program.chmod(0o755)
        run = run_krita("start", executable=program)
        started = json.loads((run.runtime / "inpaint/server.json").read_text("utf-8"))["pid"]
        os.kill(started, signal.SIGTERM)
    missing, ready = run.value
    assert missing == "The daemon is not running"
    assert ready.startswith("Ready on ")


@pytest.mark.parametrize("theme", ["Krita dark", "Krita bright"])
def test_the_docker_is_photographed(
    run_krita: RunKrita, krita: KritaHost, tmp_path: Path, theme: str
) -> None:
    """Its main states in both themes.

    INPAINT_SCREENSHOTS=FOLDER keeps them; INPAINT_SCREENSHOT_MODEL (a bundle) and
    INPAINT_SCREENSHOT_IMAGE make those of the manual, with a model that was trained.
    """
    image = tmp_path / "image.png"
    if given := os.environ.get("INPAINT_SCREENSHOT_IMAGE"):
        shutil.copy(given, image)
    else:
        portrait(image)
    with Image.open(image) as opened:
        width, height = opened.size
    model = os.environ.get("INPAINT_SCREENSHOT_MODEL", "tiny")
    with DaemonProcess(tmp_path, "--model", model, slow_s=0.4) as daemon:
        run = run_krita(
            "views",
            reach(daemon),
            arguments={
                "pid": daemon.process.pid,
                "selection": [3 * width // 10, height // 3, 4 * width // 10, height // 4],
            },
            files={"image.png": image},
            settings=f"[theme]\nTheme={theme}\n",
        )
    for name in ("idle", "running", "results", "more", "smooth", "frame", "no-daemon"):
        with Image.open(run.out / f"{name}.png") as shot:
            assert shot.size == (1366, 768)
            docker = np.asarray(shot.convert("L"))[300:, -250:]
            assert (docker.mean() < 110) == (theme == "Krita dark")
            assert docker.std() > 8, "the docker shows nothing"
        if folder := os.environ.get("INPAINT_SCREENSHOTS"):
            target = Path(folder) / f"{krita.version}-{theme.split()[1]}-{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(run.out / f"{name}.png", target)


def portrait(path: Path) -> None:
    """Something like a face in front of a wall."""
    y, x = np.mgrid[0:640, 0:512]
    image = np.stack([180 - x * 0.1, 165 - y * 0.05, 150 - y * 0.08], -1)
    for cx, cy, rx, ry, color in (
        (256, 300, 190, 240, (70, 50, 40)),
        (256, 620, 240, 160, (60, 80, 110)),
        (256, 310, 140, 180, (214, 172, 148)),
        (205, 270, 22, 13, (60, 45, 40)),
        (307, 270, 22, 13, (60, 45, 40)),
        (256, 400, 50, 16, (170, 90, 90)),
    ):
        inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
        image += np.clip(1.06 - inside, 0, 0.12)[..., None] / 0.12 * (color - image)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)


def test_kritas_own_importer_takes_the_zip(
    krita: KritaHost, krita_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tools > Scripts > Import Python Plugin from File, by the module behind that menu."""
    monkeypatch.setattr(builtins, "i18n", str, raising=False)  # as Krita does before it imports
    source = krita.root / "usr/share/krita/pykrita/plugin_importer/plugin_importer.py"
    spec = importlib.util.spec_from_file_location("plugin_importer", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    archive = Path(__file__).resolve().parents[2] / "build/plugins/inpaint_krita.zip"
    imported = module.PluginImporter(str(archive), str(tmp_path), lambda plugin: True).import_all()
    assert [plugin["name"] for plugin in imported] == ["inpaint_krita"]
    for path in (
        "pykrita/inpaint_krita/__init__.py",
        "pykrita/inpaint_krita/Manual.html",
        "pykrita/inpaint_krita/locale/de.po",
        "pykrita/inpaint_krita.desktop",
        "actions/inpaint_krita.action",
    ):
        assert (tmp_path / path).is_file(), path


def test_several_documents(run_krita: RunKrita, tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.4) as daemon:
        assert run_krita("documents", reach(daemon)).value == 2
