"""The arrows between the parts, read from the source.

protos <- client <- plug-ins; client <- cli; protos, model <- server. The model knows no gRPC.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# folder of a package -> the packages of ours, and the wire libraries, that it may import
OURS = {
    "inpaint_model",
    "inpaint_server",
    "inpaint_cli",
    "inpaint_protos",
    "inpaint_client",
    "inpaint_krita",
    "inpaint_gimp",
}
WIRE = {"grpc", "grpc_health", "grpc_reflection", "grpclib", "google"}
HOSTS = {"krita", "gi", "PyQt5", "PyQt6"}
HEAVY = {"torch", "numpy", "PIL", "safetensors", "yaml", "scipy", "sklearn", "cv2"}
CHECKING = {"pydantic", "pydantic_core", "annotated_types"}  # compiled: nothing for the client

ALLOWED: dict[str, set[str]] = {
    "protos/inpaint_protos": WIRE,
    "model/inpaint_model": HEAVY | CHECKING,
    "server/inpaint_server": {"inpaint_model", "inpaint_protos", "annotated_types"} | WIRE | HEAVY,
    "server/inpaint_cli": {"inpaint_client"} | {"numpy", "PIL"},
    "plugins/client/inpaint_client": {"inpaint_protos", "grpclib", "google"},
    "plugins/krita/inpaint_krita": {"inpaint_client"} | {"krita", "PyQt5", "PyQt6"},
    "plugins/gimp/inpaint_gimp": {"inpaint_client"} | {"gi"},
}
RESTRICTED = OURS | WIRE | HOSTS | HEAVY | CHECKING


def imported_packages(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def violations(folder: str, root: Path = ROOT) -> list[str]:
    package = Path(folder).name
    allowed = ALLOWED[folder] | {package}
    return [
        f"{path.relative_to(root)} imports {name}"
        for path in sorted((root / folder).rglob("*.py"))
        if not path.stem.endswith(("_pb2", "_pb2_grpc"))
        for name in sorted((imported_packages(path) & RESTRICTED) - allowed)
    ]


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_imports_follow_the_arrows(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert violations(folder) == []


# What could fetch something from the network: nothing of ours may have a use for it.
FETCHING = {"aiohttp", "ftplib", "http", "httpx", "requests", "urllib", "urllib3", "xmlrpc"}


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_nothing_is_fetched_from_the_network(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        assert not imported_packages(path) & FETCHING, path
        assert "torch.hub" not in path.read_text("utf-8"), path


def test_a_planted_violation_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "model" / "inpaint_model" / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def f():\n    from inpaint_protos.v1 import inpaint_pb2\n")
    assert violations("model/inpaint_model", tmp_path) == [
        "model/inpaint_model/planted.py imports inpaint_protos"
    ]
