"""What the training commands share: device, folder, presets, errors that name a remedy."""

from __future__ import annotations

import argparse
import json
import signal
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
    """Add what every training takes."""
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument("--device", default="auto", help=f"{devices.HELP} (default: auto)")
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="processor threads to use"
    )
    parser.add_argument("--name", default="", help="name of the bundle (default: the folder's)")
    parser.add_argument("--license", default="unknown", help="license of the weights")
    parser.add_argument(  # as earlier versions spelled it
        "--licence", dest="license", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    parser.add_argument("--provenance", default="unknown", help="where the data come from")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be done, and do nothing"
    )


def add_data_arguments(parser: argparse.ArgumentParser, required: bool, use: str) -> None:
    """Add which images a training takes, and how often each.

    Args:
        parser: of the training.
        required: whether it needs images.
        use: what it needs them for, for `--help`.
    """
    image_options.add_sources(
        parser, "--data", f"images in the generator's alignment, {use}", required
    )
    image_options.add_replacements(parser, "--data")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded images here")
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="CSV",
        help="how often images are drawn: a table with the columns file, a name or a pattern "
        "such as train/a_*, and weight; the last row that matches counts (default: all 1)",
    )
    parser.add_argument(
        "--manifest",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="tables with the columns file and crop_px; later ones override earlier ones",
    )
    parser.add_argument(
        "--min-crop", type=real(), metavar="PX", help="leave out images with a smaller crop_px"
    )


def data_plan(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the arguments ask for; ValueError if one needs another."""
    if args.data is None and (args.replace or args.weights or args.min_crop is not None):
        raise ValueError("--replace, --weights and --min-crop choose among images: give --data")
    if args.min_crop is not None and args.manifest is None:
        raise ValueError("--min-crop needs --manifest, the tables that have the column crop_px")
    return {key: getattr(args, key) for key in ("data", "replace", "weights", "min_crop")}


def load_data(args: argparse.Namespace, resolution: int) -> tuple[ImageSet, torch.Tensor | None]:
    """Return the images that the arguments name, and how often each is drawn."""
    from inpaint_model.data.dataset import load_images
    from inpaint_model.data.sampler import weights_from_csv, weights_from_patterns

    images = load_images(args.data, resolution, replacements=args.replace, cache=args.cache)
    print(f"{len(images)} images, {len(images.skipped)} unreadable ones skipped")
    if args.replace:
        print(f"{images.replaced} of them are replaced by those in {args.replace}")
    if images.enlarged:
        print(f"{images.enlarged} of them are smaller than {resolution} px and will look soft")
    weights = None
    if args.weights:
        weights = weights_from_patterns(args.weights, images.names)
        print(f"{int((weights != 1).sum())} of them have another weight than 1")
    if args.min_crop is not None:
        large = weights_from_csv(args.manifest, images.names, "crop_px", args.min_crop)
        print(f"{int(large.sum())} of them have crop_px of {args.min_crop:g} or more")
        weights = large if weights is None else weights * large
    return images, weights


def add_feature_network_argument(parser: argparse.ArgumentParser) -> None:
    """Add the frozen networks that projected discriminators stand on."""
    parser.add_argument(
        "--feature-networks",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="play against projected discriminators on these frozen networks (TorchScript: RGB in "
        "-1..1 to four feature maps)",
    )


def projected_discriminator(
    args: argparse.Namespace,
    resolution: int,
    seed: int,
    bf16: bool,
    start: Iterable[Path | None] = (),
) -> ProjectedDiscriminator | None:
    """Return what `--feature-networks` asks for, with the heads of a bundle of `start` that fits.

    None without feature networks.
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
        torch.manual_seed(seed)
        P = ProjectedDiscriminator(networks, resolution, dtype)
    folders = [path for path in start if path is not None]
    if not any(load_projected(folder, P) for folder in folders) and folders:
        print(f"no heads that fit lie in {folders[0]}: new ones are trained")
    return P


def start_device(args: argparse.Namespace) -> tuple[torch.device, DistributedContext]:
    """Return the device and this process's place among those that torchrun started."""
    import torch

    from inpaint_model.inference.host_memory import MOST, keep_freed_memory
    from inpaint_model.training import distributed

    keep_freed_memory(MOST)  # every step wants the memory of the one before
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
    """Options as indented JSON, for --dry-run and for the run's folder."""
    return json.dumps(options, indent=2, default=str)


@contextmanager
def ended_by_sigterm(deadline: Deadline) -> Iterator[None]:
    """Let SIGTERM end a training as if its time were over: with everything saved."""
    before = signal.signal(signal.SIGTERM, lambda *_: deadline.stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if deadline.stopped:
        print("stopped, with everything saved; start again with the same --out to go on")


@contextmanager
def remedies(batch_size: int) -> Iterator[None]:
    """Turn the errors of a long run into one line that says what to do.

    Raises MemoryError when the device has no memory left, ValueError when the training diverged.
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
