"""All of the GIMP plug-in that runs without GIMP, under every Python that GIMP comes with."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

import inpaint_gimp
import pytest

PACKAGE = Path(inpaint_gimp.__file__).parent
SOURCES = (PACKAGE.parent, *(PACKAGE.parents[2] / name for name in ("plugins/client", "protos")))


def needs_a_host(path: Path) -> bool:
    """Whether a module, or one of ours that it imports, imports gi."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == 0 and module.split(".")[0] == "gi":
                return True
            ours = path.parents[node.level - 1].joinpath(*module.split(".")).with_suffix(".py")
            if node.level and ours.is_file() and needs_a_host(ours):
                return True
        elif isinstance(node, ast.Import) and any(name.name == "gi" for name in node.names):
            return True
    return False


def find_python(version: str) -> str | None:
    """One that runs: on the PATH, or of pyenv."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python3"))
    for candidate in [shutil.which(f"python{version}"), *map(str, pyenv)]:
        if candidate and not subprocess.run([candidate, "-c", ""], check=False).returncode:
            return candidate
    return None


HOST_FREE = [
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if not needs_a_host(path)
]


def test_the_decisions_need_no_host() -> None:
    assert {
        *("host.image_protocol", "host.new_layer", "host.parasites", "host.precision"),
        *("host.target", "runs.arguments", "runs.capture", "runs.collector", "runs.edits"),
        *("runs.image_layers", "runs.layers", "runs.mixing", "runs.service"),
        *("app.presenter", "app.sliders", "app.state", "app.strip", "translation"),
    } <= set(HOST_FREE)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_it_is_valid_for_every_python(version: str) -> None:
    """Syntax and the names that modules take from the standard library, without a host."""
    python = find_python(version)
    if python is None:
        pytest.skip(f"python{version} is not here")
    code = (
        "import sys, types, pathlib\n"
        f"for path in pathlib.Path({str(PACKAGE)!r}).rglob('*.py'):\n"
        "    compile(path.read_text('utf-8'), str(path), 'exec')\n"
        # The transport is vendored and tested on its own (test_build.py): not needed here.
        "for name in ('client', 'blocking', 'worker'):\n"
        "    module = types.ModuleType('inpaint_client.' + name)\n"
        "    module.__getattr__ = lambda attribute: type(attribute, (), {})\n"
        "    sys.modules[module.__name__] = module\n"
        f"sys.path[:0] = {[str(source) for source in SOURCES]!r}\n"
        f"for name in {HOST_FREE!r}:\n"
        "    __import__('inpaint_gimp.' + name)\n"
    )
    answer = subprocess.run([python, "-B", "-c", code], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
