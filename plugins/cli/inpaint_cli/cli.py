"""The command `inpaint`. Whatever is heavy is imported once the arguments are understood."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inpaint_client import Frame, FrameMode

SMOOTH = ("auto", "always", "never")
MOST = 1000  # candidates; the daemon may allow fewer
LEVELS = ("structure", "features", "colors")
DESCRIPTION = "Fill holes in images, and edit the fills, through the inpaint daemon."
EPILOG = """\
examples:
  inpaint fill portrait.png --mask mask.png --out filled -n 4 --variant hair_lightness=1
  inpaint edit filled/recipe-00.json --image portrait.png --mask mask.png --edit yaw=1 --out new
  inpaint fill images/ --mask masks/ --out filled
  inpaint info
  inpaint ps

In a mask, white is what to fill. The daemon is started if none runs; INPAINT_SERVER and
INPAINT_TOKEN name another one. Exit status: 0 done, 2 bad usage or input, 3 no daemon, 4 the daemon
refused or failed.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    result = argparse.ArgumentParser(
        "inpaint",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="what the daemon is and can do")
    info.add_argument("--json", action="store_true", help="print one JSON object")
    ps = commands.add_parser("ps", help="the daemon that runs, and what it is doing")
    ps.add_argument("--json", action="store_true", help="print one JSON object")
    commands.add_parser(
        "stop",
        help="stop the daemon of this user on this machine",
        description="Stop the daemon of this user on this machine. Fills that are running may "
        "end first (`grace_s` in its settings), and new ones are refused.",
    )
    _add_fill(commands.add_parser("fill", help="fill a hole in an image, or in a folder of them"))
    _add_edit(commands.add_parser("edit", help="render a fill again with other edits"))
    plugins = commands.add_parser(
        "plugins",
        help="install the Krita and GIMP plug-ins, and examine what does not work",
        description="doctor examines the whole chain: the editors, the plug-ins, the daemon, a "
        "fill. It starts the daemon if none runs.",
    )
    plugins.add_argument("action", choices=["install", "status", "doctor", "uninstall"])
    plugins.add_argument("host", nargs="?", choices=["krita", "gimp"], help="default: both")
    return result


def _add_fill(fill: argparse.ArgumentParser) -> None:
    fill.add_argument("image", type=Path, metavar="IMAGE", help="an image, or a folder of images")
    fill.add_argument(
        "--mask",
        type=Path,
        required=True,
        help="white = fill; for a folder, masks of the same names",
    )
    fill.add_argument("-n", type=_count, default=4, metavar="N", help="candidates (default 4)")
    fill.add_argument("--seed", type=_seed, default=0, help="of the first candidate (default 0)")
    fill.add_argument(
        "--truncation",
        type=_psi,
        metavar="PSI",
        help="0..1: variety; 1 is the widest (default 0.8)",
    )
    fill.add_argument(
        "--variant",
        type=_edits,
        action="append",
        default=[],
        metavar="NAME=VALUE[,NAME=VALUE]",
        help="a further rendering of every candidate; may be repeated",
    )
    fill.add_argument(
        "--frame",
        type=_frame,
        default="auto",
        metavar="auto|box|X,Y,SIDE,ANGLE",
        help="what the model sees (default auto)",
    )
    fill.add_argument(
        "--model",
        default="",
        help="a model of `inpaint info` (default: the daemon's, or one with more detail if needed)",
    )
    fill.add_argument(
        "--smooth",
        choices=SMOOTH,
        default="auto",
        help="one more candidate, filled from the surroundings without the model: where that is "
        "likely to be better (auto, the default), always or never",
    )
    fill.add_argument(
        "--no-blend", action="store_true", help="do not blend beyond the softness of the mask"
    )
    _add_former(fill, "--raw", dest="no_blend", action="store_true")
    _add_common(fill)


def _add_edit(edit: argparse.ArgumentParser) -> None:
    edit.add_argument("recipe", type=Path, metavar="RECIPE", help="recipe-KK.json of a fill")
    edit.add_argument("--image", type=Path, help="the image to lay it over (with --mask)")
    edit.add_argument("--mask", type=Path)
    other = edit.add_mutually_exclusive_group()
    other.add_argument(
        "--style-recipe",
        type=Path,
        metavar="RECIPE",
        help="take styles from this candidate of the same model",
    )
    other.add_argument(
        "--style-image",
        type=Path,
        metavar="IMAGE",
        help="take styles from this image, which must have the same size as the document",
    )
    _add_former(other, "--mix", dest="style_recipe", type=Path)
    _add_former(other, "--like", dest="style_image", type=Path)
    edit.add_argument(
        "--levels",
        type=_levels,
        default=(),
        metavar="LEVEL[,LEVEL]",
        help=f"which styles to take: {', '.join(LEVELS)} (default: all with --style-recipe, colors "
        "with --style-image)",
    )
    edit.add_argument(
        "--strength",
        type=_share,
        default=1.0,
        metavar="0..1",
        help="how much of the styles to take; 0.5 is halfway between the two (default 1)",
    )
    _add_former(edit, "--amount", dest="strength", type=_share)
    _add_common(edit)


def _add_former(
    command: argparse._ActionsContainer,
    name: str,
    **arguments: Any,  # noqa: ANN401 (those of add_argument)
) -> None:
    """Accept the name that an earlier version gave an option, without showing it."""
    command.add_argument(name, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **arguments)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--white",
        choices=["fill", "keep"],
        help="what white is in the mask: what to fill (default), or what stays",
    )
    command.add_argument(
        "--edit",
        type=_edit,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="go along a direction, in its units; may be repeated",
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="for the results")
    command.add_argument(
        "--format", choices=["png", "jpeg", "tiff", "webp"], help="of the images (default png)"
    )
    command.add_argument("--json", action="store_true", help="end with one JSON object")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name that a terminal cannot show ends nothing
            stream.reconfigure(errors="backslashreplace")
    options = _checked(parser(), arguments)
    if options.command == "plugins":
        if options.action == "doctor":
            from inpaint_install.doctor import examine

            return examine(options.host)
        from inpaint_install.hosts import manage

        return manage(options.action, options.host)
    return _told(options)


def _told(options: argparse.Namespace) -> int:
    """Run a command that fills; tell errors in one line."""
    from inpaint_client import InpaintError

    from . import commands, daemons
    from .exit_status import BAD_INPUT, INTERRUPTED, REFUSED, status_of
    from .images import UnusableImageError

    command = {
        "info": commands.info,
        "ps": daemons.ps,
        "stop": daemons.stop,
        "fill": commands.fill,
        "edit": commands.edit,
    }
    try:
        return command[options.command](options)
    except (InpaintError, UnusableImageError) as error:
        print(f"inpaint: {error}", file=sys.stderr)
        return status_of(error)
    except MemoryError:
        print(
            "inpaint: there is not enough memory for an image of this size; reduce it, or end "
            "other programs",
            file=sys.stderr,
        )
        return BAD_INPUT
    except BrokenPipeError:  # who reads the output has gone; nor can what is left be flushed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        print(f"inpaint: {error.filename or 'input or output'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _checked(line: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, with what argparse cannot check by itself."""
    options = line.parse_args(arguments)
    if options.command == "fill":
        options.frame = _frame_mode(options.frame)
    if options.command == "edit" and (options.image is None) != (options.mask is None):
        line.error("--image and --mask belong together")
    if (
        options.command == "edit"
        and options.style_recipe is None
        and options.style_image is None
        and (options.levels or options.strength != 1)
    ):
        line.error("--levels and --strength need --style-recipe or --style-image")
    if options.command in ("fill", "edit"):
        names = [name for name, _ in options.edit]
        if len(set(names)) < len(names):
            line.error("--edit names a direction twice")
        options.edit = dict(options.edit)
    return options


def _edit(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not name or not equals or not math.isfinite(number):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=VALUE, for example hair_lightness=1"
        )
    return name.strip(), number


def _levels(text: str) -> tuple[str, ...]:
    parts = (part.strip() for part in text.split(","))
    levels = tuple("colors" if part == "colours" else part for part in parts)
    if not set(levels) <= set(LEVELS):
        raise argparse.ArgumentTypeError(f"{text!r}: there are {', '.join(LEVELS)}")
    return levels


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _edits(text: str) -> dict[str, float]:
    pairs = [_edit(part) for part in text.split(",")]
    if len({name for name, _ in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(f"{text!r} names a direction twice")
    return dict(pairs)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 4294967295")
    return int(text)


def _psi(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _frame(text: str) -> str | tuple[float, ...]:
    if text in ("auto", "box"):
        return text
    try:
        x, y, side, angle = (float(part) for part in text.split(","))
    except ValueError:
        x = y = side = angle = math.nan
    if not all(map(math.isfinite, (x, y, side, angle))) or side <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, box or X,Y,SIDE,ANGLE")
    return x, y, side, angle


def _frame_mode(chosen: str | tuple[float, ...]) -> Frame | FrameMode:
    from inpaint_client import Frame, FrameMode

    if isinstance(chosen, tuple):
        return Frame(*chosen)
    return FrameMode.AUTO if chosen == "auto" else FrameMode.BOX
