"""Write checkpoints as published implementations do, including global names.

The NVIDIA writer imitates how `torch_utils.persistence` pickles a module. During the dump, the
modules that such a pickle refers to exist, with nothing but the names.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from foreign_networks import Tensors, low_pass
from torch import nn

SOURCE = "class Generator:\n    pass\n"


def write_nvidia(
    path: Path,
    generator: Tensors,
    discriminator: Tensors | None = None,
    *,
    conv_clamp: float | None = None,
    num_fp16_res: int = 0,
    lr_multiplier: float = 0.01,
    group_size: int | None = 4,
    protocol: int = 4,
    module_src: str = SOURCE,
    raw_generator: Tensors | None = None,
    generator_key: str = "G_ema",
    old: bool = False,
    arrange: str = "dict",
) -> Path:
    """Write a pickle of {G, D, G_ema, training_set_kwargs, augment_pipe}.

    Args:
        arrange: "tuple" or "list" writes (G, D, G_ema), "bare" only G_ema.
        old: write as torch 1.7 and numpy 1 did: OrderedDicts in modules, and fewer attributes.
    """
    with _persistence() as persistence:

        def module(tensors: Tensors, class_name: str) -> Any:
            layers = _Layers(
                persistence, module_src, conv_clamp, num_fp16_res, lr_multiplier, group_size, old
            )
            return layers.network(tensors, class_name)

        data = {
            "G": module(raw_generator, "Generator") if raw_generator else None,
            "D": module(discriminator, "Discriminator") if discriminator else None,
            generator_key: module(generator, "Generator"),
            "training_set_kwargs": persistence.easy_dict(
                class_name="training.dataset.ImageFolderDataset", path="faces.zip", xflip=True
            ),
            "augment_pipe": None,
        }
        networks = data["G"], data["D"], data[generator_key]
        rows = {"tuple": networks, "list": list(networks), "bare": networks[2]}
        path.write_bytes(pickle.dumps(rows.get(arrange, data), protocol))
    return path


def write_torch(path: Path, value: object, *, legacy: bool = False) -> Path:
    """Save with torch, in the zip format or the legacy format."""
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def state_dict(tensors: Tensors) -> OrderedDict[str, torch.Tensor]:
    """Return a dictionary like nn.Module.state_dict, with the metadata that torch attaches."""
    state = OrderedDict(tensors)
    state._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return state


class _Persistence:
    """Stand-ins for torch_utils.persistence and dnnlib.util."""

    def __init__(self) -> None:
        def _reconstruct_persistent_obj(meta: object) -> None:
            raise AssertionError("the stock loader must never run")

        class EasyDict(dict[str, object]):
            pass

        class Persistent:
            def __init__(self, meta: dict[str, object]) -> None:
                self.meta = meta

            def __reduce__(self) -> tuple[object, ...]:
                return (_reconstruct_persistent_obj, (self.meta,), None)

        for item, home in (
            (_reconstruct_persistent_obj, "torch_utils.persistence"),
            (EasyDict, "dnnlib.util"),
        ):
            item.__module__, item.__qualname__ = home, item.__name__
        self.reconstruct, self.easy_dict, self.persistent = (
            _reconstruct_persistent_obj,
            EasyDict,
            Persistent,
        )


@contextlib.contextmanager
def _persistence() -> Iterator[_Persistence]:
    stand_ins = _Persistence()
    modules = {
        "torch_utils": types.ModuleType("torch_utils"),
        "torch_utils.persistence": types.ModuleType("torch_utils.persistence"),
        "dnnlib": types.ModuleType("dnnlib"),
        "dnnlib.util": types.ModuleType("dnnlib.util"),
    }
    modules["torch_utils.persistence"]._reconstruct_persistent_obj = (  # type: ignore[attr-defined]
        stand_ins.reconstruct
    )
    modules["dnnlib.util"].EasyDict = stand_ins.easy_dict  # type: ignore[attr-defined]
    sys.modules.update(modules)
    try:
        yield stand_ins
    finally:
        for name in modules:
            del sys.modules[name]


class _Layers:
    """Convert flat tensors to a tree of modules."""

    def __init__(
        self,
        persistence: _Persistence,
        module_src: str,
        conv_clamp: float | None,
        num_fp16_res: int,
        lr_multiplier: float,
        group_size: int | None,
        old: bool,
    ) -> None:
        self.persistence, self.module_src, self.old = persistence, module_src, old
        self.conv_clamp, self.num_fp16_res = conv_clamp, num_fp16_res
        self.lr_multiplier, self.group_size = lr_multiplier, group_size

    def network(self, tensors: Tensors, class_name: str) -> Any:
        self.is_generator = class_name == "Generator"
        self.resolution = max(
            int(part[1:])
            for name in tensors
            for part in name.split(".")
            if part[0] == "b" and part[1:].isdigit()
        )
        return self.module("", tensors)

    def module(self, name: str, tensors: Tensors) -> Any:
        """Return the module at `name`, from `tensors` with names relative to it."""
        own = {key: tensor for key, tensor in tensors.items() if "." not in key}
        children: dict[str, Tensors] = {}
        for key, tensor in tensors.items():
            head, _, rest = key.partition(".")
            if rest:
                children.setdefault(head, {})[rest] = tensor
        table = OrderedDict if self.old else dict
        class_name, attributes = self.describe(name, own)
        buffers = {key: t for key, t in own.items() if key in ("w_avg", "noise_const")}
        if class_name in ("SynthesisBlock", "SynthesisLayer", "Conv2dLayer", "DiscriminatorBlock"):
            buffers["resample_filter"] = low_pass()
        modules = {
            key: self.module(f"{name}.{key}" if name else key, inner)
            for key, inner in children.items()
        }
        if class_name == "DiscriminatorEpilogue":
            modules["mbstd"] = self.module(f"{name}.mbstd", {})
        state: dict[str, object] = {
            "training": False,
            "_parameters": table(
                (key, nn.Parameter(t, requires_grad=False))
                for key, t in own.items()
                if key not in buffers
            ),
            "_buffers": table(buffers),
            "_backward_hooks": OrderedDict(),
            "_forward_hooks": OrderedDict(),
            "_modules": table(modules),
            **attributes,
            "_init_args": (),
            "_init_kwargs": self.persistence.easy_dict(**attributes),
        }
        if not self.old:
            state |= {"_non_persistent_buffers_set": set(), "_is_full_backward_hook": None}
        return self.persistence.persistent(
            {
                "type": "class",
                "version": 6,
                "module_src": self.module_src,
                "class_name": class_name,
                "state": state,
            }
        )

    def describe(self, name: str, own: Tensors) -> tuple[str, dict[str, object]]:
        """Return class name and plain attributes of a module."""
        leaf = name.rpartition(".")[2]
        sqrt2 = np.float64(np.sqrt(2))  # NVIDIA's gains are numpy numbers, also in pickles
        if not name:
            return "Generator" if self.is_generator else "Discriminator", {
                "img_resolution": self.resolution,
                "img_channels": 3,
            }
        if leaf in ("mapping", "synthesis"):
            return f"{leaf.title()}Network", {"num_ws": 2 * self.resolution.bit_length() - 4}
        if leaf == "mbstd":
            return "MinibatchStdLayer", {"group_size": self.group_size, "num_channels": 1}
        if leaf == "b4" and not self.is_generator:
            return "DiscriminatorEpilogue", {"architecture": "resnet", "img_channels": 3}
        if leaf[0] == "b" and leaf[1:].isdigit():
            use_fp16 = int(leaf[1:]) << self.num_fp16_res > self.resolution
            return "SynthesisBlock" if self.is_generator else "DiscriminatorBlock", {
                "resolution": int(leaf[1:]),
                "img_channels": 3,
                "architecture": "skip" if self.is_generator else "resnet",
                "use_fp16": use_fp16,
                "channels_last": False,
            }
        if leaf == "torgb":
            return "ToRGBLayer", {"conv_clamp": self.conv_clamp, "weight_gain": sqrt2}
        if self.is_generator and leaf.startswith("conv"):
            return "SynthesisLayer", {
                "up": 2 if leaf == "conv0" else 1,
                "use_noise": True,
                "activation": "lrelu",
                "conv_clamp": self.conv_clamp,
                "act_gain": sqrt2,
            }
        if own and own["weight"].ndim == 4:
            return "Conv2dLayer", {
                "activation": "linear" if leaf == "skip" else "lrelu",
                "conv_clamp": None if leaf == "skip" else self.conv_clamp,
                "act_gain": sqrt2,
            }
        linear = leaf in ("affine", "embed", "out")
        gain = 1.0
        if name.startswith("mapping.fc"):
            gain = self.lr_multiplier if self.is_generator else 0.01
        return "FullyConnectedLayer", {
            "activation": "linear" if linear else "lrelu",
            "weight_gain": np.float64(0.5),
            "bias_gain": gain,
        }
