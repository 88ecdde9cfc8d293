"""Put a framer into a bundle."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml
from safetensors.torch import load_file

from inpaint_model.bundle.manifest import BundleInfo, read_bundle
from inpaint_model.bundle.tensor_files import write_tensors
from inpaint_model.bundle.weights import DTYPES, file_sha256
from inpaint_model.bundle.writer import replace_folder
from inpaint_model.framing.network import Framer


def add_framer(folder: Path, framer: Framer) -> BundleInfo:
    """Add a framer to the bundle in `folder`, replacing one that it had.

    The bundle is replaced only when the new one is whole. Its other tensors stay bit for bit what
    they were; the hash of its weights file changes.
    """
    info = read_bundle(folder)
    temporary = folder.with_name(folder.name + ".writing")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(folder, temporary)
    path = temporary / "weights.safetensors"
    tensors = {k: v for k, v in load_file(path).items() if not k.startswith("framer.")}
    for name, value in framer.state_dict().items():
        tensors[f"framer.{name}"] = value.to("cpu", DTYPES[info.dtype]).contiguous()
    write_tensors(tensors, path)
    document = yaml.safe_load((temporary / "model.yaml").read_text("utf-8"))
    document["weights"]["sha256"] = file_sha256(path)
    document["framer"] = framer.config.to_dict()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    (temporary / "model.yaml").write_text(text, "utf-8")
    replace_folder(temporary, folder)
    return read_bundle(folder)
