"""Incompatible packages stop the start with one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from daemons import DaemonProcess
from inpaint_server.cli import foreign_package

pytestmark = pytest.mark.slow

# What generated code of a newer protobuf begins with.
NEWER = """
from google.protobuf import runtime_version
runtime_version.ValidateProtobufRuntimeVersion(
    runtime_version.Domain.PUBLIC, 99, 1, 0, '', 'grpc/health/v1/health.proto')
"""


@pytest.mark.parametrize(
    ("module", "code", "said"),
    [
        # Other releases of protobuf, and what else may lie under its name.
        ("google/protobuf/__init__.py", "__version__ = '4.25.8'", "cannot import name"),
        ("google/protobuf/__init__.py", "print 'two'", "Missing parentheses"),
        ("google/protobuf/__init__.py", "import os; os.no_such_thing", "no_such_thing"),
        ("grpc_health/v1/health_pb2.py", NEWER, "99.1.0"),
        (
            "grpc_health/v1/health_pb2.py",
            "raise RuntimeError('The grpc package installed is at version 1.71.0, but')",
            "version 1.71.0",
        ),
        ("grpc_reflection/__init__.py", "import not_there_at_all", "not_there_at_all"),
    ],
)
def test_one_sentence_names_what_does_not_fit(
    tmp_path: Path, module: str, code: str, said: str, pytestconfig: pytest.Config
) -> None:
    fake = tmp_path / "fake" / module
    fake.parent.mkdir(parents=True)
    for folder in (fake.parent, fake.parent.parent):
        if folder != tmp_path / "fake":
            (folder / "__init__.py").touch()
    fake.write_text(code)
    root = pytestconfig.rootpath
    path = ":".join(
        str(each)
        for each in (tmp_path / "fake", *(root / p for p in ("model", "server", "protos")))
    )
    with DaemonProcess(tmp_path, environment={"PYTHONPATH": path}) as daemon:
        assert daemon.ended() == 2
    lines = daemon.log.read_text().splitlines()
    assert "Traceback" not in daemon.log.read_text()
    assert said in lines[-1]
    assert f"remove {tmp_path / 'fake'} from PYTHONPATH" in lines[-1]
    assert "pip install --upgrade inpaint-stylegan" in lines[-1]


def test_a_package_that_is_installed_has_another_remedy() -> None:
    assert foreign_package(ImportError("no runtime_version", path="/usr/lib/x.py")) == ""
    assert foreign_package(ValueError("a bug of ours")) == ""
