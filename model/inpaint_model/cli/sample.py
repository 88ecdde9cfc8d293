"""`inpaint-model sample`: render a grid of images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint_model.training.ranges import SEEDS, real, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inpaint_model.document.arrays import ImageU8
    from inpaint_model.networks.generator import Generator

MAX_IMAGES = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        metavar="BUNDLE_OR_FILE",
        help="folder of a bundle, name of a bundled model, or checkpoint file",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="GRID.png", help="file to write")
    parser.add_argument(
        "--seed", type=whole(0, SEEDS), default=0, help="seed of the first image (default 0)"
    )
    parser.add_argument("--rows", type=whole(1, 100), default=3, help="rows of images (default 3)")
    parser.add_argument(
        "--cols", type=whole(1, 100), default=6, help="columns of images (default 6)"
    )
    parser.add_argument(
        "--truncation",
        type=real(),
        default=0.8,
        metavar="PSI",
        help="truncation psi: 1 is full variety, 0 the mean image (default 0.8)",
    )
    parser.add_argument(
        "--label",
        type=whole(),
        metavar="CLASS",
        help="class of all images, if the generator has classes (default: cycle through them)",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    out: Path = args.out
    if args.rows < 1 or args.cols < 1 or args.rows * args.cols > MAX_IMAGES:
        raise ValueError(f"--rows times --cols must be between 1 and {MAX_IMAGES}")
    if not out.absolute().parent.is_dir():
        raise ValueError(f"{out.parent} is not a folder; create it first")
    if out.is_dir():
        raise ValueError(f"{out} is a folder; --out must be a PNG file")

    import numpy as np

    from inpaint_model.data.image_grid import contact_sheet
    from inpaint_model.importing import find_source, import_checkpoint
    from inpaint_model.inference.inpainter import seed_sequence

    checkpoint = import_checkpoint(find_source(args.source))
    for note in checkpoint.source.notes:
        print(f"note: {note}", file=sys.stderr)
    seeds = seed_sequence(args.seed, args.rows * args.cols)
    images = _draw(checkpoint.generator, seeds, args.truncation, args.label)
    temporary = out.with_name(out.name + ".writing")
    contact_sheet(np.stack(images), args.cols).save(temporary, format="PNG")
    temporary.replace(out)
    return 0


def _draw(
    generator: Generator, seeds: Sequence[int], truncation_psi: float, label: int | None
) -> list[ImageU8]:
    """Return images uint8 [R, R, 3]."""
    import torch
    from tqdm import tqdm

    from inpaint_model.data.image_tensors import to_uint8
    from inpaint_model.inference.inpainter import latent_of_seed

    config = generator.config
    if label is not None and not 0 <= label < config.c_dim:
        raise ValueError(f"--label {label}: this generator has {config.c_dim or 'no'} classes")
    images = []
    with torch.inference_mode():
        for seed in tqdm(seeds, unit="image", disable=None):  # None: only on a terminal
            c = None
            if config.c_dim:
                c = torch.eye(config.c_dim)[None, seed % config.c_dim if label is None else label]
            z = latent_of_seed(seed, config.z_dim)[None]
            images.append(to_uint8(generator(z, c, truncation_psi))[0])
    return images
