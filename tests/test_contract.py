"""Within v1 the wire contract only grows compared with the last release.

At a release, run `python tests/test_contract.py VERSION`, which writes the current contract to
tests/golden/contract, and remove the older file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)
from inpaint_protos.health.v1 import health_pb2
from inpaint_protos.status.v1 import status_pb2
from inpaint_protos.v1 import inpaint_pb2

ROOT = Path(__file__).resolve().parents[1]
RELEASES = ROOT / "tests" / "golden" / "contract"
BUF = os.environ.get("BUF") or shutil.which("buf")

Facts = dict[str, str]
"""What clients rely on: a name on the wire -> its meaning."""


def contract_now() -> FileDescriptorSet:
    made = FileDescriptorSet()
    for module in (health_pb2, status_pb2, inpaint_pb2):
        module.DESCRIPTOR.CopyToProto(made.file.add())
    return made


def last_release() -> FileDescriptorSet:
    (path,) = RELEASES.glob("*.txtpb")
    return text_format.Parse(path.read_text("utf-8"), FileDescriptorSet())


def facts(contract: FileDescriptorSet) -> Facts:
    found: Facts = {}
    for file in contract.file:
        for message in file.message_type:
            found.update(_of_message(f"{file.package}.{message.name}", message))
        for enum in file.enum_type:
            found.update(_of_enum(f"{file.package}.{enum.name}", enum))
        for service in file.service:
            for method in service.method:
                found[f"/{file.package}.{service.name}/{method.name}"] = (
                    f"{'stream ' * method.client_streaming}{method.input_type} -> "
                    f"{'stream ' * method.server_streaming}{method.output_type}"
                )
    return found


def _of_message(name: str, message: DescriptorProto) -> Iterator[tuple[str, str]]:
    yield name, "message"
    for field in message.field:
        yield f"{name} {field.number}", _meaning(field, message)
    for inner in message.nested_type:
        yield from _of_message(f"{name}.{inner.name}", inner)
    for enum in message.enum_type:
        yield from _of_enum(f"{name}.{enum.name}", enum)


def _meaning(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type)
    label = FieldDescriptorProto.Label.Name(field.label)
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return f"{field.name}: {label} {kind} {field.type_name} {oneof}"


def _of_enum(name: str, enum: EnumDescriptorProto) -> Iterator[tuple[str, str]]:
    yield name, "enum"
    for value in enum.value:
        yield f"{name} {value.number} {value.name}", "value"


def broken(before: FileDescriptorSet, now: FileDescriptorSet) -> list[str]:
    """List the changes that break older clients or daemons."""
    old, new = facts(before), facts(now)
    return [
        f"{name} was `{meaning}` and is `{new.get(name, 'gone')}`"
        for name, meaning in old.items()
        if new.get(name) != meaning
    ]


def test_the_contract_only_grows() -> None:
    assert broken(last_release(), contract_now()) == []
    assert len(facts(last_release())) > 150


def _message(contract: FileDescriptorSet, name: str) -> DescriptorProto:
    return next(m for file in contract.file for m in file.message_type if m.name == name)


def _renumber(contract: FileDescriptorSet) -> None:
    _message(contract, "FillHeader").field[3].number = 99


def _retype(contract: FileDescriptorSet) -> None:
    _message(contract, "Frame").field[0].type = FieldDescriptorProto.TYPE_FLOAT


def _rename(contract: FileDescriptorSet) -> None:
    _message(contract, "Edit").field[0].name = "direction"


def _repeat(contract: FileDescriptorSet) -> None:
    _message(contract, "Edit").field[1].label = FieldDescriptorProto.LABEL_REPEATED


def _leave_oneof(contract: FileDescriptorSet) -> None:
    _message(contract, "FillEvent").field[0].ClearField("oneof_index")


def _drop_value(contract: FileDescriptorSet) -> None:
    del contract.file[2].enum_type[0].value[1]


def _drop_message(contract: FileDescriptorSet) -> None:
    del contract.file[1].message_type[0]


def _unstream(contract: FileDescriptorSet) -> None:
    contract.file[2].service[0].method[1].client_streaming = False


CHANGES = (_renumber, _retype, _rename, _repeat, _leave_oneof, _drop_value, _drop_message)


@pytest.mark.parametrize("change", [*CHANGES, _unstream])
def test_what_would_break_clients_is_found(change: Callable[[FileDescriptorSet], None]) -> None:
    changed = contract_now()
    change(changed)
    assert broken(contract_now(), changed)


@pytest.mark.skipif(BUF is None, reason="buf is not installed (or name it in BUF)")
def test_buf_finds_nothing() -> None:
    assert BUF
    (release,) = RELEASES.glob("*.txtpb")
    for command in (["lint"], ["breaking", "--against", str(release)]):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [BUF, *command],
                cwd=ROOT,
                env={**os.environ, "BUF_CACHE_DIR": cache},
                capture_output=True,
                text=True,
            )
        assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    text = text_format.MessageToString(contract_now())
    (RELEASES / f"{sys.argv[1]}.txtpb").write_text(text, "utf-8")
