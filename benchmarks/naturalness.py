"""What it is worth to show the most natural candidate first: `python -m benchmarks.naturalness`.

Fills holes in images that the model has not seen, several candidates each, and compares the most
natural ones, random ones and the least natural ones with the images: KID by the features of a
network that had no part in judging the naturalness (TorchScript, as for --feature-networks).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from inpaint_model import load_bundle
from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.data.dataset import load_images
from inpaint_model.data.image_tensors import from_unit
from inpaint_model.evaluation.mask_sets import MASK_SETS
from inpaint_model.evaluation.metrics.kid import kernel_distance
from inpaint_model.inference.assessor import Assessor
from inpaint_model.inference.inpainter import seed_sequence
from inpaint_model.networks.color_shift import blended
from torch import Tensor
from tqdm import tqdm

PSI = 0.8


def judged(network: torch.jit.ScriptModule, images: Tensor) -> Tensor:
    """Return the means of the coarsest map of images [N, 3, R, R] in -1..1."""
    with torch.inference_mode():
        means: Tensor = network(images)[-1].float().mean(dim=(2, 3))
    return means


def measure(args: argparse.Namespace, name: str) -> None:
    """Print a row of the table for each choice in the holes of a mask set."""
    inpainter = load_bundle(args.bundle)
    images = load_images(args.images, inpainter.resolution, limit=args.limit)
    network = load_torchscript(args.network).float()
    draws = torch.Generator().manual_seed(0)
    holes = MASK_SETS[name][1](len(images), inpainter.resolution, draws)
    originals, fills, natural = [], [], []
    for k in tqdm(range(len(images)), name, disable=None):
        image, hole = images.batch(torch.tensor([k])), holes[k : k + 1].float()
        shown = images.pixels[k].permute(1, 2, 0).contiguous().numpy()
        encoding = inpainter.encode(shown, (hole[0, 0] * 255).to(torch.uint8).numpy())
        codes = inpainter.sample(encoding, seed_sequence(k * args.count, args.count), PSI)
        outputs = [inpainter.render(encoding, own[None])[0] for own in codes]
        erased = image * (1 - hole)
        made = [blended(from_unit(x[None]), erased, hole).clamp(-1, 1) for x in outputs]
        scores = [_naturalness(inpainter.assessor, x[0]) for x in made]
        originals.append(judged(network, image)[0].numpy())
        fills.append(torch.stack([judged(network, x)[0] for x in made]).numpy())
        natural.append(scores)
    wanted, found, order = np.stack(originals), np.stack(fills), np.argsort(np.stack(natural))
    scale = wanted.std()
    for title, place in (("most natural", -1), ("least natural", 0)):
        chosen = found[np.arange(len(found)), order[:, place]]
        print(f"{name} | {title} | {_row(chosen / scale, wanted / scale)}")
    for k in range(args.count):
        print(f"{name} | seed {k} | {_row(found[:, k] / scale, wanted / scale)}")


def _naturalness(assessor: Assessor, image: Tensor) -> float:
    """Judge an image [3, R, R] in -1..1."""
    unit = image.permute(1, 2, 0).add(1).div(2).contiguous().numpy()
    found = assessor.naturalness(assessor.features(unit))
    if found is None:
        raise SystemExit("the bundle cannot judge naturalness; fit it first")
    return found


def _row(found: np.ndarray, wanted: np.ndarray) -> str:
    value, low, high = kernel_distance(found.astype(np.float64), wanted.astype(np.float64))
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="portrait", help="bundle or its name")
    parser.add_argument("--images", nargs="+", required=True, metavar="ZIP|DIR[:PREFIX]")
    parser.add_argument("--network", type=Path, required=True, help="judge, as TorchScript")
    parser.add_argument("--sets", default="hard,half", help="mask sets")
    parser.add_argument("--count", type=int, default=4, help="candidates of a hole")
    parser.add_argument("--limit", type=int, help="number of images")
    args = parser.parse_args(arguments)
    for name in args.sets.split(","):
        measure(args, name)


if __name__ == "__main__":
    main()
