"""Compile the wire contract, as hatchling's build hook or with `make protos`.

The generated files are never committed. grpcio-tools is pinned to the oldest release whose output
the pure-Python protobuf inside the plug-ins accepts (see docs/decisions/0003). A wheel also
contains the plug-ins' zip files, as inpaint_install/plugins/*.zip.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = Path(__file__).resolve().parent


def compile_protos() -> None:
    """Write *_pb2.py, *_pb2.pyi and *_pb2_grpc.py next to every .proto file in `protos/`."""
    from importlib.resources import files

    from grpc_tools import protoc

    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    arguments = [
        "protoc",
        f"-I{PROTOS}",
        f"-I{files('grpc_tools') / '_proto'}",
        f"--python_out={PROTOS}",
        f"--pyi_out={PROTOS}",
        f"--grpc_python_out={PROTOS}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed; see its message above")


def build_plugins() -> list[Path]:
    """Build the plug-ins and return their zip files; none if that fails (no network or pip)."""
    build = PROTOS.parent / "plugins" / "build.py"
    if subprocess.run([sys.executable, str(build)], check=False).returncode != 0:  # noqa: S603
        print("The wheel is built without the plug-ins; see the reason above.", file=sys.stderr)
        return []
    return sorted((PROTOS.parent / "build" / "plugins").glob("*.zip"))


class CompileProtos(BuildHookInterface):  # type: ignore[type-arg]
    """Build hook that runs on every install, including editable ones."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the contract, and add the plug-ins' zip files unless the install is editable."""
        compile_protos()
        if self.target_name == "wheel" and version == "standard":
            for archive in build_plugins():
                build_data["force_include"][str(archive)] = (
                    f"inpaint_install/plugins/{archive.name}"
                )


if __name__ == "__main__":
    sys.exit(compile_protos())
