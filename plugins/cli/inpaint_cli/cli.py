"""The command `inpaint`. Large modules are only imported after the arguments were parsed."""

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
SHARES_TOLERANCE = 1e-9  # such as of 0.7 + 0.2 + 0.1
PARTS = ("hair", "skin", "eyes", "brows", "mouth", "glasses", "background")
DESCRIPTION = "Fill holes in images and edit the fills, using the inpainting daemon."
EPILOG = """\
examples:
  inpaint fill portrait.png --mask mask.png --out filled -n 4 --variant hair_lightness=1
  inpaint edit filled/recipe-00.json --image portrait.png --mask mask.png --edit yaw=1 --out new
  inpaint fill images/ --mask masks/ --out filled
  inpaint select portrait.png --part hair --out hair.png
  inpaint info
  inpaint ps

White areas of the mask are filled. If no daemon is running, the command starts one and says so. Set
INPAINT_SERVER and INPAINT_TOKEN to use another daemon. The exit status is 0 on success, 2 on
invalid usage or input, 3 without a daemon, and 4 if the daemon refused the request or failed.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(
        "inpaint",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = result.add_subparsers(dest="command", required=True, metavar="COMMAND")
    info = commands.add_parser("info", help="describe the daemon and its models")
    info.add_argument("--json", action="store_true", help="print one JSON object")
    ps = commands.add_parser("ps", help="show the running daemon and its activity")
    ps.add_argument("--json", action="store_true", help="print one JSON object")
    commands.add_parser(
        "stop",
        help="stop this user's daemon on this machine",
        description="Stop this user's daemon on this machine. Running fills may finish first "
        "(see `grace_s` in its settings); new ones are refused.",
    )
    _add_fill(commands.add_parser("fill", help="fill the holes of an image or a folder of images"))
    _add_edit(commands.add_parser("edit", help="render a candidate again with other edits"))
    _add_select(commands.add_parser("select", help="make the mask of a part of a face"))
    plugins = commands.add_parser(
        "plugins",
        help="manage the plug-ins for Krita and GIMP",
        description="Install, check or remove the plug-ins for Krita and GIMP. The action doctor "
        "checks the editors, the plug-ins and the daemon, and runs a test fill. It starts the "
        "daemon if none is running.",
    )
    plugins.add_argument(
        "action", choices=["install", "status", "doctor", "uninstall"], help="what to do"
    )
    plugins.add_argument(
        "host", nargs="?", choices=["krita", "gimp"], help="the editor (default: both)"
    )
    return result


def _add_fill(fill: argparse.ArgumentParser) -> None:
    fill.add_argument("image", type=Path, metavar="IMAGE", help="image or folder of images to fill")
    fill.add_argument(
        "--mask",
        type=Path,
        required=True,
        help="mask image, or folder of masks with the names of the images; white areas are filled",
    )
    fill.add_argument(
        "-n",
        type=_count,
        metavar="N",
        help="number of candidates (default: 4, or 1 if the model makes only one)",
    )
    fill.add_argument(
        "--seed", type=_seed, default=0, help="seed of the first candidate (default: 0)"
    )
    fill.add_argument(
        "--truncation",
        type=_psi,
        metavar="PSI",
        help="variety of the candidates, 0..1, where 1 is the widest (default: 0.8)",
    )
    fill.add_argument(
        "--variant",
        type=_edits,
        action="append",
        default=[],
        metavar="NAME=VALUE[,NAME=VALUE]",
        help="additional rendering of every candidate with these edits; may be repeated",
    )
    fill.add_argument(
        "--frame",
        type=_frame,
        default="auto",
        metavar="auto|box|X,Y,SIDE,ANGLE",
        help="square of the document that the model sees (default: auto)",
    )
    fill.add_argument(
        "--model",
        default="",
        help="name of a model listed by `inpaint info` (default: the daemon's default, or one with "
        "a higher resolution if needed)",
    )
    fill.add_argument(
        "--smooth",
        choices=SMOOTH,
        default="auto",
        help="whether to add a candidate that continues the surroundings without the model: if it "
        "is likely to be better (auto, the default), always or never",
    )
    fill.add_argument(
        "--no-blend",
        action="store_true",
        help="do not match the fill to its surroundings; only apply the softness of the mask",
    )
    _add_former(fill, "--raw", dest="no_blend", action="store_true")
    fill.add_argument(
        "--no-detail",
        action="store_true",
        help="do not add fine detail where the image is finer than the model; included in "
        "--no-blend",
    )
    _add_common(fill)


def _add_edit(edit: argparse.ArgumentParser) -> None:
    edit.add_argument(
        "recipe", type=Path, metavar="RECIPE", help="recipe of a candidate (recipe-KK.json)"
    )
    edit.add_argument(
        "--image", type=Path, help="image to composite the result over; requires --mask"
    )
    edit.add_argument("--mask", type=Path, help="mask of the image; requires --image")
    other = edit.add_mutually_exclusive_group()
    other.add_argument(
        "--style-recipe",
        type=Path,
        action="append",
        default=[],
        metavar="RECIPE",
        help="recipe of a candidate of the same model whose style to mix in; may be repeated",
    )
    other.add_argument(
        "--style-image",
        type=Path,
        metavar="IMAGE",
        help="image whose style to mix in; must have the size of the edited image",
    )
    _add_former(other, "--mix", dest="style_recipe", type=Path, action="append")
    _add_former(other, "--like", dest="style_image", type=Path)
    edit.add_argument(
        "--levels",
        type=_levels,
        default=(),
        metavar="LEVEL[,LEVEL]",
        help=f"which styles to mix in: {', '.join(LEVELS)} (default: all with --style-recipe, "
        "colors with --style-image)",
    )
    edit.add_argument(
        "--strength",
        type=_share,
        action="append",
        default=[],
        metavar="0..1",
        help="strength of the mixing; 0.5 is halfway between both styles (default: 1). "
        "With several styles, the share of each, in their order (default: equal shares)",
    )
    _add_former(edit, "--amount", dest="strength", type=_share, action="append")
    _add_common(edit)


def _add_select(select: argparse.ArgumentParser) -> None:
    select.description = (
        "Find the faces in an image and write the mask of one or more of their parts, for the "
        "option --mask of `inpaint fill`. White is selected; the edges are soft."
    )
    select.add_argument("image", type=Path, metavar="IMAGE", help="image with faces")
    select.add_argument(
        "--part",
        type=_parts,
        required=True,
        metavar="PART[,PART]",
        help=f"what to select: {', '.join(PARTS)}",
    )
    select.add_argument(
        "--face",
        type=_count,
        metavar="N",
        help="number of the face, where 1 is the largest (default: all faces)",
    )
    select.add_argument(
        "--room",
        type=_room,
        metavar="FRACTION",
        help="how far the mask reaches beyond the part, relative to the width of the face's frame, "
        "0 to 0.2 (default: 0.025 for hair and 0.0125 for the mouth, so that nothing of them stays "
        "behind a fill; otherwise 0)",
    )
    select.add_argument(
        "--out", type=_mask_file, required=True, metavar="MASK.png", help="file to write"
    )
    select.add_argument(
        "--json", action="store_true", help="print one JSON object, which lists the faces"
    )


def _add_former(
    command: argparse._ActionsContainer,
    name: str,
    **arguments: Any,  # noqa: ANN401 (those of add_argument)
) -> None:
    """Add a hidden option for the name that an option had in an earlier version."""
    command.add_argument(name, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **arguments)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--white",
        choices=["fill", "keep"],
        help="meaning of white in the mask: fill it (default) or keep it",
    )
    command.add_argument(
        "--edit",
        type=_edit,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="move along a direction by VALUE units; may be repeated",
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the results"
    )
    command.add_argument(
        "--format",
        choices=["png", "jpeg", "tiff", "webp"],
        help="file format of the images (default: png, or tiff for float images)",
    )
    command.add_argument(
        "--json", action="store_true", help="print one JSON object instead of file names"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # do not fail on characters the terminal cannot show
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
    """Run a command that uses the daemon, and print errors in one line."""
    from inpaint_client import InpaintError

    from . import commands, daemons
    from .exit_status import BAD_INPUT, INTERRUPTED, REFUSED, status_of
    from .images import UnusableImageError
    from .select import select

    command = {
        "info": commands.info,
        "ps": daemons.ps,
        "stop": daemons.stop,
        "fill": commands.fill,
        "edit": commands.edit,
        "select": select,
    }
    try:
        return command[options.command](options)
    except (InpaintError, UnusableImageError) as error:
        print(f"inpaint: {error}", file=sys.stderr)
        return status_of(error)
    except MemoryError:
        print(
            "inpaint: there is not enough memory for an image of this size; reduce it, or close "
            "other programs",
            file=sys.stderr,
        )
        return BAD_INPUT
    except BrokenPipeError:  # the reader of the output is gone; the rest cannot be flushed either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except OSError as error:
        print(f"inpaint: {error.filename or 'input or output'}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def _checked(line: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments and check what argparse cannot check."""
    options = line.parse_args(arguments)
    if options.command == "fill":
        options.frame = _frame_mode(options.frame)
    if options.command == "edit" and (options.image is None) != (options.mask is None):
        line.error("--image and --mask must be used together")
    if options.command == "edit":
        _check_styles(line, options)
    if options.command in ("fill", "edit"):
        names = [name for name, _ in options.edit]
        if len(set(names)) < len(names):
            line.error("--edit names a direction twice")
        options.edit = dict(options.edit)
    return options


def _check_styles(line: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Check what is mixed in, and give each style its strength."""
    count = len(options.style_recipe) or int(options.style_image is not None)
    if not count and (options.levels or options.strength):
        line.error("--levels and --strength need --style-recipe or --style-image")
    if options.strength and len(options.strength) != count:
        line.error("--strength must be used once for each style")
    if sum(options.strength) > 1 + SHARES_TOLERANCE:
        line.error("the strengths of all styles must not exceed 1 together")
    options.strength = options.strength or count * [1 / max(1, count)]


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
        raise argparse.ArgumentTypeError(f"{text!r} must be a list of {', '.join(LEVELS)}")
    return levels


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not set(parts) <= set(PARTS):
        raise argparse.ArgumentTypeError(f"{text!r} must be a list of {', '.join(PARTS)}")
    return parts


def _mask_file(text: str) -> Path:
    if Path(text).suffix.lower() != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} must end with .png")
    return Path(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


def _share(text: str, most: float = 1) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {most:g}")
    return value


def _room(text: str) -> float:
    return _share(text, 0.2)  # the daemon allows no more


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
