"""The first minutes in real Kritas: the example, the empty state and the tour."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_daemon import FakeDaemon, Script
from inpaint_client.example import PORTRAIT
from krita_host import KritaHost, RunKrita
from PIL import Image

TOKEN = "secret"
pytestmark = pytest.mark.hosts


@pytest.mark.next_host
@pytest.mark.parametrize("language", ["", "de"])
def test_a_newcomer_takes_the_tour_with_the_example(
    run_krita: RunKrita, krita: KritaHost, tmp_path: Path, language: str
) -> None:
    settings = f"language={language}" if language else ""
    with FakeDaemon(Script(token=TOKEN)) as daemon:
        environment = {"INPAINT_SERVER": daemon.address, "INPAINT_TOKEN": TOKEN}
        run = run_krita("tour", environment, settings=settings)
        seen = run.value
        (run.out / "krita.json").write_text(seen["settings"], encoding="utf-8")
        again = run_krita(
            "tour",
            environment,
            arguments={"again": True},
            stored={"krita.json": run.out / "krita.json"},
        )
    assert seen["name"] == ("Beispielporträt" if language else "Example portrait")
    assert (seen["file"], seen["modified"]) == ("", False)
    assert seen["profile"] == "sRGB-elle-V2-srgbtrc.icc"
    assert len(seen["steps"]) == 1  # Krita's first entry, before any step
    assert seen["recent_after"] == seen["recent"]
    with Image.open(PORTRAIT) as portrait:
        expected = np.asarray(portrait.convert("RGBA"))[..., [2, 1, 0, 3]]
    width, height = seen["size"]
    pixels = np.frombuffer((run.out / "example.raw").read_bytes(), np.uint8)
    np.testing.assert_array_equal(pixels.reshape(height, width, 4), expected)
    assert json.loads(seen["settings"])["toured"]
    assert again.value == {"has_link": False}
    if folder := os.environ.get("INPAINT_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for shot in run.out.glob("*.png"):
            shutil.copy(shot, Path(folder) / f"{krita.version}-{language or 'en'}-{shot.name}")
