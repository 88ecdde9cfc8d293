"""Sentences that can still be translated after their values were filled in.

This package is English only and does not know the user's language. A `Sentence` is the English text
together with its pattern and values, so that an editor can translate it (`session.translation`).
"""

from __future__ import annotations

from collections.abc import Mapping

from inpaint_protos.sentences import SENTENCES


class Sentence(str):
    """English text made from a pattern and its values."""

    __slots__ = ("pattern", "values")
    pattern: str
    values: Mapping[str, object]

    def __new__(cls, pattern: str, **values: object) -> Sentence:
        """Fill the pattern's placeholders, `{name}`, with the values."""
        made = super().__new__(cls, pattern.format(**values))
        made.pattern, made.values = pattern, values
        return made


def of_daemon(code: str, values: Mapping[str, str], text: str) -> str:
    """Return the translatable sentence for a code of the daemon; `text` if the code is unknown."""
    try:
        return Sentence(SENTENCES[code], **values)
    except (LookupError, ValueError):  # from a daemon of another version
        return text
