"""Write safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors and metadata to a file.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    except SafetensorError as error:  # the library's only exception
        raise OSError(
            f"{path} cannot be written: {error}; free some space or choose another folder, then "
            "try again"
        ) from error
