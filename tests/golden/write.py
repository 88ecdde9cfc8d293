"""Write the files of format 1 that every later version must read (`test_golden.py`).

    python tests/golden/write.py FOLDER

`format-1` was written once, by the version of November 2026, and must not change: a test compares
its checksums. A new format gets its own folder. `shared-history-1` contains the parasites of GIMP's
layers since GIMP and Krita share one history format; `format-1` contains the older ones.
`clamped-discriminators` contains one network as a bundle of format 1, written before format 2
existed, and of format 2 (`write_unclamped_skips`), and the logits of both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from daemons import Caller, DaemonProcess
from inpaint_client.capture import Capture
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.images import Picture, SampleType
from inpaint_client.requests import (
    Blending,
    EditJob,
    FillJob,
    Mixing,
    RecipeSource,
    StyleLevel,
)
from inpaint_client.session.history import Mix, PastRun, Result, pack
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_client.wire import edit_requests, fill_requests
from inpaint_gimp.host.parasites import parasites
from inpaint_gimp.runs.mixing import Mixed
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_model.bundle.direction_store import add_directions
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.weights import load_discriminator, load_generator, load_model
from inpaint_model.bundle.writer import add_framer, save_bundle
from inpaint_model.framing.network import Framer, FramerConfig
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.discriminator import Discriminator
from inpaint_protos.secret import Secret
from PIL import Image

WIDTH, HEIGHT = 96, 80
HOLE = (40, 24, 28, 30)  # x, y, width, height, px
CROP = Box(32, 16, 48, 48)  # of the images in messages
PIECE_BYTES = 4096  # small, so that images are sent in several chunks
SERVER = """\
listen: 0.0.0.0:7860
device: cpu
precision: fp32
models: [portrait, /srv/models/cats]
batch_size: 2
threads: 3
model_memory_bytes: 1073741824
gpu_memory_share: 0.5
idle_unload_s: 60
session_ttl_s: 120.5
grace_s: 5
idle_s: 30
tls: {certificate: server.pem, key: server.key, client_ca: ca.pem}
token_file: token
runtime_file: /run/inpaint/server.json
metrics: 127.0.0.1:9100
log_level: debug
limits:
  max_picture_bytes: 1048576
  max_side: 4096
  max_seeds: 8
  max_variants: 4
  max_queue: 2
  max_pending_bytes: 2097152
  max_sessions: 5
  max_session_bytes: 3145728
"""


def write_bundle(folder: Path) -> None:
    """Write networks of the smallest preset, with a framer and a direction."""
    model = tiny_model(seed=1)
    card = Card("golden", title="A golden bundle", licence="Apache-2.0", provenance="random")
    save_bundle(folder, model, card, dtype="fp16")
    with torch.random.fork_rng():
        torch.manual_seed(2)
        framer = Framer(FramerConfig(view=32, widths=(8, 8, 8)))
    info = add_framer(folder, framer)
    generator = model.config.generator
    vector = torch.nn.functional.normalize(torch.arange(1.0, generator.w_dim + 1), dim=0)
    direction = Direction(
        "brighter",
        "light",
        tuple(range(generator.num_ws)),
        1.5,
        (-3.0, 3.0),
        source="made up",
        licence="Apache-2.0",
        description="Some change",
        generator_sha256=info.generator_sha256,
    )
    add_directions(folder, [(direction, vector)])
    synthesis = load_model(info).generator.synthesis
    ws = torch.linspace(-1, 1, generator.num_ws * generator.w_dim)
    with torch.inference_mode():
        image = synthesis(ws.reshape(1, generator.num_ws, generator.w_dim))
    np.save(folder.parent / "generated.npy", image.numpy())


def write_unclamped_skips(folder: Path) -> None:
    """Write the bundle of format 2 next to that of format 1, and its logits."""
    info = read_bundle(folder / "format-1")
    old, generator = load_discriminator(info), load_generator(info)
    assert old is not None
    discriminator = Discriminator(replace(old.config, clamp_skip=False))
    discriminator.load_state_dict(old.state_dict())
    card = Card("golden-clamped", licence="Apache-2.0", provenance="random")
    save_bundle(folder / "format-2", generator, card, discriminator=discriminator)
    with torch.no_grad():
        np.save(folder / "logits-2.npy", discriminator(waves()).numpy())


def waves() -> torch.Tensor:
    """Return input images [4, 3, 32, 32] for the discriminator."""
    x = torch.linspace(-1, 1, 4 * 3 * 32 * 32).sin().reshape(4, 3, 32, 32)
    return (x * 9).sin()


def write_images(folder: Path) -> None:
    """Write an image and a mask whose edge is soft on one side."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    rgb = np.stack([x * 2 + 20, y * 3, (x * y) // 40], axis=-1).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    left, top, width, height = HOLE
    mask[top : top + height, left : left + width] = 255
    mask[top : top + height, left] = 96
    Image.fromarray(rgb).save(folder / "picture.png")
    Image.fromarray(mask).save(folder / "mask.png")


def write_fill(folder: Path, run: Sequence[str]) -> None:
    """Write a candidate, its variant and a mixed one, as `inpaint` writes them."""

    def inpaint(*arguments: str) -> None:
        subprocess.run([*run, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    places = ("picture.png", "--mask", "mask.png", "--out", "fill")
    inpaint("fill", *places, "-n", "2", "--seed", "7", "--variant", "brighter=1.5")
    inpaint(
        *("edit", "fill/recipe-00.json", "--image", "picture.png", "--mask", "mask.png"),
        *("--style-recipe", "fill/recipe-01.json", "--levels", "colors", "--strength", "0.75"),
        *("--out", "mixed"),
    )


def write_memories(folder: Path, recipe: str, attachment: bytes) -> None:
    """Write what Krita stores in a document and GIMP in a layer, and the settings files."""
    _, _, width, height = HOLE
    edits = {"brighter": 1.5}
    run = PastRun(
        key="20261127T090000.000000",
        time="2026-11-27T09:00:00+00:00",
        model="A golden bundle",
        title="Inpaint · A golden bundle · seed 7",
        group="{00000000-0000-0000-0000-000000000001}",
        document=Extent(WIDTH, HEIGHT),
        hole_box=Box(*HOLE),
        coverage=bytes([96, *[255] * (width - 1)]) * height,
        source="{00000000-0000-0000-0000-000000000002}",
        results=(
            Result(7, "{layer-1}", recipe, attachment=attachment, starred=True),
            Result(7, "{layer-2}", recipe, variant=0, edits=edits),
            Result(
                *(8, "{layer-3}", recipe, 1, -1, attachment),
                mix=Mix("{layer-1}", (StyleLevel.COLORS,), 0.75),
                unmixed=recipe,
            ),
        ),
        chosen=1,
        kept="{layer-4}",
    )
    (folder / "krita-annotation.json").write_bytes(pack(run))
    mixed = Mixed(recipe, (StyleLevel.STRUCTURE, StyleLevel.FEATURES), 0.25, tattoo=4)
    result = mixed.into(Result(7, "", recipe, 1, -1, attachment, edits))
    alone = PastRun(
        document=Extent(WIDTH, HEIGHT), hole_box=Box(*HOLE), source="3", results=(result,)
    )
    for name, data in parasites(alone).items():
        (folder / f"gimp-{name}").write_bytes(data)
    SettingsFile(folder / "connection.json", ConnectionSettings).save(
        ConnectionSettings(
            "tls://gpu.studio:50099", Secret("a token"), "ca.pem", start_daemon=False
        )
    )
    SettingsFile(folder / "krita.json", FillSettings).save(
        FillSettings("portrait", 3, 99, False, 0.5, context="frame", frame_cx=10.5, frame_side=64.0)
    )


def write_wire(folder: Path, caller: Caller) -> None:
    """Write the messages of client and daemon for a fill and an edit."""
    corners = CROP.x, CROP.y, CROP.x + CROP.width, CROP.y + CROP.height
    rgb = Image.open(folder / "picture.png").crop(corners).tobytes()
    coverage = Image.open(folder / "mask.png").crop(corners).tobytes()
    capture = Capture(
        crop=Picture(*CROP.extent, 3, rgb),
        hole=Picture(*CROP.extent, 1, coverage),
        crop_box=CROP,
        document=Extent(WIDTH, HEIGHT),
    )
    fill = FillJob(
        capture=capture,
        model="golden",
        seeds=(7,),
        truncation_psi=0.75,
        edits={"brighter": 0.5},
        variants=({"brighter": -1.0},),
        frame=Frame(54.0, 39.0, 44.0, 10.0),
        blending=Blending(colour_match=True, gradient=False, feather_px=2.0, grain=False),
        output_sample_type=SampleType.U8,
    )
    edit = EditJob(
        source=RecipeSource(
            recipe=(folder / "fill/recipe-00.json").read_text("utf-8"),
            attachment=(folder / "fill/recipe-00.source.png").read_bytes(),
            capture=capture,
        ),
        edits={"brighter": -1.5},
        truncation_psi=0.5,
        seed=9,
        mixing=(
            Mixing(
                recipe=(folder / "fill/recipe-01.json").read_text("utf-8"),
                levels=(StyleLevel.FEATURES, StyleLevel.COLORS),
                amount=0.25,
            ),
        ),
        output_sample_type=SampleType.U16,
    )
    messages: dict[str, Iterable[Any]] = {
        "Fill": fill_requests(fill, PIECE_BYTES),
        "Edit": edit_requests(edit, PIECE_BYTES),
    }
    for name, requests in messages.items():
        call: Any = caller.channel.stream_stream(f"/inpaint.v1.Inpaint/{name}")
        sent = [request.SerializeToString() for request in requests]
        received = list(call(iter(sent), metadata=caller.metadata))
        texts = {
            "requests": [base64.b64encode(data).decode() for data in sent],
            "events": [base64.b64encode(data).decode() for data in received],
        }
        path = folder / f"wire-{name.lower()}.json"
        path.write_text(json.dumps(texts, indent=1) + "\n", "utf-8")


def main() -> None:
    """Write everything into a new folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    write_bundle(folder / "bundle")
    write_images(folder)
    with tempfile.TemporaryDirectory() as runtime:
        os.environ["XDG_RUNTIME_DIR"] = runtime
        with DaemonProcess(Path(runtime), "--model", str(folder / "bundle")) as daemon:
            daemon.runtime()
            write_fill(folder, [sys.executable, "-m", "inpaint_cli"])
            with daemon.caller() as caller:
                write_wire(folder, caller)
    recipe, attachment = folder / "fill/recipe-00.json", folder / "fill/recipe-00.source.png"
    write_memories(folder, recipe.read_text("utf-8"), attachment.read_bytes())
    (folder / "server.yaml").write_text(SERVER, "utf-8")
    for sheet in folder.glob("*/sheet.png"):
        sheet.unlink()
    sums = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    folder.with_suffix(".json").write_text(json.dumps(sums, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
