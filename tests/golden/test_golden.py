"""What an earlier version wrote opens as it did: files of format 1, written in November 2026."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from daemons import DaemonProcess
from inpaint_client.errors import BadInput
from inpaint_client.geometry import Box, Extent
from inpaint_client.requests import Edit, StyleLevel
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_gimp.keepsake import ORIGIN, Keepsake
from inpaint_krita.history import PREFIX, Mix, unpack
from inpaint_krita.wishes import Wishes
from inpaint_model.bundle.direction_store import load_vectors
from inpaint_model.bundle.manifest import BundleError, read_bundle
from inpaint_model.bundle.weights import check_weights, load_model
from inpaint_server.errors import InvalidRequest
from inpaint_server.filling.recipes import read_attachment, read_recipe
from PIL import Image

GOLDEN = Path(__file__).parent / "format-1"
HOLE = Box(40, 24, 28, 30)
LEVELS = 2  # by which a fill may differ: processors round differently


def test_nobody_has_written_them_again() -> None:
    sums = json.loads(GOLDEN.with_suffix(".json").read_text("utf-8"))
    files = [path for path in sorted(GOLDEN.rglob("*")) if path.is_file()]
    assert {
        path.relative_to(GOLDEN).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    } == sums


class TestBundle:
    def test_says_what_it_said(self) -> None:
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

    def test_renders_what_it_rendered(self) -> None:
        generator = load_model(read_bundle(GOLDEN / "bundle")).generator
        shape = (1, generator.config.num_ws, generator.config.w_dim)
        ws = torch.linspace(-1, 1, shape[1] * shape[2]).reshape(shape)
        with torch.inference_mode():
            image = generator.synthesis(ws)
        np.testing.assert_allclose(image.numpy(), np.load(GOLDEN / "generated.npy"), atol=1e-3)

    def test_a_newer_format_is_refused(self, tmp_path: Path) -> None:
        bundle = shutil.copytree(GOLDEN / "bundle", tmp_path / "bundle")
        manifest = bundle / "model.yaml"
        manifest.write_text(manifest.read_text("utf-8").replace("format: 1", "format: 2"), "utf-8")
        with pytest.raises(BundleError, match="format 1; a newer version may read it"):
            read_bundle(bundle)


@pytest.fixture(scope="module")
def edit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Run `inpaint edit` against a daemon that has the golden bundle."""
    folder = tmp_path_factory.mktemp("golden")
    with DaemonProcess(folder, "--model", str(GOLDEN / "bundle")) as daemon:
        daemon.runtime()

        def run(recipe: str, *more: str) -> Path:
            out = folder / recipe.replace("/", "-")
            command = [sys.executable, "-m", "inpaint_cli", "edit", recipe, *more]
            subprocess.run(
                [*command, "--image", "picture.png", "--mask", "mask.png", "--out", str(out)],
                cwd=GOLDEN,
                env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
                check=True,
                capture_output=True,
                timeout=120,
            )
            return out / "candidate-00.png"

        yield run


class TestRecipe:
    def test_says_what_it_said(self) -> None:
        recipe = read_recipe((GOLDEN / "fill/recipe-00-variant-00.json").read_text("utf-8"), "it")
        info = read_bundle(GOLDEN / "bundle")
        assert (recipe.seed, recipe.truncation_psi) == (7, 0.8)
        assert dict(recipe.edits) == {"brighter": 1.5}
        assert (recipe.model, recipe.weights_sha256) == ("golden", info.weights_sha256)
        assert (recipe.document, tuple(recipe.box)) == ((96, 80), tuple(HOLE))
        (group,) = recipe.groups
        assert group.ws_out is not None
        (source,) = read_attachment((GOLDEN / "fill/recipe-00.source.png").read_bytes(), 32, 1, "")
        assert 0 < (source.hole > 0).mean() < 1
        mixing = read_recipe((GOLDEN / "mixed/recipe-00.json").read_text("utf-8"), "it").mixing
        assert mixing is not None
        assert (mixing.levels, mixing.amount) == (("colours",), 0.75)

    def test_a_newer_format_is_refused(self) -> None:
        content = json.loads((GOLDEN / "fill/recipe-00.json").read_text("utf-8"))
        with pytest.raises(InvalidRequest, match="is not a recipe of format 1"):
            read_recipe(json.dumps({**content, "format": 2}), "recipe")

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["00", "00-variant-00", "01", "01-variant-00"])
    def test_makes_the_fill_again(self, name: str, edit: Callable[..., Path]) -> None:
        again = np.asarray(Image.open(edit(f"fill/recipe-{name}.json"))).astype(int)
        then = np.asarray(Image.open(GOLDEN / f"fill/candidate-{name}.png")).astype(int)
        assert np.abs(again - then).max() <= LEVELS
        plain = np.asarray(Image.open(GOLDEN / "picture.png")).astype(int)
        hole = np.asarray(Image.open(GOLDEN / "mask.png")) > 0
        assert (again[~hole] == plain[~hole]).all()

    @pytest.mark.slow
    def test_makes_the_mixed_fill_again(self, edit: Callable[..., Path]) -> None:
        again = np.asarray(Image.open(edit("mixed/recipe-00.json"))).astype(int)
        then = np.asarray(Image.open(GOLDEN / "mixed/candidate-00.png")).astype(int)
        assert np.abs(again - then).max() <= LEVELS


class TestKritaAnnotation:
    NAME = PREFIX + "20261127T090000.000000"

    def test_says_what_it_said(self) -> None:
        run = unpack(self.NAME, (GOLDEN / "krita-annotation.json").read_bytes())
        recipe = (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        attachment = (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert run.annotation == self.NAME
        assert (run.time, run.model) == ("2026-11-27T09:00:00+00:00", "A golden bundle")
        assert run.title == "Inpaint · A golden bundle · seed 7"
        assert (run.document, run.hole_box) == (Extent(96, 80), HOLE)
        assert run.coverage == bytes([96, *[255] * 27]) * 30
        assert (run.chosen, run.kept, run.seeds) == (1, "{layer-4}", (7, 8))
        plain, edited, mixed = run.results
        assert (plain.layer, plain.recipe, plain.starred) == ("{layer-1}", recipe, True)
        assert plain.attachment == mixed.attachment == attachment
        assert (edited.variant, edited.edits) == (0, (Edit("brighter", 1.5),))
        assert mixed.mix == Mix("{layer-1}", (StyleLevel.COLOURS,), 0.75)
        assert mixed.unmixed == recipe

    def test_a_newer_format_is_refused(self) -> None:
        content = json.loads((GOLDEN / "krita-annotation.json").read_bytes())
        with pytest.raises(BadInput, match="was written by a newer version"):
            unpack(self.NAME, json.dumps({**content, "format": 2}).encode())


class TestGimpParasites:
    @staticmethod
    def parasite(name: str) -> bytes:
        return (GOLDEN / f"gimp-{name}").read_bytes()

    def test_say_what_they_said(self) -> None:
        keepsake = Keepsake.read(self.parasite)
        assert keepsake is not None
        assert keepsake.recipe == (GOLDEN / "fill/recipe-00.json").read_text("utf-8")
        assert keepsake.attachment == (GOLDEN / "fill/recipe-00.source.png").read_bytes()
        assert keepsake.origin == (HOLE, Extent(96, 80), 3, 1)
        assert keepsake.mixed is not None
        assert keepsake.mixed.levels == (StyleLevel.STRUCTURE, StyleLevel.FEATURES)
        assert (keepsake.mixed.amount, keepsake.mixed.tattoo) == (0.25, 4)

    def test_a_newer_format_is_not_taken_for_this_one(self) -> None:
        def newer(name: str) -> bytes:
            data = self.parasite(name)
            return (
                json.dumps({**json.loads(data), "format": 2}).encode() if name == ORIGIN else data
            )

        assert Keepsake.read(newer) is None


class TestSettings:
    def test_say_what_they_said(self) -> None:
        connection = SettingsFile(GOLDEN / "connection.json", ConnectionSettings).load()
        assert connection == ConnectionSettings(
            "tls://gpu.studio:50099", "a token", "ca.pem", start_daemon=False
        )
        wishes = SettingsFile(GOLDEN / "krita.json", Wishes).load()
        assert wishes == Wishes(
            "portrait", 3, 99, False, 0.5, context="frame", frame_cx=10.5, frame_side=64.0
        )
