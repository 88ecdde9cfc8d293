"""Count the operations of filling and training on a GPU without one, and bound their speed.

    python -m benchmarks.roofline [--presets compact-256 portrait-256 paper-256] [--batch-size 64]
        [--tflops 989] [--terabytes 3.35] [--feature-networks FILE ...]

Everything runs on torch's meta device, where tensors have shapes but no values. Each row contains

- the floating-point operations of matrix products and convolutions;
- the bytes that all operations read and write if none are fused;
- the number of kernel launches, with an optimizer step counted as one;
- for trainings, the launches with `--cuda-graphs`, with a phase counted as one;
- the floor: the time of the operations at `--tflops`, or, if that is more, of reading the weights
  once at `--terabytes`; the defaults are an H100's data sheet, for dense bfloat16;
- the time of the bytes at `--terabytes`, which fusing operations brings closer to the floor;
- the memory of all tensors that exist at once, without what libraries allocate.

Bytes are counted for bfloat16 in filling and for float32 in training. Mixed precision, which the
meta device does not support, nearly halves the latter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.data.dataset import ImageSet
from inpaint_model.inference.memory_footprint import peak_bytes
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.hierarchical_model import HierarchicalModel
from inpaint_model.networks.presets import Preset, inpainting_config, preset
from inpaint_model.training import phases
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.phases import Replay
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import load_feature_network
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from torch import Tensor, nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.synthesis import untrained

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/support"))
from meta_device import META, Silent, meta_device

PRESETS = ["compact-256", "portrait-256", "paper-256"]
STEPS = 16  # of a training: one interval of lazy regularization


@dataclass
class Cost:
    """The cost of a call."""

    tflop: float = 0.0
    gigabytes: float = 0.0  # read and written, operation by operation
    launches: float = 0.0
    graphed: float | None = None  # launches with CUDA graphs
    weights: float = 0.0  # gigabytes, read at least once
    peak: float = 0.0  # gigabytes that exist at once, with the weights

    def __truediv__(self, count: float) -> Cost:
        """Return the mean of `count` calls; memory is not divided."""
        graphed = None if self.graphed is None else self.graphed / count
        return Cost(
            self.tflop / count,
            self.gigabytes / count,
            self.launches / count,
            graphed,
            self.weights,
            self.peak,
        )


class Counting(TorchDispatchMode):
    """Counts operations on the meta device and their bytes; an optimizer step counts as one."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.cost, self._stepping, self.recording = Cost(), False, False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # in inference mode, composite operations must be decomposed here
            parts = func.decompose(*args, **kwargs)
        if parts is not NotImplemented:
            return parts
        result = func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs, result)) if isinstance(x, Tensor)]
        allocates = func.name().startswith(("aten::empty", "aten::new_empty"))  # only allocates
        if not func.is_view and not allocates and any(x.device == META for x in tensors):
            # Tensors changed in place count twice, as arguments and as results.
            self.cost.gigabytes += sum(x.numel() * x.element_size() for x in tensors) / 1e9
            self.cost.launches += not (self._stepping or self.recording)
        if func._overloadpacket in flop_registry:
            flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
            self.cost.tflop += flops / 1e12
        return result

    @contextmanager
    def optimizers_as_one(self) -> Iterator[None]:
        """Count the launches of each optimizer step as one, as in its fused form."""

        def before(*_: object) -> None:
            self._stepping = True

        def after(*_: object) -> None:
            self._stepping = False
            self.cost.launches += 1

        hooks = [
            register_optimizer_step_pre_hook(before),
            register_optimizer_step_post_hook(after),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def cost_of(call: Callable[[], object], *networks: nn.Module) -> Cost:
    """Count the cost of `call` on the meta device, which reads the weights of `networks`."""
    counting = Counting()
    with meta_device(), counting, counting.optimizers_as_one():
        counting.cost.peak = peak_bytes(call) / 1e9
    for network in networks:
        tensors = (*network.parameters(), *network.buffers())
        counting.cost.weights += sum(x.numel() * x.element_size() for x in tensors) / 1e9
    counting.cost.peak += counting.cost.weights
    return counting.cost


class GraphRecorder:
    """Phases as CUDA graphs: recording counts no launches, a replay counts one."""

    device = META

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """Run `work`."""
        return work()

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        """Run `work` without counting its launches; each call of the replay counts one."""
        self._counting.recording = True
        try:
            return work(), self._replay
        finally:
            self._counting.recording = False

    def _replay(self) -> None:
        self._counting.cost.launches += 1


def graphed_launches(train: Callable[[], object]) -> float:
    """Count the launches of a training with `cuda_graphs`, all phases recorded from the start."""
    counting = Counting()
    with pytest.MonkeyPatch.context() as patched, meta_device(), counting:
        patched.setattr(phases, "recorder_for", lambda device: GraphRecorder(counting))
        patched.setattr(phases, "WARM_UPS", 0)
        with counting.optimizers_as_one():
            train()
    return counting.cost.launches


def filling(sizes: Preset) -> Iterator[tuple[str, Cost]]:
    """Yield the costs of encoding, synthesis and fills."""
    R = sizes.generator.resolution
    image, hole = np.zeros((R, R, 3), np.uint8), np.full((R, R), 255, np.uint8)
    with meta_device():
        inpainter = untrained(sizes, "hierarchical", META, "bf16")
    model = inpainter._model
    assert isinstance(model, HierarchicalModel)
    encoder = model.encoder
    yield "encode", cost_of(lambda: inpainter.encode(image, hole), encoder)
    with meta_device():
        encoding = inpainter.encode(image, hole)

    def whole_fill(seeds: list[int]) -> object:
        encoding = inpainter.encode(image, hole)
        return inpainter.render(encoding, inpainter.sample(encoding, seeds))

    for count in (1, 8):
        codes = np.zeros((count, inpainter.num_ws, inpainter.w_dim), np.float32)
        rendering = partial(inpainter.render, encoding, codes)
        yield f"render {count}", cost_of(rendering, model.generator)
        yield f"fill {count}", cost_of(partial(whole_fill, list(range(count))), model)


class Networks(NamedTuple):
    """The networks for a training; new each time, since training changes them."""

    G: Generator
    D: Discriminator
    P: ProjectedDiscriminator | None
    images: ImageSet


def networks(sizes: Preset, feature_networks: list[Path]) -> Networks:
    """Create networks with random weights, and black images."""
    R = sizes.generator.resolution
    P = None
    if feature_networks:
        P = ProjectedDiscriminator([load_feature_network(path) for path in feature_networks], R)
    images = ImageSet(("0", "1"), torch.zeros(2, 3, R, R, dtype=torch.uint8))
    return Networks(Generator(sizes.generator), Discriminator(sizes.discriminator), P, images)


def training(
    sizes: Preset, batch: int, feature_networks: list[Path], folder: Path
) -> Iterator[tuple[str, Cost]]:
    """Yield the costs of an average step of both trainings, including regularization."""
    kimg = STEPS * batch / 1000
    length: dict[str, Any] = {"total_kimg": kimg, "tick_kimg": 2 * kimg, "batch_size": batch}

    def generator(heads: bool, **changes: bool) -> tuple[Callable[[], object], list[nn.Module]]:
        G, D, P, images = networks(sizes, feature_networks if heads else [])
        options = GeneratorTraining(**length, random_noise=not heads, **changes)
        judge, run = None if heads else D, RunFolder(folder)
        return lambda: train_generator(
            options, G, judge, images, run, P=P, device=META, world=Silent()
        ), [G, P or D]

    def inpainter(heads: bool, **changes: bool) -> tuple[Callable[[], object], list[nn.Module]]:
        G, D, P, images = networks(sizes, feature_networks if heads else [])
        model = make_model(inpainting_config(sizes, "hierarchical"), G)
        options = InpainterTraining(
            **length,
            d_warmup_kimg=0,
            ramp_kimg=0,
            lambda_adversarial=0.0 if heads else 0.08,
            lambda_projected=0.2 if heads else 0.0,
            **changes,
        )
        perceptual = PerceptualLoss(discriminator_features(D.to(META)))
        judge, run = None if heads else D, RunFolder(folder)
        return lambda: train_inpainter(
            options, model, judge, perceptual, run, P=P, images=images, device=META,
            world=Silent(),
        ), [model, P or D]  # fmt: skip

    def cost(make: Callable[..., tuple[Callable[[], object], list[nn.Module]]]) -> Cost:
        train, read = make(heads)
        found = cost_of(train, *read)
        found.graphed = graphed_launches(make(heads, cuda_graphs=True)[0])
        return found / STEPS

    for heads in (False, True) if feature_networks else (False,):
        against = "heads" if heads else "StyleGAN2's D"
        yield f"train generator against {against}, batch {batch}", cost(generator)
        yield f"train inpainter against {against}, batch {batch}", cost(inpainter)


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--presets",
        nargs="+",
        default=["compact-256", "portrait-256", "paper-256"],
        help="presets of network sizes (default: compact-256 portrait-256 paper-256)",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=64,
        metavar="N",
        help="batch size of trainings (default: 64)",
    )
    parser.add_argument(
        "--tflops",
        type=float,
        default=989.0,
        help="speed in 10^12 operations per second (default: 989)",
    )
    parser.add_argument(
        "--terabytes",
        type=float,
        default=3.35,
        help="memory bandwidth in terabytes per second (default: 3.35)",
    )
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="train against projected discriminators on these networks as well",
    )
    args = parser.parse_args(arguments)
    print(
        "| preset | what | TFLOP | GB | launches | with graphs | floor, ms | bytes, ms | peak, GB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in args.presets:
        sizes = preset(name)
        with tempfile.TemporaryDirectory() as folder:
            rows = [*filling(sizes)]
            rows += training(sizes, args.batch_size, args.feature_networks, Path(folder))
        for what, cost in rows:
            floor = max(cost.tflop / args.tflops, cost.weights / 1e3 / args.terabytes) * 1e3
            moved = cost.gigabytes / args.terabytes
            graphed = "" if cost.graphed is None else f"{cost.graphed:.0f}"
            print(
                f"| {name} | {what} | {cost.tflop:.3g} | {cost.gigabytes:.3g} | "
                f"{cost.launches:.0f} | {graphed} | {floor:.3g} | {moved:.3g} | "
                f"{cost.peak:.3g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
