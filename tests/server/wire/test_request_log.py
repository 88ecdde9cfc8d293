"""One request, one line: whatever a request is called."""

from __future__ import annotations

import json
import re
from pathlib import Path

import grpc
import pytest
from daemons import Caller, DaemonProcess
from hypothesis import given
from hypothesis import strategies as st
from inpaint_server.wire.request_log import RateLimit, log_line

PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "]+)(?: |$)')
keys = st.sampled_from(("request", "status", "model", "total_ms", "peer"))


def parsed(line: str) -> dict[str, str]:
    """The pairs of a line of logfmt, by its grammar and not by our code."""
    facts, at = {}, 0
    while at < len(line):
        pair = PAIR.match(line, at)
        assert pair is not None, line[at:]
        key, value = pair.groups()
        facts[key] = json.loads(value) if value.startswith('"') else value
        at = pair.end()
    return facts


@given(facts=st.dictionaries(keys, st.text()))
def test_a_line_stays_one_line_and_parses_back(facts: dict[str, str]) -> None:
    line = log_line(facts)
    assert line.splitlines() == ([line] if facts else [])
    assert parsed(line) == facts


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("portrait", "portrait"),
        (12.5, "12.5"),
        ("ipv4:127.0.0.1:36068", "ipv4:127.0.0.1:36068"),
        ("C:\\models", "C:\\models"),
        ("Köpfe", "Köpfe"),
        ("", '""'),
        ("old cats", '"old cats"'),
        ("a=b", '"a=b"'),
        ('a"b', '"a\\"b"'),
        ("a\nrequest=Fill", '"a\\nrequest=Fill"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("alte Köpfe", '"alte Köpfe"'),
    ],
)
def test_only_what_needs_quotes_has_them(value: object, written: str) -> None:
    assert log_line({"model": value}) == f"model={written}"


def test_a_rate_limit_counts_what_it_holds_back() -> None:
    now = 0.0
    limit = RateLimit(2, 60.0, lambda: now)
    assert [limit.passed() for _ in range(5)] == [0, 0, None, None, None]
    now = 59.0
    assert limit.passed() is None
    now = 60.0
    assert [limit.passed(), limit.passed(), limit.passed()] == [4, 0, None]


@pytest.mark.slow
def test_many_refusals_are_a_few_lines_and_all_are_counted(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon:
        address = daemon.runtime()["address"]
        with Caller(grpc.insecure_channel(address), "a-wrong-token") as stranger:
            for _ in range(100):
                with pytest.raises(grpc.RpcError):
                    stranger.info()
        with daemon.caller() as owner:
            owner.info()
        log = daemon.log.read_text()
        assert log.count("status=UNAUTHENTICATED") == 10
        assert log.count("request=Info status=OK") == 1
