"""Real hosts. Without them these tests are skipped, saying what is missing; with REQUIRE_HOSTS=1
(`.ci/run`, `make test-hosts`) that is a failure, except for those of Debian unstable."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from gimp_fixtures import (  # noqa: F401
    archive,
    fake,
    gimp,
    lonely,
    missing,
    plug_in,
    screen,
    user,
    warm,
)
from krita_host import KritaHost, Run, RunKrita, find, profile, run_scenario
from xvfb import HostMissing, display

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def krita_screen() -> Iterator[str]:
    with display() as name:
        yield name


@pytest.fixture(scope="session", params=["native", "trixie", "unstable"])
def krita(request: pytest.FixtureRequest) -> KritaHost:
    """Each Krita in turn."""
    try:
        return find(request.param)
    except HostMissing as reason:
        missing(reason, request.param)
        raise


@pytest.fixture(scope="session")
def krita_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `Import Python Plugin from File` unpacks: the zip as it is shipped."""
    subprocess.run([sys.executable, ROOT / "plugins/build.py", "krita"], check=True)
    folder = tmp_path_factory.mktemp("krita-plugin")
    with zipfile.ZipFile(ROOT / "build/plugins/inpaint_krita.zip") as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture
def run_krita(krita: KritaHost, krita_screen: str, krita_plugin: Path) -> RunKrita:
    """Run a scenario with the plug-in installed, in a profile of its own."""
    home = profile(krita, krita_screen)

    def run(scenario: str, environment: Mapping[str, str] | None = None, **more: object) -> Run:
        return run_scenario(
            krita,
            krita_screen,
            scenario,
            home=home,
            plugin=krita_plugin,
            environment=environment,
            **more,
        )

    return run
