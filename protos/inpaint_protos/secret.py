"""What a client shows the daemon to be let in, and nobody else."""

from __future__ import annotations

import hmac
from typing import NoReturn

STARS = "***"


class Secret:
    """A token. Whatever prints, formats, logs or pickles it gets stars; `reveal` gives the text.

    Spaces and line breaks around the text are dropped: files and variables often end with one.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """Return the text. Only what sends, stores or compares it needs to."""
        return self._text

    @property
    def can_be_sent(self) -> bool:
        """Whether the text is printable ASCII, as headers must be. So is an empty one."""
        return all(" " <= character <= "~" for character in self._text)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return STARS if self._text else "''"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        ours, theirs = self._text.encode("utf-8", "replace"), other._text.encode("utf-8", "replace")
        return hmac.compare_digest(ours, theirs)

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
