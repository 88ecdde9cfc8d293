"""The reference page of the daemon's settings, made from the dataclasses that check them."""

from __future__ import annotations

import ast
import inspect
import io
import json
import tokenize
from collections.abc import Mapping
from typing import Any

INTRODUCTION = """\
# Settings of the daemon

`inpaint-server --config FILE` reads them from a YAML file; most have an option of the same name
([inpaint-server](commands/inpaint-server.md)). A key that is not listed here is an error, and so
is a value out of range: the daemon names it and does not start.

"""


def page() -> str:
    """Return the Markdown of all settings: type, range, default and meaning."""
    from inpaint_model.networks.validation import json_schema
    from inpaint_server import config

    schema = json_schema(config.ServerConfig, "settings")
    parts = [INTRODUCTION]
    for name, kind in (
        ("", config.ServerConfig),
        ("tls", config.TlsConfig),
        ("limits", config.Limits),
        ("ray", config.RayConfig),
    ):  # fmt: skip
        if name:
            parts.append(f"## {name}\n\n{inspect.getdoc(kind)}\n\n")
        own = schema["$defs"][kind.__name__] if name else schema
        meanings = _comments(kind)
        rows = [
            f"| `{key}` | {_kind(value)} | {_default(value)} | {_cell(meanings.get(key, ''))} |\n"
            for key, value in own["properties"].items()
            if "$ref" not in json.dumps(value)
        ]
        parts += ["| Key | Values | Default | |\n|---|---|---|---|\n", *rows, "\n"]
    return "".join(parts)


def _comments(kind: type) -> dict[str, str]:
    """Return what the comment behind each field of a dataclass says."""
    source = inspect.getsource(kind)
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: " ".join(
            comments[line]
            for line in range(field.lineno, (field.end_lineno or field.lineno) + 1)
            if line in comments
        )
        for field in body.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _kind(value: Mapping[str, Any]) -> str:
    """Return a JSON Schema as words."""
    if "anyOf" in value:
        return " or ".join(_kind(each) for each in value["anyOf"])
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}"
    words = {"integer": "whole number", "number": "number", "string": "text", "null": "nothing"}
    bounds = [
        f"{words_of} {value[key] if value[key] % 1 else int(value[key])}"
        for key, words_of in (
            ("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to")
        )
        if key in value
    ]  # fmt: skip
    return " ".join([words[value["type"]], *bounds])


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value:
        return "required"
    default = value["default"]
    return "none" if default in (None, "", []) else f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
