"""GIMP's record of the values last used in a dialog.

GIMP loads the record only for the procedure that is called, and the binding of GIMP 3.0 cannot
request that of another one. So this module parses the lines `(name value)` that GIMP writes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .arguments import Argument, Kind

_ENTRY = re.compile(r'\(([\w-]+)\s+("(?:[^"\\]|\\.)*"|[^\s()"]+)\)')
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def record_name(procedure: str) -> str:
    """Return GIMP 3's NAME of the record: a file NAME.last, and an image's parasite NAME-last."""
    return f"GimpProcedureConfigRun-{procedure}"


def read_values(record: str, arguments: Sequence[Argument]) -> dict[str, object]:
    """Return the value of every argument, from the record or else its default."""
    written = dict(_ENTRY.findall(record))
    return {
        each.name: _value(written[each.name], each) if each.name in written else each.default
        for each in arguments
    }


def _value(text: str, argument: Argument) -> object:
    try:
        if argument.kind is Kind.FLAG:
            return text in ("yes", "true")
        if argument.kind is Kind.WHOLE:
            return int(text)
        if argument.kind is Kind.REAL:
            return float(text)
    except ValueError:
        return argument.default
    if argument.kind is Kind.CHOICE and _string(text) not in [c.nick for c in argument.choices]:
        return argument.default
    return _string(text)


def _string(text: str) -> str:
    """Unquote a string with C's escapes, where bytes beyond ASCII are octal."""
    data = text.removeprefix('"').removesuffix('"').encode()

    def plain(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 255]) if code[:1].isdigit() else _NAMED.get(code, code)

    return _ESCAPE.sub(plain, data).decode("utf-8", "replace")
