"""Load the networks of a checkpoint file."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch

from inpaint_model.bundle.manifest import BundleError, find_bundle, read_bundle
from inpaint_model.bundle.weights import load_discriminator, load_generator
from inpaint_model.importing.contents import lay_out
from inpaint_model.importing.errors import CheckpointError
from inpaint_model.importing.find import KNOWN, find_networks
from inpaint_model.importing.network_layout import build_discriminator, build_generator
from inpaint_model.importing.safetensors_files import is_safetensors, read_safetensors
from inpaint_model.importing.tensors import LEGACY_MAGIC
from inpaint_model.importing.torch_files import read_legacy, read_zip
from inpaint_model.importing.unpickle import TRUNCATED, read_pickle
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator

MAX_FILE_BYTES = 4 * 2**30  # a 1024 px checkpoint with optimizers has about 1 GiB
ZIP_MAGIC = b"PK\x03\x04"
OFTEN_MISTAKEN = {  # first bytes of what failed downloads leave
    b"<": "is a web page, not a checkpoint; download the file itself",
    b"version https://git-lfs": "is a Git LFS pointer, not the file; run `git lfs pull`",
}


@dataclass(frozen=True)
class Provenance:
    """The origin of networks."""

    path: Path
    format: str  # nvidia, rosinality, psp or bundle
    sha256: str  # of the file (of a bundle: of its weights)
    notes: tuple[str, ...] = ()  # what was missing or left out
    ignored: tuple[str, ...] = ()  # names of other content
    precision: str = ""  # of weights and computation, for display


@dataclass(frozen=True)
class Checkpoint:
    """Imported networks: float32, CPU, evaluation mode, no gradients."""

    generator: Generator
    discriminator: Discriminator | None
    source: Provenance


def import_checkpoint(path: str | Path) -> Checkpoint:
    """Load the networks of a checkpoint or bundle, executing nothing in it.

    Raises:
        CheckpointError: One line with the file and the reason: hostile, damaged, unknown, too
            large, or missing.
    """
    path, facts = Path(path), dict[str, str]()
    try:
        return _of_bundle(path) if (path / "model.yaml").exists() else _import(path)
    except BundleError as error:
        raise CheckpointError(str(error)) from None  # it names the folder already
    except CheckpointError as error:
        reason, facts = str(error), error.facts
    except (OSError, MemoryError) as error:
        reason = f"cannot be read ({getattr(error, 'strerror', None) or 'out of memory'})"
    raise CheckpointError(f"{_printable(path)}: {reason}", facts)


def _printable(path: Path) -> str:
    """Escape a path, which may contain line breaks and terminal escapes."""
    text = str(path)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def find_source(path_or_name: str) -> Path:
    """Return an existing path, or the folder of a bundled model of that name."""
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
        networks = find_networks(lay_out(_read(stream, path, size)))
        networks.check(size)
        dtypes: set[torch.dtype] = set()
        generator = build_generator(*networks.generator, dtypes)
        discriminator = (
            build_discriminator(*networks.discriminator, dtypes) if networks.discriminator else None
        )
        stream.seek(0)
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stored = "stored in " + " and ".join(sorted(str(x).removeprefix("torch.") for x in dtypes))
    source = Provenance(
        path,
        networks.format,
        digest,
        networks.notes,
        networks.ignored,
        ", ".join(filter(None, [stored, networks.precision])),
    )
    return Checkpoint(generator, discriminator, source)


def _read(stream: IO[bytes], path: Path, size: int) -> object:
    start = stream.read(64)
    stream.seek(0)
    if start.startswith(LEGACY_MAGIC):
        return read_legacy(stream, size)
    if is_safetensors(start):
        return read_safetensors(stream, path, size)
    if start[:1] == b"\x80":
        return read_pickle(stream)
    if zipfile.is_zipfile(stream):
        return read_zip(stream, size)
    if start.startswith(ZIP_MAGIC):  # without the table of contents at its end
        raise CheckpointError(TRUNCATED)
    for first, reason in OFTEN_MISTAKEN.items():
        if start.lstrip().lower().startswith(first):
            raise CheckpointError(reason)
    raise CheckpointError(f"is not a checkpoint; {KNOWN}")
