"""The training commands: killed and resumed, several processes, options, errors."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from eventually import eventually
from inpaint_model.bundle.direction_store import add_directions, load_vectors
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.cli.train.training_run import add_data_arguments, load_data
from inpaint_model.training.projected.files import FILE as HEADS
from inpaint_model.training.projected.files import copy_projected, load_projected, save_projected
from inpaint_model.training.run_folder import RunFolder
from safetensors.torch import load_file
from short_trainings import TORCHSCRIPT, reached_kimg, same_tensors
from tiny_feature_networks import save_script, tiny_feature_network, tiny_projected
from tiny_networks import tiny_networks
from torch import nn

TWO_PROCESSES = """
import sys
from pathlib import Path

import torch
from inpaint_model.data.dataset import load_images
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training import distributed
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from safetensors.torch import save_file
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks

data, network, out = map(Path, sys.argv[1:])
world = distributed.start("cpu")
images = load_images([data], 32)
run = RunFolder(out / "two")
G, D = tiny_networks()
P = tiny_projected(network)
short = {"total_kimg": 0.016, "batch_size": 8}
train_generator(GeneratorTraining(**short), G, D, images, run, P=P, world=world)
kept = {"generator/G": G, "generator/P": P}
_, D = tiny_networks()
model, P = tiny_model(), tiny_projected(network, seed=1)
options = InpainterTraining(**short, lambda_projected=0.1, d_warmup_kimg=0.0, ramp_kimg=0.0)
perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]))
train_inpainter(options, model, D, perceptual, RunFolder(out / "fill"), P=P, world=world)
kept |= {"inpainter/model": model, "inpainter/P": P}
tensors = {f"{k}/{n}": x.contiguous() for k, m in kept.items() for n, x in m.state_dict().items()}
save_file(tensors, out / f"{world.rank}.safetensors")
distributed.stop(world)
"""
COMMAND = (sys.executable, "-m", "inpaint_model.cli", "train", "generator")
AS_BACKGROUND_JOB = ("sh", "-c", """trap "" INT; exec "$@" """, "sh")  # interrupts are ignored


def arguments(data: Path, out: Path, kimg: float) -> list[str]:
    text = (
        f"--data {data} --out {out} --preset tiny --device cpu --threads 1 --batch-size 8 "
        f"--total-kimg {kimg} --tick-kimg 0.008 --snapshot-kimg 0.008 --ada-target 0"
    )
    return text.split()


class TestCommand:
    @pytest.mark.slow
    @TORCHSCRIPT
    @pytest.mark.parametrize("projected", [False, True])
    def test_killed_at_any_moment_it_continues(
        self, projected: bool, data: Path, network: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "killed"
        extra = ["--feature-networks", str(network)] if projected else []
        process = subprocess.Popen(
            [*COMMAND, *arguments(data, out, 400), *extra], stdout=subprocess.DEVNULL
        )
        written = RunFolder(out).state_path
        assert eventually(written.exists, 120)
        first = written.stat().st_mtime_ns
        assert eventually(lambda: written.stat().st_mtime_ns > first, 120)  # the next snapshot
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached = reached_kimg(out)
        assert 0 < reached < 400
        total = reached + 0.032
        assert main(["train", "generator", *arguments(data, out, total), *extra]) == 0
        whole = tmp_path / "whole"
        assert main(["train", "generator", *arguments(data, whole, total), *extra]) == 0
        assert same_tensors(out / "state.safetensors", whole / "state.safetensors")

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_signals_save_and_it_continues(
        self, number: signal.Signals, data: Path, tmp_path: Path
    ) -> None:
        """With neither line nor snapshot due for long: what is saved is where it was."""
        out = tmp_path / "stopped"
        rare = ["--tick-kimg", "1000", "--snapshot-kimg", "1000"]
        process = subprocess.Popen(
            [*COMMAND, *arguments(data, out, 400), *rare], stdout=subprocess.PIPE, text=True
        )
        assert eventually((out / "stats.jsonl").exists, 120)  # the first step makes a line
        process.send_signal(number)
        assert "stopped, with everything saved" in process.communicate(timeout=60)[0]
        assert process.returncode == 0
        reached = reached_kimg(out)
        assert 0 < reached < 400
        assert read_bundle(out / "bundle").card.trained_kimg == reached
        total = reached + 0.032
        assert main(["train", "generator", *arguments(data, out, total)]) == 0
        whole = tmp_path / "whole"
        assert main(["train", "generator", *arguments(data, whole, total)]) == 0
        assert same_tensors(out / "state.safetensors", whole / "state.safetensors")

    @pytest.mark.slow
    @pytest.mark.parametrize("start", [(), AS_BACKGROUND_JOB], ids=["foreground", "background"])
    def test_a_second_interrupt_does_not_save(
        self, start: tuple[str, ...], data: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "interrupted"
        rare = ["--tick-kimg", "1000", "--snapshot-kimg", "1000", "--batch-size", "512"]
        process = subprocess.Popen(
            [*start, *COMMAND, *arguments(data, out, 400), *rare], stderr=subprocess.PIPE, text=True
        )
        assert eventually((out / "stats.jsonl").exists, 120)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "press Ctrl-C again" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == ""
        assert process.returncode == 130
        assert not (out / "state.safetensors").exists()

    def test_minutes_end_it_before_all_images_are_seen(self, data: Path, tmp_path: Path) -> None:
        command = [*arguments(data, tmp_path / "run", 400), "--max-minutes", "1e-6"]
        assert main(["train", "generator", *command]) == 0
        assert reached_kimg(tmp_path / "run") == 0  # loading takes longer than this
        assert read_bundle(tmp_path / "run" / "bundle").kind == "generator"

    @pytest.mark.slow
    def test_two_processes_equal_one(self, data: Path, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        assert main(["train", "generator", *arguments(data, one, 0.032)]) == 0
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        torchrun += ["--nproc-per-node", "2", "-m", *COMMAND[2:]]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(
            [*torchrun, *arguments(data, two, 0.032)], check=True, env=environment, timeout=300
        )
        first, second = (load_file(p / "state.safetensors") for p in (one, two))
        # Sums are computed in another order, and Adam without momentum makes a full step of a
        # gradient however small: single weights differ, but the network hardly does.
        names = [name for name in first if name.startswith("G_ema/")]
        whole, parts = (torch.cat([t[n].flatten().float() for n in names]) for t in (first, second))
        assert (whole - parts).norm() / whole.norm() < 1e-3
        one_step = torch.cat([v.flatten() for v in tiny_networks()[0].state_dict().values()])
        assert (whole - one_step).norm() / whole.norm() > 1e-3  # it did train

    @pytest.mark.slow
    @TORCHSCRIPT
    def test_processes_stay_equal_against_projected_discriminators(
        self, data: Path, network: Path, tmp_path: Path
    ) -> None:
        """Each normalizes by its own share's statistics, so two do not do what one does; but all
        have the same weights at every moment."""
        script = tmp_path / "train.py"
        script.write_text(TWO_PROCESSES)
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        torchrun += ["--nproc-per-node", "2", str(script), str(data), str(network), str(tmp_path)]
        paths = [str(Path(__file__).parents[2] / "support"), *sys.path]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
        subprocess.run(torchrun, check=True, env=environment, timeout=300)
        trained, other = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
        differ = {name for name, value in trained.items() if not torch.equal(value, other[name])}
        assert differ == {"generator/G/mapping.w_avg"}  # an estimate from a process's own codes
        start = tiny_projected(network)
        for kind in ("generator", "inpainter"):
            for name, value in start.heads.named_parameters():
                assert not torch.equal(trained[f"{kind}/P/heads.{name}"], value)
        G = dict(tiny_networks()[0].named_parameters())
        name = "synthesis.b32.conv1.weight"
        assert not torch.equal(trained[f"generator/G/{name}"], G[name])

    @pytest.mark.slow
    @TORCHSCRIPT
    def test_heads_go_on_from_a_bundle(
        self, data: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        extra = ["--feature-networks", str(network)]
        assert main(["train", "generator", *arguments(data, first, 0.016), *extra]) == 0
        assert "training new ones" not in capsys.readouterr().out
        assert read_bundle(first / "bundle").discriminator is None
        extra += ["--from", str(first / "bundle")]
        assert main(["train", "generator", *arguments(data, second, 0.016), *extra]) == 0
        assert "training new ones" not in capsys.readouterr().out
        assert same_tensors(first / "bundle" / HEADS, second / "bundle" / HEADS)  # nothing to do
        extra += ["--with-discriminator"]
        third = tmp_path / "third"
        assert main(["train", "generator", *arguments(data, third, 0.024), *extra]) == 0
        assert read_bundle(third / "bundle").discriminator is not None
        assert not same_tensors(first / "bundle" / HEADS, third / "bundle" / HEADS)

        shipped = Path(shutil.copytree(first / "bundle", tmp_path / "shipped"))
        assert copy_projected(first / "bundle", shipped, torch.float16)  # without the mixing
        command = [*arguments(data, tmp_path / "seeded", 0.016), *extra[:2]]
        assert main(["train", "generator", *command, "--from", str(shipped), "--seed", "5"]) == 0
        assert "training new ones" not in capsys.readouterr().out

        extra[1] = str(tiny_feature_network(tmp_path / "other.pt", seed=1))
        fourth = tmp_path / "fourth"
        assert main(["train", "generator", *arguments(data, fourth, 0.016), *extra]) == 0
        printed = capsys.readouterr().out
        assert (
            f"no matching discriminator heads found in {first / 'bundle'}: training new ones"
            in printed
        )

    @pytest.mark.slow
    @TORCHSCRIPT
    def test_inpainter_against_projected_discriminators(
        self, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Around a generator that was trained against heads alone: there is no discriminator."""
        heads = tiny_projected(network, seed=4)
        bundle = save_bundle(
            tmp_path / "g",
            tiny_networks()[0],
            Card("g", alignment="cats"),
            write_extra=partial(save_projected, heads),
        ).folder
        features = save_script(nn.Conv2d(3, 4, 3), tmp_path / "features.pt")
        base = ["train", "inpainter", "--generator", str(bundle), "--preset", "tiny"]
        base += ["--device", "cpu", "--total-kimg", "0.008", "--out", str(tmp_path / "run")]

        def complaint(*more: str) -> str:
            assert main([*base, *more]) == 2
            error = capsys.readouterr().err
            assert error.count("\n") == 1
            return error

        alone = ["--lambda-adversarial", "0"]
        fill = [*alone, "--lambda-projected", "0.1"]
        networks = ["--feature-networks", str(network)]
        compared = ["--features", str(features)]
        assert "holds no StyleGAN2 discriminator" in complaint()
        assert "give --features or --vgg16" in complaint(*fill, *networks)
        assert "belong together" in complaint(*fill, *compared)
        assert "belong together" in complaint(*alone, *networks, *compared)
        assert not (tmp_path / "run").exists()  # nothing was begun
        capsys.readouterr()

        assert main([*base, *fill, *networks, *compared]) == 0
        assert "training new ones" not in capsys.readouterr().out  # those of the generator
        info = read_bundle(tmp_path / "run" / "bundle")
        assert info.card.alignment == "cats", "the generator's"
        assert info.discriminator is None
        again = tiny_projected(network)
        assert load_projected(info.folder, again)
        mixing = heads.projections.get_buffer("0.across_channels0")
        assert torch.equal(again.projections.get_buffer("0.across_channels0"), mixing)

        more = [*fill, *networks, *compared, "--init", str(info.folder), "--total-kimg", "0.016"]
        assert main([*base, *more, "--out", str(tmp_path / "more")]) == 0
        assert "training new ones" not in capsys.readouterr().out

    @pytest.mark.slow
    @TORCHSCRIPT
    def test_inpainter_from_the_command_line(self, tmp_path: Path) -> None:
        G, D = tiny_networks()
        info = save_bundle(tmp_path / "g", G, Card("g"), discriminator=D)
        edit = Direction(
            "age", "own", (0,), 1.0, (-2.0, 2.0), generator_sha256=info.generator_sha256
        )
        add_directions(tmp_path / "g", [(edit, torch.ones(G.config.w_dim))])
        base = ["train", "inpainter", "--generator", str(tmp_path / "g"), "--preset", "tiny"]
        base += ["--device", "cpu", "--total-kimg", "0.016"]
        assert main([*base, "--out", str(tmp_path / "first")]) == 0
        again = [*base, "--init", str(tmp_path / "first" / "bundle"), "--total-kimg", "0.032"]
        assert main([*again, "--out", str(tmp_path / "second")]) == 0
        second = read_bundle(tmp_path / "second" / "bundle")
        assert second.card.trained_kimg == 0.032
        assert second.directions == (edit,)  # the generator's
        assert load_vectors(second)["age"].tolist() == [1.0] * G.config.w_dim

        other = save_bundle(tmp_path / "h", tiny_networks(seed=4)[0], Card("h"), discriminator=D)
        save_script(nn.Conv2d(3, 4, 3), tmp_path / "features.pt")
        onto = [
            *again,
            "--generator",
            str(other.folder),
            "--features",
            str(tmp_path / "features.pt"),
        ]
        onto += ["--bf16", "--perceptual-side", "16", "--out", str(tmp_path / "third")]
        assert main(onto) == 0
        third = read_bundle(tmp_path / "third" / "bundle")
        assert third.generator_sha256 == other.generator_sha256  # --init brings all but that

        later = replace(edit, name="found while it trains")
        add_directions(second.folder, [(later, torch.ones(G.config.w_dim))])
        assert main([*again, "--out", str(tmp_path / "second"), "--total-kimg", "0.048"]) == 0
        assert read_bundle(second.folder).directions == (edit, later)

    @pytest.mark.slow
    def test_several_sources_replaced_and_weighted(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        more, copies, weights = tmp_path / "more", tmp_path / "copies", tmp_path / "weights.csv"
        for folder, names in ((more, ["b0.png", "b1.png"]), (copies, ["0.png", "x.png"])):
            folder.mkdir()
            for name in names:
                (folder / name).write_bytes((data / "7.png").read_bytes())
        weights.write_text("file,weight\nb*,3\n")
        tables = [tmp_path / "first.csv", tmp_path / "second.csv"]
        tables[0].write_text("file,crop_px\n" + "".join(f"{i}.png,256\n" for i in range(24)))
        tables[1].write_text("file,crop_px\n1.png,100\nb0.png,100\nb1.png,300\n")
        command = arguments(data, tmp_path / "run", 0.016)
        command += ["--data", str(more), "--replace", str(copies), "--weights", str(weights)]
        command += ["--manifest", *map(str, tables), "--min-crop", "256"]

        parser = argparse.ArgumentParser()
        add_data_arguments(parser, required=True, use="to learn from")
        loaded, drawn = load_data(parser.parse_known_args(command)[0], 32)
        assert len(loaded) == 26
        assert torch.equal(loaded.pixels[0], loaded.pixels[loaded.names.index("7.png")])
        assert drawn is not None
        often = dict(zip(loaded.names, drawn.tolist(), strict=True))
        assert {name: weight for name, weight in often.items() if weight != 1} == {
            "1.png": 0, "b0.png": 0, "b1.png": 3
        }  # fmt: skip

        assert main(["train", "generator", *command]) == 0
        printed = capsys.readouterr().out
        assert "1 of them are replaced" in printed
        assert "2 of them have a weight other than 1" in printed
        assert "24 of them have a crop_px of 256 or more" in printed
        (line,) = (tmp_path / "run" / "options.jsonl").read_text("utf-8").splitlines()
        assert json.loads(line)["data"] == [str(data), str(more)]
        assert json.loads(line)["weights"] == str(weights)

    def test_dry_run_touches_nothing(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "run"
        assert main(["train", "generator", *arguments(data, out, 1), "--dry-run"]) == 0
        assert json.loads(capsys.readouterr().out)["total_kimg"] == 1
        assert not out.exists()

    @pytest.mark.slow
    @TORCHSCRIPT
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                ["--feature-networks", __file__],
                "test_training_commands.py is not a TorchScript file",
            ),
            (["--feature-networks", "/nowhere"], "nowhere"),
            (["--feature-networks", "{three}"], "need 4 square maps"),
            (["--feature-networks", "{four}", "--batch-size", "1"], "batch of at least two"),
            (["--with-discriminator"], "needs --feature-networks"),
            (["--data", "/nowhere"], "nowhere"),
            (["--preset", "huge"], "unknown preset 'huge'; known are paper-256"),
            (["--from", "/nowhere"], "nowhere"),
            (["--reduce", "3"], "power of two"),
            (["--min-crop", "200"], "give --manifest"),
            (["--replace", "/nowhere"], "nowhere"),
        ],
    )
    def test_bad_input_is_one_sentence(
        self,
        data: Path,
        network: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        change: list[str],
        message: str,
    ) -> None:
        three = tiny_feature_network(tmp_path / "three.pt", channels=(4, 4, 4))
        change = [word.format(three=three, four=network) for word in change]
        assert main(["train", "generator", *arguments(data, tmp_path / "r", 1), *change]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
