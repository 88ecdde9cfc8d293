"""The daemon: owns the device, answers the wire."""

from inpaint_model import __version__

__all__ = ["__version__"]
