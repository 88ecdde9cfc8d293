"""The daemon: owns the device, answers the wire."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("inpaint-stylegan")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0+source"
