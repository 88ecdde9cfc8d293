"""The plug-in's texts in the user's language.

The catalogues are plain `.po` files beside this module, the translators' own format, read when the
plug-in starts: no compiled copy can be out of date. Lines that are missing stay English.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent / "locale"

_catalogue: dict[str, str] = {}
_QUOTED = re.compile(r'^(?:(msgid|msgstr)\s+)?(".*")\s*$')


def _(text: str) -> str:
    """`text` in the language chosen by `use_languages`."""
    return _catalogue.get(text, text)


def use_languages(languages: Iterable[str], folder: Path = FOLDER) -> str:
    """Take the first of `languages` ("de_AT.UTF-8", "de", ...) that has a catalogue in `folder`.

    Returns its name, "en" if none has.
    """
    _catalogue.clear()
    for language in languages:
        plain = language.partition(".")[0].partition("@")[0]
        for name in (plain, plain.partition("_")[0]):
            if name in ("en", "C", "POSIX"):
                return "en"
            if (folder / f"{name}.po").is_file():
                _catalogue.update(read_catalogue(name, folder))
                return name
    return "en"


@lru_cache
def read_catalogue(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """The translated entries of `NAME.po`; fuzzy and empty ones are left out."""
    entries: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", (folder / f"{name}.po").read_text("utf-8")):
        parts = {"msgid": "", "msgstr": ""}
        current = ""
        for line in block.splitlines():
            if match := _QUOTED.match(line):
                current = match[1] or current
                parts[current] += ast.literal_eval(match[2])
        fuzzy = re.search(r"^#,.*\bfuzzy\b", block, re.MULTILINE)
        if parts["msgid"] and parts["msgstr"] and not fuzzy:
            entries[parts["msgid"]] = parts["msgstr"]
    return entries
