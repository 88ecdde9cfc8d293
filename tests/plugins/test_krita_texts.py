"""Every text of the Krita plug-in can be translated, and German is complete."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from inpaint_krita import text

PACKAGE = Path(text.__file__).parent


def texts() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_vendor" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr":
                argument = node.args[0]
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def places(sentence: str) -> list[str]:
    return sorted(re.findall(r"{[^}]*}", sentence))


def test_german_is_complete_and_fills_the_same_places() -> None:
    catalogue = json.loads((text.FOLDER / "de.json").read_text("utf-8"))
    found = set(texts())
    assert len(found) > 50
    assert found - set(catalogue) == set()
    assert set(catalogue) - found == set()
    for english, german in catalogue.items():
        assert german.strip(), english
        assert places(english) == places(german), english


@pytest.mark.parametrize("locale", ["de", "de_AT", "de-DE"])
def test_a_locale_chooses_its_language(locale: str) -> None:
    text.use_language(locale)
    try:
        assert text.tr("Cancel") == "Abbrechen"
        assert text.tr("A sentence that nobody translated") == "A sentence that nobody translated"
    finally:
        text.use_language("en")
    assert text.tr("Cancel") == "Cancel"
