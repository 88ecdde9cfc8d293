"""A token shows itself nowhere but where it is sent."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import ConnectionSettings, InputError, SettingsFile
from inpaint_client.endpoint import Endpoint, parse_endpoint
from inpaint_protos.secret import Secret

WORD = "Xyzzy-4711-plugh"


@given(st.text(alphabet=st.characters(codec="ascii"), min_size=3))
def test_no_way_of_writing_shows_the_text(text: str) -> None:
    secret = Secret(text)
    if not secret:
        return
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r:>20}"):
        assert shown.strip() == "***"
    assert repr(ConnectionSettings(token=secret)) == repr(ConnectionSettings(token=Secret("other")))


def test_copies_are_the_same_and_pickles_are_refused() -> None:
    secret = Secret(WORD)
    assert copy.copy(secret) == copy.deepcopy(secret) == secret == Secret(f" {WORD}\n")
    assert secret != Secret("other")
    assert secret != WORD
    assert len({secret, Secret(WORD)}) == 1
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize("bad", [f"{WORD}\nmore", f"{WORD}\x00", f"{WORD}é", "\ud800" + WORD])
def test_what_cannot_be_sent_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(InputError, match="contains a line break") as refused:
        parse_endpoint("127.0.0.1:7", bad)
    assert WORD not in "".join(traceback.format_exception(refused.value))


@given(st.text())
def test_what_can_be_sent_is_a_header(text: str) -> None:
    try:
        endpoint = parse_endpoint("127.0.0.1:7", text)
    except InputError:
        return
    header = endpoint.token.reveal().encode("ascii")
    assert header == header.strip()
    assert all(32 <= byte < 127 for byte in header)


def test_a_trailing_line_break_is_dropped() -> None:
    assert parse_endpoint("127.0.0.1:7", f"{WORD}\r\n") == Endpoint(
        "127.0.0.1", 7, token=Secret(WORD)
    )


def test_a_settings_file_with_a_token_of_another_type_does_not_show_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "connection.json"
    path.write_text(f'{{"token": ["{WORD}"]}}')
    with caplog.at_level(logging.DEBUG):
        assert SettingsFile(path, ConnectionSettings).load() == ConnectionSettings()
    assert "token = *** is ignored" in caplog.text
    assert WORD not in caplog.text
