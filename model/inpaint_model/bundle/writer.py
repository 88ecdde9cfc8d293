"""TODO."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from inpaint_model.bundle.manifest import FORMAT, BundleInfo, Card, read_bundle
from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.bundle.weights import DTYPES, WEIGHTS, file_sha256, generator_sha256
from inpaint_model.framing.network import FramerConfig
from inpaint_model.networks.config import (
    to_dict,
)
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel


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
    """Write a complete bundle, replacing `folder` only when everything is on disk.

    discriminator: what the model was trained against, for training on.
    write_extra: writes further files, such as projected heads, into the folder it is given.
    extra_tensors: further entries for weights.safetensors (`framer.*`).
    """
    temporary = folder.with_name(folder.name + ".writing")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
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
    weights = temporary / WEIGHTS
    write_tensors(tensors, weights)
    document: dict[str, Any] = {
        "format": FORMAT,
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
        document["discriminator"] = to_dict(discriminator.config)
        save_discriminator(temporary / "discriminator.safetensors", discriminator, dtype)
    if write_extra is not None:
        write_extra(temporary, DTYPES[dtype])
    (temporary / "model.yaml").write_text(
        yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8"
    )
    (temporary / "card.md").write_text(card_text or f"# {card.title or card.name}\n", "utf-8")
    replace_folder(temporary, folder)
    return read_bundle(folder)


def save_discriminator(path: Path, discriminator: Discriminator, dtype: str = "fp32") -> None:
    """The discriminator's tensors, in a file of their own: training needs them, use does not."""
    write_tensors(_stored(discriminator.state_dict(), DTYPES[dtype]), path)


def replace_folder(source: Path, target: Path) -> None:
    """Move `source` to `target`; an earlier `target` stays whole until then."""
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)
