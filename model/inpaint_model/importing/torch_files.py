"""Read the formats of `torch.save`: a zip (since torch 1.6), or a sequence of pickles before.

Tensors are read on demand, so optimizers and encoders never are.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO

import torch

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.inert import STORAGE_TYPES, Global, Opaque
from inpaint_model.importing.tensors import Storage
from inpaint_model.importing.unpickle import TRUNCATED, read_pickle

MAX_ENTRIES = 50_000  # files in a zip
MAX_PICKLE_BYTES = 64 * 2**20  # description without the tensors' data
LEGACY_PROTOCOL = 1001
ZIP_ERRORS = (  # of damaged files
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def read_zip(stream: IO[bytes], file_size: int) -> object:
    """Read a zip of torch.save; `stream` must stay open while its tensors are loaded."""
    try:
        archive = zipfile.ZipFile(stream)
        entries = _checked_entries(archive, file_size)
    except ZIP_ERRORS as error:
        raise _damaged(error) from None
    root = _root(entries)
    if f"{root}/constants.pkl" in entries:
        raise CheckpointError("is a TorchScript program, not a checkpoint")
    byteorder = entries.get(f"{root}/byteorder")
    if byteorder is not None and _read(archive, byteorder) != b"little":
        raise CheckpointError("holds big-endian numbers")
    storages: dict[str, Storage] = {}

    def persistent_load(identifier: object) -> object:
        if _is_unknown(identifier):
            return Opaque("a storage")
        key, dtype, numel = _storage_id(identifier)
        info = entries.get(f"{root}/data/{key}")
        if info is None or info.file_size != numel * dtype.itemsize:
            raise CheckpointError(f"lacks data of the storage {quoted(key)}, or is cut short")
        storage = Storage(info.file_size, lambda: _load_entry(archive, info, dtype))
        return storages.setdefault(key, storage)

    return read_pickle(io.BytesIO(_read(archive, entries[f"{root}/data.pkl"])), persistent_load)


def _checked_entries(archive: zipfile.ZipFile, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """Return entries by name; compressed ones, which may be zip bombs, are refused."""
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise CheckpointError(f"is a zip of more than {MAX_ENTRIES} entries")
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise CheckpointError("is a compressed or encrypted zip, which torch.save never writes")
        if info.file_size != info.compress_size:
            raise CheckpointError("is a damaged zip (sizes disagree)")
    if sum(info.file_size for info in infos) > file_size:
        raise CheckpointError("is a zip whose entries claim more than the file holds")
    return {info.filename: info for info in infos}


def _root(entries: dict[str, zipfile.ZipInfo]) -> str:
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise CheckpointError("is a zip, but not one that torch.save wrote")
    return pickles[0].removesuffix("/data.pkl")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_PICKLE_BYTES:
        raise CheckpointError(f"has a description of more than {MAX_PICKLE_BYTES // 2**20} MiB")
    try:
        return archive.read(info)
    except ZIP_ERRORS as error:
        raise _damaged(error) from None


def _load_entry(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, dtype: torch.dtype
) -> torch.Tensor:
    try:
        return _flat(bytearray(archive.read(info)), dtype)
    except ZIP_ERRORS as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> CheckpointError:
    if isinstance(error, CheckpointError):
        return error
    return CheckpointError(f"is a damaged zip ({quoted(str(error), 60)})")


def read_legacy(stream: IO[bytes], file_size: int) -> object:
    """Read a file that torch.save wrote before torch 1.6."""
    read_pickle(stream)  # the magic number, checked by the caller
    if read_pickle(stream) != LEGACY_PROTOCOL:
        raise CheckpointError("was written by an unknown version of torch.save")
    system = read_pickle(stream)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError("holds big-endian numbers")
    storages: dict[str, _LegacyStorage] = {}

    def persistent_load(identifier: object) -> object:
        if isinstance(identifier, tuple) and identifier[:1] == ("module",):
            return identifier[1] if len(identifier) > 1 else None  # (.., class, file, source)
        key, dtype, numel = _storage_id(identifier)
        legacy = storages.setdefault(key, _LegacyStorage(dtype, numel))
        if (legacy.dtype, legacy.numel) != (dtype, numel):
            raise CheckpointError(f"describes the storage {quoted(key)} twice, differently")
        return legacy.storage

    value = read_pickle(stream, persistent_load)
    keys = read_pickle(stream)
    if not isinstance(keys, list):
        raise CheckpointError("lacks the list of its storages")
    for key in keys:
        if not isinstance(key, str) or key not in storages:
            raise CheckpointError(f"holds a storage {quoted(key)} that nothing uses")
        storages[key].locate(stream, file_size)
    return value


class _LegacyStorage:
    """A storage whose position is known only after the pickle is read."""

    def __init__(self, dtype: torch.dtype, numel: int) -> None:
        self.dtype, self.numel = dtype, numel
        self.place: tuple[IO[bytes], int] | None = None
        self.storage = Storage(numel * dtype.itemsize, self.load)

    def locate(self, stream: IO[bytes], file_size: int) -> None:
        header = stream.read(8)
        nbytes = self.numel * self.dtype.itemsize
        start = stream.tell()
        if len(header) < 8 or struct.unpack("<q", header) != (self.numel,):
            raise CheckpointError(
                TRUNCATED if len(header) < 8 else "is damaged: its storages are in disorder"
            )
        if start + nbytes > file_size:
            raise CheckpointError(TRUNCATED)
        self.place = (stream, start)
        stream.seek(start + nbytes)

    def load(self) -> torch.Tensor:
        if self.place is None:
            raise CheckpointError("lacks the data of a storage")
        stream, start = self.place
        stream.seek(start)
        return _flat(bytearray(stream.read(self.numel * self.dtype.itemsize)), self.dtype)


def _is_unknown(identifier: object) -> bool:
    """Return whether networks do not use the element type."""
    return (
        isinstance(identifier, tuple)
        and identifier[:1] == ("storage",)
        and len(identifier) > 1
        and isinstance(identifier[1], Global)
        and identifier[1] not in STORAGE_TYPES
    )


def _storage_id(identifier: object) -> tuple[str, torch.dtype, int]:
    if not isinstance(identifier, tuple) or len(identifier) not in (5, 6):
        raise CheckpointError("refers to data in a form that torch.save does not write")
    kind, storage_type, key, location, numel = identifier[:5]
    if kind != "storage" or not isinstance(key, str) or not isinstance(location, str):
        raise CheckpointError("refers to data in a form that torch.save does not write")
    if not isinstance(storage_type, Global) or storage_type not in STORAGE_TYPES:
        raise CheckpointError("holds a storage of an unknown element type")
    if type(numel) is not int or not 0 <= numel < 2**40 or identifier[5:] not in [(), (None,)]:
        raise CheckpointError("declares a storage of an impossible size")
    return key, STORAGE_TYPES[storage_type], numel


def _flat(data: bytearray, dtype: torch.dtype) -> torch.Tensor:
    return torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
