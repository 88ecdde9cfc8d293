"""The zips: complete, private, the same every time, and alive under every host's Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fake_daemon import FakeDaemon
from inpaint_client.daemon import PROGRAM_FILE

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("vendored_fill.py")


def load_build() -> ModuleType:
    """plugins/build.py; `plugins/` itself must not be on sys.path (it would shadow krita)."""
    spec = spec_from_file_location("plugins_build", ROOT / "plugins" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build: Any = load_build()


@pytest.fixture(scope="module")
def wheels() -> Path:
    """Where the wheels lie; without them and without a network there is nothing to test."""
    try:
        build.fetch_wheels(build.WHEELS)
    except build.BuildError as error:
        pytest.skip(str(error))
    return Path(build.WHEELS)


@pytest.fixture(scope="module")
def out(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plugins")
    for plugin in build.ALL.values():
        build.build(plugin, wheels, folder)
    return folder


# --- rewriting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os, sys", "import os, sys"),
        ("from . import h2", "from . import h2"),
        ("from .h2 import x", "from .h2 import x"),
        ("import h2other", "import h2other"),
        ("from h2.config import A, B as C", "from P.h2.config import A, B as C"),
        ("from h2 import *", "from P.h2 import *"),
        ("from h2 import (\n  A,  # why\n  B,\n)", "from P.h2 import A, B"),
        ("import h2", "from P import h2 as h2"),
        ("import h2 as x", "from P import h2 as x"),
        ("import h2.config as x", "from P.h2 import config as x"),
        ("import h2.config", "import P.h2.config; from P import h2"),
        ("import os, h2.a", "import os; import P.h2.a; from P import h2"),
        ("if 1: import h2.a", "if 1: import P.h2.a; from P import h2"),
        ("try:\n    import h2 # x\nfinally: 0", "try:\n    from P import h2 as h2 # x\nfinally: 0"),
        ("é = 1; import h2", "é = 1; from P import h2 as h2"),
        ("from google.protobuf import x", "from P.google.protobuf import x"),
        ("from inpaint_client import Box", "from P.inpaint_client import Box"),
        ("_CanImport('google._upb')", "_CanImport('P.google._upb')"),
        ("importlib.import_module('h2.x', a)", "importlib.import_module('P.h2.x', a)"),
        ("f('google.protobuf.Any')", "f('google.protobuf.Any')"),
        ("'''\nimport h2\n'''", "'''\nimport h2\n'''"),
    ],
)  # fmt: skip
def test_rewrite(source: str, expected: str) -> None:
    assert build.rewrite(source, "P") == expected


def test_what_cannot_be_rewritten_fails_the_build(tmp_path: Path) -> None:
    path = tmp_path / "leak.py"
    path.write_text("from h2 import x\n")
    build._rewrite_file(path, "P")
    assert path.read_text() == "from P.h2 import x\n"
    assert set(build.imported(path)) == {"P"}


@pytest.mark.parametrize("name", ["numpy", "PIL", "requests"])
def test_our_code_may_import_nothing_that_hosts_lack(tmp_path: Path, name: str) -> None:
    package = tmp_path / "inpaint_krita"
    package.mkdir()
    (package / "a.py").write_text(f"import os\nfrom PyQt5 import QtCore\ndef f():\n import {name}")
    with pytest.raises(build.BuildError, match=name):
        build._check_own_imports(package, "inpaint_krita")


@pytest.mark.slow
def test_a_leak_at_run_time_is_found(out: Path, tmp_path: Path) -> None:
    """Imports hidden from the source, as in exec, are seen by the proof."""
    tree = tmp_path / "tree"
    shutil.copytree(out / "stage" / "inpaint_krita", tree)
    (tree / "hidden_public.py").write_text("")
    errors = tree / "inpaint_krita/_vendor/inpaint_client/errors.py"
    errors.write_text(errors.read_text() + "\nexec('import hidden_public')\n")
    with pytest.raises(build.BuildError, match=r"leaked.*hidden_public"):
        build.verify(tree, "inpaint_krita._vendor")


# --- the zips ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_krita_finds_what_its_importer_wants(out: Path) -> None:
    with zipfile.ZipFile(out / "inpaint_krita.zip") as archive:
        names = archive.namelist()
        desktop = archive.read("inpaint_krita.desktop").decode("utf-8")
    assert "X-KDE-Library=inpaint_krita\n" in desktop
    assert "inpaint_krita/" in names  # the importer looks for this entry
    assert "inpaint_krita/__init__.py" in names
    assert "inpaint_krita.action" in names
    assert "inpaint_krita/_vendor/google/protobuf/message.py" in names


@pytest.mark.slow
def test_gimp_finds_its_folder_and_one_program_in_it(out: Path) -> None:
    with zipfile.ZipFile(out / "inpaint-gimp.zip") as archive:
        infos = archive.infolist()
    assert all(info.filename.startswith("inpaint-gimp/") for info in infos)
    assert "inpaint-gimp/inpaint_gimp/__init__.py" in {info.filename for info in infos}
    programs = [i.filename for i in infos if not i.is_dir() and i.external_attr >> 16 & 0o111]
    assert programs == ["inpaint-gimp/inpaint-gimp.py"]


def test_a_plugin_without_its_entry_is_not_built(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(build.BuildError, match=r"lacks inpaint_krita\.desktop"):
        build.build(build.KRITA._replace(source=tmp_path / "source"), out=tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inpaint_krita.zip", "inpaint-gimp.zip"])
def test_nothing_superfluous_and_every_license(out: Path, name: str) -> None:
    with zipfile.ZipFile(out / name) as archive:
        names = archive.namelist()
        licenses = {
            Path(entry).stem: archive.read(entry)
            for entry in names
            if "/licenses/" in entry and not entry.endswith("/")
        }
    assert set(licenses) == {
        "grpclib", "h2", "hpack", "hyperframe", "inpaint", "multidict", "protobuf",
        "typing_extensions",
    }  # fmt: skip
    assert all(len(text) > 500 for text in licenses.values())
    for ending in (".pyc", ".so", ".pyd", ".pyi", "_pb2_grpc.py", ".proto"):
        assert not [entry for entry in names if entry.endswith(ending)]
    assert (out / name).stat().st_size < 1 << 20


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(wheels: Path, out: Path, tmp_path: Path) -> None:
    again = build.build(build.KRITA, wheels, tmp_path)
    assert again.read_bytes() == (out / "inpaint_krita.zip").read_bytes()


def test_wheels_are_known_by_their_hash(wheels: Path, tmp_path: Path) -> None:
    for wheel in wheels.glob("*.whl"):
        shutil.copy(wheel, tmp_path / wheel.name)
    assert build._find_wheels(tmp_path) is not None
    tampered = next(tmp_path.glob("h2-*.whl"))
    tampered.write_bytes(tampered.read_bytes() + b"x")
    assert build._find_wheels(tmp_path) is None


# --- under every Python --------------------------------------------------------------------------


def find_python(minor: int) -> str | None:
    """A working Python 3.`minor`: on the PATH, or of pyenv."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob(f"3.{minor}.*/bin/python3"))
    for candidate in [shutil.which(f"python3.{minor}"), *map(str, pyenv)]:
        if candidate and f"3.{minor}." in _version(candidate):
            return candidate
    return None


def _version(python: str) -> str:
    result = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    return result.stdout


def vendored_fill(python: str, folder: Path, package: str) -> str:
    with FakeDaemon() as daemon:
        command = [python, "-I", "-S", "-W", "error", str(SCRIPT)]
        result = subprocess.run(
            [*command, str(folder), package, daemon.address],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("minor", range(10, 15))
def test_a_fill_under_each_python(out: Path, minor: int) -> None:
    python = find_python(minor)
    if python is None:
        pytest.skip(f"Python 3.{minor} is not installed")
    filled = vendored_fill(python, out / "stage/inpaint_krita", "inpaint_krita")
    assert filled == f"filled.3.{minor}"


@pytest.mark.slow
def test_a_fill_from_gimps_folder(out: Path) -> None:
    folder = out / "stage/inpaint_gimp/inpaint-gimp"
    assert vendored_fill(sys.executable, folder, "inpaint_gimp").startswith("filled")


@pytest.mark.slow
def test_next_to_another_protobuf_that_requires_c(out: Path) -> None:
    """The environment may choose the C implementation for the public protobuf, not for ours."""
    code = build._USE.format(
        folder=str(out / "stage/inpaint_krita"),
        private="inpaint_krita._vendor",
        package="inpaint_krita",
    )
    code = "import os; os.environ['PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION'] = 'cpp'\n" + code
    build._prove(code, "with the C implementation asked for")


def test_the_command_line_names_its_mistakes() -> None:
    command = [sys.executable, str(ROOT / "plugins/build.py"), "photoshop"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "krita" in result.stderr


@pytest.mark.slow
def test_the_projects_wheel_carries_the_zips(wheels: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in ("inpaint_krita.zip", "inpaint-gimp.zip"):
        assert f"inpaint_install/plugins/{name}" in names
    assert "inpaint_protos/v1/inpaint_pb2.py" in names
    assert not [name for name in names if name.startswith(("inpaint_krita/", "_vendor/"))]


@pytest.mark.parametrize("plugin", build.ALL.values(), ids=build.ALL)
def test_the_client_in_a_plug_in_finds_what_its_installer_noted(
    plugin: Any, out: Path, tmp_path: Path
) -> None:
    """As in an editor that was started from the desktop: PATH knows nothing of the daemon."""
    with zipfile.ZipFile(out / plugin.zip_name) as packed:
        packed.extractall(tmp_path)
    package = tmp_path / plugin.prefix / plugin.package
    server = tmp_path / "studio venv" / "inpaint-server"
    server.parent.mkdir()
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    (package / PROGRAM_FILE).write_text(f"{server}\n", "utf-8")
    daemon = f"{plugin.package}._vendor.inpaint_client.daemon"
    code = f"from {daemon} import find_command; print(find_command())"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(package.parent),
    }
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == str([str(server)])
