"""Import modules of a published implementation, with stand-ins for what only a GPU can compile."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest


def checkout(variable: str, repository: str) -> Path:
    """Return the folder that an environment variable names, or skip the test."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"set {variable} to a checkout of {repository}")
    return Path(folder)


def published(folder: Path, module: str, stand_ins: Mapping[str, object]) -> ModuleType:
    """Import a module of a checkout whose top package is `models`.

    `stand_ins` maps dotted names such as `models.ops.blur` to what that module is to contain.
    """
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        for name, value in stand_ins.items():
            parent, _, attribute = name.rpartition(".")
            setattr(sys.modules.setdefault(parent, ModuleType(parent)), attribute, value)
        return importlib.import_module(module)
    finally:
        sys.path[:] = before
        for name in [name for name in sys.modules if name.split(".")[0] == "models"]:
            del sys.modules[name]  # another checkout has a package of the same name
