"""The catalogues: complete, without leftovers, and used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import inpaint_gimp
import pytest
from inpaint_gimp.arguments import fill_arguments
from inpaint_gimp.translation import FOLDER, _, read_catalogue, use_languages

PACKAGE = Path(inpaint_gimp.__file__).parent
NAME = re.compile(r"[A-Z][a-z]+( [a-z]+){0,2}")
CATALOGUES = sorted(path.stem for path in FOLDER.glob("*.po"))


def texts_in_source() -> set[str]:
    """Every literal that is passed to `_`."""
    found = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    found.add(str(argument.value))
    return found


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    use_languages(["en"])


def test_there_is_a_language_besides_english() -> None:
    assert "de" in CATALOGUES


@pytest.mark.parametrize("language", CATALOGUES)
def test_a_catalogue_is_complete_and_has_nothing_else(language: str) -> None:
    source, translated = texts_in_source(), set(read_catalogue(language))
    assert source - translated == set(), "missing"
    # Names of directions come from models, not from our source: one to three plain words.
    assert [text for text in translated - source if not NAME.fullmatch(text)] == []


@pytest.mark.parametrize("language", CATALOGUES)
def test_translations_fill_the_same_blanks(language: str) -> None:
    for text, translated in read_catalogue(language).items():
        blanks = re.compile(r"\{\w+\}")
        assert sorted(blanks.findall(text)) == sorted(blanks.findall(translated)), text


def test_the_language_of_the_user_is_taken() -> None:
    assert use_languages(["de_AT.UTF-8", "en"]) == "de"
    assert _("Nothing is selected.") != "Nothing is selected."
    assert fill_arguments()[0].help != ""
    assert use_languages(["xx", "C"]) == "en"
    assert _("Nothing is selected.") == "Nothing is selected."


def test_fuzzy_and_empty_entries_stay_english(tmp_path: Path) -> None:
    (tmp_path / "xy.po").write_text(
        'msgid ""\nmsgstr "Language: xy\\n"\n\n#, fuzzy\nmsgid "one"\nmsgstr "eins"\n\n'
        'msgid "two"\nmsgstr ""\n\nmsgid "th"\n"ree"\nmsgstr "dr"\n"ei"\n',
        "utf-8",
    )
    assert use_languages(["xy"], tmp_path) == "xy"
    assert [_("one"), _("two"), _("three")] == ["one", "two", "drei"]
