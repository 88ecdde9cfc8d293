"""`inpaint plugins install|status|uninstall krita`, and the zip that Krita's importer accepts."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from inpaint_install import krita
from inpaint_install.krita import install, status, uninstall

KRITA = Path(__file__).resolve().parents[2] / "plugins" / "krita"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody's home, with a name that needs care."""
    home = tmp_path / "Zoë's home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return home


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "inpaint_krita.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("inpaint_krita/", "")
        packed.writestr("inpaint_krita/__init__.py", "")
        for name in ("inpaint_krita.desktop", "inpaint_krita.action"):
            packed.write(KRITA / name, name)
    return path


def test_install_enables_status_agrees_uninstall_leaves_nothing(home: Path, archive: Path) -> None:
    kritarc = home / ".config/kritarc"
    kritarc.parent.mkdir()
    before = "EnableHiDPI=true\n\n[python]\nenable_other=true\n\n[theme]\nTheme=Krita dark\n"
    kritarc.write_text(before, "utf-8")
    assert status() == 1
    assert install(archive) == 0
    assert status() == 0
    resources = home / ".local/share/krita"
    assert (resources / "pykrita/inpaint_krita/__init__.py").is_file()
    assert (resources / "actions/inpaint_krita.action").is_file()
    assert not (resources / "pykrita/inpaint_krita.action").exists()
    assert "[python]\nenable_inpaint_krita=true\nenable_other=true\n" in kritarc.read_text("utf-8")
    assert install(archive) == 0  # again: an update
    assert kritarc.read_text("utf-8").count("enable_inpaint_krita") == 1
    assert uninstall() == 0
    assert kritarc.read_text("utf-8") == before
    assert [path for path in resources.rglob("*") if path.is_file()] == []


def test_a_krita_that_never_ran(home: Path, archive: Path) -> None:
    assert install(archive) == 0
    text = (home / ".config/kritarc").read_text("utf-8")
    assert text == "[python]\nenable_inpaint_krita=true\n"
    assert status() == 0


@pytest.mark.parametrize(
    ("platform", "resources", "kritarc"),
    [
        ("win32", "AppData/Roaming/krita", "AppData/Local/kritarc"),
        ("darwin", "Library/Application Support/krita", "Library/Preferences/kritarc"),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["variables", "no variables"])
def test_windows_and_macos_have_their_own_folders(
    platform: str,
    resources: str,
    kritarc: str,
    named: bool,
    home: Path,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Krita 5.2 has them there: resources and settings lie in different folders."""
    for variable, folder in (("APPDATA", "AppData/Roaming"), ("LOCALAPPDATA", "AppData/Local")):
        monkeypatch.delenv(variable, raising=False)
        if named:
            monkeypatch.setenv(variable, str(home / folder))
    monkeypatch.setattr(sys, "platform", platform)
    assert install(archive) == 0
    assert (home / resources / "pykrita/inpaint_krita/__init__.py").is_file()
    assert (home / resources / "actions/inpaint_krita.action").is_file()
    assert "enable_inpaint_krita=true" in (home / kritarc).read_text("utf-8")
    assert status() == 0
    assert uninstall() == 0
    assert [path for path in (home / resources).rglob("*") if path.is_file()] == []


def test_kritas_of_windows_are_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "Program Files/Krita (x64)/bin/krita.exe"
    program.parent.mkdir(parents=True)
    program.touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("PROGRAMFILES", str(home / "Program Files"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert krita.find_kritas() == [str(program)]


def test_flatpak_is_served_as_well(home: Path, archive: Path) -> None:
    flatpak = home / ".var/app/org.kde.krita"
    flatpak.mkdir(parents=True)
    assert install(archive) == 0
    assert (flatpak / "data/krita/pykrita/inpaint_krita/__init__.py").is_file()
    assert "enable_inpaint_krita=true" in (flatpak / "config/kritarc").read_text("utf-8")
    (flatpak / "data/krita/actions/inpaint_krita.action").unlink()
    assert status() == 1


def test_an_old_file_of_the_plugin_does_not_survive_an_update(home: Path, archive: Path) -> None:
    install(archive)
    old = home / ".local/share/krita/pykrita/inpaint_krita/gone.py"
    old.write_text("")
    install(archive)
    assert not old.exists()


def test_disabled_by_hand_is_reported(
    home: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(archive)
    kritarc = home / ".config/kritarc"
    kritarc.write_text(kritarc.read_text("utf-8").replace("=true", "=false"), "utf-8")
    assert status() == 1
    assert "not enabled" in capsys.readouterr().out


def test_an_installation_without_the_zip_is_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(krita, "packed", lambda: None)
    assert install() == 2
    assert "plugins/build.py" in capsys.readouterr().err


def test_every_action_in_the_menu_file_is_made_by_the_extension() -> None:
    tree = ElementTree.parse(KRITA / "inpaint_krita.action")  # noqa: S314 (our own file)
    names = {action.attrib["name"] for action in tree.iter("Action")}
    source = (KRITA / "inpaint_krita/extension.py").read_text("utf-8")
    assert len(names) == 17
    assert all(f'"{name}"' in source for name in names)


def test_the_desktop_file_names_the_package_and_a_manual_that_exists() -> None:
    text = (KRITA / "inpaint_krita.desktop").read_text("utf-8")
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert fields["X-KDE-Library"] == "inpaint_krita"
    assert (KRITA / "inpaint_krita" / fields["X-Krita-Manual"]).is_file()
