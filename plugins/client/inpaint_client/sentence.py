"""Sentences that can still be translated when they have their values.

This package speaks English and knows nobody's language. A `Sentence` is the English text and
remembers what it was made from, so that an editor says it in its own (`session.translation`).
"""

from __future__ import annotations

from collections.abc import Mapping

from inpaint_protos.sentences import SENTENCES


class Sentence(str):
    """The English text of a pattern with its values."""

    __slots__ = ("pattern", "values")
    pattern: str
    values: Mapping[str, object]

    def __new__(cls, pattern: str, **values: object) -> Sentence:
        """Fill the pattern's places, `{name}`, with the values."""
        made = super().__new__(cls, pattern.format(**values))
        made.pattern, made.values = pattern, values
        return made


def of_daemon(code: str, values: Mapping[str, str], text: str) -> str:
    """Return what the daemon says: the sentence of a code that is known here, else its text."""
    try:
        return Sentence(SENTENCES[code], **values)
    except (LookupError, ValueError):  # of another version
        return text
