"""A token with which a client authenticates to the daemon, and which is never printed."""

from __future__ import annotations

import hmac
from typing import NoReturn

STARS = "***"


class Secret:
    """A token that prints, formats and logs as stars and cannot be pickled.

    `reveal` returns the text. Surrounding spaces and line breaks are dropped, because files and
    environment variables often end with one.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text.strip()

    def reveal(self) -> str:
        """Return the text. Call it only to send, store or compare the token."""
        return self._text

    @property
    def can_be_sent(self) -> bool:
        """Whether the text is printable ASCII, as headers must be. An empty text is."""
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
        raise TypeError("a Secret cannot be pickled")
