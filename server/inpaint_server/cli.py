"""The command `inpaint-server`. torch is only imported after the arguments were parsed."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__
from .errors import ConfigurationError

if TYPE_CHECKING:
    import torch

    from .config import ServerConfig
    from .models.registry import Loader

SPIN_COUNT = "5000"
"""How often a thread of GNU OpenMP, which torch uses, polls for work before it sleeps.

This is about 0.2 ms, which is long enough between two operations. The default is about 60 times as
long, and threads that poll for that long take cores away from the threads that they wait for,
especially if an editor runs on the same cores.
"""

DESCRIPTION = """\
Run the inpainting daemon, which owns the device (a GPU or the CPU) and serves the plug-ins and the
`inpaint` command. By default, it uses the GPU if there is one, the bundled model, and a free port
of this machine. It downloads nothing. Stop it with Ctrl-C or SIGTERM.
"""

EPILOG = """\
examples:
  inpaint-server --gpu 0
  inpaint-server --gpu 0,1
  inpaint-server --device cpu --listen unix:/run/user/1000/inpaint/socket
  inpaint-server --model portrait --model /srv/models/cats --config server.yaml
  inpaint-server --config studio.yaml --ray
  inpaint-server token new token

All settings are described in docs/reference/daemon-settings.md. The exit status is 0 on a clean
shutdown, 2 on a configuration error, and 3 if the device failed too often.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        "inpaint-server",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    device = result.add_mutually_exclusive_group()
    device.add_argument(
        "--gpu",
        type=gpu_devices,
        metavar="GPU",
        help="GPU to use, as a number or UUID (see nvidia-smi -L); list several as 0,1",
    )
    device.add_argument(
        "--device",
        metavar="DEVICE",
        help="device to use: auto (default), cpu, cuda:N, cuda:UUID, xpu:N or mps; list several "
        "as cuda:0,cuda:1",
    )
    result.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="address to listen on: HOST:PORT or unix:PATH (default: 127.0.0.1 and a free port)",
    )
    result.add_argument(
        "--model",
        action="append",
        metavar="MODEL",
        help="name or folder of a model bundle; may be repeated, and the first is the default",
    )
    result.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="compute in replicas of Ray Serve, in the cluster at ADDRESS (default: a new one on "
        "this machine); see the setting `ray`",
    )
    commands = result.add_subparsers(dest="command", metavar="COMMAND")
    token = commands.add_parser(
        "token", help="create a token file that only you can read, for the setting `token_file`"
    )
    token.add_argument("action", choices=["new"], help="create a new token")
    token.add_argument("file", type=Path, metavar="FILE", help="file to create")
    result.add_argument("--config", type=Path, metavar="FILE", help="YAML file with settings")
    result.add_argument("--version", action="version", version=__version__)
    return result


def gpu_devices(text: str) -> str:
    """Convert `--gpu` to the setting `device`: 0,GPU-8f3a -> cuda:0,cuda:GPU-8f3a."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not re.fullmatch(r"\d+|GPU-[0-9a-f-]+", name, re.IGNORECASE):
            raise argparse.ArgumentTypeError(
                f"{name!r} is not a GPU; use a number (0), a UUID (GPU-...), or several (0,1)"
            )
    return ",".join(f"cuda:{name}" for name in names)


def main(
    arguments: Sequence[str] | None = None,
    make_loader: Callable[[torch.device, str], Loader] | None = None,
) -> int:
    """Run the daemon and return the exit status.

    Args:
        arguments: the command line; None = that of the process.
        make_loader: returns the loader of models for a device and a precision; None = bundles.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # do not fail on characters the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    try:
        Path.cwd()
    except FileNotFoundError:  # torch's libraries cannot be loaded then
        print(
            "inpaint-server: the current folder was deleted; change to another one",
            file=sys.stderr,
        )
        return 2
    try:
        return _write_token(options.file) if options.command else _run(options, make_loader)
    except Exception as error:
        foreign = foreign_package(error)
        if not (foreign or is_of_packages(error)):
            raise
        first = f"remove {foreign} from PYTHONPATH, or, if it is needed, " if foreign else ""
        print(
            f"inpaint-server: the installed Python packages are incompatible "
            f"({' '.join(str(error).split())}); {first}run `{sys.executable} -m pip install "
            "--upgrade inpaint-stylegan`, or install it into a separate environment",
            file=sys.stderr,
        )
        return 2


def foreign_package(error: Exception) -> str:
    """Return the folder of PYTHONPATH with the package whose import failed; empty if none."""
    files = [
        frame.f_code.co_filename
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    if isinstance(error, ImportError) and error.path:
        files.append(error.path)
    if isinstance(error, SyntaxError) and error.filename:
        files.append(error.filename)
    folders = [text for text in os.environ.get("PYTHONPATH", "").split(os.pathsep) if text]
    for file in reversed(files):
        for folder in folders:
            path = Path(file)
            if path.is_relative_to(folder):
                package = path.relative_to(folder).parts[0]
                return "" if package.startswith("inpaint_") else folder
    return ""


def is_of_packages(error: Exception) -> bool:
    """Return whether an error means that a package is missing or has an incompatible version."""
    if isinstance(error, ImportError):  # for one of our own modules, it is a bug
        return not (error.name or "").startswith("inpaint_")
    # protobuf's own error, which older versions lack, and the error of code from grpcio-tools.
    return type(error).__name__ == "VersionError" or (
        isinstance(error, RuntimeError) and str(error).startswith("The grpc package installed")
    )


def _run(
    options: argparse.Namespace, make_loader: Callable[[torch.device, str], Loader] | None
) -> int:
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when torch is imported
    # Not imported for --help. torch is imported even later, once the settings are valid.
    from .daemon.restarting import Restarts
    from .daemon.runtime_file import RuntimeFile, default_runtime_file, visible_copy

    restarts = Restarts.inherited()
    try:
        config = _settings(options)
        _set_up_logging(config.log_level)
        path = config.runtime_file or default_runtime_file()
        copy = None if config.runtime_file else visible_copy(path)
        with RuntimeFile(path, copy, restarts.lock) as runtime:
            from .daemon.main import serve
            from .models.registry import BundleLoader

            failure = asyncio.run(
                serve(
                    config,
                    runtime,
                    make_loader or BundleLoader,
                    restarts.remedy,
                    None if _is_of_terminal() else partial(_settings, options),
                )
            )
            if failure is not None and restarts.allowed:
                restarts.restart(runtime.lock_descriptor)
        if failure is not None:
            print(f"inpaint-server: {failure}", file=sys.stderr)
            return 3
    except ConfigurationError as error:
        print(f"inpaint-server: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _write_token(path: Path) -> int:
    from .daemon.tokens import write_token

    try:
        write_token(path)
    except ConfigurationError as error:
        print(f"inpaint-server: {error}", file=sys.stderr)
        return 2
    return 0


def _settings(options: argparse.Namespace) -> ServerConfig:
    """Return the settings from the configuration file and the command line.

    Raises:
        ConfigurationError: the file cannot be read, or the settings are invalid.
    """
    from .config import RayConfig, ServerConfig, override, read_config

    config = read_config(options.config) if options.config else ServerConfig()
    ray = config.ray or RayConfig()
    return override(
        config,
        ray=None if options.ray is None else replace(ray, address=options.ray or ray.address),
        device=options.device if options.gpu is None else options.gpu,
        listen=options.listen,
        models=tuple(options.model) if options.model else None,
    )


def _is_of_terminal() -> bool:
    """Return whether SIGHUP means that the terminal was closed, not that settings changed."""
    try:
        return os.isatty(0)
    except OSError:
        return False


def _set_up_logging(level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
