"""Take the images of the page about GIMP: the dialogs in a live GIMP, and the portrait model.

    .venv/bin/python tests/hosts/gimp_screenshots.py docs/images

With --states it takes the whole screen of 1366 x 768 in every state of the dialogs instead, to
examine the plug-in in another language, theme or GIMP:

    .venv/bin/python tests/hosts/gimp_screenshots.py build/shots --states --language de \\
        --theme light --release unstable

Needs what `make test-hosts` needs. Examine the images before you commit them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from inpaint_client.example import PORTRAIT

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / folder)
    for folder in ("tests/support", "server", "plugins/client", "plugins/cli", "plugins/install")
]

import numpy as np  # noqa: E402
from daemons import DaemonProcess  # noqa: E402
from gimp_host import LiveGimp, find, new_profile  # noqa: E402
from inpaint_install.gimp import unpack  # noqa: E402
from linen import SIDE, paint_on_linen  # noqa: E402
from PIL import Image, ImageGrab  # noqa: E402
from xvfb import display  # noqa: E402

FILL_DIALOG = r"^Inpaint \(StyleGAN\)"
EDIT_DIALOG = "^Edit fill"
FILL_BUTTON, MORE = (872, 638), (850, 69)
BETWEEN_S = 6  # longest time between two candidates, in which nothing moves
NEXT = (745, 430)  # in the first bubble of the tour
FACE_WIDTH = ("alt+j", *["Tab"] * 4)  # the third slider, behind those of the hair


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="FOLDER")
    parser.add_argument("--image", type=Path, default=PORTRAIT)
    parser.add_argument("--box", default="150,215,220,225", help="X,Y,WIDTH,HEIGHT of an ellipse")
    parser.add_argument("--seed", type=int, default=49, help="of the first of four candidates")
    parser.add_argument("--model", default="portrait", help="a bundle")
    parser.add_argument("--states", action="store_true", help="take all states")
    parser.add_argument("--language", default="en")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--release", choices=("trixie", "unstable"), default="trixie")
    arguments = parser.parse_args()
    subprocess.run([sys.executable, ROOT / "plugins/build.py", "gimp"], check=True)
    profile = new_profile(find(arguments.release))
    profile.settings = f"(theme-color-scheme {arguments.theme})\n"
    unpack(ROOT / "build/plugins/inpaint-gimp.zip", profile.plug_ins / "inpaint-gimp")
    image = profile.folder / "image.png"
    Image.open(arguments.image).convert("RGB").save(image)
    selection = [int(part) for part in arguments.box.split(",")]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=profile.folder) as folder,
        display() as screen,
        DaemonProcess(Path(folder), "--model", arguments.model) as daemon,
    ):
        runtime = daemon.runtime()
        profile.environment.update(
            INPAINT_SERVER=runtime["address"],
            INPAINT_TOKEN=runtime["token"],
            **language_variables(arguments.language, profile.folder / "locales"),
        )
        with profile.window(screen) as live:
            if arguments.states:
                shoot_states(live, str(image), selection, arguments)
            else:
                shoot(live, str(image), selection, arguments.seed, arguments.out)
    shutil.rmtree(profile.folder)


def language_variables(language: str, folder: Path) -> dict[str, str]:
    """Return the variables of a system in this language, whose form of numbers GTK takes."""
    if language == "en":
        return {"LANGUAGE": "en"}
    locale = f"{language}_{language.upper()}"
    command = ["localedef", "-i", locale, "-f", "UTF-8", str(folder / f"{locale}.UTF-8")]
    folder.mkdir()
    subprocess.run(command, check=True)
    return {"LANGUAGE": language, "LANG": f"{locale}.UTF-8", "LOCPATH": str(folder)}


def shoot(live: LiveGimp, image: str, selection: list[int], seed: int, out: Path) -> None:
    live.move_away()
    live.profile.memory.unlink()
    answer = live.start(
        "interactive", image=image, selection=selection, soft=8, new_seed=False, seed=seed
    )
    live.find_window(FILL_DIALOG)
    settle(live)
    grab(live, FILL_DIALOG, out / "gimp-tour.png")
    live.key(FILL_DIALOG, "Escape")
    settle(live)
    live.key(FILL_DIALOG, "alt+f")
    time.sleep(0.4)
    grab(live, FILL_DIALOG, out / "gimp-running.png")
    settle(live, quiet_s=BETWEEN_S)
    live.key(FILL_DIALOG, *FACE_WIDTH, *["Right"] * 10)
    settle(live)
    grab(live, FILL_DIALOG, out / "gimp-results.png")
    live.key(FILL_DIALOG, "alt+x", "Down")
    settle(live)
    grab(live, FILL_DIALOG, out / "gimp-mix.png")
    live.key(FILL_DIALOG, "alt+i")
    names = live.result(answer)["tree"][0][1]
    settle(live)
    grab(live, "GIMP$", out / "gimp-layers.png")
    answer = live.start("edit_selected", name=names[0])
    live.find_window(EDIT_DIALOG)
    settle(live)
    live.key(EDIT_DIALOG, *FACE_WIDTH, *["Left"] * 20)
    settle(live)
    grab(live, EDIT_DIALOG, out / "gimp-edit.png")
    live.key(EDIT_DIALOG, "Escape")
    live.result(answer)
    painting = live.profile.folder / "linen.png"
    paint_on_linen(painting)
    with Image.open(image) as opened:
        scale = SIDE / opened.width
    selection = [round(scale * px) for px in selection]
    answer = live.start(
        "interactive", image=str(painting), selection=selection, soft=8, new_seed=False, seed=seed
    )
    live.find_window(FILL_DIALOG)
    settle(live)
    live.key(FILL_DIALOG, "alt+f")
    settle(live, quiet_s=BETWEEN_S)
    live.key(FILL_DIALOG, "alt+i")
    live.result(answer)
    live.key("GIMP$", "1", "ctrl+shift+a")  # at 100 %, without the selection
    settle(live)
    grab(live, "GIMP$", out / "gimp-texture.png")


def shoot_states(
    live: LiveGimp, image: str, selection: list[int], arguments: argparse.Namespace
) -> None:
    number = 0
    edit = "^Füllung" if arguments.language == "de" else EDIT_DIALOG

    def take(state: str) -> None:
        nonlocal number
        number += 1
        shown = ImageGrab.grab(xdisplay=live.variables["DISPLAY"]).convert("RGB")
        name = f"{arguments.release}-{arguments.language}-{arguments.theme}-{number:02}-{state}"
        shown.save(arguments.out / f"{name}.png")
        print(name)

    live.move_away()
    x, y, width, height = selection
    frame = f"{x + width / 2}, {y + height / 2}, {height * 0.8}, 10"
    values = {"new_seed": False, "seed": arguments.seed, "soft": 8, "smooth": "always"}
    answer = live.start("interactive", image=image, selection=[])
    live.find_window(FILL_DIALOG)  # which has the same title
    settle(live)
    take("empty")
    live.key(FILL_DIALOG, "Escape")
    live.result(answer)
    live.profile.memory.unlink()
    answer = live.start("interactive", image=image, selection=selection, **values)
    live.find_window(FILL_DIALOG)
    settle(live)
    take("tour-1")
    live.click(*NEXT)
    settle(live)
    take("tour-2")
    live.key(FILL_DIALOG, "alt+f")
    time.sleep(1)
    settle(live)
    take("tour-3")
    live.key(FILL_DIALOG, "Escape", "Escape")
    live.result(answer)
    for context in ("auto", "box", "frame"):
        answer = live.start(
            "interactive", image=image, selection=selection, context=context, frame=frame, **values
        )
        live.find_window(FILL_DIALOG)
        settle(live)
        take("idle")
        live.xdotool("mousemove", *map(str, FILL_BUTTON))
        settle(live)
        take(f"tip-{context}")
        live.move_away()
        if context != "frame":
            live.key(FILL_DIALOG, "Escape")
            live.result(answer)
    live.key(FILL_DIALOG, "alt+f")
    time.sleep(1)
    take("running")
    settle(live)
    take("done")  # with the notice that the frame cuts the selection
    adjust = ("alt+p" if arguments.language == "de" else "alt+j", *FACE_WIDTH[1:])
    live.key(FILL_DIALOG, *adjust, *["Right"] * 10)
    settle(live)
    take("adjusted")
    if arguments.language == "en":  # elsewhere, this GIMP's English *Cancel* may have the letter
        live.key(FILL_DIALOG, "alt+x", "Down")
        settle(live)
        take("mixed")
    live.key(FILL_DIALOG, "ctrl+z", "ctrl+z")
    settle(live)
    take("undone")
    live.click(*MORE)
    settle(live)
    take("more")
    live.key(FILL_DIALOG, "alt+i")
    names = live.result(answer)["tree"][0][1]
    settle(live)
    take("layers")
    answer = live.start("edit_selected", name=names[0].removeprefix("-"))  # hidden
    live.find_window(edit)
    settle(live)
    take("edit")
    live.key(edit, "Escape")
    live.result(answer)


def settle(live: LiveGimp, quiet_s: float = 2) -> None:
    """Until the screen has not changed for a while (marching ants aside)."""
    before, quiet = look(live), 0
    while quiet < 2 * quiet_s:
        time.sleep(0.5)
        now = look(live)
        moved = np.count_nonzero(np.abs(now.astype(int) - before).max(-1) > 40)
        quiet = quiet + 1 if moved < 600 else 0
        before = now


def look(live: LiveGimp) -> np.ndarray:
    return np.asarray(ImageGrab.grab(xdisplay=live.variables["DISPLAY"]).convert("RGB"))


def grab(live: LiveGimp, title: str, path: Path) -> None:
    words = live.xdotool("getwindowgeometry", "--shell", live.find_window(title)).splitlines()
    window = {name: int(value) for name, value in (word.split("=") for word in words)}
    left, top = window["X"], window["Y"]
    box = (left, top, left + window["WIDTH"], top + window["HEIGHT"])
    ImageGrab.grab(bbox=box, xdisplay=live.variables["DISPLAY"]).convert("RGB").save(path)
    print(path)


if __name__ == "__main__":
    main()
