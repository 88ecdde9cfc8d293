"""Settings survive each other's versions, broken files and curious neighbors."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_client import ConnectionSettings, SettingsFile, connection_file
from inpaint_protos.secret import Secret

values = st.builds(
    ConnectionSettings,
    address=st.text(),
    token=st.text().map(Secret),
    start_daemon=st.booleans(),
    timeout_s=st.floats(allow_nan=False, allow_infinity=False),
)


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile[ConnectionSettings]:
    return SettingsFile(tmp_path / "new folder" / "connection.json", ConnectionSettings)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=values)
def test_what_is_saved_is_loaded(
    file: SettingsFile[ConnectionSettings], value: ConnectionSettings
) -> None:
    file.save(value)
    assert file.load() == value


def test_without_a_file_all_is_default(file: SettingsFile[ConnectionSettings]) -> None:
    assert file.load() == ConnectionSettings()


def test_only_the_owner_can_read_the_token(file: SettingsFile[ConnectionSettings]) -> None:
    file.save(ConnectionSettings(token=Secret("secret")))
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.path.parent.iterdir()) == [file.path]
    assert "secret" not in repr(file.load())


def test_unknown_keys_are_kept(file: SettingsFile[ConnectionSettings]) -> None:
    file.path.parent.mkdir()
    file.path.write_text('{"from_the_future": [1], "address": "h:1"}')
    file.save(replace(file.load(), timeout_s=5.0))
    assert json.loads(file.path.read_text())["from_the_future"] == [1]
    assert file.load() == ConnectionSettings(address="h:1", timeout_s=5.0)


def test_a_value_of_another_type_is_ignored_aloud(
    file: SettingsFile[ConnectionSettings], caplog: pytest.LogCaptureFixture
) -> None:
    file.path.parent.mkdir()
    file.path.write_text('{"address": 5, "start_daemon": "yes", "timeout_s": 3}')
    with caplog.at_level(logging.WARNING):
        assert file.load() == ConnectionSettings(timeout_s=3.0)
    assert "address" in caplog.text
    assert "start_daemon" in caplog.text


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe"])
def test_a_broken_file_counts_as_empty_and_is_set_aside(
    file: SettingsFile[ConnectionSettings], content: bytes
) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    assert file.load() == ConnectionSettings()
    file.save(ConnectionSettings(address="h:1"))
    assert file.load().address == "h:1"
    assert file.path.with_suffix(".broken").read_bytes() == content


def test_a_host_has_its_own_dataclass(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class HostSettings:
        candidates: int = 4
        variety: float = 0.8

    file = SettingsFile(tmp_path / "host.json", HostSettings)
    file.save(HostSettings(2, 1.0))
    assert file.load() == HostSettings(2, 1.0)


def test_the_shared_file_lies_in_the_config_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert connection_file().path == tmp_path / "inpaint" / "connection.json"
