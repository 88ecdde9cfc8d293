"""The daemon, which owns the device and serves the wire protocol."""

from inpaint_model import __version__

__all__ = ["__version__"]
