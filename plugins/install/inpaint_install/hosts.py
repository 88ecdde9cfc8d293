"""`inpaint plugins`: run an action for one host or for both."""

from __future__ import annotations

from . import gimp, krita

HOSTS = {"krita": krita, "gimp": gimp}


def manage(action: str, host: str | None) -> int:
    """Install, check or remove the plug-ins of one host, or of both.

    Args:
        action: `install`, `status` or `uninstall`, a function in each host's module that prints
            its results and returns an exit status.
        host: `krita` or `gimp`; None = both.

    Returns:
        The worst exit status.
    """
    return max(int(getattr(HOSTS[name], action)()) for name in ([host] if host else HOSTS))
