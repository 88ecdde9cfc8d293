"""Tensors as files describe them, before their data are read."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeGuard

import torch

from inpaint_model.importing.errors import CheckpointError, quoted

# torch's storage classes -> element types
STORAGE_DTYPES: Mapping[str, torch.dtype] = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
# Magic number of torch.save before its zip format, as a pickle.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


@dataclass(frozen=True, eq=False)
class Storage:
    """Elements that tensors view; `load` reads them flat."""

    nbytes: int  # upper limit of the data to read
    load: Callable[[], torch.Tensor]


@dataclass(frozen=True, eq=False)
class TensorRef:
    """A tensor not yet read: a view of a storage, as in `torch.save`."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def described(cls, storage: object, offset: object, size: object, stride: object) -> TensorRef:
        """Check the fields of a pickled tensor."""
        if not isinstance(storage, Storage):
            raise CheckpointError("holds a tensor without a storage")
        if not _is_count(offset) or not _is_shape(size) or not _is_shape(stride):
            raise CheckpointError("describes a tensor with an impossible shape")
        if len(size) != len(stride):
            raise CheckpointError("describes a tensor with an impossible shape")
        return cls(storage, offset, size, stride)

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.size)

    def dropping(self, dimensions: tuple[int, ...]) -> TensorRef:
        """Drop dimensions, which must be of size 1."""
        if any(d >= len(self.size) or self.size[d] != 1 for d in dimensions):
            raise CheckpointError(f"has the shape {list(self.size)}")
        kept = [d for d in range(len(self.size)) if d not in dimensions]
        return replace(
            self,
            size=tuple(self.size[d] for d in kept),
            stride=tuple(self.stride[d] for d in kept),
        )

    def load(self) -> torch.Tensor:
        """Return the tensor, contiguous, in the element type of the file.

        Raises:
            CheckpointError: It is larger than its storage, perhaps by repeating elements.
        """
        flat = self.storage.load()
        steps = zip(self.size, self.stride, strict=True)
        reach = self.offset + sum((n - 1) * s for n, s in steps) + 1
        if self.numel == 0 or reach > flat.numel() or self.numel > flat.numel():
            raise CheckpointError("is larger than its storage")
        view = flat.as_strided(self.size, self.stride, self.offset)
        return view.contiguous() if self.numel == flat.numel() else view.clone()


def nested_storage(payload: bytes) -> Storage:
    """Return a storage inside a pickle, in the format before zip."""
    if not payload.startswith(LEGACY_MAGIC):
        raise CheckpointError("holds a nested storage that torch.save did not write")

    def load() -> torch.Tensor:
        try:
            with warnings.catch_warnings(action="ignore"):  # damage raises an error anyway
                storage = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        except Exception as error:  # torch may raise anything for a damaged stream
            raise CheckpointError(f"holds a damaged storage ({type(error).__name__})") from None
        if not isinstance(storage, torch.storage.TypedStorage):
            raise CheckpointError(f"holds {quoted(storage)} in place of a storage")
        flat = torch.empty(0, dtype=storage.dtype)
        return flat.set_(storage._untyped_storage)

    return Storage(len(payload), load)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < 2**40


def _is_shape(value: object) -> TypeGuard[tuple[int, ...]]:
    return isinstance(value, tuple) and len(value) <= 8 and all(_is_count(n) for n in value)
