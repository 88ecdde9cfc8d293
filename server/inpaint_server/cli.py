"""The command `inpaint-server`. torch is imported only once the arguments are understood."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
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
"""How often a thread of GNU OpenMP, torch's here, looks for more work before it sleeps.

Some 0.2 ms: long enough from one operation to the next. The default is some 60 times as long, and
threads that look for so long keep cores from those that they wait for, wherever an editor works
on the same cores.
"""

DESCRIPTION = """\
The inpainting daemon. It owns the device (a GPU, or the CPU) and answers the plug-ins and the
`inpaint` command. Without options: the GPU if there is one, the bundled model, a free port of
this machine. It fetches nothing from the network. Stop it with Ctrl-C or SIGTERM.
"""

EPILOG = """\
examples:
  inpaint-server --gpu 0
  inpaint-server --gpu 0,1
  inpaint-server --device cpu --listen unix:/run/user/1000/inpaint/socket
  inpaint-server --model portrait --model /srv/models/cats --config server.yaml
  inpaint-server token new token

All settings: docs/reference/daemon-settings.md. Exit status: 0 stopped on request, 2 cannot start
with these settings, 3 the device failed too often.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
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
        help="the GPU to use, by number or UUID (nvidia-smi -L); several: 0,1",
    )
    device.add_argument(
        "--device",
        metavar="DEVICE",
        help="auto (default), cpu, cuda:N, cuda:UUID, xpu:N or mps; several: cuda:0,cuda:1",
    )
    result.add_argument(
        "--listen",
        metavar="ADDRESS",
        help="HOST:PORT or unix:PATH (default 127.0.0.1 and a free port)",
    )
    result.add_argument(
        "--model",
        action="append",
        metavar="MODEL",
        help="a bundle's name or folder; may be repeated, the first is the default",
    )
    commands = result.add_subparsers(dest="command", metavar="COMMAND")
    token = commands.add_parser(
        "token", help="`token new FILE` makes a token that only you can read, for `token_file`"
    )
    token.add_argument("action", choices=["new"])
    token.add_argument("file", type=Path, metavar="FILE")
    result.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML")
    result.add_argument("--version", action="version", version=__version__)
    return result


def gpu_devices(text: str) -> str:
    """Return what `--gpu` says, as the setting `device`: 0,GPU-8f3a -> cuda:0,cuda:GPU-8f3a."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not re.fullmatch(r"\d+|GPU-[0-9a-f-]+", name, re.IGNORECASE):
            raise argparse.ArgumentTypeError(
                f"{name!r} is no GPU; give a number (0), a UUID (GPU-...), or several (0,1)"
            )
    return ",".join(f"cuda:{name}" for name in names)


def main(
    arguments: Sequence[str] | None = None,
    make_loader: Callable[[torch.device, str], Loader] | None = None,
) -> int:
    """Run the daemon; returns the exit status.

    make_loader: where models come from, given device and precision; None: bundles.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that a terminal cannot show ends nothing
            stream.reconfigure(errors="backslashreplace")
    options = parser().parse_args(arguments)
    try:
        Path.cwd()
    except FileNotFoundError:  # torch's libraries do not load there
        print(
            "inpaint-server: the current folder has been removed; change to another one",
            file=sys.stderr,
        )
        return 2
    try:
        return _write_token(options.file) if options.command else _run(options, make_loader)
    except Exception as error:
        foreign = foreign_package(error)
        if not (foreign or is_of_packages(error)):
            raise
        first = f"leave {foreign} out of PYTHONPATH, or if it has to be there, " if foreign else ""
        print(
            f"inpaint-server: the packages of this Python do not fit together "
            f"({' '.join(str(error).split())}); {first}`{sys.executable} -m pip install --upgrade "
            "inpaint-stylegan` mends that, or install it into an environment of its own",
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
    """Return whether an error says that a package is missing, or of an unfit version."""
    if isinstance(error, ImportError):  # one about our own modules is a mistake of ours
        return not (error.name or "").startswith("inpaint_")
    # protobuf's own, which its older versions do not have; and what code made by grpcio-tools says.
    return type(error).__name__ == "VersionError" or (
        isinstance(error, RuntimeError) and str(error).startswith("The grpc package installed")
    )


def _run(
    options: argparse.Namespace, make_loader: Callable[[torch.device, str], Loader] | None
) -> int:
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when torch is imported
    # Imported now that --help has been answered; torch only when nothing speaks against a start.
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
    """Return the settings of file and command line.

    Raises:
        ConfigurationError: the file cannot be read, or they are wrong.
    """
    from .config import ServerConfig, override, read_config

    return override(
        read_config(options.config) if options.config else ServerConfig(),
        device=options.device if options.gpu is None else options.gpu,
        listen=options.listen,
        models=tuple(options.model) if options.model else None,
    )


def _is_of_terminal() -> bool:
    """Return whether SIGHUP means that the terminal is gone, and not that settings have changed."""
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
