"""Catalogs: which one is taken, and what of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.sentence import Sentence
from inpaint_client.session.translation import Catalog

HALF = '\nmsgid "0.5"\nmsgstr "0,5"\n'
HEADER = 'msgid ""\nmsgstr "Language: xy\\n"\n'


def catalog(folder: Path, **entries: str) -> Catalog:
    for name, text in entries.items():
        (folder / f"{name}.po").write_text(HEADER + text, "utf-8")
    return Catalog(folder)


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    texts = catalog(tmp_path_factory.mktemp("german"), xy=HALF)
    texts.use_languages(["xy"])
    return texts


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


PATTERN = "{what}: {times} times of {share:.1f}%"
COMMA = f'{HALF}\nmsgid "{PATTERN}"\nmsgstr "{PATTERN}!"\n'


def test_sentences_contain_numbers_with_the_decimal_mark_of_their_language(tmp_path: Path) -> None:
    texts = catalog(tmp_path, xy=COMMA)
    said = Sentence(PATTERN, what="127.0.0.1:80", times="2.2", share=-0.25)
    assert texts.say(said) == said == "127.0.0.1:80: 2.2 times of -0.2%"
    texts.use_languages(["xy"])
    assert texts.say(said) == "127.0.0.1:80: 2,2 times of -0,2%!"


@given(st.floats(-1e6, 1e6), st.sampled_from(["+.1f", ".2f", "+g", ""]))
def test_a_number_keeps_its_digits(german: Catalog, value: float, spec: str) -> None:
    written = format(value, spec)
    expected = written if "e" in written else written.replace(".", ",")
    assert german.number(written) == expected


@given(st.from_regex(r"[a-z ]+1\.5|1\.5[a-z ]+|1\.5\.[0-9]|[0-9]+", fullmatch=True))
def test_text_that_is_no_decimal_number_is_unchanged(german: Catalog, text: str) -> None:
    assert german.number(text) == text
