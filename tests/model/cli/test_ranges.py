"""Numbers out of range give one sentence that names the range."""

from __future__ import annotations

import argparse
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_model.cli.main import main
from inpaint_model.training.ranges import real, whole

TRAIN = ["train", "generator", "--data", "x", "--out", "y"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([*TRAIN, "--batch-size", "0"], "'0' is not a whole number from 1 to"),
        ([*TRAIN, "--total-kimg", "-1"], "'-1' is not a number of at least 0"),
        ([*TRAIN, "--total-kimg", "nan"], "'nan' is not a number of at least 0"),
        ([*TRAIN, "--r1-interval", "0"], "'0' is not a whole number from 1 to"),
        ([*TRAIN, "--seed", "1000000000000"], "from 0 to 2147483647"),
        ([*TRAIN, "--threads", "0"], "from 1 to 1024"),
        ([*TRAIN, "--reduce", "0"], "from 1 to 1024"),
        (["sample", "x", "--out", "y", "--rows", "0"], "from 1 to 100"),
        (["sample", "x", "--out", "y", "--truncation", "inf"], "'inf' is not a number"),
    ],
)
def test_options_out_of_range(
    line: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert words in said


@given(text=st.one_of(st.text(max_size=8), st.integers().map(str), st.floats().map(str)))
def test_any_text_is_in_range_or_refused(text: str) -> None:
    for read, least, most in ((whole(1, 9), 1, 9), (real(0, 1), 0, 1)):
        value = None
        with contextlib.suppress(argparse.ArgumentTypeError):
            value = read(text)
        assert value is None or least <= value <= most
