"""Validate plain values from YAML or JSON against a dataclass.

All untrusted files use it: `model.yaml`, recipes, the daemon's settings. Dataclasses declare the
allowed content with the types below, and pydantic validates it (docs/decisions/0028). Values are
not converted: "16" and true are not numbers. Only lists become tuples, and whole numbers pass as
floats, since YAML and JSON do not distinguish them.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

T = TypeVar("T")


class _Rules:
    """Annotate a type with options of its pydantic-core schema."""

    def __init__(self, **rules: bool) -> None:
        self._rules = rules

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return {**handler(source), **self._rules}


class ReadAs:
    """Annotate a type stored as `plain` and converted by `make`.

    `make` raises ValueError with the reason in one sentence.
    """

    def __init__(self, plain: object, make: Callable[[Any], Any]) -> None:
        self._plain, self._make = plain, make

    def __get_pydantic_core_schema__(
        self, source: type, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            self._make, handler.generate_schema(self._plain)
        )


Text = Annotated[str, _Rules(strict=True)]
Flag = Annotated[bool, _Rules(strict=True)]
Whole = Annotated[int, _Rules(strict=True)]
Number = Annotated[float, _Rules(strict=True)]  # NaN and infinity included
Finite = Annotated[float, _Rules(strict=True, allow_inf_nan=False)]
# Stop at the first invalid entry, which YAML references can repeat millions of times.
Several = Annotated[tuple[T, ...], _Rules(fail_fast=True)]


def closed(kind: type[T]) -> type[T]:
    """Decorate a dataclass to reject unknown keys."""
    kind.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return kind


def validated(kind: type[T], data: object, whole: str = "the file") -> T:
    """Convert what the YAML or JSON parser returned to a dataclass.

    Raises:
        ValueError: The data, called `whole`, are invalid. One printable line names the key, what
            is allowed and the value. A ValueError of `__post_init__` gets its place added; other
            exceptions pass unchanged.
    """
    from pydantic import ValidationError

    try:
        value: T = _adapter(kind).validate_python(data)  # type: ignore[arg-type] # is hashable
    except ValidationError as error:
        errors = error.errors(include_url=False)
    else:
        return value
    # A misspelled key explains more than the missing one that it causes.
    first = next((e for e in errors if e["type"] in _UNKNOWN), errors[0])
    raise ValueError(_sentence(kind, first, whole))


def json_schema(kind: object, title: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a dataclass or a union."""
    from pydantic.json_schema import GenerateJsonSchema

    class Generate(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: object) -> bool:
            return False  # titles would repeat the keys

    schema = _adapter(kind).json_schema(schema_generator=Generate)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}


_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxlong, _short.maxother = 2, 40, 40, 40


def shown(value: object) -> str:
    """Return a value for a message, cut to about 40 characters."""
    try:
        return _short.repr(value)
    except ValueError:  # repr refuses integers of more than 4300 digits
        return "a number of thousands of digits"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 (what may stand in a type hint)
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


_UNKNOWN = ("unexpected_keyword_argument", "invalid_key")
_PAIRS = "hold `key: value` pairs"
_MUST: Mapping[str, str] = {  # pydantic's error type -> end of the sentence
    "bool_type": "be true or false",
    "dataclass_type": _PAIRS,
    "dict_type": _PAIRS,
    "finite_number": "be a finite number",
    "float_type": "be a number",
    "greater_than": "be above {gt:.10g}",
    "greater_than_equal": "be at least {ge:.10g}",
    "int_type": "be a whole number",
    "less_than_equal": "be at most {le:.10g}",
    "literal_error": "be {expected}",
    "string_type": "be text",
    "too_long": "have {max_length} or fewer entries",
    "too_short": "have {min_length} or more entries",
    "tuple_type": "be a list",
}


def _sentence(kind: type, error: Mapping[str, Any], whole: str) -> str:
    name, place, context = error["type"], error["loc"], error.get("ctx", {})
    if name in _UNKNOWN:
        *above, key = place[:-1] + (str(place[-1]),)
        close = difflib.get_close_matches(key, _fields_at(kind, above), n=1, cutoff=0.0)
        return f"unknown key `{_path([*above, key])}`; did you mean `{_path([*above, *close])}`?"
    if name == "value_error":
        return f"`{_path(place)}`: {context['error']}" if place else str(context["error"])
    if name == "missing":
        return f"`{_path(place)}` is missing"
    must = _MUST[name].format(**context) if name in _MUST else f"be right ({error['msg']})"
    if place and place[-1] == "[key]":  # pydantic's marker for a mapping's key
        place, must = place[:-2], f"have keys that each {must}"
    subject = f"`{_path(place)}`" if place else whole
    return f"{subject} must {must}, not {shown(error['input'])}"


def _path(place: Sequence[str | int]) -> str:
    """Return `groups[0].frame` for ("groups", 0, "frame")."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_key(step)}" for step in place)
    return "".join(steps).removeprefix(".")


def _key(step: object) -> str:
    text = str(step)
    return text if len(text) <= 40 and text.isprintable() else shown(text)


def _fields_at(kind: type, place: Sequence[str | int]) -> list[str]:
    for step in place:
        if isinstance(step, str):  # indices do not change the type
            hint = get_type_hints(kind)[step]
            kind = next(
                k for k in (hint, *get_args(hint)) if is_dataclass(k) and isinstance(k, type)
            )
    return [field.name for field in fields(kind)]
