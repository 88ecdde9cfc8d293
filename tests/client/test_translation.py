"""Catalogs: which one is taken, and what of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from inpaint_client.session.translation import Catalog

HEADER = 'msgid ""\nmsgstr "Language: xy\\n"\n'


def catalog(folder: Path, **entries: str) -> Catalog:
    for name, text in entries.items():
        (folder / f"{name}.po").write_text(HEADER + text, "utf-8")
    return Catalog(folder)


@pytest.mark.parametrize(
    ("languages", "chosen", "text"),
    [
        (["xy"], "xy", "eins"),
        (["xy_AB.UTF-8"], "xy", "eins"),
        (["xy-AB@euro"], "xy", "eins"),
        (["zz", "xy"], "xy", "eins"),
        (["en_GB", "xy"], "en", "one"),
        (["C", "xy"], "en", "one"),
        (["zz"], "en", "one"),
        ([], "en", "one"),
    ],
)
def test_the_first_available_language(
    languages: list[str], chosen: str, text: str, tmp_path: Path
) -> None:
    texts = catalog(tmp_path, xy='\nmsgid "one"\nmsgstr "eins"\n')
    texts.use_languages(["xy"])
    assert texts.use_languages(languages) == chosen
    assert texts.gettext("one") == text
    assert texts.gettext("A sentence that nobody translated") == "A sentence that nobody translated"


def test_fuzzy_and_empty_entries_stay_english(tmp_path: Path) -> None:
    texts = catalog(
        tmp_path,
        xy='\n#, fuzzy\nmsgid "one"\nmsgstr "eins"\n\n'
        'msgid "two"\nmsgstr ""\n\nmsgid "th"\n"ree"\nmsgstr "dr"\n"ei"\n',
    )
    assert texts.use_languages(["xy"]) == "xy"
    assert [texts.gettext(text) for text in ("one", "two", "three")] == ["one", "two", "drei"]
