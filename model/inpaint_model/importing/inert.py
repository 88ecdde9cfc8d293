"""The inert values that stand for what a pickle describes.

Nothing here imports or calls what a pickle names: `CONSTRUCTORS` build values from checked
arguments, and all else becomes an `Opaque`, since checkpoints hold much that can be ignored.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from inpaint_model.importing.errors import CheckpointError
from inpaint_model.importing.tensors import (
    LEGACY_MAGIC,
    STORAGE_DTYPES,
    TensorRef,
    nested_storage,
)

MAX_DIMENSIONS = 8
MAX_BITS = 64  # of usable integers


class Global(NamedTuple):
    """The name of a class or function, never resolved."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class PersistentObject:
    """A module of NVIDIA's `torch_utils.persistence` without its source code."""

    class_name: str
    state: Mapping[str, object]


@dataclass(eq=False)
class Opaque:
    """An object whose class is not in `CONSTRUCTORS`."""

    name: str
    state: object = None  # from BUILD
    entries: dict[str | int, object] = field(default_factory=dict)  # of a mapping


@dataclass(eq=False)
class NumpyDtype:
    """A numpy dtype of little-endian numbers."""

    code: str
    state: tuple[object, ...] | None = None  # from BUILD


def _mapping(*arguments: object) -> object:
    # Entries follow one by one; in an argument, they could repeat without limit.
    return Opaque("a mapping") if arguments else {}


def _default_dict(*arguments: object) -> object:
    return {}  # the default factory is never called


def _set(*arguments: object) -> object:
    return set()  # items (names of hooks and buffers) are not used


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
    if isinstance(storage, Opaque):
        return Opaque("a tensor of an unknown element type")
    return TensorRef.described(storage, offset, size, stride)


def _rebuild_parameter(*arguments: object) -> object:
    if not arguments or not isinstance(arguments[0], TensorRef | Opaque):
        raise CheckpointError("holds a parameter that is not a tensor")
    return arguments[0]


def _rebuild_subclass(*arguments: object) -> object:
    """Rebuild a tensor with attributes from `(function, type, arguments, state)`."""
    if len(arguments) < 3:
        raise CheckpointError("describes a tensor incompletely")
    return construct(arguments[0], arguments[2])


def _load_from_bytes(*arguments: object) -> object:
    if len(arguments) != 1 or not isinstance(arguments[0], bytes):
        raise CheckpointError("holds a nested storage that is not bytes")
    if not arguments[0].startswith(LEGACY_MAGIC):
        return Opaque("torch.storage._load_from_bytes")
    return nested_storage(arguments[0])


def _size(*arguments: object) -> object:
    if len(arguments) != 1 or not isinstance(arguments[0], tuple | list):
        raise CheckpointError("holds a torch.Size that is not a sequence")
    return tuple(arguments[0][:MAX_DIMENSIONS])


def _dtype(*arguments: object) -> object:
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or code.lstrip("<=|") not in NUMPY_NUMBERS:
        return Opaque("numpy.dtype")
    return NumpyDtype(code.lstrip("<=|"))


def _scalar(*arguments: object) -> object:
    if len(arguments) != 2:
        raise CheckpointError("holds a damaged numpy number")
    dtype, data = arguments
    if isinstance(dtype, Opaque):
        return Opaque("a numpy value that is no plain number")
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
    """Return bytes that protocol 2 writes as latin1 text."""
    text = arguments[0] if arguments else None
    if not isinstance(text, str) or len(text) > 64 or arguments[1:] not in [("latin1",), ()]:
        return Opaque("_codecs.encode")
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        raise CheckpointError("holds damaged bytes") from None


def _no_bytes(*arguments: object) -> object:
    """Return empty bytes, `bytes()` in protocol 2."""
    return Opaque("bytes") if arguments else b""


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

# All callables whose results are used.
CONSTRUCTORS: Mapping[Global, Callable[..., object]] = {
    Global("collections", "OrderedDict"): _mapping,
    Global("builtins", "set"): _set,
    Global("__builtin__", "set"): _set,
    Global("dnnlib.util", "EasyDict"): _mapping,
    Global("dnnlib", "EasyDict"): _mapping,
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
    Global("collections", "defaultdict"): _default_dict,
    Global("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    Global("torch._tensor", "_rebuild_from_type_v2"): _rebuild_subclass,
}
# Forks keep NVIDIA's modules in other packages.
IN_ANY_PACKAGE: Mapping[str, Callable[..., object]] = {
    "EasyDict": _mapping,
    "_reconstruct_persistent_obj": _persistent_object,
}

STORAGE_TYPES = {Global("torch", name): dtype for name, dtype in STORAGE_DTYPES.items()}


def construct(target: object, arguments: object) -> object:
    """Return the inert value of `target(*arguments)`."""
    if not isinstance(target, Global):
        return Opaque(target.name if isinstance(target, Opaque) else type(target).__name__)
    constructor = CONSTRUCTORS.get(target) or IN_ANY_PACKAGE.get(target.name)
    if constructor is None:
        return Opaque(str(target))
    if not isinstance(arguments, tuple):
        raise CheckpointError("is damaged: a call without a tuple of arguments")
    return constructor(*arguments)


def build(target: object, state: object) -> None:
    """Do for inert values what `target.__setstate__(state)` would."""
    if isinstance(target, Opaque):
        target.state = state
    if isinstance(target, NumpyDtype) and target.state is None and isinstance(state, tuple):
        target.state = state
    # Attributes of dictionaries and tensors (versions, hooks) are not used.


def finite_number(value: object) -> bool:
    """Return whether it is a usable number (not a bool, NaN or infinity)."""
    if isinstance(value, int):
        return not isinstance(value, bool) and value.bit_length() < MAX_BITS
    return isinstance(value, float) and math.isfinite(value)
