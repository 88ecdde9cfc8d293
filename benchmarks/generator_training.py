r"""Time the parts of a training step of a generator against projected discriminators.

    python -m benchmarks.generator_training --feature-networks lite0.pt face.pt \
        [--preset portrait-256] [--reduce 2] [--batch-size 16] [--threads 1] [--compile] [--fp32]

Prints milliseconds per image for each part (CPU time, the minimum of `--rounds`) and the resulting
images per second. The gradient of the feature networks is also timed in TorchScript, for
comparison.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.inference.host_memory import keep_freed_memory
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.ops import channels_last
from inpaint_model.networks.presets import preset, reduced
from inpaint_model.training import losses
from inpaint_model.training.compiling import compiled
from inpaint_model.training.optimizers import adam
from inpaint_model.training.projected.diffaugment import changed, random_changes
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import load_feature_network
from torch import Tensor, nn


def milliseconds(part: Callable[[], object], images: int, rounds: int) -> float:
    """Return the minimum CPU time of a call, per image, not counting the first call."""
    part()
    lowest = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        part()
        lowest = min(lowest, time.process_time() - start)
    return 1000 * lowest / images


def with_gradient(network: nn.Module, images: Tensor) -> Callable[[], object]:
    """Return a function that runs a feature network forward and backward to the images."""
    with torch.no_grad():
        seeds = [torch.randn_like(x) for x in network(images)]
    return lambda: torch.autograd.backward(network(images), seeds)


def by_torchscript(path: Path, dtype: torch.dtype) -> nn.Module:
    """Load the same network as TorchScript, for comparison."""
    network = load_torchscript(path).to(dtype)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def main(arguments: list[str] | None = None) -> None:
    """Print the time of each part of a step."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="networks of the projected discriminators",
    )
    parser.add_argument(
        "--preset", default="portrait-256", help="preset of network sizes (default: portrait-256)"
    )
    parser.add_argument(
        "--reduce",
        type=int,
        default=2,
        help="divide the preset's resolution by this (default: 2)",
    )
    parser.add_argument("--batch-size", type=int, default=16, help="batch size (default: 16)")
    parser.add_argument("--threads", type=int, default=1, help="number of CPU threads (default: 1)")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: 5)")
    parser.add_argument("--compile", action="store_true", help="compile the generator")
    parser.add_argument("--fp32", action="store_true", help="use float32 instead of bfloat16")
    args = parser.parse_args(arguments)
    keep_freed_memory(all_of_it=True)  # as trainings do
    torch.set_num_threads(args.threads)
    dtype = torch.float32 if args.fp32 else torch.bfloat16
    N = args.batch_size

    G = channels_last(Generator(reduced(preset(args.preset), args.reduce).generator))
    R, ws = G.config.resolution, torch.randn(N, G.config.num_ws, G.config.w_dim)
    synthesis = G.synthesis
    if args.compile:
        synthesis = compiled(synthesis, ws, "const", None, dtype)
    networks = [load_feature_network(path, dtype) for path in args.feature_networks]
    P = ProjectedDiscriminator(networks, R, dtype).train()
    real = torch.rand(N, 3, R, R) * 2 - 1
    P.calibrate(real)
    fake = real.clone().requires_grad_(True)
    features = [x.detach() for x in P.features(real)]
    seeds = [torch.randn_like(x) for x in features]
    leaves = [x.clone().requires_grad_(True) for x in features]
    heads, rng = P.trained_parameters(), torch.Generator()
    opt_G = adam(G.parameters(), 0.002)
    opt_P = adam(heads, 0.002)

    def generator() -> None:
        synthesis(ws, "const", None, dtype).sum().backward()

    def frozen() -> None:
        with torch.no_grad():
            P.features(real)

    def augmented(images: torch.Tensor) -> torch.Tensor:
        return changed(images, random_changes(len(images), rng).to(images.device))

    def heads_of_fakes() -> None:
        logits = P.judge(leaves)
        torch.autograd.grad(losses.g_hinge(logits), leaves, retain_graph=True)
        losses.d_hinge_fake(logits).backward(inputs=heads)

    def heads_of_reals() -> None:
        losses.d_hinge_real(P.judge(features)).backward(inputs=heads)

    def optimizers() -> None:
        opt_G.step()
        opt_P.step()

    parts: dict[str, Callable[[], object]] = {
        "generator, forward and backward": generator,
        "augmentation of both, backward of one": lambda: (
            augmented(real),
            augmented(fake).sum().backward(),
        ),
        "features of generated images, with gradient": lambda: torch.autograd.backward(
            P.features(fake), seeds
        ),
        "heads on them: generator's and their own gradient": heads_of_fakes,
        "features of real images": frozen,
        "heads on them, with gradient": heads_of_reals,
        "optimizers": optimizers,
    }
    total = 0.0
    for name, part in parts.items():
        spent = milliseconds(part, N, args.rounds)
        total += spent
        print(f"{spent:8.2f} ms  {name}", flush=True)
    print(f"{total:8.2f} ms  per image: {1000 / total:.1f} images/s")
    for path, network in zip(args.feature_networks, networks, strict=True):
        ours = milliseconds(with_gradient(network, fake), N, args.rounds)
        yardstick = with_gradient(by_torchscript(path, dtype), fake)
        theirs = milliseconds(yardstick, N, args.rounds)
        print(f"{path.name}: {ours:.2f} ms with its gradient; with TorchScript {theirs:.2f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
