"""Measure everything that depends on the GPU, most important first, within a time limit.

    python -m benchmarks.gpu --json FILE [--minutes 2] [--device cuda:0] [--presets ...]
        [--train-presets ...] [--batch-size 64] [--feature-networks FILE ...]

FILE is replaced after every measurement, so that an interrupted run keeps its results. If a
measurement fails, the reason is recorded and the others continue. Measured are

- two ceilings: the bandwidth of a copy in memory, and a matrix product in bfloat16;
- filling, in ms, with random weights: rendering, fills and codes of 1, 4 and 8 candidates, the
  first candidate, an edit until its pixels are in CPU memory; the memory used; and the lower bound
  of each with these ceilings (`benchmarks.roofline`);
- for comparison, interleaved with ours: the generator as NVIDIA wrote it, with grouped
  convolutions, in eager mode and with torch.compile;
- training, in images per second: generator and inpainter in eager mode and with `--cuda-graphs`,
  and the generator with `--compile`.

`--device cpu --presets tiny --train-presets tiny --batch-size 8` tries everything without a GPU.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.direction_store import add_directions
from inpaint_model.bundle.directions import Direction
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.data.dataset import ImageSet
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.networks.config import DiscriminatorConfig, GeneratorConfig, channel_table
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.presets import Preset, inpainting_config, preset
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import load_feature_network
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from torch import nn

from benchmarks.roofline import Cost, filling
from benchmarks.synthesis import grouped_synthesis, milliseconds, untrained

COUNTS = (1, 4, 8)
REPEATS = 20
LEARNING = 12.0  # seconds of each training
COPIED = 2**30  # bytes


def sizes_of(name: str) -> Preset:
    """Return a preset, or `paper-512` or `paper-1024`: the paper's networks with more blocks."""
    family, _, side = name.partition("-")
    if family != "paper" or side in ("256", "256-half"):
        return preset(name)
    sizes, R = preset("paper-256"), int(side)
    channels = channel_table(R, 32768, 512)
    generator: GeneratorConfig = replace(sizes.generator, resolution=R, channels=channels)
    return replace(sizes, generator=generator, discriminator=DiscriminatorConfig(R, channels))


class Report:
    """The measurements so far, in a file that is always complete."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path, self._end = path, time.monotonic() + seconds
        self.figures: dict[str, Any] = {}

    def take(self, name: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Measure, unless the time is over; store and print the results, or why there are none."""
        figures: dict[str, Any] = {}
        if time.monotonic() > self._end:
            self.figures[name] = {"not measured": "the time limit was reached"}
        else:
            try:
                figures = measure()
                self.figures[name] = figures
            except Exception as error:  # a failure must not prevent the other measurements
                self.figures[name] = {"not measured": f"{type(error).__name__}: {error}"}
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self.figures, indent=1) + "\n", "utf-8")
        part.replace(self._path)
        shown = (
            f"{k} {v:.4g}" if isinstance(v, float) else v for k, v in self.figures[name].items()
        )
        print(f"{name}: {', '.join(shown)}", flush=True)
        return figures


def seconds_of(call: Callable[[], object]) -> float:
    """Return the median wall-clock time of a call, with the device idle before and after."""
    return milliseconds({"call": call}, REPEATS)["call"] / 1000


def ceilings(device: torch.device) -> dict[str, float]:
    """Measure the bandwidth of a copy (read and written), and the speed of a matrix product."""
    small = device.type == "cpu"
    source = torch.randint(0, 255, (COPIED // (64 if small else 1),), dtype=torch.uint8).to(device)
    target, side = torch.empty_like(source), 512 if small else 8192
    a, b = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    copy = seconds_of(lambda: target.copy_(source))
    product = seconds_of(lambda: a @ b)
    return {
        "terabytes_per_s": 2 * source.numel() / copy / 1e12,
        "tflops": 2 * side**3 / product / 1e12,
    }


def serving(name: str, device: torch.device) -> dict[str, float]:
    """Measure the times of filling, in ms, and the peak GPU memory in MiB."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    inpainter = untrained(sizes_of(name), "hierarchical", device, best_dtype(device))
    R = inpainter.resolution
    image = np.random.default_rng(0).integers(0, 256, (R, R, 3), dtype=np.uint8)
    hole = np.zeros((R, R), np.uint8)
    hole[R // 4 : -R // 4, R // 4 : -R // 4] = 255
    encoding = inpainter.encode(image, hole)
    codes = {count: inpainter.sample(encoding, list(range(count))) for count in COUNTS}

    def fill(count: int) -> None:
        seen = inpainter.encode(image, hole)
        inpainter.render(seen, inpainter.sample(seen, list(range(count))))

    calls: dict[str, Callable[[], object]] = {
        "encode": lambda: inpainter.encode(image, hole),
        "first candidate": lambda: fill(1),
        "live edit": lambda: inpainter.render(encoding, codes[1] + np.float32(0.1)),
    }
    for count in COUNTS:
        calls[f"codes {count}"] = partial(inpainter.sample, encoding, list(range(count)))
        calls[f"render {count}"] = partial(inpainter.render, encoding, codes[count])
        calls[f"fill {count}"] = partial(fill, count)
    figures = milliseconds(calls, REPEATS)
    if device.type == "cuda":
        figures["peak MiB"] = torch.cuda.max_memory_allocated(device) / 2**20
    return figures


def through_socket(name: str, device: torch.device) -> dict[str, float]:
    """Measure the milliseconds from a request to its pixels, with a daemon and random weights."""
    from inpaint_client import BlockingClient, seed_sequence

    from benchmarks.daemon import (
        HOLE,
        Way,
        edit_time,
        make_job,
        measured,
        running_daemon,
        through_client,
    )

    torch.manual_seed(0)
    model = make_model(inpainting_config(sizes_of(name)))
    model.estimate_w_statistics(1000)
    w_dim, num_ws = model.config.generator.w_dim, model.config.generator.num_ws
    vector = nn.functional.normalize(torch.randn(w_dim), dim=0)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "random"
        info = save_bundle(bundle, model, Card("random"), dtype="fp16")
        own = info.generator_sha256
        styles = tuple(range(num_ws))
        some = Direction("some", "demo", styles, 1.0, (-3.0, 3.0), generator_sha256=own)
        add_directions(bundle, [(some, vector)])
        del model
        with (
            running_daemon(str(bundle), str(device)) as (endpoint, pid),
            BlockingClient(lambda: endpoint) as client,
        ):
            for count in COUNTS:
                job = replace(make_job(), seeds=seed_sequence(1, count))
                way = Way("", partial(through_client, client, job), count)
                samples = [measured(way, pid) for _ in range(REPEATS + 2)][2:]
                figures[f"first of {count}"] = statistics.median(x.first for x in samples)
                figures[f"all {count}"] = statistics.median(x.last for x in samples)
            for side in (256, HOLE):
                figures[f"live edit, {side} px"] = edit_time(client, make_job(side), "some", 20)
    return figures


def floors(name: str, ceiling: dict[str, float]) -> dict[str, float]:
    """Return the lower bound of each row with the measured ceilings, in ms."""
    costs: dict[str, Cost] = dict(filling(sizes_of(name)))
    return {
        what: max(cost.tflop / ceiling["tflops"], cost.weights / 1e3 / ceiling["terabytes_per_s"])
        * 1e3
        for what, cost in costs.items()
    }


def yardsticks(name: str, device: torch.device, compiled: bool) -> dict[str, float]:
    """Time synthesis with grouped convolutions and ours, interleaved, in ms."""
    torch.manual_seed(0)
    plain: nn.Module = make_model(inpainting_config(sizes_of(name))).generator.synthesis
    plain = plain.to(device).eval().requires_grad_(False)
    ours = untrained(sizes_of(name), "hierarchical", device, best_dtype(device))
    function: Callable[..., Any] = grouped_synthesis
    if compiled:
        function = torch.compile(grouped_synthesis, dynamic=False)
    mixed = device.type == "cuda"
    figures: dict[str, float] = {}
    for count in COUNTS:
        ws = torch.randn(count, ours.num_ws, ours.w_dim, device=device)

        def grouped(ws: torch.Tensor = ws) -> object:
            with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=mixed):
                return function(plain, ws)

        taken = milliseconds(
            {"grouped": grouped, "ours": partial(ours.synthesis, ws)},
            REPEATS // 2,
        )
        figures |= {f"{what} {count}": x for what, x in taken.items()}
    return figures


class StartedLate(Deadline):
    """A deadline that starts with the first step, so that compiling before it does not count."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    @property
    def passed(self) -> bool:
        """Whether the time is over; the first call starts the clock."""
        if self._end == math.inf:
            self._end = time.monotonic() + self._seconds
        return super().passed


def learning(
    name: str,
    kind: str,
    device: torch.device,
    batch: int,
    feature_networks: list[Path],
    **how: bool,
) -> dict[str, float]:
    """Return images per second of a training: the median of its progress lines except the first.

    `how` are further options, such as cuda_graphs.
    """
    sizes = sizes_of(name)
    R = sizes.generator.resolution
    G, D = Generator(sizes.generator), Discriminator(sizes.discriminator)
    P = None
    if feature_networks:
        loaded = [load_feature_network(path, torch.bfloat16) for path in feature_networks]
        P = ProjectedDiscriminator(loaded, R, torch.bfloat16)
    pixels = torch.randint(0, 256, (256, 3, R, R), dtype=torch.uint8)
    images = ImageSet(tuple(map(str, range(len(pixels)))), pixels)
    deadline = StartedLate(LEARNING)
    common: dict[str, Any] = {"batch_size": batch, "tick_kimg": 2 * batch / 1000, "bf16": True}
    common |= how
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        run = RunFolder(Path(folder))
        if kind == "generator":
            options = GeneratorTraining(**common, random_noise=P is None)
            judge = None if P else D
            train_generator(options, G, judge, images, run, P=P, device=device, deadline=deadline)
        else:
            fill = InpainterTraining(
                **common,
                d_warmup_kimg=0.0,
                ramp_kimg=0.0,
                real_fraction=0.7,
                lambda_adversarial=0.0 if P else 0.08,
                lambda_projected=0.2 if P else 0.0,
                lambda_edit=0.3,
                lambda_coarse=2.0,
                lambda_whole=2.0,
            )
            model = make_model(inpainting_config(sizes, "hierarchical"), G)
            perceptual = PerceptualLoss(discriminator_features(D.to(device), torch.bfloat16))
            train_inpainter(
                fill,
                model,
                None if P else D,
                perceptual,
                run,
                P=P,
                images=images,
                device=device,
                deadline=deadline,
            )
        lines = (run.path / "stats.jsonl").read_text("utf-8").splitlines()
    rates = [x["images_per_s"] for x in map(json.loads, lines) if "images_per_s" in x]
    return {"images_per_s": statistics.median(rates[1:] or rates), "lines": float(len(rates))}


def main(arguments: list[str] | None = None) -> None:
    """Run all measurements and write the results to a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--minutes", type=float, default=2.0, metavar="M", help="time limit (default: 2)"
    )
    parser.add_argument("--device", default="cuda:0", help="device to measure (default: cuda:0)")
    serve = ["paper-256", "compact-256", "paper-512", "paper-1024"]
    parser.add_argument("--presets", nargs="+", default=serve, help="presets to fill with")
    parser.add_argument(
        "--train-presets",
        nargs="+",
        default=["portrait-256", "paper-256-half"],
        help="presets to train",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="batch size of trainings (default: 64)",
    )
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="train against projected discriminators on these networks",
    )
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch found no CUDA device: give --device cpu to try the benchmark")
    report = Report(args.json, args.minutes * 60)
    report.figures["about"] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    ceiling = report.take("ceilings", partial(ceilings, device))
    for name in args.presets:
        report.take(f"filling {name}", partial(serving, name, device))
        if name == args.presets[0]:
            report.take(f"socket {name}", partial(through_socket, name, device))
        if ceiling:
            report.take(f"floor {name}", partial(floors, name, ceiling))
    networks, first = args.feature_networks, args.presets[0]
    both, batch = ("generator", "inpainter"), args.batch_size

    def train(kinds: tuple[str, ...], suffix: str, **how: bool) -> None:
        for name in args.train_presets:
            for kind in kinds:
                measure = partial(learning, name, kind, device, batch, networks, **how)
                report.take(f"training {kind} {name}{suffix}", measure)

    train(both, "")
    train(both, ", graphs", cuda_graphs=True)
    report.take(f"grouped {first}", partial(yardsticks, first, device, False))
    train(("generator",), ", compiled", compile=True)
    report.take(f"grouped {first}, compiled", partial(yardsticks, first, device, True))


if __name__ == "__main__":
    main()
