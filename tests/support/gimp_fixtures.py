"""Fixtures of the tests that drive GIMP; tests/hosts/conftest.py imports them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import gimp_host
import pytest
from fake_process import FakeProcess, fake_daemon
from gimp_host import GimpHost, Profile, new_profile
from inpaint_install.gimp import unpack
from xvfb import HostMissing, display

ROOT = Path(__file__).resolve().parents[2]
KEEP_S = 3600


def missing(reason: object, release: str = "") -> None:
    """Skip the test, or fail if hosts are required; Debian unstable cannot be had everywhere."""
    if os.environ.get("REQUIRE_HOSTS") and release != "unstable":
        pytest.fail(f"REQUIRE_HOSTS is set, and {reason}")
    pytest.skip(str(reason))


@pytest.fixture(scope="session", params=["trixie", "unstable"])
def gimp(request: pytest.FixtureRequest) -> GimpHost:
    """Run the tests with each GIMP."""
    try:
        host = gimp_host.find(request.param)
    except HostMissing as error:
        missing(error, request.param)
        raise
    # Keep the output of tests for inspection, but not forever.
    for folder in host.scratch.glob("gimp-*"):
        if time.time() - folder.stat().st_mtime > KEEP_S:
            shutil.rmtree(folder, ignore_errors=True)
    return host


@pytest.fixture(scope="session")
def archive() -> Path:
    """Build the zip as it ships, with all dependencies."""
    subprocess.run([sys.executable, ROOT / "plugins" / "build.py", "gimp"], check=True)
    return ROOT / "build" / "plugins" / "inpaint-gimp.zip"


@pytest.fixture(scope="session")
def plug_in(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the folder inpaint-gimp/ as the installer does."""
    folder = tmp_path_factory.mktemp("plug-ins") / "inpaint-gimp"
    unpack(archive, folder)
    return folder


@pytest.fixture(scope="session")
def warm(gimp: GimpHost) -> Profile:
    """Make a profile in which GIMP has run once."""
    profile = new_profile(gimp)
    profile.console("nothing")
    return profile


@pytest.fixture
def screen() -> Iterator[str]:
    try:
        with display() as name:
            yield name
    except HostMissing as error:
        missing(error)


@pytest.fixture
def fake() -> Iterator[FakeProcess]:
    with fake_daemon() as daemon:
        yield daemon


@pytest.fixture
def lonely(gimp: GimpHost, warm: Profile, plug_in: Path) -> Profile:
    """Make a user with the plug-in and no daemon."""
    return new_profile(gimp, plug_in, like=warm)


@pytest.fixture
def user(lonely: Profile, fake: FakeProcess) -> Profile:
    """Make a user with the plug-in and the fake daemon."""
    lonely.environment["INPAINT_SERVER"] = fake.address
    return lonely
