"""The values that a pickle may describe, and the only constructors that it may name.

Nothing here imports or calls what a pickle names: a `Global` is a pair of strings, and each
entry of `CONSTRUCTORS` builds one of our own inert values from arguments that it checks first.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.tensors import STORAGE_DTYPES, TensorRef, nested_storage

MAX_DIMENSIONS = 8


class Global(NamedTuple):
    """The name of a class or function in a pickle. It is never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class PersistentObject:
    """A module as NVIDIA's `torch_utils.persistence` writes it, without its source code."""

    class_name: str
    state: Mapping[str, object]


class Namespace:
    """An `argparse.Namespace`: options of a training run, which nobody here reads."""


@dataclass(eq=False)
class NumpyDtype:
    """A numpy dtype of plain little-endian numbers; `state` is what numpy adds by BUILD."""

    code: str
    state: tuple[object, ...] | None = None


def _ordered_dict(*arguments: object) -> object:
    if arguments:
        raise CheckpointError("holds an OrderedDict in a form that no checkpoint uses")
    return {}


def _set(*arguments: object) -> object:
    return set()  # the sets of a module's state (names of hooks and buffers) are never read


def _persistent_object(*arguments: object) -> object:
    meta = arguments[0] if len(arguments) == 1 else None
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise CheckpointError("holds a persistent object that is not a class")
    class_name, state = meta.get("class_name"), meta.get("state")
    if not isinstance(class_name, str) or not isinstance(state, dict):
        raise CheckpointError("holds a persistent object without a class name and a state")
    return PersistentObject(class_name, state)


def _rebuild_tensor(*arguments: object) -> object:
    if len(arguments) < 4:
        raise CheckpointError("describes a tensor incompletely")
    storage, offset, size, stride = arguments[:4]
    return TensorRef.described(storage, offset, size, stride)


def _rebuild_parameter(*arguments: object) -> object:
    if not arguments or not isinstance(arguments[0], TensorRef):
        raise CheckpointError("holds a parameter that is not a tensor")
    return arguments[0]


def _load_from_bytes(*arguments: object) -> object:
    if len(arguments) != 1 or not isinstance(arguments[0], bytes):
        raise CheckpointError("holds a nested storage that is not bytes")
    return nested_storage(arguments[0])


def _size(*arguments: object) -> object:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple | list):
        raise CheckpointError("holds a torch.Size that is not a sequence")
    return tuple(arguments[0][:MAX_DIMENSIONS])


def _dtype(*arguments: object) -> object:
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or code.lstrip("<=|") not in NUMPY_NUMBERS:
        raise CheckpointError(f"holds numpy data of the type {quoted(code)}, not plain numbers")
    return NumpyDtype(code.lstrip("<=|"))


def _scalar(*arguments: object) -> object:
    if len(arguments) != 2:
        raise CheckpointError("holds a damaged numpy number")
    dtype, data = arguments
    if not isinstance(dtype, NumpyDtype) or not isinstance(data, bytes):
        raise CheckpointError("holds a damaged numpy number")
    if dtype.state is not None and dtype.state[1:2] not in [("<",), ("|",), ("=",)]:
        raise CheckpointError("holds a big-endian numpy number")
    try:
        (value,) = struct.unpack("<" + NUMPY_NUMBERS[dtype.code], data)
    except struct.error:
        raise CheckpointError("holds a damaged numpy number") from None
    return value


def _encode(*arguments: object) -> object:
    """`_codecs.encode(text, "latin1")`: how protocol 2 writes the bytes of a numpy number."""
    text = arguments[0] if arguments else None
    if not isinstance(text, str) or len(text) > 64 or arguments[1:] not in [("latin1",), ()]:
        raise CheckpointError("holds bytes in a form that no checkpoint uses")
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise CheckpointError("holds damaged bytes") from None


def _no_bytes(*arguments: object) -> object:
    """`bytes()`: how protocol 2 writes none at all."""
    if arguments:
        raise CheckpointError("holds bytes in a form that no checkpoint uses")
    return b""


def _namespace(*arguments: object) -> object:
    return Namespace()


# numpy type code -> struct code
NUMPY_NUMBERS = {
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "b1": "?",
}

# The allow-list: every callable that a pickle may name, and what stands in for it.
CONSTRUCTORS: Mapping[Global, Callable[..., object]] = {
    Global("collections", "OrderedDict"): _ordered_dict,
    Global("builtins", "set"): _set,
    Global("__builtin__", "set"): _set,
    Global("dnnlib.util", "EasyDict"): _ordered_dict,
    Global("dnnlib", "EasyDict"): _ordered_dict,
    Global("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_object,
    Global("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    Global("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    Global("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    Global("torch.storage", "_load_from_bytes"): _load_from_bytes,
    Global("torch", "Size"): _size,
    Global("numpy", "dtype"): _dtype,
    Global("numpy.core.multiarray", "scalar"): _scalar,
    Global("numpy._core.multiarray", "scalar"): _scalar,
    Global("_codecs", "encode"): _encode,
    Global("__builtin__", "bytes"): _no_bytes,
    Global("argparse", "Namespace"): _namespace,
}

# Names that a pickle may mention but not call: the element types of storages.
STORAGE_TYPES = {Global("torch", name): dtype for name, dtype in STORAGE_DTYPES.items()}


def construct(target: object, arguments: object) -> object:
    """What stands in for `target(*arguments)`. Raises CheckpointError for anything unlisted."""
    if not isinstance(target, Global) or target not in CONSTRUCTORS:
        name = quoted(str(target)) if isinstance(target, Global) else "a value"
        raise CheckpointError(f"asks to call {name}, which no checkpoint needs; it was not called")
    if not isinstance(arguments, tuple):
        raise CheckpointError("is damaged: a call without a tuple of arguments")
    return CONSTRUCTORS[target](*arguments)


def build(target: object, state: object) -> None:
    """What stands in for `target.__setstate__(state)`: only inert values take a state."""
    if isinstance(target, Namespace):
        pass  # the options of a training run, never read
    elif isinstance(target, NumpyDtype) and target.state is None and isinstance(state, tuple):
        target.state = state
    elif isinstance(target, dict) and (state is None or isinstance(state, dict)):
        pass  # the attributes of a state dict (its _metadata: versions of modules), never read
    else:
        raise CheckpointError(f"sets the state of {quoted(target)}, which no checkpoint needs")


def finite_number(value: object) -> bool:
    """Return whether a value of a pickle is a usable number (no bool, NaN or infinity)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
