"""Inpaint (StyleGAN) for Krita: fill a selection with candidates from the local daemon."""

from __future__ import annotations

import sys
from importlib.util import find_spec

if sys.version_info < (3, 10):  # noqa: UP036 (Krita chooses the Python version)
    # Krita shows this as the tooltip of the plug-in that it could not load.
    raise ImportError("Inpaint (StyleGAN) needs Krita 5.2 or newer, with Python 3.10 or newer.")

if find_spec("krita") is not None:
    from .extension import register

    register()
