"""`inpaint plugins`: hands over to the part that knows the host."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

HOSTS = ("krita", "gimp")


def manage(action: str, host: str | None) -> int:
    """Install, show or remove the plug-ins of one host, or of both.

    Each host has a module with `install()`, `status()` and `uninstall()`, which print what they
    did and return an exit status. For both hosts the worse status counts.
    """
    statuses = []
    for name in [host] if host else HOSTS:
        module = _module(name)
        if module is None:
            print(f"inpaint: the {name} plug-in is not part of this installation", file=sys.stderr)
            statuses.append(2)
        else:
            statuses.append(int(getattr(module, action)()))
    return max(statuses)


def _module(host: str) -> ModuleType | None:
    name = f"{__package__}.plugins_{host}"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        raise
