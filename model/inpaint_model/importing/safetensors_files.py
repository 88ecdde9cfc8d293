"""Read safetensors files: a header that describes the tensors, then their bytes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

import torch
from safetensors import SafetensorError, safe_open

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.tensors import Storage, TensorRef
from inpaint_model.importing.unpickle import TRUNCATED

MAX_HEADER_BYTES = 64 * 2**20
MAX_TENSORS = 50_000
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1}


def is_safetensors(start: bytes) -> bool:
    """Return whether a file starts with a length, then a JSON object."""
    return len(start) > 8 and start[8:9] == b"{" and _header_bytes(start) <= MAX_HEADER_BYTES


def read_safetensors(stream: IO[bytes], path: Path, file_size: int) -> dict[str, TensorRef]:
    """Return the tensors by name; their data are read on demand."""
    if 8 + _header_bytes(stream.read(8)) > file_size:
        raise CheckpointError(TRUNCATED)
    tensors = {}
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if len(names) > MAX_TENSORS:
                raise CheckpointError(f"holds more than {MAX_TENSORS} tensors")
            for name in names:
                part = file.get_slice(name)
                size = tuple(part.get_shape())
                tensors[name] = _described(path, name, size, _BYTES.get(part.get_dtype(), 1))
    except SafetensorError as error:
        raise _damaged(error) from None
    return tensors


def _described(path: Path, name: str, size: tuple[int, ...], itemsize: int) -> TensorRef:
    strides, step = [], 1
    for length in reversed(size):
        strides.append(step)
        step *= length

    def load() -> torch.Tensor:
        try:
            with safe_open(path, framework="pt") as file:
                data: torch.Tensor = file.get_tensor(name).flatten()
                return data
        except (SafetensorError, TypeError, ValueError, KeyError) as error:
            raise _damaged(error) from None

    storage = Storage(step * itemsize, load)
    return TensorRef.described(storage, 0, size, tuple(reversed(strides)))


def _header_bytes(start: bytes) -> int:
    return int(struct.unpack("<Q", start[:8])[0])


def _damaged(error: Exception) -> CheckpointError:
    reason = str(error)
    if "incomplete metadata" in reason or "IncompleteBuffer" in reason:
        return CheckpointError(TRUNCATED)
    return CheckpointError(f"is a damaged safetensors file ({quoted(reason, 60)})")
