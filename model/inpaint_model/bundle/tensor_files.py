"""Writing tensors to files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors of any shapes, and strings about them, to a safetensors file.

    Raises:
        OSError: the file cannot be written, on a full disk for instance.
    """
    try:
        save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    except SafetensorError as error:  # the library has one exception for everything
        raise OSError(
            f"{path} cannot be written: {error}; free some space or choose another folder, and "
            "start again"
        ) from error
