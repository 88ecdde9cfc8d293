"""Write bundles; a folder is replaced only when the new one is complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn

from inpaint_model.bundle.manifest import FORMAT, WEIGHTS, BundleInfo, Card, format_for, read_bundle
from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.bundle.weights import DETAIL, NATURALNESS, file_sha256, generator_sha256
from inpaint_model.framing.network import Framer, FramerConfig
from inpaint_model.networks.config import to_dict
from inpaint_model.networks.detail_network import DetailNetwork
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.precision import DTYPES
from inpaint_model.networks.refinement_network import RefinementNetwork


def _stored(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in tensors.items()
    }


def save_bundle(
    folder: Path,
    model: Generator | InpaintingModel,
    card: Card,
    *,
    discriminator: Discriminator | None = None,
    write_extra: Callable[[Path, torch.dtype], None] | None = None,
    dtype: str = "fp32",
    extra_tensors: Mapping[str, Tensor] | None = None,
    framer: FramerConfig | None = None,
    card_text: str = "",
) -> BundleInfo:
    """Write a bundle.

    `write_extra` writes more files, such as projected heads, to a folder in a precision, and
    `dtype` is that of the stored weights: "fp32", "fp16" or "bf16". `extra_tensors` are those of
    `framer`. Without `card_text`, card.md has only a title.

    Raises:
        OSError: A file cannot be written.
    """
    if isinstance(model, InpaintingModel):
        kind, tensors = "inpainter", _stored(model.state_dict(), DTYPES[dtype])
    else:
        kind = "generator"
        tensors = _stored(
            {f"generator.{k}": v for k, v in model.state_dict().items()}, DTYPES[dtype]
        )
    own = {
        k.removeprefix("generator."): v for k, v in tensors.items() if k.startswith("generator.")
    }
    if extra_tensors:
        tensors |= _stored(extra_tensors, DTYPES[dtype])
    with rewriting(folder, keep=False) as new:
        weights = new / WEIGHTS
        write_tensors(tensors, weights)
        document: dict[str, Any] = {
            "format": format_for(None if discriminator is None else discriminator.config),
            "name": card.name,
            "title": card.title,
            "kind": kind,
            "config": to_dict(model.config),
            "weights": {"file": weights.name, "sha256": file_sha256(weights), "dtype": dtype},
            "generator_sha256": generator_sha256(own),
            "alignment": card.alignment,
            "licence": card.licence,
            "provenance": card.provenance,
            "trained_kimg": float(card.trained_kimg),
            "metrics": dict(card.metrics),
            "directions": [],
        }
        if framer is not None:
            document["framer"] = framer.to_dict()
        if discriminator is not None:
            sizes = to_dict(discriminator.config)
            if document["format"] == FORMAT:  # which lacks this key
                del sizes["clamp_skip"]
            document["discriminator"] = sizes
            save_discriminator(new / "discriminator.safetensors", discriminator, dtype)
        if write_extra is not None:
            write_extra(new, DTYPES[dtype])
        _write_manifest(new, document)
        (new / "card.md").write_text(card_text or f"# {card.title or card.name}\n", "utf-8")
    return read_bundle(folder)


def save_discriminator(path: Path, discriminator: Discriminator, dtype: str = "fp32") -> None:
    """Write the discriminator to its own file, since only training needs it.

    Raises:
        OSError: The file cannot be written.
    """
    write_tensors(_stored(discriminator.state_dict(), DTYPES[dtype]), path)


@contextmanager
def rewriting(folder: Path, *, keep: bool) -> Iterator[Path]:
    """Yield a new folder that replaces `folder` on exit, unless an exception is raised.

    With `keep`, it starts with the old files, perhaps as hard links: replace them, never write into
    them.
    """
    temporary, old = (folder.with_name(folder.name + end) for end in (".writing", ".old"))
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        if keep:
            shutil.copytree(folder, temporary, copy_function=_link)
        else:
            _make(temporary)
        yield temporary
    except BaseException:  # including Ctrl-C
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except (FileExistsError, NotADirectoryError):
        raise NotADirectoryError(
            f"cannot write a bundle into {folder.parent}, which is not a folder; choose another "
            "location"
        ) from None


def edit_manifest(folder: Path, **entries: object) -> None:
    """Replace entries of `model.yaml` during `rewriting`."""
    path = folder / "model.yaml"
    document = yaml.safe_load(path.read_text("utf-8"))
    path.unlink()  # may be a hard link
    _write_manifest(folder, document | entries)


def _write_manifest(folder: Path, document: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)
    (folder / "model.yaml").write_text(text, "utf-8")


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def add_framer(folder: Path, framer: Framer) -> BundleInfo:
    """Add or replace the framer of a bundle; other tensors do not change.

    Raises:
        BundleError: The bundle cannot be read.
        OSError: A file cannot be written.
    """
    return _add_part(folder, "framer", framer, framer.config.to_dict())


def add_refinement(folder: Path, network: RefinementNetwork) -> BundleInfo:
    """Add or replace the refinement network of a bundle; other tensors do not change.

    Raises:
        BundleError: The bundle cannot be read.
        OSError: A file cannot be written.
    """
    return _add_part(folder, "refinement", network, network.config.to_dict())


def _add_part(folder: Path, part: str, network: nn.Module, config: dict[str, Any]) -> BundleInfo:
    """Add or replace one of the parts of the weights, which changes their hash."""
    info = read_bundle(folder)
    prefix = f"{part}."
    with rewriting(folder, keep=True) as new:
        path = new / WEIGHTS
        tensors = {k: v for k, v in load_file(path).items() if not k.startswith(prefix)}
        stored = _stored(network.state_dict(), DTYPES[info.dtype])
        tensors |= {prefix + name: value for name, value in stored.items()}
        path.unlink()
        write_tensors(tensors, path)
        weights = {"file": WEIGHTS, "sha256": file_sha256(path), "dtype": info.dtype}
        edit_manifest(new, weights=weights, **{part: config})
    return read_bundle(folder)


def add_detail(folder: Path, network: DetailNetwork) -> BundleInfo:
    """Add or replace the detail network of a bundle.

    It has its own file, so that fills that were made without it can still be opened.

    Raises:
        BundleError: The bundle cannot be read.
        OSError: A file cannot be written.
    """
    info = read_bundle(folder)
    with rewriting(folder, keep=True) as new:
        (new / DETAIL).unlink(missing_ok=True)
        write_tensors(_stored(network.state_dict(), DTYPES[info.dtype]), new / DETAIL)
        edit_manifest(new, detail=network.config.to_dict())
    return read_bundle(folder)


def add_naturalness(folder: Path, head: NaturalnessHead, right: float) -> BundleInfo:
    """Add or replace what judges the naturalness of a bundle's fills, in its own file.

    `right` is the share of images that it has not seen and whose fills score lower.

    Raises:
        BundleError: The bundle cannot be read.
        OSError: A file cannot be written.
    """
    read_bundle(folder)
    with rewriting(folder, keep=True) as new:
        (new / NATURALNESS).unlink(missing_ok=True)
        write_tensors(_stored(head.state_dict(), torch.float32), new / NATURALNESS)
        edit_manifest(new, naturalness=right)
    return read_bundle(folder)
