"""`inpaint plugins install gimp` into the real GIMP, which then lists the procedures."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from gimp_host import GimpHost, Profile, new_profile
from inpaint_install.gimp import (
    examine,
    install_everywhere,
    status_everywhere,
    uninstall_everywhere,
)
from inpaint_install.program import own_program

pytestmark = pytest.mark.hosts


def test_install_status_uninstall(
    gimp: GimpHost,
    warm: Profile,
    archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = new_profile(gimp, like=warm)
    # The chroot's GIMP as a program of this machine; its paths are valid on both sides.
    start = shlex.join(gimp.command(profile.variables(), [gimp.console]))
    program = tmp_path / "bin" / gimp.console
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/sbin:/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    said: list[str] = []

    assert not status_everywhere(archive, said.append)
    assert "not installed" in said[-1]
    assert install_everywhere(archive, said.append), said
    assert str(profile.plug_ins / "inpaint-gimp") in said[-3]
    assert status_everywhere(archive, said.append), said
    assert f"GIMP {gimp.console[-3:]}" in said[-1]
    findings = list(examine())
    assert [finding.problem for finding in findings] == ["", "", ""]
    assert findings[-1].found == str(own_program())
    assert uninstall_everywhere(said.append)
    assert not (profile.plug_ins / "inpaint-gimp").exists()
    assert not status_everywhere(archive, said.append)
