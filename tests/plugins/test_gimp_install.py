"""Installing into every GIMP that is found, with programs that respond as GIMP does."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest
from inpaint_install.gimp import (
    PROCEDURE,
    find_gimps,
    install_everywhere,
    is_current,
    status_everywhere,
    uninstall_everywhere,
    unpack,
)

# Responds like GIMP: it knows our procedure if our folder is in its own and is executable.
CONSOLE = """#!/bin/sh
echo "noise on stdout"
entry={folder}/plug-ins/inpaint-gimp/inpaint-gimp.py
known='[]'
[ -x $entry ] && {loads} && known='["{procedure}"]'
echo 'INPAINT-ANSWER {{"version": "{version}", "folder": "{folder}", "procedures": '$known'}}'
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "inpaint-gimp.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("inpaint-gimp/", b"")
        packed.writestr("inpaint-gimp/inpaint-gimp.py", b"#!/usr/bin/env python3\n")
        packed.writestr("inpaint-gimp/inpaint_gimp/__init__.py", b"new = True\n")
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but a shell, and a home with nothing in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def console(programs: Path, name: str, version: str, loads: str = "true") -> Path:
    """Install a program called `name`; return the folder that it reports."""
    folder = programs.parent / f"profile-{version}"
    program = programs / name
    program.write_text(
        CONSOLE.format(folder=folder, loads=loads, procedure=PROCEDURE, version=version)
    )
    program.chmod(0o755)
    return folder


def test_a_missing_gimp_is_reported(programs: Path, archive: Path) -> None:
    said: list[str] = []
    assert not install_everywhere(archive, said.append)
    assert said == [
        "No GIMP 3 was found. Install GIMP 3.0 or newer (2.10 cannot run Python 3 plug-ins)."
    ]


@pytest.mark.parametrize(
    ("platform", "folder", "program"),
    [
        ("win32", "Program Files/GIMP 3/bin", "gimp-console-3.0.exe"),
        ("win32", "AppData/Local/Programs/GIMP 3/bin", "gimp-console-3.0.exe"),
        ("darwin", "Applications/GIMP.app/Contents/MacOS", "gimp-console-3.0"),
    ],
)
def test_windows_and_macos_keep_it_outside_of_path(
    platform: str,
    folder: str,
    program: str,
    programs: Path,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home = programs.parent / "home"
    place = home / folder
    place.mkdir(parents=True)
    monkeypatch.setenv("ProgramFiles", str(home / "Program Files"))
    monkeypatch.setenv("LocalAppData", str(home / "AppData/Local"))
    monkeypatch.setattr(sys, "platform", platform)
    profile = console(programs, program, "3.0.4")
    (programs / program).rename(place / program)
    assert [gimp.command for gimp in find_gimps()] == [(str(place / program),)]
    said: list[str] = []
    assert install_everywhere(archive, said.append)
    assert (profile / "plug-ins/inpaint-gimp/inpaint-gimp.py").is_file()


def test_two_versions_side_by_side_both_get_it(programs: Path, archive: Path) -> None:
    folders = [
        console(programs, f"gimp-console-{version}", f"{version}.4") for version in ("3.0", "3.2")
    ]
    said: list[str] = []
    assert not status_everywhere(archive, said.append)
    assert all("not installed" in line for line in said)
    assert install_everywhere(archive, said.append)
    for folder in folders:
        entry = folder / "plug-ins" / "inpaint-gimp" / "inpaint-gimp.py"
        assert os.access(entry, os.X_OK)
        assert is_current(archive, entry.parent)
        assert list(folder.iterdir()) == [folder / "plug-ins"]  # nothing is left lying about
    assert status_everywhere(archive, said.append)
    assert uninstall_everywhere(said.append)
    assert not any((folder / "plug-ins" / "inpaint-gimp").exists() for folder in folders)
    assert uninstall_everywhere(said.append)


def test_gimp_2_is_left_alone(programs: Path) -> None:
    console(programs, "gimp-console-2.10", "2.10.34")
    old = programs / "gimp"
    old.write_text("#!/bin/sh\necho 'GNU Image Manipulation Program version 2.10.34'\n")
    old.chmod(0o755)
    assert find_gimps() == []


def test_a_program_by_two_names_counts_once(programs: Path) -> None:
    console(programs, "gimp-console-3.0", "3.0.4")
    plain = programs / "gimp-console"
    plain.symlink_to(programs / "gimp-console-3.0")
    assert [gimp.kind for gimp in find_gimps()] == ["native"]


def test_app_images_and_flatpak_are_found(programs: Path, tmp_path: Path) -> None:
    downloads = tmp_path / "home" / "Downloads"
    downloads.mkdir(parents=True)
    image = downloads / "GIMP-3.0.4-x86_64.AppImage"
    image.write_text("#!/bin/sh\n")
    image.chmod(0o755)
    (downloads / "GIMP-2.10.AppImage.zsync").touch()
    flatpak = programs / "flatpak"
    flatpak.write_text('#!/bin/sh\n[ "$1 $2" = "info org.gimp.GIMP" ]\n')
    flatpak.chmod(0o755)
    assert [gimp.kind for gimp in find_gimps()] == ["Flatpak", "AppImage"]


def test_a_plug_in_that_gimp_does_not_load_is_a_failure(programs: Path, archive: Path) -> None:
    console(programs, "gimp-console-3.0", "3.0.4", loads="false")
    said: list[str] = []
    assert not install_everywhere(archive, said.append)
    assert "does not load the plug-in" in said[-1]
    assert not status_everywhere(archive, said.append)
    assert "GIMP does not load it" in said[-1]


def test_a_gimp_without_python_is_named_and_the_others_go_on(programs: Path, archive: Path) -> None:
    mute = programs / "gimp-console-3.0"
    mute.write_text("#!/bin/sh\necho 'no interpreter' >&2\nexit 1\n")
    mute.chmod(0o755)
    folder = console(programs, "gimp-console-3.2", "3.2.0")
    said: list[str] = []
    assert not install_everywhere(archive, said.append)
    assert any("does not run Python" in line and "no interpreter" in line for line in said)
    assert (folder / "plug-ins" / "inpaint-gimp").is_dir()


def test_an_older_one_is_replaced_completely(tmp_path: Path, archive: Path) -> None:
    target = tmp_path / "profile" / "plug-ins" / "inpaint-gimp"
    stale = target / "inpaint_gimp" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("old")
    assert not is_current(archive, target)
    unpack(archive, target)
    assert not stale.exists()
    assert is_current(archive, target)
    (target / "inpaint-gimp.py").chmod(0o644)
    assert not is_current(archive, target)
