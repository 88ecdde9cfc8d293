"""Files written by earlier versions are still read: format 1, written in November 2026."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from daemons import DaemonProcess
from inpaint_client.errors import InputError
from inpaint_client.events import Accepted, Candidate, Done, FrameChosen, Progress
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.images import Picture, SampleType
from inpaint_client.recipe import parse_recipe
from inpaint_client.requests import FrameMode, StyleLevel
from inpaint_client.session.history import Mix, PastRun, unpack
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_client.wire import event
from inpaint_gimp.host.parasites import FILL, MIXED, ORIGIN, read, read_without_attachment
from inpaint_gimp.runs.mixing import Mixed
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_model.bundle.direction_store import load_vectors
from inpaint_model.bundle.manifest import BundleError, read_bundle
from inpaint_model.bundle.weights import check_weights, load_discriminator, load_model
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.geometry import Frame as ModelFrame
from inpaint_model.pipeline.recipe import (
    Recipe,
    RecipeError,
    read_attachment,
    read_recipe,
    write_recipe,
)
from inpaint_protos.secret import Secret
from inpaint_protos.v1 import inpaint_pb2 as pb
from inpaint_server.config import Limits, ServerConfig, TlsConfig, read_config
from inpaint_server.errors import ConfigurationError
from inpaint_server.wire.parsing import edit_spec, fill_spec
from PIL import Image

GOLDEN = Path(__file__).parent / "format-1"
SHARED_HISTORY = Path(__file__).parent / "shared-history-1"
CLAMPED = Path(__file__).parent / "clamped-discriminators"
HOLE = Box(40, 24, 28, 30)
FILLS = Path(__file__).parent / "fills-2"  # the same fills, since membranes are more exact
LEVELS = 3  # by which a fill may differ from these: CPUs round differently
SINCE_FORMAT_1 = 7  # by which it may differ from those of November


@pytest.mark.parametrize(
    "folder", [GOLDEN, SHARED_HISTORY, CLAMPED, FILLS], ids=lambda folder: folder.name
)
def test_the_files_are_unchanged(folder: Path) -> None:
    sums = json.loads(folder.with_suffix(".json").read_text("utf-8"))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    } == sums


class TestBundle:
    def test_is_read_as_before(self) -> None:
        info = read_bundle(GOLDEN / "bundle")
        check_weights(info)
        assert (info.kind, info.dtype, info.has_framer) == ("inpainter", "fp16", True)
        assert (info.card.name, info.card.licence) == ("golden", "Apache-2.0")
        (direction,) = info.directions
        assert (direction.name, direction.group, direction.unit) == ("brighter", "light", 1.5)
        assert (direction.minimum, direction.maximum) == (-3.0, 3.0)
        vector = load_vectors(info)["brighter"]
        assert vector.norm().item() == pytest.approx(1)
        assert vector[-1] / vector[0] == pytest.approx(len(vector))

    def test_renders_the_same_image(self) -> None:
        generator = load_model(read_bundle(GOLDEN / "bundle")).generator
        shape = (1, generator.config.num_ws, generator.config.w_dim)
        ws = torch.linspace(-1, 1, shape[1] * shape[2]).reshape(shape)
        with torch.inference_mode():
            image = generator.synthesis(ws)
        np.testing.assert_allclose(image.numpy(), np.load(GOLDEN / "generated.npy"), atol=1e-3)

    @pytest.mark.parametrize(("number", "clamp_skip"), [(1, True), (2, False)])
    def test_a_clamped_discriminator_returns_the_same_logits(
        self, number: int, clamp_skip: bool
    ) -> None:
        discriminator = load_discriminator(read_bundle(CLAMPED / f"format-{number}"))
        assert discriminator is not None
        assert discriminator.config.clamp_skip == clamp_skip
        x = torch.linspace(-1, 1, 4 * 3 * 32 * 32).sin().reshape(4, 3, 32, 32)
        with torch.no_grad():
            logits = discriminator((x * 9).sin())
        stored, other = (np.load(CLAMPED / f"logits-{n}.npy") for n in (number, 3 - number))
        np.testing.assert_allclose(logits.numpy(), stored, atol=1e-4)
        assert np.abs(stored - other).max() > 0.1

    def test_a_newer_format_is_refused(self, tmp_path: Path) -> None:
        bundle = shutil.copytree(GOLDEN / "bundle", tmp_path / "bundle")
        manifest = bundle / "model.yaml"
        manifest.write_text(manifest.read_text("utf-8").replace("format: 1", "format: 3"), "utf-8")
        with pytest.raises(BundleError, match="format 1 or 2; a newer version may read it"):
            read_bundle(bundle)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """Start a daemon that has the golden bundle."""
    with DaemonProcess(
        tmp_path_factory.mktemp("golden"), "--model", str(GOLDEN / "bundle")
    ) as process:
        process.runtime()
        yield process


@pytest.fixture
def edit(daemon: DaemonProcess) -> Callable[..., Path]:
    """Run `inpaint edit` against the daemon."""

    def run(recipe: str, *more: str) -> Path:
        out = daemon.folder / recipe.replace("/", "-")
        command = [sys.executable, "-m", "inpaint_cli", "edit", recipe, *more]
        subprocess.run(
            [*command, "--image", "picture.png", "--mask", "mask.png", "--out", str(out)],
            cwd=GOLDEN,
            env={**os.environ, "XDG_RUNTIME_DIR": str(daemon.folder)},
            check=True,
            capture_output=True,
            timeout=120,
        )
        return out / "candidate-00.png"

    return run


def assert_near(fill: np.ndarray[Any, np.dtype[np.int_]], name: str) -> None:
    """Compare a fill with those of earlier versions."""
    for folder, levels in ((FILLS, LEVELS), (GOLDEN, SINCE_FORMAT_1)):
        then = np.asarray(Image.open(folder / name)).astype(int)
        assert np.abs(fill - then).max() <= levels


class TestRecipe:
    def test_is_read_as_before(self) -> None:
        recipe = read_recipe((GOLDEN / "fill/recipe-00-variant-00.json").read_text("utf-8"))
        info = read_bundle(GOLDEN / "bundle")
        assert (recipe.seed, recipe.truncation_psi) == (7, 0.8)
        assert dict(recipe.edits) == {"brighter": 1.5}
        assert recipe.blending == BlendSettings(detail=False)
        assert (recipe.model, recipe.weights_sha256) == ("golden", info.weights_sha256)
        assert (recipe.document, tuple(recipe.box)) == ((96, 80), tuple(HOLE))
        (group,) = recipe.groups
        assert group.ws_out is not None
        (source,) = read_attachment((GOLDEN / "fill/recipe-00.source.png").read_bytes(), 32, 1)
        assert 0 < (source.hole > 0).mean() < 1
        mixing = read_recipe((GOLDEN / "mixed/recipe-00.json").read_text("utf-8")).mixing
        assert mixing is not None
        assert (mixing.levels, mixing.amount) == (("colours",), 0.75)

    def test_a_newer_format_is_refused(self) -> None:
        content = json.loads((GOLDEN / "fill/recipe-00.json").read_text("utf-8"))
        newer = json.dumps({**content, "format": 3})
        with pytest.raises(RecipeError, match="is not a recipe of format 1 or 2"):
            read_recipe(newer)
        with pytest.raises(InputError, match=r"unknown format 3. Update this program"):
            parse_recipe(newer)

    def test_clients_read_the_same(self) -> None:
        recipe = parse_recipe((GOLDEN / "fill/recipe-00-variant-00.json").read_text("utf-8"))
        assert (recipe.model, recipe.seed, recipe.truncation_psi) == ("golden", 7, 0.8)
        assert recipe.edits == {"brighter": 1.5}

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["00", "00-variant-00", "01", "01-variant-00"])
    def test_makes_the_fill_again(self, name: str, edit: Callable[..., Path]) -> None:
        again = np.asarray(Image.open(edit(f"fill/recipe-{name}.json"))).astype(int)
        assert_near(again, f"fill/candidate-{name}.png")
        plain = np.asarray(Image.open(GOLDEN / "picture.png")).astype(int)
        hole = np.asarray(Image.open(GOLDEN / "mask.png")) > 0
        assert (again[~hole] == plain[~hole]).all()

    @pytest.mark.slow
    def test_makes_the_mixed_fill_again(self, edit: Callable[..., Path]) -> None:
        again = np.asarray(Image.open(edit("mixed/recipe-00.json"))).astype(int)
        assert_near(again, "mixed/candidate-00.png")


class TestKritaAnnotation:
    def test_is_read_as_before(self) -> None:
        run = unpack((GOLDEN / "krita-annotation.json").read_bytes())
        recipe = (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        attachment = (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert (run.time, run.model) == ("2026-11-27T09:00:00+00:00", "A golden bundle")
        assert run.title == "Inpaint · A golden bundle · seed 7"
        assert (run.document, run.hole_box) == (Extent(96, 80), HOLE)
        assert run.coverage == bytes([96, *[255] * 27]) * 30
        assert (run.chosen, run.kept, run.seeds) == (1, "{layer-4}", (7, 8))
        plain, edited, mixed = run.results
        assert (plain.layer, plain.recipe, plain.starred) == ("{layer-1}", recipe, True)
        assert plain.attachment == mixed.attachment == attachment
        assert (edited.variant, edited.edits) == (0, {"brighter": 1.5})
        assert mixed.mix == Mix("{layer-1}", (StyleLevel.COLORS,), 0.75)
        assert mixed.unmixed == recipe

    def test_a_newer_format_is_refused(self) -> None:
        content = json.loads((GOLDEN / "krita-annotation.json").read_bytes())
        with pytest.raises(InputError, match="was written by a newer version"):
            unpack(json.dumps({**content, "format": 2}).encode())

    def test_an_infinite_number_is_refused(self) -> None:
        data = (GOLDEN / "krita-annotation.json").read_text("utf-8")
        with pytest.raises(InputError, match="cannot be read"):
            unpack(data.replace('"chosen":1', '"chosen":1e999').encode())


class TestGimpParasites:
    """Parasites of layers filled before both editors shared one history format."""

    @staticmethod
    def parasite(name: str) -> bytes | None:
        path = GOLDEN / f"gimp-{name}"
        return path.read_bytes() if path.is_file() else None

    def changed(self, changed: str, old: bytes, new: bytes) -> PastRun | None:
        """Read the parasites with one of them changed."""

        def parasite(name: str) -> bytes | None:
            data = self.parasite(name)
            return data.replace(old, new) if data and name == changed else data

        return read(parasite)

    def test_are_read_as_before(self) -> None:
        assert self.parasite(FILL) is None
        run = read(self.parasite)
        assert run is not None
        (result,) = run.results
        assert result.recipe == (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        assert result.attachment == (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert (run.hole_box, run.document) == (HOLE, Extent(96, 80))
        assert (run.source, result.index) == ("3", 1)
        assert (result.seed, result.variant, result.edits) == (7, -1, {})
        levels = (StyleLevel.STRUCTURE, StyleLevel.FEATURES)
        assert Mixed.of(result) == Mixed(result.recipe, levels, 0.25, tattoo=4)
        quick = read_without_attachment(self.parasite)
        assert quick is not None
        assert quick.results[0].recipe == result.recipe

    def test_a_newer_format_is_not_taken_for_this_one(self) -> None:
        assert self.changed(ORIGIN, b'"format": 1', b'"format": 2') is None

    def test_an_infinite_number_is_refused(self) -> None:
        assert self.changed(ORIGIN, b'"candidate": 1', b'"candidate": 1e999') is None

    @pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"amount": 2}'])
    def test_a_damaged_mixing_does_not_affect_the_fill(self, damage: bytes) -> None:
        data = self.parasite(MIXED)
        assert data
        run = self.changed(MIXED, data, damage)
        assert run is not None
        assert Mixed.of(run.results[0]) is None


class TestSharedHistory:
    """Parasites of layers filled since then."""

    @staticmethod
    def parasite(name: str) -> bytes:
        return (SHARED_HISTORY / f"gimp-{name}").read_bytes()

    def test_is_read_as_before(self) -> None:
        run = read(self.parasite)
        assert run is not None
        (result,) = run.results
        assert result.recipe == (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        assert result.attachment == (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert (run.hole_box, run.document, run.source) == (HOLE, Extent(96, 80), "3")
        assert (result.seed, result.index, result.variant) == (7, 1, -1)
        assert result.edits == {"brighter": 1.5}
        levels = (StyleLevel.STRUCTURE, StyleLevel.FEATURES)
        assert Mixed.of(result) == Mixed(result.recipe, levels, 0.25, tattoo=4)

    def test_a_newer_format_is_not_taken_for_this_one(self) -> None:
        assert read(lambda name: self.parasite(name).replace(b'"format":1', b'"format":2')) is None


class TestSettings:
    def test_are_read_as_before(self) -> None:
        connection = SettingsFile(GOLDEN / "connection.json", ConnectionSettings).load()
        assert connection == ConnectionSettings(
            "tls://gpu.studio:50099", Secret("a token"), "ca.pem", start_daemon=False
        )
        fill_settings = SettingsFile(GOLDEN / "krita.json", FillSettings).load()
        assert fill_settings == FillSettings(
            "portrait", 3, 99, False, 0.5, context="frame", frame_cx=10.5, frame_side=64.0
        )


class TestServerConfiguration:
    def test_is_read_as_before(self) -> None:
        assert read_config(GOLDEN / "server.yaml") == ServerConfig(
            listen="0.0.0.0:7860",
            device="cpu",
            precision="fp32",
            models=("portrait", "/srv/models/cats"),
            batch_size=2,
            threads=3,
            model_memory_bytes=1 << 30,
            gpu_memory_share=0.5,
            idle_unload_s=60,
            session_ttl_s=120.5,
            grace_s=5,
            idle_s=30,
            tls=TlsConfig(GOLDEN / "server.pem", GOLDEN / "server.key", GOLDEN / "ca.pem"),
            token_file=GOLDEN / "token",
            runtime_file=Path("/run/inpaint/server.json"),
            metrics="127.0.0.1:9100",
            log_level="debug",
            limits=Limits(1 << 20, 4096, 8, 4, 2, 2 << 20, 5, 3 << 20),
        )

    def test_a_key_of_a_newer_version_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "server.yaml"
        path.write_text((GOLDEN / "server.yaml").read_text("utf-8") + "compression: 1\n", "utf-8")
        with pytest.raises(ConfigurationError, match="unknown key `compression`"):
            read_config(path)


def wire(name: str) -> tuple[list[bytes], list[bytes]]:
    """Return the messages of a call: those from the client and those from the daemon."""
    content = json.loads((GOLDEN / f"wire-{name}.json").read_text("utf-8"))
    sent, received = (
        [base64.b64decode(text) for text in content[key]] for key in ("requests", "events")
    )
    return sent, received


class TestWire:
    """Clients and daemons of different versions understand each other: `inpaint.v1`."""

    def test_a_fill_request_is_read_as_before(self) -> None:
        header, *pieces = map(pb.FillRequest.FromString, wire("fill")[0])
        spec = fill_spec(header.header, Limits())
        assert (tuple(spec.geometry.box), spec.geometry.document) == ((32, 16, 48, 48), (96, 80))
        assert (spec.geometry.crop.channels, spec.geometry.hole.channels) == (3, 1)
        assert [shape.num_bytes for shape in spec.shapes] == [48 * 48 * 3, 48 * 48]
        assert (spec.model, spec.seeds, spec.truncation_psi) == ("golden", (7,), 0.75)
        assert (spec.edits, spec.variants) == ({"brighter": 0.5}, ({"brighter": -1.0},))
        assert spec.frame == ModelFrame(54, 39, 44, 10)
        assert spec.blending == BlendSettings(
            colour_match=True, gradient=False, feather_px=2.0, grain=False
        )
        sizes = dict.fromkeys((pb.Chunk.TARGET_CROP, pb.Chunk.TARGET_HOLE), 0)
        for piece in pieces:
            sizes[piece.chunk.target] += len(piece.chunk.data)
        assert list(sizes.values()) == [48 * 48 * 3, 48 * 48]

    def test_an_edit_request_is_read_as_before(self) -> None:
        header = pb.EditRequest.FromString(wire("edit")[0][0])
        spec = edit_spec(header.header, Limits())
        assert spec.source is not None
        assert spec.source.recipe == (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        assert spec.source.attachment == (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert spec.source.geometry is not None
        assert tuple(spec.source.geometry.box) == (32, 16, 48, 48)
        assert (spec.edits, spec.truncation_psi, spec.seed) == ({"brighter": -1.5}, 0.5, 9)
        (mixing,) = spec.mixings
        assert isinstance(mixing.other, Recipe)
        mixed = read_recipe((GOLDEN / "fill/recipe-01.json").read_text("utf-8"))
        assert write_recipe(mixing.other) == write_recipe(mixed)
        assert (mixing.levels, mixing.amount) == (("features", "colors"), 0.25)
        assert (spec.blending, spec.output_dtype) == (None, np.dtype("u2"))

    def test_an_answer_is_read_as_before(self) -> None:
        events = [event(pb.FillEvent.FromString(data)) for data in wire("fill")[1]]
        assert isinstance(events[0], Accepted)
        assert isinstance(events[-1], Done)
        (frame,) = (each for each in events if isinstance(each, FrameChosen))
        assert (frame.frame, frame.mode) == (Frame(54, 39, 44, 10), FrameMode.EXPLICIT)
        assert (frame.model, frame.model_resolution) == ("golden", 32)
        progress = [each for each in events if isinstance(each, Progress)]
        assert progress == [Progress(0, 2), Progress(1, 2), Progress(2, 2)]
        plain, variant = (each for each in events if isinstance(each, Candidate))
        assert [(each.seed, each.variant) for each in (plain, variant)] == [(7, -1), (7, 0)]
        (patch,) = plain.patches
        assert patch.box == HOLE
        assert patch.coverage.data == bytes([96, *[255] * 27]) * 30
        assert (patch.fill.extent, patch.fill.channels) == (Extent(28, 30), 3)
        assert parse_recipe(variant.recipe).edits == {"brighter": -1.0}  # not added to 0.5
        assert plain.attachment.startswith(b"\x89PNG")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["fill", "edit"])
    def test_the_daemon_answers_as_before(self, name: str, daemon: DaemonProcess) -> None:
        sent, received = wire(name)
        with daemon.caller() as caller:
            call: Any = caller.channel.stream_stream(f"/inpaint.v1.Inpaint/{name.title()}")
            answer = list(call(iter(sent), metadata=caller.metadata, timeout=120))
        now, then = candidates(answer), candidates(received)
        assert [(c.seed, c.variant) for c in now] == [(c.seed, c.variant) for c in then]
        with np.load(FILLS / f"wire-{name}.npz") as file:
            since = [file[f"arr_{k}"] for k in range(len(now))]  # samples of each fill
        for again, before, values in zip(now, then, since, strict=True):
            (patch,), (old,) = again.patches, before.patches
            assert (patch.box, patch.coverage) == (old.box, old.coverage)
            assert patch.fill.sample_type == old.fill.sample_type
            off = np.abs(samples(patch.fill) - values)
            assert off.max() <= (LEVELS + 0.5) / 255
            assert off.mean() <= 0.5 / 255
            off = np.abs(samples(patch.fill) - samples(old.fill))
            assert off.max() <= (SINCE_FORMAT_1 + 0.5) / 255


def candidates(messages: list[bytes]) -> list[Candidate]:
    events = (event(pb.FillEvent.FromString(data)) for data in messages)
    return [each for each in events if isinstance(each, Candidate)]


def samples(image: Picture) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the samples, flat, 0..1."""
    dtype = np.dtype("u1" if image.sample_type is SampleType.U8 else "<u2")
    return np.frombuffer(image.data, dtype).astype(np.float64) / np.iinfo(dtype).max
