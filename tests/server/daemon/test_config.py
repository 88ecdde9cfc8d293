"""Settings: from YAML, from the command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_model.networks.validation import json_schema
from inpaint_server.config import ServerConfig, override, read_config
from inpaint_server.errors import ConfigurationError


def written(folder: Path, text: str) -> Path:
    path = folder / "server.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "")) == ServerConfig()


def test_every_kind_of_value(tmp_path: Path) -> None:
    config = read_config(
        written(
            tmp_path,
            "listen: 0.0.0.0:7860\nmodels: [portrait, /srv/cats]\nidle_unload_s: 5\n"
            "batch_size: 4\ntoken_file: token\ntls: {certificate: a.pem, key: /etc/b.key}\n"
            "limits: {max_side: 4096}\nruntime_file: null\n",
        )
    )
    assert config.models == ("portrait", "/srv/cats")
    assert config.idle_unload_s == 5.0
    assert config.batch_size == 4
    assert config.token_file == tmp_path / "token"
    assert config.tls is not None
    assert config.tls.certificate == tmp_path / "a.pem"
    assert config.tls.key == Path("/etc/b.key")
    assert config.limits.max_side == 4096
    assert config.limits.max_seeds == 64
    assert config.runtime_file is None


def test_every_number_has_a_range() -> None:
    """The schema contains the rule, so that an editor marks values that the daemon would refuse."""
    schema = json_schema(ServerConfig, "settings")
    numbers = [
        (name, value)
        for kind in (schema, schema["$defs"]["Limits"])
        for name, value in kind["properties"].items()
        if value.get("type") in ("integer", "number")
    ]
    assert len(numbers) > 15
    for name, value in numbers:
        assert {"minimum", "exclusiveMinimum"} & set(value), name
        assert "maximum" in value, name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lisen: x", "unknown key `lisen`; did you mean `listen`?"),
        (
            "limits: {max_seed: 3}",
            "unknown key `limits.max_seed`; did you mean `limits.max_seeds`?",
        ),
        ("7: x", "unknown key `7`"),
        ("tls: {key: a}", "`tls.certificate` is missing"),
        ("tls: yes", "`tls` must hold `key: value` pairs, not True"),
        ("[1, 2]", "the file must hold"),
        ("batch_size: four", "`batch_size` must be a whole number, not 'four'"),
        ("batch_size: true", "`batch_size` must be a whole number"),
        ("grace_s: soon", "`grace_s` must be a number"),
        ("listen: 7860", "`listen` must be text"),
        ("models: portrait", "`models` must be a list, not 'portrait'"),
        ("models: [1]", "`models[0]` must be text, not 1"),
        ("token_file: 3", "`token_file` must be text, not 3"),
        (
            "token_file: ~nobody-of-this-name/x",
            "`token_file`: '~nobody-of-this-name/x' is not a valid path",
        ),
        ("a: [", "not valid YAML"),
        ("listen: here", "HOST:PORT"),
        ("listen: 0.0.0.0:1", "set both `tls` and `token_file`"),
        ("listen: 192.168.1.2:1\ntoken_file: t", "set both"),
        ("metrics: 0.0.0.0:9000", "metrics_token_file"),
        ("metrics: '9464'", "metrics: '9464' is not HOST:PORT"),
        ("metrics: unix:/tmp/metrics", "metrics: 'unix:/tmp/metrics' is not HOST:PORT"),
        ("precision: fp8", "`precision` must be 'auto', 'fp32', 'bf16' or 'fp16', not 'fp8'"),
        ("log_level: loud", "`log_level` must be 'debug', 'info', 'warning' or 'error'"),
        ("gpu_memory_share: 1.5", "`gpu_memory_share` must be at most 1, not 1.5"),
        ("gpu_memory_share: 0", "`gpu_memory_share` must be above 0, not 0"),
        ("idle_s: 0", "`idle_s` must be at least 0.1, not 0"),
        ("idle_s: .nan", "`idle_s` must be a finite number, not nan"),
        ("session_ttl_s: .inf", "`session_ttl_s` must be a finite number, not inf"),
        ("grace_s: -1", "`grace_s` must be at least 0, not -1"),
        ("threads: -3", "`threads` must be at least 0, not -3"),
        ("threads: 1025", "`threads` must be at most 1024, not 1025"),
        ("batch_size: -1", "`batch_size` must be at least 0, not -1"),
        ("model_memory_bytes: -1", "`model_memory_bytes` must be at least 0, not -1"),
        ("idle_unload_s: 1.0e+300", "`idle_unload_s` must be at most 1000000000, not 1e+300"),
        ("limits: {max_queue: -5}", "`limits.max_queue` must be at least 0, not -5"),
        ("limits: {max_side: 0}", "`limits.max_side` must be at least 1, not 0"),
        ("limits: {max_side: 65537}", "`limits.max_side` must be at most 65536, not 65537"),
        ("limits: {max_seeds: 0}", "`limits.max_seeds` must be at least 1, not 0"),
        (
            "limits: {max_pending_bytes: -1}",
            "`limits.max_pending_bytes` must be at least 0, not -1",
        ),
    ],
)
def test_what_is_refused_names_file_key_and_remedy(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        read_config(path)
    message = str(raised.value)
    assert str(path) in message
    assert words in message
    assert "\n" not in message


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
keys = st.sampled_from([*ServerConfig.__dataclass_fields__, "other"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys, value=values)
def test_any_value_gives_settings_or_one_line(tmp_path: Path, key: str, value: object) -> None:
    path = written(tmp_path, yaml.safe_dump({key: value}))
    try:
        read_config(path)
    except ConfigurationError as error:
        line = str(error)
    else:
        line = f"{path}: {key} is right"
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    assert key in line


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_config(tmp_path / "missing.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not valid YAML"):
        read_config(tmp_path / "binary")


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "localhost:2", "[::1]:3", "127.8.9.1:4", "unix:/tmp/x"]
)
def test_local_addresses_need_nothing_else(address: str) -> None:
    assert ServerConfig(listen=address).listen == address


@pytest.mark.parametrize(
    "address", ["127.evil.org:1", "localhost.evil.org:2", "0.0.0.0:3", "[::]:4"]
)
def test_names_that_only_appear_local_do(address: str) -> None:
    with pytest.raises(ConfigurationError, match="other machines"):
        ServerConfig(listen=address)


def test_the_command_line_wins() -> None:
    config = override(
        ServerConfig(device="cpu", listen="localhost:5"), device="cuda:1", listen=None
    )
    assert (config.device, config.listen) == ("cuda:1", "localhost:5")
