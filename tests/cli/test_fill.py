"""`inpaint` against a real daemon: files, known pixels, JSON, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from daemons import DaemonProcess
from inpaint_cli.commands import _info_lines
from inpaint_cli.images import Document, read_document, write_document
from inpaint_cli.jobs import mixed_image
from inpaint_client import Box, DaemonInfo, LastKilled
from old_prints import brightness, damage, gray, stored
from PIL import Image, ImageCms

Command = Callable[..., "subprocess.CompletedProcess[str]"]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def make(
    folder: Path, channels: int = 3, dtype: str = "uint8", extension: str = ".png", name: str = "p"
) -> tuple[Path, Path, npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """An image and a mask with a soft edge, as files and as arrays."""
    rng = np.random.default_rng(7)
    pixels: npt.NDArray[Any]
    if dtype == "float32":
        pixels = rng.random((60, 70, channels), np.float32)
    else:
        pixels = rng.integers(0, np.iinfo(dtype).max, (60, 70, channels), dtype, endpoint=True)
    mask = np.zeros((60, 70), np.uint8)
    mask[20:40, 30:50] = 255
    mask[20:40, 30] = 77
    image = folder / f"{name}{extension}"
    write_document(image, Document(pixels, SRGB if dtype != "float32" else b""))
    Image.fromarray(mask).save(folder / f"{name}-mask.png")
    return image, folder / f"{name}-mask.png", pixels, mask


@pytest.mark.parametrize(("smooth", "count"), [("auto", 2), ("always", 2), ("never", 1)])
def test_a_smooth_candidate_is_written_where_it_is_wanted(
    inpaint: Command, tmp_path: Path, smooth: str, count: int
) -> None:
    image, mask, pixels, coverage = make(tmp_path)
    line = ["fill", image, "--mask", mask, "--out", "out", "-n", "1", "--json"]
    ended = inpaint(*line, "--smooth", smooth)
    assert ended.returncode == 0, ended.stderr
    candidates = json.loads(ended.stdout)["candidates"]
    assert [candidate["method"] for candidate in candidates] == ["model", "smooth"][:count]
    if smooth == "never":
        return
    files = candidates[1]["files"]
    result = read_document(tmp_path / files["image"]).pixels
    assert (result[coverage == 0] == pixels[coverage == 0]).all()
    edit = ["edit", files["recipe"], "--image", image, "--mask", mask, "--out", "again", "--json"]
    again = inpaint(*edit)
    assert again.returncode == 0, again.stderr
    (candidate,) = json.loads(again.stdout)["candidates"]
    assert candidate["method"] == "smooth"
    assert (read_document(tmp_path / candidate["files"]["image"]).pixels == result).all()
    refused = inpaint(*edit, "--edit", "brighter=1")
    assert refused.returncode == 4
    assert "made without the model and cannot be edited" in refused.stderr


def test_a_fill_writes_everything(inpaint: Command, tmp_path: Path) -> None:
    image, mask, pixels, coverage = make(tmp_path)
    ended = inpaint(
        "fill", image, "--mask", mask, "--out", "out", "-n", "2", "--seed", "5",
        "--edit", "brighter=1", "--variant", "warmer=2", "--variant", "warmer=-2,brighter=0",
        "--no-blend", "--json", "--smooth", "never",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"sheet.png"} | {
        name
        for k in ("00", "01")
        for name in (
            f"candidate-{k}.png", f"candidate-{k}.layer.png", f"recipe-{k}.json",
            f"recipe-{k}.source.png",
            f"candidate-{k}-variant-00.png", f"candidate-{k}-variant-00.layer.png",
            f"recipe-{k}-variant-00.json",
            f"candidate-{k}-variant-01.png", f"candidate-{k}-variant-01.layer.png",
            f"recipe-{k}-variant-01.json",
        )
    }  # fmt: skip
    result = json.loads(ended.stdout.splitlines()[-1])
    assert set(result["timings"]) == {"queue", "encode", "first_candidate", "total"}
    assert result["model"] == "tiny"
    assert 0 <= result["confidence"] <= 1
    assert len(result["frame"][0]) == 4
    assert [c["seed"] for c in result["candidates"]] == [5, 5, 5, 6, 6, 6]
    assert [c["variant"] for c in result["candidates"]] == [None, 0, 1] * 2
    assert result["candidates"][2]["edits"] == {"brighter": 0.0, "warmer": -2.0}
    assert result["candidates"][0]["bounds"] == [[30, 20, 20, 20]]
    for candidate in result["candidates"]:
        filled = read_document(tmp_path / candidate["files"]["image"])
        assert filled.pixels[coverage == 0].tobytes() == pixels[coverage == 0].tobytes()
        assert filled.icc == SRGB
        layer = read_document(tmp_path / candidate["files"]["layer"]).pixels
        assert (layer[..., 3] == coverage).all()
        soft, known = coverage[..., None] / 255, pixels.astype(float)
        expected = known + (layer[..., :3] - known) * soft
        assert np.abs(expected - filled.pixels).max() <= 0.5


@pytest.mark.parametrize(
    ("options", "blend", "detail"),
    [([], True, True), (["--no-detail"], True, False), (["--no-blend"], False, False)],
)
def test_detail_can_be_left_out(
    inpaint: Command, tmp_path: Path, options: list[str], blend: bool, detail: bool
) -> None:
    image, mask, *_ = make(tmp_path)
    ended = inpaint("fill", image, "--mask", mask, "--out", "out", "-n", "1", *options)
    assert ended.returncode == 0, ended.stderr
    blending = json.loads((tmp_path / "out" / "recipe-00.json").read_text("utf-8"))["blending"]
    assert (blending["grain"], blending["detail"]) == (blend, detail)


@pytest.mark.parametrize(
    ("channels", "dtype", "extension"),
    [(1, "uint8", ".png"), (2, "uint8", ".png"), (4, "uint8", ".webp"), (3, "uint8", ".tif"),
     (1, "uint16", ".png"), (2, "uint16", ".tif"), (3, "uint16", ".png"), (4, "uint16", ".png"),
     (3, "float32", ".tif"), (4, "float32", ".tif")],
)  # fmt: skip
def test_every_depth_keeps_the_known_pixels_and_its_mode(
    inpaint: Command, tmp_path: Path, channels: int, dtype: str, extension: str
) -> None:
    image, mask, _, coverage = make(tmp_path, channels, dtype, extension)
    pixels = read_document(image).pixels
    ended = inpaint("fill", image, "--mask", mask, "--out", "out", "-n", "1")
    assert ended.returncode == 0, ended.stderr
    result = ".tif" if dtype == "float32" else ".png"
    filled = read_document(tmp_path / "out" / f"candidate-00{result}").pixels
    assert (filled.shape, filled.dtype) == (pixels.shape, pixels.dtype)
    assert filled[coverage == 0].tobytes() == pixels[coverage == 0].tobytes()
    assert filled[coverage == 255].tobytes() != pixels[coverage == 255].tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_gray_print_with_hundreds_of_holes_stays_gray(
    inpaint: Command, tmp_path: Path, dtype: str
) -> None:
    pixels, hole = stored(gray(brightness(256)), dtype), damage(256)
    pixels[hole > 0] = np.iinfo(dtype).max
    write_document(tmp_path / "print.tif", Document(pixels, SRGB))
    Image.fromarray(hole).save(tmp_path / "damage.png")
    ended = inpaint(
        "fill", "print.tif", "--mask", "damage.png", "--out", "out", "-n", "1",
        "--edit", "warmer=3", "--smooth", "always", "--json",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    candidates = json.loads(ended.stdout.splitlines()[-1])["candidates"]
    assert [candidate["method"] for candidate in candidates] == ["model", "smooth"]
    for candidate in candidates:
        result = read_document(tmp_path / candidate["files"]["image"]).pixels
        assert result.dtype == dtype
        assert result[hole == 0].tobytes() == pixels[hole == 0].tobytes()
        assert (result == result[..., :1]).all()
        assert result[hole > 0].mean() < 0.9 * np.iinfo(dtype).max


@pytest.mark.parametrize(
    ("channels", "dtype", "extension"),
    [(3, "uint8", ".png"), (4, "uint16", ".png"), (3, "uint16", ".tif"), (3, "float32", ".tif")],
)
def test_a_wide_profile_leaves_the_known_pixels_alone(
    inpaint: Command, tmp_path: Path, channels: int, dtype: str, extension: str
) -> None:
    from imagecodecs import cms_profile

    _, mask, pixels, coverage = make(tmp_path, channels, dtype, extension)
    icc = cms_profile("adobergb")
    write_document(tmp_path / f"wide{extension}", Document(pixels, icc))
    ended = inpaint("fill", f"wide{extension}", "--mask", mask, "--out", "out", "-n", "1")
    assert ended.returncode == 0, ended.stderr
    result = ".tif" if dtype == "float32" else ".png"
    filled = read_document(tmp_path / "out" / f"candidate-00{result}")
    assert filled.icc == icc
    assert filled.pixels[coverage == 0].tobytes() == pixels[coverage == 0].tobytes()
    assert filled.pixels[coverage == 255].tobytes() != pixels[coverage == 255].tobytes()


def test_a_jpeg_photo_is_upright_and_keeps_its_metadata(inpaint: Command, tmp_path: Path) -> None:
    _, mask, pixels, coverage = make(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0110] = "camera"
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(
        tmp_path / "photo.jpg", quality=100, exif=exif, icc_profile=SRGB
    )
    upright = read_document(tmp_path / "photo.jpg").pixels
    assert upright.shape == pixels.shape
    ended = inpaint("fill", "photo.jpg", "--mask", mask, "--out", "out", "-n", "1")
    assert ended.returncode == 0, ended.stderr
    filled = read_document(tmp_path / "out" / "candidate-00.png")
    assert filled.pixels[coverage == 0].tobytes() == upright[coverage == 0].tobytes()
    assert b"camera" in filled.exif
    assert filled.icc == SRGB


@pytest.mark.slow
def test_edit_continues_from_a_recipe(inpaint: Command, tmp_path: Path) -> None:
    image, mask, *_ = make(tmp_path)
    inpaint(
        "fill",
        image,
        "--mask",
        mask,
        "--out",
        "out",
        "-n",
        "1",
        "--variant",
        "warmer=2",
        "--no-blend",
    )
    edit = ["edit", "out/recipe-00.json", "--image", image, "--mask", mask]
    assert inpaint(*edit, "--out", "same").returncode == 0
    assert inpaint(*edit, "--edit", "warmer=2", "--out", "warm").returncode == 0

    def pixels(path: str) -> bytes:
        return read_document(tmp_path / path).pixels.tobytes()

    assert pixels("same/candidate-00.png") == pixels("out/candidate-00.png")
    assert pixels("warm/candidate-00.png") == pixels("out/candidate-00-variant-00.png")
    variant = ["edit", "out/recipe-00-variant-00.json", "--image", image, "--mask", mask]
    assert inpaint(*variant, "--out", "variant").returncode == 0
    assert pixels("variant/candidate-00.png") == pixels("warm/candidate-00.png")


def test_edit_without_the_image_gives_the_models_square(inpaint: Command, tmp_path: Path) -> None:
    image, mask, *_ = make(tmp_path)
    inpaint("fill", image, "--mask", mask, "--out", "out", "-n", "1")
    ended = inpaint("edit", "out/recipe-00.json", "--edit", "brighter=2", "--out", "edited")
    assert ended.returncode == 0, ended.stderr
    square = read_document(tmp_path / "edited" / "candidate-00.png").pixels
    source = read_document(tmp_path / "out" / "recipe-00.source.png").pixels
    assert square.shape == (32, 32, 3)
    known = source[..., 3] == 255
    assert (square[known] == source[known][:, :3]).all()


@pytest.mark.slow
def test_edit_mixes_two_candidates(inpaint: Command, tmp_path: Path) -> None:
    image, mask, *_ = make(tmp_path)
    inpaint("fill", image, "--mask", mask, "--out", "out", "-n", "2", "--no-blend")
    first = ["edit", "out/recipe-00.json", "--image", image, "--mask", mask]
    mix = ["--style-recipe", "out/recipe-01.json"]

    def pixels(out: str, *more: str) -> bytes:
        ended = inpaint(*first, *more, "--out", out)
        assert ended.returncode == 0, ended.stderr
        return read_document(tmp_path / out / "candidate-00.png").pixels.tobytes()

    own = pixels("own")
    other = read_document(tmp_path / "out" / "candidate-01.png").pixels.tobytes()
    assert pixels("all", *mix) == other
    assert pixels("none", *mix, "--strength", "0") == own
    between = {
        pixels("half", *mix, "--strength", "0.5"),
        pixels("part", *mix, "--levels", "structure"),
    }
    assert len(between - {own, other}) == 2
    # Of two styles, each has its share; half of the first one leaves half of the candidate.
    half, none = ["--strength", "0.5"], ["--strength", "0"]
    own_too = ["--style-recipe", "out/recipe-00.json"]
    assert pixels("twice", *mix, *half, *own_too, *none) == pixels("once", *mix, *half)
    assert pixels("same", *mix, *mix) == other
    for wrong in (
        ["--strength", "0.5"],
        [*mix, "--levels", "hair"],
        [*mix, "--strength", "2"],
        [*mix, *own_too, *half],
        [*mix, *own_too, *half, "--strength", "0.6"],
    ):
        assert inpaint(*first, *wrong, "--out", "wrong").returncode == 2


@pytest.mark.slow
def test_edit_mixes_in_the_style_of_another_image(inpaint: Command, tmp_path: Path) -> None:
    image, mask, *_ = make(tmp_path)
    inpaint("fill", image, "--mask", mask, "--out", "out", "-n", "1")
    rng = np.random.default_rng(3)
    layer = rng.integers(0, 256, (60, 70, 4), np.uint8)
    Image.fromarray(layer).save(tmp_path / "layer.png")
    over: list[str | Path] = ["edit", "out/recipe-00.json", "--image", image, "--mask", mask]
    like = ["--style-image", "layer.png"]

    def pixels(out: str, *arguments: str | Path) -> bytes:
        ended = inpaint(*arguments, "--out", out)
        assert ended.returncode == 0, ended.stderr
        return read_document(tmp_path / out / "candidate-00.png").pixels.tobytes()

    own = pixels("own", *over)
    alike = pixels("alike", *over, *like)
    assert pixels("none", *over, *like, "--strength", "0") == own
    assert pixels("colors", *over, *like, "--levels", "colors") == alike
    more = pixels("more", *over, *like, "--levels", "features,colors")
    assert len({own, alike, more}) == 3
    again: list[str | Path] = ["edit", "alike/recipe-00.json", "--image", image, "--mask", mask]
    assert pixels("again", *again) == alike  # the recipe needs the image no more

    both = inpaint(*over, *like, "--style-recipe", "out/recipe-00.json", "--out", "wrong")
    assert both.returncode == 2
    small = inpaint("edit", "out/recipe-00.json", *like, "--out", "wrong")
    assert small.returncode == 2
    assert "70 x 60 px" in small.stderr
    assert "32 x 32 px" in small.stderr
    Image.fromarray(layer[:32, :32]).save(tmp_path / "layer.png")
    pixels("square", "edit", "out/recipe-00.json", *like)


def test_a_large_layer_is_sent_in_part_and_reduced() -> None:
    pixels = np.zeros((3000, 2600, 3), np.uint8)
    pixels[400:2600, 100:2500] = (40, 80, 120)
    shown, box = mixed_image(Document(pixels), Box(100, 400, 2400, 2200))
    assert (shown.width, shown.height) == (800, 733)
    assert box == Box(100, 400, 2400, 2199)
    assert shown.data == bytes((40, 80, 120)) * (800 * 733)


@pytest.mark.slow
def test_a_large_image_sends_a_crop_and_an_overview(inpaint: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (2100, 2500, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png", compress_level=1)
    mask = np.zeros((2100, 2500), np.uint8)
    mask[1990:2090, 2300:2400] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    ended = inpaint("fill", "large.png", "--mask", "mask.png", "--out", "out", "-n", "1", "--json")
    assert ended.returncode == 0, ended.stderr
    filled = read_document(tmp_path / "out" / "candidate-00.png").pixels
    assert filled[mask == 0].tobytes() == pixels[mask == 0].tobytes()
    assert json.loads(ended.stdout.splitlines()[-1])["candidates"][0]["bounds"] == [
        [2300, 1990, 100, 100]
    ]


def test_a_folder_continues_after_failures_and_resumes(inpaint: Command, tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name in ("a", "b", "c"):
        image, mask, *_ = make(tmp_path, name=name)
        image.rename(images / image.name)
        mask.rename(masks / f"{name}.png")
    (images / "b.png").write_text("not an image")
    (masks / "c.png").unlink()
    fill = ["fill", "images", "--mask", "masks", "--out", "out", "-n", "1"]
    ended = inpaint(*fill)
    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) == 2
    assert "b.png" in lines[0]
    assert "no mask named c" in lines[1]
    assert ended.stdout.splitlines() == ["out/a"]
    first = (tmp_path / "out/a/candidate-00.png").stat().st_mtime_ns

    for name in ("b", "c"):
        image, mask, *_ = make(tmp_path, name=name)
        image.rename(images / image.name)
        mask.rename(masks / f"{name}.png")
    ended = inpaint(*fill, "--json")
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    assert [Path(p["image"]).name for p in result["images"]] == ["a.png", "b.png", "c.png"]
    assert result["failed"] == 0
    assert (tmp_path / "out/a/candidate-00.png").stat().st_mtime_ns == first
    assert inpaint(*fill, "--seed", "9").returncode == 0
    assert (tmp_path / "out/a/candidate-00.png").stat().st_mtime_ns != first


def test_progress_is_shown_on_a_terminal_and_goes_away(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    image, mask, *_ = make(tmp_path)
    termios = pytest.importorskip("termios")  # not on Windows
    terminal, ours = os.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    command = ["fill", image, "--mask", mask, "--out", "out", "-n", "3", "--frame", "box"]
    command += ["--smooth", "never"]
    ended = subprocess.run(
        [sys.executable, "-m", "inpaint_cli", *map(str, command)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder)},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=ours,
        timeout=120,
        check=False,
    )
    os.close(ours)
    with os.fdopen(terminal, "rb") as reader:
        shown = os.read(reader.fileno(), 1 << 16).decode()
    assert ended.returncode == 0, shown
    lines = shown.split("\r")
    assert any(image.name in line and "/3" in line for line in lines), lines
    assert "\n" not in shown
    assert not lines[-1].strip(), "the line is empty again"


def test_without_a_terminal_nothing_is_printed(inpaint: Command, tmp_path: Path) -> None:
    image, mask, *_ = make(tmp_path)
    command = ["fill", image, "--mask", mask, "--out", "out", "--frame", "box"]
    ended = inpaint(*command, "--smooth", "never")
    assert ended.returncode == 0
    assert ended.stderr == ""


def test_info(inpaint: Command) -> None:
    told = inpaint("info")
    assert told.returncode == 0
    assert "model tiny" in told.stdout
    assert "brighter  -3 .. +3" in told.stdout
    whole = json.loads(inpaint("info", "--json").stdout)
    assert whole["models"][0]["resolution"] == 32


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["fill", "none.png", "--mask", "p-mask.png"], 2, ["none.png", "does not exist"]),
        (["fill", "p.png", "--mask", "p.png", "-n", "0"], 2, ["from 1 to 1000"]),
        (["fill", "p.png", "--mask", "p-mask.png", "-n", "1000000000000"], 2, ["from 1 to 1000"]),
        (["edit", "p.json", "--strength", "x"], 2, ["between 0 and 1"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--seed", "-1"], 2, ["-1"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--edit", "smile"], 2, ["NAME=VALUE"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--frame", "1,2,0,0"], 2, ["X,Y,SIDE"]),
        (["fill", "p.png", "--mask", "small.png"], 2, ["5 x 4", "same size"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--edit", "smile=1"], 4, ["“smile”", "warmer"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--model", "cats"], 4, ["“cats”", "tiny"]),
        (["fill", "p.png", "--mask", "p-mask.png", "-n", "65"], 4, ["64"]),
        (["fill", "p.png", "--mask", "p-mask.png", "--frame", "999,9,9,0"], 4, ["frame"]),
        (["edit", "none.json"], 2, ["none.json"]),
        (["edit", "p.png"], 2, ["p.png"]),
        (["edit", "x.json", "--image", "p.png"], 2, ["must be used together"]),
    ],
)
def test_errors_are_one_line_with_a_status(
    inpaint: Command, tmp_path: Path, arguments: list[str], status: int, words: list[str]
) -> None:
    make(tmp_path)
    Image.new("L", (5, 4), 255).save(tmp_path / "small.png")
    ended = inpaint(*arguments, "--out", "out")
    assert ended.returncode == status, ended.stderr
    for word in words:
        assert word in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()[-1]) < 400


def test_a_daemon_is_started_when_none_runs(inpaint: Command, tmp_path: Path) -> None:
    import signal

    programs, runtime = tmp_path / "bin", tmp_path / "runtime"
    programs.mkdir()
    runtime.mkdir(mode=0o700)
    program = programs / "inpaint-server"
    program.write_text(
        f"#!/bin/sh\nPYTHONPATH='{os.environ.get('PYTHONPATH', '')}' "
        f"exec '{sys.executable}' -m inpaint_server --device cpu --model tiny\n"
    )
    program.chmod(0o755)
    environment = {
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    try:
        ended = inpaint("info", **environment)
        assert ended.returncode == 0, ended.stderr
        assert "no daemon is running; starting" in ended.stderr
        assert "model tiny" in ended.stdout
        again = inpaint("info", **environment)
        assert again.returncode == 0
        assert again.stderr == ""
    finally:
        started = json.loads((runtime / "inpaint" / "server.json").read_text())
        os.kill(started["pid"], signal.SIGTERM)


def test_without_a_daemon_the_status_is_3(inpaint: Command, tmp_path: Path) -> None:
    ended = inpaint("info", INPAINT_SERVER="127.0.0.1:1", INPAINT_TOKEN="x")
    assert ended.returncode == 3
    assert "127.0.0.1:1" in ended.stderr


def test_help_is_light() -> None:

    code = (
        "import sys\nfrom inpaint_cli.cli import main\n"
        "try: main(['fill', '--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'PIL', 'grpclib', 'google.protobuf'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--variant" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "[]"


def test_nothing_loads_torch() -> None:
    code = "import sys, inpaint_cli.commands; print(sorted({'torch', 'scipy'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_info_reports_the_work_at_which_the_previous_daemon_was_killed() -> None:
    killed = LastKilled(("Fill crop=8192x8192x3 seeds=4",), 5.0)
    lines = _info_lines(DaemonInfo(last_killed=killed))
    assert lines[1].startswith(
        "The previous daemon was killed while it was working (Fill crop=8192x8192x3"
    )
    assert len(_info_lines(DaemonInfo())) == 1
