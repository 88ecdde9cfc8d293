"""Mutated checkpoints, and a process that imports thousands of them within limits.

    python mutated_checkpoints.py FIRST COUNT MEMORY_MIB

It prints one JSON object: the numbers of imported and refused files, the peak memory, and each file
that broke a guarantee, by its seed.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickletools
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from checkpoint_files import state_dict, write_nvidia, write_torch
from foreign_networks import (
    Sizes,
    nvidia_discriminator,
    nvidia_generator,
    rosinality_discriminator,
    rosinality_generator,
)
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.bundle.weights import check_weights
from inpaint_model.cli.main import main as command
from safetensors.torch import save as save_safetensors

TINY = Sizes(channels=(2, 2, 2, 2), w_dim=3, z_dim=3, layers=1)
SECONDS = 60  # for one file
CODES = [code.code.encode("latin1") for code in pickletools.opcodes]
NUMBERS = [0, 1, -1, 2, 127, 255, 256, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**63 - 1]


def value_of(rng: random.Random) -> dict[str, Any]:
    """Return a checkpoint that a training might save, with a random change."""
    nvidia = rng.random() < 0.5
    G = nvidia_generator(TINY) if nvidia else rosinality_generator(TINY)
    D = nvidia_discriminator(TINY) if nvidia else rosinality_discriminator(TINY)
    network = rng.choice([G, G, D])
    for _ in range(rng.randint(1, 3)):
        _change(rng, network)
    prefix = rng.choice(["", "", "module.", "_orig_mod.", "G.", "decoder.", "module.x.module."])
    named: Any = state_dict({prefix + name: tensor for name, tensor in G.items()})
    value: dict[str, Any] = {
        rng.choice(["g_ema", "G_ema", "g", "state_dict", "params_ema", ""]): named,
        rng.choice(["d", "D", "discriminator"]): D,
        "latent_avg": torch.zeros(rng.choice([3, 3, 3, 4])),
        "args": {"device": torch.device("cpu"), "state": np.random.RandomState(0)},
    }
    names = list(value)
    for name in names:
        if rng.random() < 0.1:
            del value[name]
    return value


def _change(rng: random.Random, tensors: dict[str, Any]) -> None:
    """Change one of the tensors of a state dict."""
    name = rng.choice(list(tensors))
    tensor = tensors[name]
    if not isinstance(tensor, torch.Tensor) or tensor.is_sparse or tensor.is_complex():
        return  # changed already
    changes: list[Callable[[], Any]] = [
        tensor.double,
        lambda: tensor.to(torch.int32),
        lambda: tensor.to(torch.complex64),
        lambda: tensor * float("nan"),
        tensor.flatten,
        lambda: tensor[None],
        lambda: tensor.t() if tensor.ndim == 2 else tensor,
        lambda: torch.zeros(0),
        lambda: torch.zeros(1).expand(rng.choice([1, 7, 10_000])),
        lambda: torch.zeros(rng.choice([1, 3, 9]), rng.choice([1, 2, 8])),
        tensor.to_sparse,
        lambda: float(tensor.sum()),
        lambda: [tensor],
        lambda: None,
    ]
    if rng.random() < 0.2:
        del tensors[name]
    elif rng.random() < 0.2:
        tensors[rng.choice(["x", "synthesis.b64.conv0.weight", "convs.7.conv.weight"])] = tensor
    else:
        tensors[name] = rng.choice(changes)()


@cache
def samples() -> list[bytes]:
    """Return intact files of every kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        ros = {
            "g_ema": state_dict(rosinality_generator(TINY)),
            "d": state_dict(rosinality_discriminator(TINY)),
            "latent_avg": torch.zeros(3),
        }
        ada = {"G_ema": nvidia_generator(TINY), "D": nvidia_discriminator(TINY)}
        clamps: dict[str, Any] = {"conv_clamp": 256, "num_fp16_res": 4}
        files = [
            write_nvidia(path, ada["G_ema"], ada["D"], **clamps).read_bytes(),
            write_nvidia(path, ada["G_ema"], ada["D"], protocol=3, arrange="tuple").read_bytes(),
            write_torch(path, ros).read_bytes(),
            write_torch(path, ros, legacy=True).read_bytes(),
            write_torch(path, ada).read_bytes(),
        ]
    return [*files, save_safetensors({n: t.contiguous() for n, t in ada["G_ema"].items()})]


def mutated(seed: int) -> bytes:
    """Return the file of a seed: a damaged one, or one with odd content."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.25:
        stream = io.BytesIO()
        torch.save(value_of(rng), stream, _use_new_zipfile_serialization=rng.random() < 0.7)
        return stream.getvalue()
    data = rng.choice(samples())
    if data.startswith(b"PK") and rng.random() < 0.7:  # with corrected checksums
        return _with_other_description(data, lambda pickle: _damage(rng, pickle))
    if data[8:9] == b"{" and rng.random() < 0.7:
        return _with_other_header(data, rng)
    return _damage(rng, data)


def _damage(rng: random.Random, data: bytes) -> bytes:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    kind = rng.randrange(6)
    if kind == 0:
        changed = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(changed)
    if kind == 1:
        return data[:start]
    if kind == 2:
        return data[:start] + data[end:]
    if kind == 3:
        return data[:end] + data[start:]
    if kind == 4:  # another number in four or eight bytes
        number = struct.pack("<q", rng.choice(NUMBERS))[: rng.choice([1, 2, 4, 8])]
        return data[:start] + number + data[start + len(number) :]
    code = rng.choice(CODES) + bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 4])))
    return data[:start] + code + data[start + rng.randint(0, 1) :]


def _with_other_description(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            is_pickle = info.filename.endswith("/data.pkl")
            new.writestr(info.filename, change(content) if is_pickle else content)
    return stream.getvalue()


def _with_other_header(data: bytes, rng: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    entry = header[rng.choice([name for name in header if name != "__metadata__"])]
    place = rng.choice(["dtype", "shape", "data_offsets"])
    entry[place] = rng.choice(
        ["F64", "F8_E4M3", "BOOL", "I64", [], [2**62], [2**40, 2**40], [-1], [0, 2**62], [4, 0]]
        if place != "dtype"
        else ["F64", "F8_E4M3", "BOOL", "I64", "X", 3, None]
    )
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def broken_promise(folder: Path, seed: int) -> tuple[str, str]:
    """Import the file of a seed.

    Returns:
        The outcome, "imported" or "refused", and the broken guarantee; "" if there is none.
    """
    path, out, errors = folder / "x.pkl", folder / "out", io.StringIO()
    path.write_bytes(mutated(seed))
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            status = command(["import", str(path), "--out", str(out)])
    except BaseException:
        return "broken", traceback.format_exc()
    finally:
        signal.alarm(0)
    said = errors.getvalue()
    left = sorted(x.name for x in folder.iterdir() if x != path)
    if status == 0:
        check_weights(read_bundle(out))
        shutil.rmtree(out, ignore_errors=True)
        return "imported", "" if left == ["out"] else f"it left {left}"
    if status != 2 or "out of memory" in said:
        return "broken", f"status {status}: {said}"
    if left:
        return "refused", f"it left {left}"
    lines = said.splitlines()
    if len(lines) != 1 or not lines[0].startswith(f"inpaint-model: {path}: "):
        return "refused", f"it said {said!r}"
    return "refused", "" if lines[0].isprintable() else f"it printed {said!r}"


def limit_memory(mebibytes: int) -> None:
    """Limit the address space that this process may allocate from now on."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(first: int, count: int, mebibytes: int) -> None:
    """Import the files of `count` seeds and print the outcomes."""
    torch.set_num_threads(1)
    samples()
    results: Counter[str] = Counter()
    broken: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        # Exclude memory that libraries allocate on first use.
        warm = Path(folder, "warm")
        warm.mkdir()
        for seed in range(first, first + 20):
            broken_promise(warm, seed)
        shutil.rmtree(warm)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        limit_memory(mebibytes)
        for seed in range(first, first + count):
            place = Path(folder, str(seed))
            place.mkdir()
            result, promise = broken_promise(place, seed)
            results[result] += 1
            if promise:
                broken[seed] = promise
            shutil.rmtree(place)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = {"results": results, "broken": broken, "grew_mib": (after - before) / 1024}
    print(json.dumps(report))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
