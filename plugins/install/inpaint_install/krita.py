"""Install, enable, check and remove the plug-in for Krita.

Krita's resource folder depends on its packaging: native packages and AppImages use the user's data
folder, and a Flatpak uses its own. The plug-in is installed for every Krita that is found.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .finding import Finding
from .program import examine_note, note_program

MODULE = "inpaint_krita"
ARCHIVE = f"{MODULE}.zip"
FLATPAK_ID = "org.kde.krita"
FLATPAK = f".var/app/{FLATPAK_ID}"


@dataclass(frozen=True)
class Place:
    """The folders of one Krita."""

    name: str  # "native" or "Flatpak"
    data: Path  # folder with pykrita/ and actions/
    config: Path  # path of kritarc

    @property
    def package(self) -> Path:
        """The folder in which the plug-in's package is installed."""
        return self.data / "pykrita" / MODULE

    @property
    def desktop(self) -> Path:
        """The file that registers the plug-in with Krita."""
        return self.data / "pykrita" / f"{MODULE}.desktop"

    @property
    def action(self) -> Path:
        """The file with the plug-in's actions and their shortcuts."""
        return self.data / "actions" / f"{MODULE}.action"


def places() -> list[Place]:
    """Return the Kritas of this user, including the native one even if it was never started."""
    home = Path.home()
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA", home / "AppData/Roaming"))
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData/Local"))
        return [Place("native", roaming / "krita", local / "kritarc")]
    if sys.platform == "darwin":
        library = home / "Library"
        return [
            Place(
                "native",
                library / "Application Support/krita",
                library / "Preferences/kritarc",
            )
        ]
    data = _folder("XDG_DATA_HOME", home / ".local/share")
    config = _folder("XDG_CONFIG_HOME", home / ".config")
    found = [Place("native", data / "krita", config / "kritarc")]
    flatpak = home / FLATPAK
    if flatpak.is_dir():
        found.append(Place("Flatpak", flatpak / "data/krita", flatpak / "config/kritarc"))
    return found


def install(archive: Path | None = None) -> int:
    """Install and enable the plug-in for every Krita, and print what was done.

    Returns:
        The exit status: 0, or 2 if this installation does not include the plug-in.
    """
    source = archive or packed()
    if source is None:
        print(
            "inpaint: this installation does not include the plug-in for Krita. In a checkout, "
            "build it with `python plugins/build.py krita`.",
            file=sys.stderr,
        )
        return 2
    for place in places():
        _remove_files(place)
        with zipfile.ZipFile(source) as packed_plugin:
            packed_plugin.extractall(place.data / "pykrita")
        place.action.parent.mkdir(parents=True, exist_ok=True)
        (place.data / "pykrita" / place.action.name).replace(place.action)
        _set_enabled(place.config, True)
        print(f"Krita ({place.name}): installed in {place.package}")
        print("  " + note_program(place.package))
    print("Restart Krita. Then select a region and choose Tools > Scripts > Inpaint (StyleGAN).")
    return 0


def status() -> int:
    """Print the status for every Krita; return 0 if all have the plug-in enabled, else 1."""
    well = True
    for place in places():
        problems = _problems(place)
        well = well and not problems
        print(f"Krita ({place.name}): {'; '.join(problems) or 'installed and enabled'}")
    if not well:
        print("Run `inpaint plugins install krita` to fix this.")
    return 0 if well else 1


def uninstall() -> int:
    """Remove the plug-in, but not the user's settings; return 0."""
    for place in places():
        was_there = place.package.exists()
        _remove_files(place)
        _set_enabled(place.config, None)
        print(f"Krita ({place.name}): {'removed' if was_there else 'was not installed'}")
    return 0


def examine() -> Iterator[Finding]:
    """Check each Krita, its plug-in, and the daemon of the plug-in."""
    programs = find_kritas()
    yield Finding(
        "Krita",
        ", ".join(programs),
        "" if programs else "was not found",
        "Install Krita 5 or newer, or ignore this if you use another editor.",
    )
    for place in places():
        problems = _problems(place)
        yield Finding(
            f"plug-in for Krita ({place.name})",
            f"installed and enabled in {place.package}",
            "; ".join(problems),
            "Run `inpaint plugins install krita` and restart Krita.",
        )
        if not problems:
            yield examine_note(f"daemon of Krita ({place.name})", place.package, "krita")


def find_kritas() -> list[str]:
    """Return the command of each Krita of this user."""
    found = [path for path in (shutil.which("krita"),) if path]
    flatpak = shutil.which("flatpak")
    if flatpak:
        done = subprocess.run(  # noqa: S603 (the system's own program)
            [flatpak, "info", FLATPAK_ID], capture_output=True, check=False
        )
        found += [f"flatpak run {FLATPAK_ID}"] if done.returncode == 0 else []
    home = Path.home()
    usual = [home / name for name in ("Applications", "Downloads", "Desktop", ".local/bin", "bin")]
    patterns = [(folder, "[Kk]rita*.[Aa]pp[Ii]mage") for folder in [*usual, Path("/opt")]]
    if sys.platform == "win32":
        base = Path(os.environ.get("PROGRAMFILES", "C:/Program Files"))
        patterns.append((base, "Krita*/bin/krita.exe"))
    if sys.platform == "darwin":
        patterns.append((Path("/Applications"), "krita*.app"))
    for folder, pattern in patterns:
        found += [str(path) for path in sorted(folder.glob(pattern))] if folder.is_dir() else []
    return found


def packed() -> Path | None:
    """Return the path of the zip in this installation or in a checkout's build folder."""
    inside = Path(str(resources.files("inpaint_install") / "plugins" / ARCHIVE))
    checkout = Path(__file__).resolve().parents[3] / "build" / "plugins" / ARCHIVE
    return next((path for path in (inside, checkout) if path.is_file()), None)


def _problems(place: Place) -> list[str]:
    """Return the reasons why a Krita cannot load the plug-in."""
    files = (place.package / "__init__.py", place.desktop, place.action)
    problems = [f"{path} is missing" for path in files if not path.is_file()]
    if len(problems) == len(files):
        return ["is not installed"]
    if not problems and not _is_enabled(place.config):
        problems.append(f"it is not enabled in {place.config}")
    return problems


def _remove_files(place: Place) -> None:
    shutil.rmtree(place.package, ignore_errors=True)
    for path in (place.desktop, place.action):
        path.unlink(missing_ok=True)


def _folder(variable: str, fallback: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if Path(value).is_absolute() else fallback


_LINE = re.compile(rf"^enable_{MODULE}\s*=\s*(\w+)\s*$", re.M)


def _is_enabled(kritarc: Path) -> bool:
    if not kritarc.is_file():
        return False
    found = _LINE.search(kritarc.read_text("utf-8"))
    return found is not None and found.group(1).lower() == "true"


def _set_enabled(kritarc: Path, enabled: bool | None) -> None:
    """Write, change or (None) remove our line in the [python] group; keep all other lines."""
    text = kritarc.read_text("utf-8") if kritarc.is_file() else ""
    text = re.sub(rf"^enable_{MODULE}\s*=.*\n?", "", text, flags=re.M)
    if enabled is not None:
        line = f"enable_{MODULE}={'true' if enabled else 'false'}\n"
        if re.search(r"^\[python\]\s*$", text, re.M):
            text = re.sub(r"^(\[python\])\s*$", rf"\1\n{line}".rstrip(), text, count=1, flags=re.M)
        else:
            text = f"{text.rstrip()}\n\n[python]\n{line}".lstrip()
    elif not kritarc.is_file():
        return
    kritarc.parent.mkdir(parents=True, exist_ok=True)
    kritarc.write_text(text, "utf-8")
