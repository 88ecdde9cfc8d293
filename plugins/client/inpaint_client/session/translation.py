"""Texts of a plug-in in the user's language.

The catalogs are gettext's plain `.po` files, which are read when the plug-in starts, so that no
compiled copy can be out of date. Texts that a catalog lacks stay in English. Placeholders keep
their names in translations: `catalog.gettext("Seed {seed}").format(seed=5)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import InpaintError
from ..sentence import Sentence

CLIENT = Path(__file__).parents[1] / "locale"
"""The catalogs of the client's and the daemon's messages, for every plug-in."""

_QUOTED = re.compile(r'^(?:(msgid|msgstr)\s+)?(".*")\s*$')


class Catalog:
    """The texts of one plug-in and of the client in the current language."""

    def __init__(self, folder: Path) -> None:
        """Start in English. `folder` contains the plug-in's catalogs, such as `de.po`."""
        self._folder = folder
        self._entries: dict[str, str] = {}

    def gettext(self, text: str) -> str:
        """Return a text in the current language."""
        return self._entries.get(text, text)

    def say(self, text: str) -> str:
        """Return a sentence of the client or the daemon in the current language.

        Any text that is not a `Sentence` is returned unchanged.
        """
        if not isinstance(text, Sentence):
            return text
        return self.gettext(text.pattern).format(**text.values)

    def say_error(self, error: InpaintError) -> str:
        """Return the message and the remedy of an error in the current language."""
        return f"{self.say(error.message)} {self.say(error.remedy)}".rstrip()

    def use_languages(self, languages: Iterable[str]) -> str:
        """Switch to the first language that has a catalog.

        Args:
            languages: names of locales, such as "de_AT.UTF-8", "de-DE" and "de".

        Returns:
            The name of the language; "en" if no catalog exists.
        """
        self._entries = {}
        for language in languages:
            plain = language.partition(".")[0].partition("@")[0].replace("-", "_")
            for name in (plain, plain.partition("_")[0]):
                if name in ("en", "C", "POSIX"):
                    return "en"
                path = self._folder / f"{name}.po"
                if path.is_file():
                    shared = CLIENT / f"{name}.po"
                    common = read_catalog(shared) if shared.is_file() else {}
                    self._entries = common | read_catalog(path)
                    return name
        return "en"


def read_catalog(path: Path) -> dict[str, str]:
    """Return the translated entries of a `.po` file, without fuzzy and empty ones."""
    entries: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", path.read_text("utf-8")):
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
