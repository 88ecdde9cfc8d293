"""The words that people read: American spelling, and none of the words that a reader must learn.

Checked are documents, and the comments and strings of code: docstrings, help texts, messages.
Whoever misses a word that should not come back adds it here, with what to write instead.
"""

from __future__ import annotations

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

RETIRED = {
    # British spelling. `licence`, `colour_match` and `colours` are names in format 1 and on the
    # wire, which keep them; they are taken out before.
    r"\w*colour\w*": "color",
    r"grey\w*": "gray",
    r"licen[c]e\w*": "license",
    r"\w*neighbour\w*": "neighbor",
    r"centre[ds]?|centring": "center",
    r"\w*behaviour\w*": "behavior",
    r"labelled|labelling|modelled|travelled": "labeled, modeled, traveled",
    r"(?:normal|regular|raster|initial|equal|quant|optim|synthes|summar|minim|organ|recogn)is"
    r"(?:e[ds]?|ing|ation)": "-ize",
    # A private dialect.
    r"pictures?": "image (the message `Picture` keeps its name)",
    r"price of a nat|price of": "weight, cost or estimate",
    r"hung on": "attached to",
    r"la(?:y|ys|id|ying) (?:it |them |this |that )?over": "composite, overlay, apply",
    r"looked at|looks? at": "examine, inspect, see",
    r"shall": "will, must",
    r"seldom": "rarely",
    r"for ever": "forever",
    r"processors?": "CPU",
    r"mends?|mended|mending": "fix",
    r"dawdl\w+": "is slow",
    r"stumbl\w+": "fails",
    r"warm start": "reconstruction only",
}
PATTERN = re.compile(rf"(?<![\w`./-])(?:{'|'.join(f'(?:{word})' for word in RETIRED)})(?![\w`])")
NAMES = re.compile(
    r"`[^`\n]*`|\"[\w.]+\"|\w*_\w*|\{licence\}|\[\w+\]\(#\w+\)|^#+ \w+$"
    r"|COLOURS|recipe, or picture|that picture shows"  # fields, in comments of the wire
)

# What is quoted from elsewhere, or written down once and never changed.
QUOTED = ("tests/golden/", "docs/schemas/", "LICENSE")
HERE = Path(__file__).name


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The prose of a file, with its lines' numbers."""
    source = path.read_text("utf-8")
    if path.suffix != ".py":
        in_code = False
        for number, line in enumerate(source.splitlines(), 1):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            if not in_code and not line.startswith(("    ", "msgstr")):
                yield number, line
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            for number, line in enumerate(token.string.splitlines(), token.start[0]):
                yield number, line


def files() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [
        name
        for name in done.stdout.splitlines()
        if name.endswith((".py", ".md", ".po", ".html")) and not name.startswith(QUOTED)
    ]


def found_in(line: str) -> list[str]:
    return PATTERN.findall(NAMES.sub(" ", line).lower())


def test_no_retired_word_comes_back() -> None:
    found = [
        f"{name}:{number}: {', '.join(words)}"
        for name in files()
        if Path(name).name != HERE
        for number, line in texts(ROOT / name)
        if (words := found_in(line))
    ]
    assert not found, f"{len(found)} lines\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("The colour of a Neighbour", ["colour", "neighbour"]),
        ('`colour_match`, licence_of, HasField("picture")', []),
        ("It is laid over the picture.", ["laid over", "picture"]),
        ("a layer over an image, an overlay", []),
        ("It shall look at it.", ["shall", "look at"]),
        ("multiprocessors and a postprocessor", []),
    ],
)
def test_the_pattern_finds_words_and_no_names(line: str, words: list[str]) -> None:
    assert found_in(line) == words
