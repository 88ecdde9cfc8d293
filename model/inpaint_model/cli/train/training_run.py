"""What the training commands share."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint_model.cli import image_options
from inpaint_model.data import devices
from inpaint_model.training.ranges import real, whole

if TYPE_CHECKING:
    import torch

    from inpaint_model.data.dataset import ImageSet
    from inpaint_model.training.deadline import Deadline
    from inpaint_model.training.distributed import DistributedContext
    from inpaint_model.training.projected.discriminator import ProjectedDiscriminator


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of generators and inpainters."""
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="folder of the training run"
    )
    parser.add_argument("--device", default="auto", help=f"{devices.HELP} (default: auto)")
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="number of CPU threads to use"
    )
    parser.add_argument("--name", default="", help="name of the model (default: the folder's)")
    parser.add_argument("--license", default="unknown", help="license of the weights")
    parser.add_argument(  # former spelling
        "--licence", dest="license", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument("--provenance", default="unknown", help="origin of the training data")
    parser.add_argument("--dry-run", action="store_true", help="print the options without training")


def add_part_arguments(parser: argparse.ArgumentParser, part: str) -> None:
    """Add the options of what is trained to become part of a bundle."""
    parser.add_argument(
        "--bundle",
        type=Path,
        required=True,
        metavar="BUNDLE",
        help=f"bundle that the {part} is added to",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="folder of the training run"
    )
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="number of CPU threads to use"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the options without training")


def add_data_arguments(parser: argparse.ArgumentParser, required: bool, use: str) -> None:
    """Add the options for images; `use` is part of the help."""
    image_options.add_sources(
        parser, "--data", f"images in the generator's alignment, {use}", required
    )
    image_options.add_replacements(parser, "--data")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder for caching decoded images"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="CSV",
        help="table of how often images are drawn, with the columns file (a name or a pattern "
        "such as train/a_*) and weight; the last matching row counts (default: all 1)",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="tables with the columns file and crop_px; later ones override earlier ones",
    )
    parser.add_argument(
        "--min-crop", type=real(), metavar="PX", help="skip images with a smaller crop_px"
    )


def data_plan(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options for images.

    Raises:
        ValueError: if an option lacks another that it needs.
    """
    if args.data is None and (args.replace or args.weights or args.min_crop is not None):
        raise ValueError("--replace, --weights and --min-crop need images: give --data")
    if args.min_crop is not None and args.manifest is None:
        raise ValueError("--min-crop needs tables with the column crop_px: give --manifest")
    return {key: getattr(args, key) for key in ("data", "replace", "weights", "min_crop")}


def load_data(args: argparse.Namespace, resolution: int) -> tuple[ImageSet, torch.Tensor | None]:
    """Load images and their sampling weights."""
    from inpaint_model.data.dataset import load_images
    from inpaint_model.data.sampler import weights_from_csv, weights_from_patterns

    images = load_images(args.data, resolution, replacements=args.replace, cache=args.cache)
    print(f"{len(images)} images, {len(images.skipped)} unreadable ones skipped")
    if args.replace:
        print(f"{images.replaced} of them are replaced by those in {args.replace}")
    if images.enlarged:
        print(f"{images.enlarged} of them are smaller than {resolution} px and will be blurry")
    weights = None
    if args.weights:
        weights = weights_from_patterns(args.weights, images.names)
        print(f"{int((weights != 1).sum())} of them have a weight other than 1")
    if args.min_crop is not None:
        large = weights_from_csv(args.manifest, images.names, "crop_px", args.min_crop)
        print(f"{int(large.sum())} of them have a crop_px of {args.min_crop:g} or more")
        weights = large if weights is None else weights * large
    return images, weights


def add_feature_network_argument(parser: argparse.ArgumentParser) -> None:
    """Add --feature-networks."""
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="train against projected discriminators on these frozen networks (TorchScript: RGB in "
        "-1..1 to four feature maps)",
    )


def projected_discriminator(
    args: argparse.Namespace,
    resolution: int,
    bf16: bool,
    start: Iterable[Path | None] = (),
    *,
    mixing: int = 0,
) -> ProjectedDiscriminator | None:
    """Create the discriminator on `--feature-networks`, if any.

    Its heads come from the first bundle in `start` that has some for these networks. `mixing` is
    the seed of its random mixing. It does not follow the training's seed: heads only fit the mixing
    that they were trained with, and bundles that ship do not contain it.
    """
    if not args.feature_networks:
        return None
    import torch

    from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
    from inpaint_model.training.projected.feature_network import load_feature_network
    from inpaint_model.training.projected.files import load_projected

    dtype = torch.bfloat16 if bf16 else torch.float32
    networks = [load_feature_network(path, dtype) for path in args.feature_networks]
    with torch.random.fork_rng():
        torch.manual_seed(mixing)
        P = ProjectedDiscriminator(networks, resolution, dtype)
    folders = [path for path in start if path is not None]
    if not any(load_projected(folder, P) for folder in folders) and folders:
        print(f"no matching discriminator heads found in {folders[0]}: training new ones")
    return P


def alignment_of(start: Path | None) -> str:
    """Return the alignment of the images of a bundle; that of FFHQ for other checkpoints."""
    from inpaint_model.bundle.manifest import Card, read_bundle

    if start is None or not (start / "model.yaml").exists():
        return Card.alignment
    return read_bundle(start).card.alignment


def start_device(args: argparse.Namespace) -> tuple[torch.device, DistributedContext]:
    """Set up the device and torchrun's group of processes."""
    import torch

    from inpaint_model.inference.host_memory import keep_freed_memory
    from inpaint_model.training import distributed

    keep_freed_memory(all_of_it=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = devices.choose_device(args.device)
    world = distributed.start(device.type)
    if device.type in ("cuda", "xpu"):
        index = world.local_rank if device.index is None else device.index
        device = torch.device(device.type, index)
        torch.accelerator.set_device_index(index)
    devices.compute_fast(device)
    return device, world


def describe(options: dict[str, Any]) -> str:
    """Format options as JSON."""
    return json.dumps(options, indent=2, default=str)


@contextmanager
def ended_by_signals(deadline: Deadline) -> Iterator[None]:
    """On SIGTERM or Ctrl-C, stop as at the deadline; a second Ctrl-C stops without saving."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def interrupt(*_: object) -> None:
        # Not what it was before: shells make background jobs ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("saving after this step; press Ctrl-C again to stop without saving", file=sys.stderr)
        deadline.stop()

    signal.signal(signal.SIGTERM, lambda *_: deadline.stop())
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if deadline.stopped:
        print("stopped, with everything saved; start again with the same --out to continue")


@contextmanager
def remedies(batch_size: int) -> Iterator[None]:
    """Convert errors to one line with a remedy.

    Raises:
        MemoryError: if the device ran out of memory.
        ValueError: if the training diverged.
    """
    import torch

    from inpaint_model.training.progress import TrainingDivergedError

    try:
        yield
    except torch.OutOfMemoryError:
        raise MemoryError(
            f"the device ran out of memory at batch {batch_size}; "
            f"try --batch-size {max(batch_size // 2, 1)}"
        ) from None
    except TrainingDivergedError as error:
        raise ValueError(str(error)) from None
