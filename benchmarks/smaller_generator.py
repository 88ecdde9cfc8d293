r"""Make a smaller generator that draws the same images as another, scaled down.

    python -m benchmarks.smaller_generator BUNDLE --side 64 --out FOLDER [--steps 2000]

Comparisons of methods at a small size need a generator of that size. This one starts with the
mapping network and the smaller blocks of BUNDLE, whose conversions to RGB rely on the blocks that
are left out. So its synthesis network is trained to draw BUNDLE's images; the loss is the mean
absolute difference. The mapping network stays, so the codes mean the same. The seed is fixed, so
that the result can be repeated.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import torch
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.weights import load_generator
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.networks.config import resolutions
from inpaint_model.networks.generator import Generator
from torch import Tensor
from torch.nn.functional import avg_pool2d, l1_loss

BATCH = 16
LEARNING_RATE = 0.002


def without_last_blocks(generator: Generator, side: int) -> Generator:
    """Return a generator of `side` px with the first blocks of another.

    Raises:
        ValueError: `side` is not one of the generator's block sizes.
    """
    sides = resolutions(generator.config.resolution)
    if side not in sides[1:]:
        raise ValueError(f"--side {side} is invalid: give one of {', '.join(map(str, sides[1:]))}")
    channels = generator.config.channels[: len(resolutions(side))]
    smaller = Generator(replace(generator.config, resolution=side, channels=channels))
    wanted, shared = smaller.state_dict(), generator.state_dict()
    smaller.load_state_dict({name: shared[name] for name in wanted})
    return smaller.requires_grad_(False)


def fit(smaller: Generator, larger: Generator, steps: int, seed: int = 0) -> float:
    """Train the synthesis network; return the mean loss (0..2) of the last 50 steps."""
    trained = list(smaller.synthesis.parameters())
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(trained, LEARNING_RATE, betas=(0.9, 0.99))
    draws = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * math.cos(math.pi / 2 * step / steps)
        loss = _difference(
            smaller, larger, torch.randn(BATCH, larger.config.z_dim, generator=draws)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"{step} of {steps} steps, loss {losses[-1]:.4f}", flush=True)
    smaller.requires_grad_(False)
    latest = losses[-50:]
    return sum(latest) / len(latest)


def _difference(smaller: Generator, larger: Generator, z: Tensor) -> Tensor:
    """Compare the images of codes z [N, z_dim]."""
    factor = larger.config.resolution // smaller.config.resolution
    with torch.no_grad():
        images = larger.synthesis(larger.mapping(z), dtype=torch.bfloat16)
        wanted = avg_pool2d(images.clamp(-1, 1), factor)
    drawn = smaller.synthesis(smaller.mapping(z), dtype=torch.bfloat16)
    return l1_loss(drawn, wanted)


def main(arguments: list[str] | None = None) -> None:
    """Make the generator and write its bundle."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("bundle", type=Path, help="bundle with the larger generator")
    parser.add_argument("--side", type=int, default=64, metavar="PX", help="new size (default 64)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--steps", type=int, default=2000, metavar="N", help="training steps (default 2000)"
    )
    args = parser.parse_args(arguments)
    info = read_bundle(args.bundle)
    larger = load_generator(info)
    try:
        smaller = without_last_blocks(larger, args.side)
    except ValueError as error:
        parser.error(str(error))
    loss = fit(smaller, larger, args.steps)
    card = Card(
        name=f"{info.name}-{args.side}",
        alignment=info.card.alignment,
        licence=info.card.licence,
        provenance=f"the generator of {info.name}, without its last blocks",
        trained_kimg=args.steps * BATCH / 1000,
    )
    save_bundle(args.out, smaller, card)
    print(f"{args.out}: mean absolute difference {loss:.4f} of images in -1..1")


if __name__ == "__main__":
    main()
