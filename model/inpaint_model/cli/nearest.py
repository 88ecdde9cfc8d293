"""`inpaint-model nearest`: check whether a generator copies its training images.

A near-copy is as close to a training image, by a face recognition network, as two photos of one
person. For comparison, each training image's similarities to its closest other (often the same
person) and to its mirror image are reported.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.cli import image_options
from inpaint_model.training.ranges import SEEDS, whole

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint_model.evaluation.metrics.identity import Embed
    from inpaint_model.networks.generator import Generator

SHOWN = 12  # pairs on the sheet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        metavar="BUNDLE_OR_FILE",
        help="folder of a bundle, name of a bundled model, or checkpoint file",
    )
    image_options.add_sources(parser, "--data", "the generator's training images", required=True)
    image_options.add_replacements(parser, "--data")
    parser.add_argument(
        "--identity",
        type=Path,
        required=True,
        metavar="FILE.onnx",
        help="face recognition network, which embeds RGB [1, 3, 112, 112]",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--samples",
        type=whole(1),
        default=1000,
        metavar="N",
        help="number of samples (default 1000)",
    )
    parser.add_argument(
        "--seed", type=whole(0, SEEDS), default=0, help="seed for the samples (default 0)"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder for caching decoded images"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    if args.samples < 1:
        raise ValueError("--samples must be at least 1")

    import torch

    from inpaint_model.data.dataset import load_images
    from inpaint_model.data.image_grid import contact_sheet
    from inpaint_model.data.image_tensors import from_uint8, to_uint8
    from inpaint_model.evaluation.metrics.identity import load_identity
    from inpaint_model.importing import find_source, import_checkpoint

    generator = import_checkpoint(find_source(args.source)).generator
    embed = load_identity(args.identity)
    images = load_images(
        args.data, generator.config.resolution, replacements=args.replace, cache=args.cache
    )
    trained = from_uint8(images.pixels.permute(0, 2, 3, 1))
    people = _embedded(embed, trained, "training images")
    samples = _samples(generator, args.samples, args.seed)
    drawn = _embedded(embed, samples, "samples")

    closest, index = (drawn @ people.T).max(dim=1)
    among = people @ people.T
    among.fill_diagonal_(-1)
    order = closest.argsort(descending=True)
    args.out.mkdir(parents=True, exist_ok=True)
    pairs = torch.stack([samples[order[:SHOWN]], trained[index[order[:SHOWN]]]], dim=1)
    contact_sheet(to_uint8(pairs.flatten(0, 1)), columns=8).save(args.out / "nearest.png")
    report = {
        "samples": args.samples,
        "closest": _quantiles(closest),
        "closest_among_training_images": _quantiles(among.max(dim=1).values),
        "same_image_mirrored": _quantiles(
            (_embedded(embed, trained[:100].flip(3), "mirrored") * people[:100]).sum(dim=1)
        ),
        "pairs": [
            [int(i), images.names[int(index[i])], round(float(closest[i]), 3)]
            for i in order[:SHOWN]
        ],
    }
    (args.out / "nearest.json").write_text(json.dumps(report, indent=2), encoding="utf-8")
    for name in ("closest", "closest_among_training_images", "same_image_mirrored"):
        print(f"{name.replace('_', ' '):34} {report[name]}")
    print(f"the closest pairs, sample and training image: {args.out / 'nearest.png'}")
    return 0


def _embedded(embed: Embed, images: Tensor, what: str) -> Tensor:
    import torch
    from tqdm import tqdm

    parts = tqdm(images.split(16), what, disable=None)
    return torch.cat([embed(part) for part in parts])


def _samples(generator: Generator, count: int, seed: int) -> Tensor:
    """Return untruncated images, [count, 3, R, R]."""
    import torch

    rng = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        parts = [
            generator(torch.randn(min(16, count - start), generator.config.z_dim, generator=rng))
            for start in range(0, count, 16)
        ]
    return torch.cat(parts).clamp(-1, 1)


def _quantiles(values: Tensor) -> dict[str, float]:
    import torch

    at = torch.tensor([0.05, 0.5, 0.95, 1.0])
    names = ("5%", "median", "95%", "highest")
    quantiles = torch.quantile(values.float(), at)
    return {n: round(float(q), 3) for n, q in zip(names, quantiles, strict=True)}
