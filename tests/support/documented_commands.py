"""The commands that documents and help texts show, as people would type them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


@dataclass(frozen=True)
class Command:
    """One command line."""

    place: str  # file and line
    words: tuple[str, ...]
    is_whole: bool = True  # False: part of a sentence, which may leave out what it does not discuss

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.place}: {shlex.join(self.words)}"


def commands_of(path: Path) -> list[Command]:
    """Return the commands of a page: in blocks of code, and in sentences."""
    return list(_commands(path.read_text("utf-8"), str(path.relative_to(ROOT))))


def commands_in_help(text: str, place: str) -> list[Command]:
    """Return the commands of a help text: its indented lines that begin with a program of ours."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line.strip() for line in joined.splitlines() if line.startswith("  ")]
    return [
        Command(place, tuple(shlex.split(line)))
        for line in lines
        if re.match(r"inpaint(-server|-model)? ", line)
    ]


def _commands(text: str, place: str) -> Iterator[Command]:
    fence: str | None = None
    lines = iter(enumerate(text.splitlines(), 1))
    blank = True
    for number, line in lines:
        if mark := re.match(r"\s*```(\S*)", line):
            fence = None if fence is not None else mark[1]
            blank = True
            continue
        indented = re.match(r"(?: {4,}|\t)(?=\S)", line) is not None
        if fence in ("", "sh", "shell", "console") or (fence is None and indented and blank):
            command = line
            while command.endswith("\\"):
                command = command[:-1] + next(lines)[1]
            words = _words(command)
            if words:
                yield Command(f"{place}:{number}", words)
        elif fence is None:
            for code in re.findall(r"`([^`\n]+)`", line):
                if re.match(
                    r"(inpaint|inpaint-server|inpaint-model|make|python -m|scripts/\S+) ", code
                ):
                    yield Command(f"{place}:{number}", _words(code), is_whole=False)
        blank = not line.strip() or (blank and indented)


def _words(line: str) -> tuple[str, ...]:
    """Return the words of a line without comment and leading variables; () if there are none."""
    try:
        words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    except ValueError:
        return ()
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    return tuple(words)
