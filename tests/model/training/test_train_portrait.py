"""`scripts/train-portrait`: its stages, kills, budgets and schedule; `scripts/ship-portrait`."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from eventually import eventually
from inpaint_model.bundle.manifest import BundleInfo, Card, read_bundle
from inpaint_model.bundle.weights import load_detail, load_model, load_naturalness, load_refinement
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import load_feature_network
from inpaint_model.training.projected.files import (
    FILE,
    copy_projected,
    load_projected,
    save_projected,
)
from PIL import Image
from safetensors import safe_open
from tiny_feature_networks import tiny_feature_network, tiny_projected
from tiny_networks import tiny_networks

SCRIPTS = Path(__file__).parents[3] / "scripts"
SMALL = {
    "PRESET": "compact-64",
    "BATCH": "4",
    "DEVICE": "cpu",
    "THREADS": "1",
    "HALF_KIMG": "0.008",
    "GENERATOR_KIMG": "0.016",
    "INPAINTER_KIMG": "0.004",
    "FRAMER_KIMG": "0.032",
    "REFINEMENT_KIMG": "0.016",
    "DETAIL_KIMG": "0.016",
    "NATURALNESS_IMAGES": "10",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources of images, a sharper copy of one, weights, and two feature networks."""
    folder = tmp_path_factory.mktemp("files")
    for archive, names in (("faces", "abc"), ("more", "de"), ("sharper", "a")):
        with zipfile.ZipFile(folder / f"{archive}.zip", "w") as out:
            for name in names:
                with out.open(f"train/{name}.png", "w") as file:
                    color = (50 * "abcde".index(name), 90, 120)
                    Image.new("RGB", (64, 64), color).save(file, "PNG")
    (folder / "weights.csv").write_text("file,weight\ntrain/d*,3\n")
    for seed in (1, 2):
        tiny_feature_network(folder / f"{seed}.pt", seed=seed)
    return folder


def all_options(files: Path) -> list[str]:
    return [
        *("--data", f"{files}/faces.zip:train", f"{files}/more.zip:train"),
        *("--replace", f"{files}/sharper.zip:train", "--weights", f"{files}/weights.csv"),
        *("--feature-networks", f"{files}/1.pt", f"{files}/2.pt", "--features", f"{files}/1.pt"),
    ]


def start(runs: Path, *options: str, **settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPTS / "train-portrait"), str(runs), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | SMALL | settings
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def train(runs: Path, *options: str, **settings: str) -> str:
    """Run the script to its end; return its output."""
    process = start(runs, *options, **settings)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return printed


def kimg(folder: Path) -> float:
    with safe_open(folder / "state.safetensors", framework="pt") as file:
        return float(json.loads(file.metadata()["numbers"])["cur_nimg"]) / 1000


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shipped(files: Path, tmp_path_factory: pytest.TempPathFactory) -> BundleInfo:
    """A model that has gone through all stages, and what of it would ship."""
    runs = tmp_path_factory.mktemp("runs")
    printed = train(runs, *all_options(files))
    for text in ("5 images", "1 of them are replaced", "1 of them have a weight other than 1"):
        assert printed.count(text) == 7  # in every stage
    half, full = (read_bundle(runs / f"generator-{px}" / "bundle") for px in (32, 64))
    assert (half.card.trained_kimg, full.card.trained_kimg) == (0.008, 0.016)
    assert full.discriminator is None
    info = read_bundle(runs / "inpainter-64" / "bundle")
    assert info.generator_sha256 == full.generator_sha256
    assert info.card.trained_kimg == 0.004
    assert info.has_framer
    assert info.refinement is not None
    assert info.detail is not None
    assert info.naturalness is not None

    card, target = runs / "card.md", runs / "shipped" / "portrait"
    card.write_text("# Portrait\n")
    command = [SCRIPTS / "ship-portrait", info.folder, full.folder, card, "--to", target]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(word) for word in command])
        runpy.run_path(str(command[0]), run_name="__main__")
    assert (target / FILE).exists()
    return read_bundle(target)


@pytest.mark.slow
def test_what_ships_is_complete(shipped: BundleInfo, files: Path) -> None:
    assert (shipped.dtype, shipped.has_framer) == ("fp16", True)
    assert load_refinement(shipped) is not None
    assert load_detail(shipped) is not None
    assert load_naturalness(shipped) is not None
    assert load_model(shipped).config.generator.resolution == 64
    networks = [load_feature_network(files / f"{seed}.pt") for seed in (1, 2)]
    with torch.random.fork_rng():
        torch.manual_seed(0)  # the seed of the training
        assert load_projected(shipped.folder, ProjectedDiscriminator(networks, 64))


@pytest.mark.slow
def test_without_feature_networks(files: Path, tmp_path: Path) -> None:
    """The StyleGAN2 discriminator and reconstruction; here without growing."""
    train(tmp_path / "runs", "--data", f"{files}/faces.zip", RESOLUTION="32", BF16="0")
    generator = tmp_path / "runs" / "generator-32"
    assert read_bundle(generator / "bundle").discriminator is not None
    assert (generator / "autoencoder.safetensors").exists()
    made = read_bundle(tmp_path / "runs" / "inpainter-32" / "bundle")
    assert (made.has_framer, made.refinement, made.detail) == (True, None, None)
    asked = json.loads((generator / "options.jsonl").read_text())
    assert (asked["bf16"], asked["vae_weight"]) == (False, 5)


@pytest.mark.slow
def test_on_from_what_ships_killed_and_out_of_time(
    shipped: BundleInfo, files: Path, tmp_path: Path
) -> None:
    runs, options = tmp_path / "runs", all_options(files)
    generator, inpainter = runs / "generator-64", runs / "inpainter-64"
    state, clock = generator / "state.safetensors", generator / "minutes"
    endless = {
        "CONTINUE": str(shipped.folder),
        "GENERATOR_KIMG": "400",
        "EXTRA": "--snapshot-kimg 0.02 --tick-kimg 0.02",
    }
    first = start(runs, *options, **endless)
    wait_until(state.exists, first)
    second = start(runs, *options, **endless)
    assert "another training is running" in second.communicate(timeout=60)[1]
    assert second.returncode == 1
    os.killpg(first.pid, signal.SIGKILL)
    assert "no heads that fit" not in first.communicate()[0]
    reached, used = kimg(generator), float(clock.read_text())
    assert used > 0

    third = start(runs, *options, **endless)
    wait_until(lambda: kimg(generator) > reached, third)
    os.killpg(third.pid, signal.SIGINT)  # Ctrl-C in a terminal reaches both processes
    assert "stopped, with everything saved" in third.communicate(timeout=60)[0]
    assert third.returncode == 128 + signal.SIGINT
    reached = kimg(generator)
    assert read_bundle(generator / "bundle").card.trained_kimg == reached
    assert float(clock.read_text()) > used

    # Earlier starts have used the generator's minutes; those of the parts end in this one.
    limits = {"GENERATOR_MINUTES": f"{used}"}
    for part in ("FRAMER", "REFINEMENT", "DETAIL"):
        limits |= {f"{part}_KIMG": "400", f"{part}_MINUTES": "0.1"}
    train(runs, *options, **endless | limits, INPAINTER_KIMG="0.008")
    assert kimg(generator) == reached
    assert kimg(inpainter) == 0.008  # counted on from 0.004
    assert read_bundle(inpainter / "bundle").has_framer
    assert not (runs / "generator-32").exists()

    # Nothing is left to do: what a stage made stays as it is once the next one has begun.
    printed = train(runs, *options, **endless | limits | {"GENERATOR_MINUTES": "0"})
    # Parts that saw no image in their time have no state, so it starts with an earlier one.
    *_, detail, naturalness = printed.splitlines()
    assert detail.startswith("detail-64: ")
    assert naturalness == "naturalness-64: done"


def has_namespaces() -> bool:
    """Return whether this user may mount a private file system."""
    command = ["unshare", "-rm", "true"]
    return sys.platform == "linux" and subprocess.run(command, capture_output=True).returncode == 0


def trainer_of(script: int) -> int | None:
    """The process that a running script trains in."""
    children = Path(f"/proc/{script}/task/{script}/children").read_text().split()
    return int(children[0]) if children else None


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the training in /proc")
def test_a_crashed_stage_continues_with_safer_settings(files: Path, tmp_path: Path) -> None:
    """Its process is killed as the kernel does when memory runs out: twice, then four times."""
    runs, options = tmp_path / "runs", all_options(files)
    state = runs / "generator-32" / "state.safetensors"
    endless = {"RESOLUTION": "32", "GENERATOR_KIMG": "400", "HALF_KIMG": "400"}
    endless |= {"EXTRA": "--snapshot-kimg 0.02 --tick-kimg 0.02"}

    def crash(script: subprocess.Popen[str], last: int | None, in_the_middle: bool = True) -> int:
        wait_until(lambda: trainer_of(script.pid) not in (None, last), script)
        if in_the_middle:
            wait_until(state.exists, script)
            before = kimg(state.parent)
            wait_until(lambda: kimg(state.parent) > before, script)
        trainer = trainer_of(script.pid)
        assert trainer is not None
        os.kill(trainer, signal.SIGKILL)
        return trainer

    script = start(runs, *options, **endless)
    last = crash(script, crash(script, None))
    reached = kimg(state.parent)
    wait_until(lambda: trainer_of(script.pid) not in (None, last), script)
    wait_until(lambda: kimg(state.parent) > reached, script)
    script.send_signal(signal.SIGTERM)
    printed, _ = script.communicate(timeout=60)
    assert script.returncode == 128 + signal.SIGTERM
    commands = [line for line in printed.splitlines() if "inpaint_model.cli train" in line]
    assert len(commands) == 3
    assert "--no-" not in commands[0].replace("--no-random-noise", "")
    assert commands[1].endswith("--no-cuda-graphs --no-compile")
    assert commands[2].endswith("--no-cuda-graphs --no-compile --batch-size 2")
    assert printed.count("generator-32 ended with signal 9; restarting it") == 2

    script = start(runs, *options, **endless)
    previous: int | None = None
    for _ in range(4):
        previous = crash(script, previous, in_the_middle=False)  # as it starts
    printed, _ = script.communicate(timeout=60)
    assert script.returncode == 128 + signal.SIGKILL
    assert printed.count("restarting it") == 3


@pytest.mark.slow
@pytest.mark.skipif(not has_namespaces(), reason="needs a file system of its own")
def test_a_full_disk_is_one_sentence_and_no_restart(files: Path, tmp_path: Path) -> None:
    """A real file system without space; what was saved before stays."""
    runs = tmp_path / "runs"
    runs.mkdir()
    script = """
        mount -t tmpfs -o size=300m tmpfs "$0"
        HALF_KIMG=400 "$@" >/dev/null &
        while ! [ -e "$0/generator-32/bundle/model.yaml" ]; do sleep 0.1; done
        kill $!; wait
        head -c 400m /dev/zero > "$0/ballast" 2>/dev/null
        HALF_KIMG=400 "$@"
        echo "ended with status $?"
        rm "$0/ballast"
        HALF_KIMG=0.001 "$@" && echo "went on"
    """
    command = ["unshare", "-rm", "sh", "-c", script, str(runs)]
    command += [sys.executable, str(SCRIPTS / "train-portrait"), str(runs), *all_options(files)]
    settings = {"RESOLUTION": "32", "EXTRA": "--snapshot-kimg 0.02 --tick-kimg 0.02"}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | SMALL | settings
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert "ended with status 2" in done.stdout, done.stdout + done.stderr
    assert "restarting it" not in done.stdout
    assert done.stderr.count("cannot be written") == done.stderr.count("\n") == 1
    assert "free some space" in done.stderr
    assert done.stdout.endswith("went on\n")


@pytest.mark.slow
def test_detached_it_outlives_its_terminal(files: Path, tmp_path: Path) -> None:
    runs, options = tmp_path / "runs", all_options(files)
    endless = {"RESOLUTION": "32", "HALF_KIMG": "400", "SNAPSHOT_MINUTES": "0.001"}
    terminal = start(runs, *options, "--detach", **endless, EXTRA="--tick-kimg 0.004")
    printed, errors = terminal.communicate(timeout=60)
    assert (terminal.returncode, errors) == (0, "")
    process = int((runs / "pid").read_text())
    assert f"kill {process}" in printed
    again = start(runs, *options, "--detach", **endless)
    assert "another training is running" in again.communicate(timeout=60)[1]
    state, log = runs / "generator-32" / "state.safetensors", runs / "log"
    assert eventually(state.exists, 120), log.read_text()
    os.kill(process, signal.SIGTERM)
    stopped = "stopped, with everything saved"
    assert eventually(lambda: stopped in log.read_text(), 120), log.read_text()


class TestSchedule:
    """What would be started, without starting it."""

    @pytest.fixture
    def stages(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[Any]]:
        schedule = runpy.run_path(str(SCRIPTS / "train-portrait"))["schedule"]

        def stages(networks: tuple[str, ...] = (), **settings: str) -> list[Any]:
            for name, value in settings.items():
                monkeypatch.setenv(name, value)
            return list(schedule(tmp_path, ["--data", "faces"], [*networks], "vgg.pt"))

        return stages

    def test_the_portrait_model(self, stages: Callable[..., list[Any]], tmp_path: Path) -> None:
        more = {"CUDA_GRAPHS": "1", "SNAPSHOT_MINUTES": "2"}
        plan = stages(("lite0.pt",), BATCH="64", GENERATOR_MINUTES="15", FRAMER_KIMG="100", **more)
        names = [stage.folder.name for stage in plan]
        trained = ["generator-128", "generator-256", "inpainter-256"]
        added = ["framer-256", "refinement-256", "detail-256", "naturalness-256"]
        assert names == [*trained, *added]
        assert [stage.minutes for stage in plan] == [0, 15, 0, 0, 0, 0, 0]
        assert [stage.kimg for stage in plan[3:]] == [100, 100, 200, 0]
        half, full, inpainter, framer, refinement, detail, naturalness = (
            " ".join(stage.options) for stage in plan
        )
        assert "--reduce 2" in half
        assert "--grow-from" not in half
        assert "--heads-blur-kimg" in half  # from random weights alone
        assert "--heads-blur-kimg" not in full
        assert "--reduce 1" in full
        assert f"--grow-from {tmp_path}/generator-128/bundle --d-warmup-kimg 2.0" in full
        assert "--ema-kimg 10" in full
        assert "--no-random-noise" in half
        assert "--no-random-noise" not in full
        assert "--random-noise-side 64 --last-noise-strength 0.035" in full
        assert f"--generator {tmp_path}/generator-256/bundle" in inpainter
        assert "--lambda-adversarial 0 " in inpainter
        assert "--images 3000" in naturalness
        for part in (framer, refinement, detail, naturalness):
            assert f"--bundle {tmp_path}/inpainter-256/bundle" in part
        assert "--side 256 --crop 128 --feature-networks lite0.pt --bf16" in detail
        assert "--crop 128 --feature-networks lite0.pt --bf16" in refinement
        for options in (half, full, inpainter):
            assert options.endswith("--snapshot-minutes 2.0 --cuda-graphs")
        assert "--cuda-graphs" not in framer

    def test_a_model_of_half_the_size_is_grown(
        self, stages: Callable[..., list[Any]], tmp_path: Path
    ) -> None:
        G, D = tiny_networks()  # 32 px
        info = save_bundle(tmp_path / "finished", G, Card("finished"), discriminator=D)
        start = f"{info.folder} --reconstruction-only-kimg 2"
        plan = stages(PRESET="compact-64", CONTINUE=str(info.folder))
        assert plan[0].folder.name == "generator-64"
        assert f"--grow-from {start}" in " ".join(plan[0].options)
        plan = stages(RESOLUTION="32")
        assert f"--from {start}" in " ".join(plan[0].options)
        assert "--init" not in plan[1].options  # a generator alone has no inpainter
        earlier = save_bundle(tmp_path / "inpainter-32" / "bundle", tiny_model(), Card("earlier"))
        plan = stages(RESOLUTION="64", CONTINUE="")
        assert [stage.folder.name for stage in plan[:2]] == ["generator-32", "generator-64"]
        assert f"--init {earlier.folder}" in " ".join(plan[2].options)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"RESOLUTION": "64"}, "for portrait-256 give 128 or 256"),
            ({"BATCH": "many"}, "BATCH=many is not a number"),
            ({"CONTINUE": "/nowhere"}, "is not a bundle"),
        ],
    )
    def test_bad_settings_are_one_sentence(
        self, stages: Callable[..., list[Any]], settings: dict[str, str], message: str
    ) -> None:
        with pytest.raises(SystemExit, match=message):
            stages(**settings)


@pytest.mark.slow
def test_heads_ship_in_half_precision_without_their_mixing(tmp_path: Path) -> None:
    """The same seed makes the mixing again; with another one the heads do not fit."""
    network = tiny_feature_network(tmp_path / "network.pt")
    trained, same, other = (tiny_projected(network, seed=seed) for seed in (0, 0, 1))
    rng = torch.Generator().manual_seed(2)
    images = torch.randn(4, 3, 32, 32, generator=rng)
    with torch.no_grad():
        for parameter in trained.trained_parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    trained.calibrate(images)
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    for folder in (first, second, third):
        folder.mkdir()
    save_projected(trained, first)
    assert copy_projected(first, second, torch.float16)
    assert copy_projected(second, third, torch.float16)  # what ships can ship again
    assert (second / FILE).stat().st_size < (first / FILE).stat().st_size / 2
    assert load_projected(third, same)
    assert same.calibrated
    logits = trained(images)
    assert (same(images) - logits).abs().max() < 0.02 * logits.std()
    assert not load_projected(third, other)
    assert not other.calibrated
    assert not copy_projected(tmp_path, third, torch.float16)


@pytest.mark.parametrize("script", ["train-portrait", "ship-portrait"])
def test_outside_of_the_environment_the_message_has_a_remedy(script: str, tmp_path: Path) -> None:
    """-S: a Python without any installed package, as the system's is."""
    command = [sys.executable, "-S", str(SCRIPTS / script)]
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "run `make setup` once" in done.stderr
