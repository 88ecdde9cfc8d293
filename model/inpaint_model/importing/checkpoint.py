"""`import_checkpoint`: one file in, networks out."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from inpaint_model.bundle.manifest import BundleError, find_bundle, read_bundle
from inpaint_model.bundle.weights import load_discriminator, load_generator
from inpaint_model.importing import nvidia, rosinality
from inpaint_model.importing.errors import CheckpointError
from inpaint_model.importing.network_layout import Networks, build_discriminator, build_generator
from inpaint_model.importing.tensors import LEGACY_MAGIC
from inpaint_model.importing.torch_files import read_legacy, read_zip
from inpaint_model.importing.unpickle import read_pickle
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator

MAX_FILE_BYTES = 4 * 2**30  # a 1024 px training checkpoint with its optimisers has some 1 GiB
KNOWN = (
    "known are pickles of stylegan2-ada-pytorch and stylegan3 (StyleGAN2 networks), "
    ".pt files of rosinality's stylegan2-pytorch and of the pSp family, and our own bundles"
)


@dataclass(frozen=True)
class Provenance:
    """Where networks came from."""

    path: Path
    format: str  # nvidia, rosinality, psp or bundle
    sha256: str  # of the file (of a bundle: of its weights)
    notes: tuple[str, ...] = ()  # what was missing or left out, one sentence each


@dataclass(frozen=True)
class Checkpoint:
    """Networks of a file: float32, on the CPU, in evaluation mode, without gradients."""

    generator: Generator
    discriminator: Discriminator | None
    source: Provenance


def import_checkpoint(path: str | Path) -> Checkpoint:
    """Return the networks of a checkpoint of a known format, or those of a bundle.

    Nothing in the file is executed. A bundle has a discriminator only if it was kept.

    Raises:
        CheckpointError: the file is hostile, damaged, of an unknown kind, too large, or not there;
            one line names the file and the reason.
    """
    path = Path(path)
    try:
        return _of_bundle(path) if (path / "model.yaml").exists() else _import(path)
    except BundleError as error:
        raise CheckpointError(str(error)) from None  # it names the folder already
    except CheckpointError as error:
        reason = str(error)
    except (OSError, MemoryError) as error:
        reason = f"cannot be read ({getattr(error, 'strerror', None) or 'out of memory'})"
    raise CheckpointError(f"{_printable(path)}: {reason}")


def _printable(path: Path) -> str:
    """Return a path fit for a message: file names may hold line breaks and terminal escapes."""
    text = str(path)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def find_source(path_or_name: str) -> Path:
    """Return a file or folder as given, else the folder of a bundled model of that name."""
    path = Path(path_or_name)
    if path.exists():
        return path
    try:
        return find_bundle(path_or_name)
    except BundleError:
        raise CheckpointError(
            f"{_printable(path)}: no such file or folder, and no bundled model of that name"
        ) from None


def _of_bundle(path: Path) -> Checkpoint:
    info = read_bundle(path)
    source = Provenance(path, "bundle", info.weights_sha256)
    return Checkpoint(load_generator(info), load_discriminator(info), source)


def _import(path: Path) -> Checkpoint:
    if path.is_dir():
        raise CheckpointError(f"is a folder, but not a bundle (it has no model.yaml); {KNOWN}")
    if path.exists() and not path.is_file():
        raise CheckpointError("is not a regular file")
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        if size == 0:
            raise CheckpointError("is empty")
        if size > MAX_FILE_BYTES:
            raise CheckpointError(
                f"has {size / 2**30:.1f} GiB; at most {MAX_FILE_BYTES / 2**30:.0f} GiB are read"
            )
        stream.seek(0)
        networks = _read(stream, size)
        networks.check(size)
        generator = build_generator(*networks.generator)
        discriminator = (
            build_discriminator(*networks.discriminator) if networks.discriminator else None
        )
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    source = Provenance(path, networks.format, digest, networks.notes)
    return Checkpoint(generator, discriminator, source)


def _read(stream: IO[bytes], size: int) -> Networks:
    """Find the container by its first bytes, then the format by what is in it."""
    start = stream.read(len(LEGACY_MAGIC))
    stream.seek(0)
    if start == LEGACY_MAGIC:
        value = read_legacy(stream, size)
    elif start[:1] == b"\x80":
        value = read_pickle(stream)
    elif zipfile.is_zipfile(stream):
        value = read_zip(stream, size)
    else:
        raise CheckpointError(f"is not a checkpoint; {KNOWN}")
    if nvidia.is_nvidia(value):
        return nvidia.read_networks(value)
    if rosinality.is_rosinality(value):
        return rosinality.read_networks(value)
    raise CheckpointError(f"holds no StyleGAN2 generator; {KNOWN}")
