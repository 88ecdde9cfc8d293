"""A plug-in's texts in the user's language.

The catalogs are gettext's plain `.po` files, the translators' own format, read when the plug-in
starts: no compiled copy can be out of date. What a catalog lacks stays English. Sentences with
values keep the names of the places: `catalog.gettext("Seed {seed}").format(seed=5)`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import InpaintError
from ..sentence import Sentence

CLIENT = Path(__file__).parents[1] / "locale"
"""The catalogs of what client and daemon say, for every plug-in."""

_QUOTED = re.compile(r'^(?:(msgid|msgstr)\s+)?(".*")\s*$')


class Catalog:
    """The catalogs of one plug-in, and of the client, of one language in use."""

    def __init__(self, folder: Path) -> None:
        """Begin in English. `folder` holds the catalogs, such as `de.po`, beside the client's."""
        self._folder = folder
        self._entries: dict[str, str] = {}

    def gettext(self, text: str) -> str:
        """Return a text in the chosen language."""
        return self._entries.get(text, text)

    def say(self, text: str) -> str:
        """Return a sentence of the client or the daemon in the chosen language.

        What is no `Sentence` stays as it is.
        """
        if not isinstance(text, Sentence):
            return text
        return self.gettext(text.pattern).format(**text.values)

    def say_error(self, error: InpaintError) -> str:
        """Return what happened and what to do, in the chosen language."""
        return f"{self.say(error.message)} {self.say(error.remedy)}".rstrip()

    def use_languages(self, languages: Iterable[str]) -> str:
        """Take the first language that has a catalog; return its name, "en" if none has.

        languages: names of locales, such as "de_AT.UTF-8", "de-DE" and "de".
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
    """Return the translated entries of a `.po` file; fuzzy and empty ones are left out."""
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
