"""Texts of a plug-in in the user's language.

The catalogs are gettext's plain `.po` files, which are read when the plug-in starts, so that no
compiled copy can be out of date. Texts that a catalog lacks stay in English. Placeholders keep
their names in translations: `catalog.gettext("Seed {seed}").format(seed=5)`. Numbers for people to
read get the decimal mark of the language, which is the one in its translation of "0.5".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from string import Formatter

from ..errors import InpaintError
from ..sentence import Sentence

CLIENT = Path(__file__).parents[1] / "locale"
"""The catalogs of the client's and the daemon's messages, for every plug-in."""

_HALF = Sentence("0.5")  # translations show the language's decimal mark
_DECIMAL = re.compile(r"([+-]?\d+)\.(\d+)")
_QUOTED = re.compile(r'^(?:(msgid|msgstr)\s+)?(".*")\s*$')


class Catalog:
    """The texts of one plug-in and of the client in the current language."""

    def __init__(self, folder: Path) -> None:
        """Start in English. `folder` contains the plug-in's catalogs, such as `de.po`."""
        self._folder = folder
        self._entries: dict[str, str] = {}
        self.language = "en"

    def gettext(self, text: str) -> str:
        """Return a text in the current language."""
        return self._entries.get(text, text)

    def say(self, text: str) -> str:
        """Return a sentence of the client or the daemon in the current language.

        Any text that is not a `Sentence` is returned unchanged.
        """
        if not isinstance(text, Sentence):
            return text
        return _Filling(self).vformat(self.gettext(text.pattern), (), text.values)

    def number(self, text: str) -> str:
        """Return a number such as "-1.5" as the current language writes it.

        Any other text is returned unchanged.
        """
        mark = self.gettext(_HALF).strip("05")
        parts = _DECIMAL.fullmatch(text)
        return f"{parts[1]}{mark}{parts[2]}" if parts else text

    def say_error(self, error: InpaintError) -> str:
        """Return the message and the remedy of an error in the current language."""
        return f"{self.say(error.message)} {self.say(error.remedy)}".rstrip()

    def use_languages(self, languages: Iterable[str]) -> str:
        """Switch to the first language that has a catalog.

        Args:
            languages: names of locales, such as "de_AT.UTF-8", "de-DE" and "de".

        Returns:
            The name of the language, which is `language` from now on; "en" if no catalog exists.
        """
        self._entries, self.language = {}, "en"
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
                    self.language = name
                    return name
        return "en"


class _Filling(Formatter):
    """Fills placeholders, with numbers as the catalog's language writes them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def format_field(self, value: object, format_spec: str) -> str:
        return self._catalog.number(str(super().format_field(value, format_spec)))


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
