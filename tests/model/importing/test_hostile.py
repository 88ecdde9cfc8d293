"""Files that mean harm, or are damaged: each ends in one clear line, and runs nothing."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import pickle
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import state_dict, write_nvidia, write_torch
from foreign_networks import Sizes, nvidia_generator, rosinality_generator
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from inpaint_model.importing import CheckpointError, import_checkpoint
from inpaint_model.importing.tensors import nested_storage

TINY = Sizes(channels=(2, 2, 2, 2), w_dim=3, z_dim=3, layers=1)
EXAMPLES = int(os.environ.get("INPAINT_HOSTILE_EXAMPLES", "100"))  # thousands: set it higher
MANY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def refusal(path: Path) -> str:
    """The one line that a file which must not be imported ends with."""
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()  # one line, no terminal escapes
    assert len(message) < 600
    return message.removeprefix(f"{path}: ")


class Calls:
    """Pickles to a call of any function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def write(path: Path, content: bytes | object) -> Path:
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=4)
    path.write_bytes(data)
    return path


# --- code ---


def planted(trap: Path) -> dict[str, object]:
    """Calls that would leave a file behind, in the places where a loader may trip."""
    shell = Calls(os.system, f"touch {trap}")
    return {
        "alone": shell,
        "in G_ema": {"G_ema": shell},
        "in eval": Calls(eval, f"open({str(trap)!r}, 'w')"),
        "in exec": [Calls(exec, f"open({str(trap)!r}, 'w')")],
        "nested": Calls(getattr, Calls(__import__, "os"), "system"),
        "open": Calls(open, str(trap), "w"),
        "as an argument": Calls(torch._utils._rebuild_parameter, shell, False, {}),
        "in a state dict": {"g_ema": {"input.input": shell}},
        "through numpy": Calls(np.fromfile, str(trap)),
        "through torch": Calls(torch.load, str(trap)),
        "nested storage": Calls(torch.storage._load_from_bytes, pickle.dumps(shell)),
        "nested torch file": {
            "G_ema": Calls(torch.storage._load_from_bytes, saved(shell, legacy=True))
        },
    }


def saved(value: object, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@pytest.mark.parametrize("place", sorted(planted(Path("x"))))
def test_no_call_runs(tmp_path: Path, place: str) -> None:
    trap = tmp_path / "trap"
    value = planted(trap)[place]
    files = [
        *(pickle.dumps(value, protocol) for protocol in range(6)),
        saved(value),
        saved(value, legacy=True),
    ]
    for data in files:
        refusal(write(tmp_path / "x.pkl", data))
    assert not trap.exists()


def test_the_refusal_names_what_was_asked(tmp_path: Path) -> None:
    reason = refusal(write(tmp_path / "x.pkl", Calls(os.system, "true")))
    assert reason == (
        f"names '{os.system.__module__}.system', which is not on the list of what a checkpoint "
        "may hold; nothing of it was run"
    )


def test_a_nested_storage_does_not_run_either(tmp_path: Path) -> None:
    """A whole generator, one storage of which is a torch file with a call in it."""
    trap = tmp_path / "trap"
    data = write_nvidia(tmp_path / "x.pkl", nvidia_generator(TINY), protocol=3).read_bytes()
    code, (start, end) = first_nested_storage(data)
    payload = saved(Calls(os.system, f"touch {trap}"), legacy=True)
    spliced = data[:start] + b"B" + struct.pack("<I", len(payload)) + payload + data[end:]
    assert code in (b"B", b"C")
    reason = refusal(write(tmp_path / "x.pkl", spliced))
    assert reason.startswith("holds a damaged storage (UnpicklingError)")
    assert not trap.exists()


def test_damage_in_a_nested_storage_causes_no_warning() -> None:
    """Torch would warn of odd protocols, but the user should see only one line."""
    payload = io.BytesIO()
    torch.save(torch.ones(2)._typed_storage(), payload, _use_new_zipfile_serialization=False)
    damaged = payload.getvalue().replace(b".\x80\x02", b".\x80\x85")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with contextlib.suppress(CheckpointError):
            nested_storage(damaged).load()
    assert seen == []


def operations_of(data: bytes) -> Iterator[tuple[object, int]]:
    """The argument and the place of each operation of a pickle."""
    for _, argument, position in pickletools.genops(data):
        assert position is not None
        yield argument, position


def first_nested_storage(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """The operation that pushes the first nested storage: its code, and where it lies."""
    for (argument, start), (_, end) in itertools.pairwise(operations_of(data)):
        if isinstance(argument, bytes) and argument.startswith(b"\x80\x02\x8a"):
            return data[start : start + 1], (start, end)
    raise AssertionError("no nested storage")


# --- resources ---


def operations(*codes: bytes) -> bytes:
    return b"\x80\x04" + b"".join(codes) + b"."


RESOURCE_BOMBS = {
    "a memo of 2**31 entries": operations(b"Nr\xff\xff\xff\x7f"),
    "bytes of 2**62": operations(b"\x8e" + struct.pack("<Q", 2**62)),
    "text of 2**62": operations(b"\x8d" + struct.pack("<Q", 2**62)),
    "a frame of 2**62": operations(b"\x95" + struct.pack("<Q", 2**62) + b"N"),
    "a number of 2**31 bytes": operations(b"\x8b" + struct.pack("<i", 2**31 - 1)),
    "digits": operations(b"I" + b"9" * 100_000 + b"\n"),
    "too many operations": operations(b"N0" * 600_000, b"N"),
    "deep tuples": operations(b")" + b"\x85" * 300_000),
    "deep lists": operations(b"]" * 300_000 + b"a" * 299_999),
    "deep tuples as a key": operations(b"})" + b"\x85" * 900_000 + b"Ns"),
    "a tuple that doubles 10,000 times as a key": operations(b"})" + b"2\x86" * 10_000 + b"Ns"),
    "a tuple that doubles 10,000 times in a set": operations(
        b"\x8f(" + b")" + b"2\x86" * 10_000 + b"\x90"
    ),
    "a number of a megabyte as a key, again and again": operations(
        b"\x8b"
        + struct.pack("<i", 2**20)
        + b"\x01" * 2**20
        + b"q\x00}q\x01("
        + b"h\x00N" * 20_000
        + b"u"
    ),
    "marks": operations(b"(" * 300_000),
    "a list of itself": operations(b"]q\x00h\x00a"),
    "an endless line": operations(b"c" + b"a" * 1_000_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RESOURCE_BOMBS))
def test_bombs_of_operations(tmp_path: Path, name: str) -> None:
    refusal(write(tmp_path / "x.pkl", RESOURCE_BOMBS[name]))


def zip_of(path: Path, entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_a_zip_bomb_is_not_unfolded(tmp_path: Path) -> None:
    entries = {"x/data.pkl": pickle.dumps({}), "x/data/0": bytes(50_000_000)}
    path = zip_of(tmp_path / "x.pt", entries, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    assert refusal(path).startswith("is a compressed or encrypted zip")


def test_paths_in_a_zip_lead_nowhere(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    entries = {
        "x/data.pkl": pickle.dumps({"a": 1}, 2),
        f"../{outside.name}": b"1",
        str(outside): b"1",
    }
    assert refusal(zip_of(tmp_path / "x.pt", entries)).startswith("holds no StyleGAN2 generator")
    assert not outside.exists()


def with_pickle(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The zip of torch.save with another description of the same data."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    name = next(name for name in entries if name.endswith("/data.pkl"))
    return zip_of(path, {**entries, name: change(entries[name])})


def rosinality(tmp_path: Path, *, legacy: bool = False) -> Path:
    value = {"g_ema": state_dict(rosinality_generator(TINY)), "latent_avg": torch.zeros(3)}
    return write_torch(tmp_path / "x.pt", value, legacy=legacy)


HUGE_NUMBER = b"\x8a\x05" + (2**36).to_bytes(5, "little")  # LONG1


@pytest.mark.parametrize("field", ["storage", "size", "offset"])
def test_declared_sizes_are_not_believed(tmp_path: Path, field: str) -> None:
    """input.input: a storage of 32 elements, seen as [1, 2, 4, 4] from offset 0."""

    def change(data: bytes) -> bytes:
        old = {"storage": b"K\x20", "size": b"(K\x01K\x02", "offset": b"QK\x00"}[field]
        new = {
            "storage": HUGE_NUMBER,
            "size": b"(" + HUGE_NUMBER + b"K\x02",
            "offset": b"Q" + HUGE_NUMBER,
        }[field]
        start = data.index(old, data.index(b"input.input"))
        return data[:start] + new + data[start + len(old) :]

    refusal(with_pickle(rosinality(tmp_path), change))


def test_many_tensors_of_one_storage_are_refused(tmp_path: Path) -> None:
    """A small file whose every tensor shows the same megabytes."""
    shared = torch.zeros(1_000_000)
    views = {
        name: shared[: t.numel()].view(t.shape)
        for name, t in rosinality_generator(TINY).items()
        if "kernel" not in name
    }
    path = write_torch(tmp_path / "x.pt", {"g_ema": views})
    assert refusal(path) == "describes far more data than it holds"


def doubled(value: object, times: int) -> object:
    for _ in range(times):
        value = [value, value]
    return value


LAYOUT_BOMBS: dict[str, Callable[[], object]] = {
    "doubled lists": lambda: {"a": doubled({"input.input": torch.ones(1)}, 60)},
    "wide lists": lambda: [[[[{"x": torch.ones(1)}] * 1000] * 1000] * 1000] * 1000,
    "wide modules": lambda: [torch.nn.Linear(1, 1)] * 100_000,
    "long names": lambda: {"x" * 100_000: {"y" * 100_000: {"input.input": torch.ones(1)}}},
    "many generators": lambda: {f"{n}.input.input": torch.ones(1) for n in range(5000)},
    "many tensors": lambda: {"input.input": [torch.ones(1)] * 60_000},
    "large keys": lambda: {2**4000: torch.ones(1), -(2**70): 1},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(LAYOUT_BOMBS))
def test_bombs_of_structure(tmp_path: Path, name: str) -> None:
    refusal(write_torch(tmp_path / "x.pt", LAYOUT_BOMBS[name]()))


def test_expanded_tensors_are_refused(tmp_path: Path) -> None:
    g = rosinality_generator(TINY)
    g["style.1.weight"] = torch.zeros(1).expand(3, 3)
    reason = refusal(write_torch(tmp_path / "x.pt", {"g_ema": g}))
    assert reason.startswith("is larger than its storage (tensor mapping.fc0.weight)")


# --- files that are not checkpoints ---


def test_odd_paths(tmp_path: Path) -> None:
    assert refusal(tmp_path / "absent.pkl") == "cannot be read (No such file or directory)"
    assert refusal(tmp_path).startswith("is a folder, but not a bundle")
    assert refusal(write(tmp_path / "empty.pkl", b"")) == "is empty"
    assert refusal(write(tmp_path / "text.pkl", b"hello")).startswith("is not a checkpoint")
    assert refusal(write(tmp_path / "list.pkl", [1, 2])).startswith("holds no StyleGAN2 generator")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert refusal(tmp_path / "fifo") == "is not a regular file"


def test_a_path_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(tmp_path / "a\x1b[2J\nb.pkl")
    assert str(raised.value).isprintable()


def test_a_huge_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.pkl"
    with path.open("wb") as stream:
        stream.truncate(10 * 2**30)
    assert refusal(path) == "has 10.0 GiB; at most 4 GiB are read"


def test_other_kinds_are_distinguished(tmp_path: Path) -> None:
    script = zip_of(tmp_path / "s.pt", {"x/data.pkl": b"", "x/constants.pkl": b""})
    assert refusal(script) == "is a TorchScript program, not a checkpoint"
    assert refusal(zip_of(tmp_path / "z.zip", {"a.txt": b"a"})) == (
        "is a zip, but not one that torch.save wrote"
    )
    tensorflow = operations(b"cdnnlib.tflib.network\nNetwork\n")
    assert "the TensorFlow version of StyleGAN2" in refusal(write(tmp_path / "t.pkl", tensorflow))
    big_endian = {"x/data.pkl": pickle.dumps({}), "x/byteorder": b"big"}
    assert refusal(zip_of(tmp_path / "b.pt", big_endian)) == "holds big-endian numbers"


# --- damage ---


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("samples")
    nvidia = write_nvidia(folder / "x.pkl", nvidia_generator(TINY))
    return [
        nvidia.read_bytes(),
        rosinality(folder).read_bytes(),
        rosinality(folder, legacy=True).read_bytes(),
    ]


KINDS = pytest.mark.parametrize("kind", [0, 1, 2], ids=["nvidia", "zip", "legacy"])


def imports_or_refuses(path: Path) -> None:
    """Damage to a weight cannot be detected; all other damage must result in one line."""
    try:
        checkpoint = import_checkpoint(path)
    except CheckpointError as error:
        message = str(error)
    else:
        weights = checkpoint.generator.state_dict().values()
        assert all(bool(torch.isfinite(tensor).all()) for tensor in weights)
        return
    assert message.isprintable()
    assert message.startswith(f"{path}: ")


@pytest.mark.slow
@KINDS
@MANY
@given(data=st.data())
def test_flipped_bytes(
    tmp_path: Path, samples: list[bytes], kind: int, data: st.DataObject
) -> None:
    damaged = bytearray(samples[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    imports_or_refuses(write(tmp_path / "x", bytes(damaged)))


@pytest.mark.slow
@KINDS
@MANY
@given(data=st.data())
def test_truncated(tmp_path: Path, samples: list[bytes], kind: int, data: st.DataObject) -> None:
    whole = samples[kind]
    refusal(write(tmp_path / "x", whole[: data.draw(st.integers(0, len(whole) - 1))]))


@KINDS
@MANY
@given(data=st.data())
def test_cut_and_pasted(
    tmp_path: Path, samples: list[bytes], kind: int, data: st.DataObject
) -> None:
    """Stretches of a file moved, repeated or dropped."""
    whole = samples[kind]
    places = st.integers(0, len(whole))
    cuts = [sorted([data.draw(places), data.draw(places)]) for _ in range(3)]
    imports_or_refuses(write(tmp_path / "x", b"".join(whole[a:b] for a, b in cuts)))


CODES = st.sampled_from([code.code.encode("latin1") for code in pickletools.opcodes])
ARGUMENTS = st.sampled_from(
    [
        b"",
        b"\x00",
        b"\x05\x00\x00\x00hello",
        b"\x04\x00\x00\x00" + b"\xff" * 4,
        b"os\nsystem\n",
        b"collections\nOrderedDict\n",
        b"torch\nFloatStorage\n",
        b"torch._utils\n_rebuild_tensor_v2\n",
        b"numpy\ndtype\n",
        b"12\n",
    ]
)


@MANY
@given(st.lists(st.tuples(CODES, ARGUMENTS), max_size=30))
@example([(b"(", b""), (b"t", b""), (b"R", b"")])
def test_programs_of_operations(tmp_path: Path, program: list[tuple[bytes, bytes]]) -> None:
    codes = b"".join(code + argument for code, argument in program)
    refusal(write(tmp_path / "x.pkl", operations(codes)))


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_operations_spliced_into_a_valid_file(
    tmp_path: Path, samples: list[bytes], data: st.DataObject
) -> None:
    whole = samples[0]
    position = data.draw(st.sampled_from([position for _, position in operations_of(whole)]))
    code = data.draw(CODES) + data.draw(ARGUMENTS)
    rest = whole[position + data.draw(st.integers(0, 1)) :]
    imports_or_refuses(write(tmp_path / "x.pkl", whole[:position] + code + rest))
