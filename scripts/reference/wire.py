"""The reference page of the wire, made from the contract and its comments."""

from __future__ import annotations

import re
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

PROTOS = Path(__file__).resolve().parents[2] / "protos"
CONTRACT = "inpaint_protos/v1/inpaint.proto"
INTRODUCTION = """\
# Wire

Every call, message and field of `inpaint.v1`, from
[inpaint.proto](../../protos/inpaint_protos/v1/inpaint.proto) and its comments.
How large images are sent, the metadata of calls, and what may change: [Messages](formats/wire.md).

"""

Place = tuple[int, ...]


def page() -> str:
    """Return the Markdown of the contract."""
    contract = _contract()
    comments: dict[Place, str] = {
        tuple(each.path): _words(each.leading_comments) or _words(each.trailing_comments)
        for each in contract.source_code_info.location
    }
    parts = [INTRODUCTION]
    for number, service in enumerate(contract.service):
        parts += [f"## {service.name}\n\n", _paragraph(comments, (6, number))]
        parts += ["| Call | Request | Answer | |\n|---|---|---|---|\n"]
        for k, call in enumerate(service.method):
            asks = _stream(call.client_streaming) + _link(call.input_type)
            answers = _stream(call.server_streaming) + _link(call.output_type)
            meaning = _cell(comments.get((6, number, 2, k), ""))
            parts.append(f"| `{call.name}` | {asks} | {answers} | {meaning} |\n")
        parts.append("\n")
    for number, message in enumerate(contract.message_type):
        parts += _message(message, (4, number), message.name, comments, 2)
    for number, enum in enumerate(contract.enum_type):
        parts += _enum(enum, (5, number), enum.name, comments, 2)
    return "".join(parts)


def _contract() -> Any:  # noqa: ANN401 (a FileDescriptorProto, whose stubs know no fields here)
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "contract"
        include = files("grpc_tools") / "_proto"
        arguments = [f"-I{PROTOS}", f"-I{include}", f"--descriptor_set_out={out}"]
        if protoc.main(["protoc", *arguments, "--include_source_info", CONTRACT]) != 0:
            raise SystemExit("protoc failed; its message is above")
        (contract,) = FileDescriptorSet.FromString(out.read_bytes()).file
    return contract


def _message(
    message: Any,  # noqa: ANN401
    place: Place,
    name: str,
    comments: dict[Place, str],
    level: int,
) -> list[str]:
    parts = [f"{'#' * level} {name}\n\n", _paragraph(comments, place)]
    if message.field:
        parts.append("| Field | No. | Type | |\n|---|---|---|---|\n")
    for k, field in enumerate(message.field):
        meaning = _cell(comments.get((*place, 2, k), ""))
        if field.HasField("oneof_index") and not field.proto3_optional:
            meaning = f"One of `{message.oneof_decl[field.oneof_index].name}`. {meaning}"
        parts.append(f"| `{field.name}` | {field.number} | {_type(field)} | {meaning} |\n")
    parts.append("\n" if message.field else "")
    for k, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            inner = f"{name}.{nested.name}"
            parts += _message(nested, (*place, 3, k), inner, comments, level + 1)
    for k, enum in enumerate(message.enum_type):
        parts += _enum(enum, (*place, 4, k), f"{name}.{enum.name}", comments, level + 1)
    return parts


def _enum(
    enum: Any,  # noqa: ANN401
    place: Place,
    name: str,
    comments: dict[Place, str],
    level: int,
) -> list[str]:
    parts = [f"{'#' * level} {name}\n\n", _paragraph(comments, place)]
    parts.append("| Value | No. | |\n|---|---|---|\n")
    for k, value in enumerate(enum.value):
        meaning = _cell(comments.get((*place, 2, k), ""))
        parts.append(f"| `{value.name}` | {value.number} | {meaning} |\n")
    return [*parts, "\n"]


def _type(field: Any) -> str:  # noqa: ANN401
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    if field.type_name:
        kind = _link(field.type_name)
    else:
        kind = f"`{FieldDescriptorProto.Type.Name(field.type).removeprefix('TYPE_').lower()}`"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"repeated {kind}"
    return f"optional {kind}" if field.proto3_optional else kind


def _link(type_name: str) -> str:
    """Return a link to the section of a message of ours; only a name for others' and for maps."""
    name = type_name.removeprefix(".inpaint.v1.")
    if name == type_name or name.endswith("Entry"):
        return f"`{name.removeprefix('.')}`"
    return f"[{name}](#{re.sub(r'[^a-z0-9_]', '', name.lower())})"


def _stream(streams: bool) -> str:
    return "stream of " if streams else ""


def _paragraph(comments: dict[Place, str], place: Place) -> str:
    text = comments.get(place, "")
    return f"{text.replace('<', '&lt;')}\n\n" if text else ""


def _words(comment: str) -> str:
    return " ".join(comment.split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
