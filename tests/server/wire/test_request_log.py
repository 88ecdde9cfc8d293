"""One request, one line: whatever a request is called."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_server.wire.request_log import log_line

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
