"""Flatten an unpickled value: tensors and modules by dotted names.

However a checkpoint wraps its networks, their tensors get names such as `g_ema.synthesis.b4.const`,
and readers search for known names behind any prefix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.inert import Opaque, PersistentObject
from inpaint_model.importing.tensors import TensorRef

MAX_DEPTH = 16  # nesting; training checkpoints have about 8 levels
MAX_VALUES = 1_000_000  # containers, objects and entries of dictionaries
MAX_TENSORS = 50_000  # a 1024 px checkpoint with optimizers has a few thousand
MAX_NOTED = 20_000  # other names to record
_PLAIN = (bool, int, float, str, bytes, bytearray, type(None))
MAX_NAME = 256  # characters
MAX_INDEX = 2**63
MAX_SHOWN = 12  # names in a printed list
# Parts of names that wrappers add: data-parallel training, torch.compile, checkpointing.
WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


class Module(NamedTuple):
    """A pickled module and its plain attributes."""

    name: str
    class_name: str
    attributes: Mapping[str, object]


class Entry(NamedTuple):
    """A tensor, and the number of its dictionary or network."""

    tensor: TensorRef
    home: int


@dataclass
class Contents:
    """The contents of a file, by dotted names."""

    tensors: dict[str, Entry] = field(default_factory=dict)
    modules: list[Module] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)  # types of other values
    rows: set[str] = field(default_factory=set)  # names of lists and tuples
    twice: set[str] = field(default_factory=set)  # names of several tensors
    unknown: set[str] = field(default_factory=set)  # classes that are not on the list

    def prefixes(self, *markers: str) -> list[str]:
        """Return the prefixes of these names, in file order."""
        found: dict[str, None] = {}
        for name in self.tensors:
            for marker in markers:
                if name == marker or name.endswith(f".{marker}"):
                    found[name.removesuffix(marker)] = None
        return list(found)

    def within(self, prefix: str, others: list[str]) -> dict[str, Entry]:
        """Return the tensors behind a prefix without those of other networks.

        Raises:
            CheckpointError: Two tensors have the same name.
        """
        longer = tuple(p for p in others if p != prefix and p.startswith(prefix))
        own = {
            name.removeprefix(prefix): entry
            for name, entry in self.tensors.items()
            if name.startswith(prefix) and not (longer and name.startswith(longer))
        }
        for name in own:
            if prefix + name in self.twice:
                raise CheckpointError(f"holds two tensors of the name {quoted(prefix + name)}")
        return own

    def modules_within(self, prefix: str) -> list[Module]:
        """Return the modules behind a prefix, named relative to it, the network first."""
        return [
            module._replace(name=f"{module.name}.".removeprefix(prefix).rstrip("."))
            for module in self.modules
            if f"{module.name}.".startswith(prefix)
        ]

    def top_names(self, used: set[str]) -> list[str]:
        """Return printable names of what is not used."""
        ways = {part for name in used for part in _ways(name)}
        shown: dict[str, None] = {}
        for name in (*self.tensors, *self.others):
            if name in used:
                continue
            top = next((part for part in _ways(name) if part not in ways), None)  # the shortest
            if top:
                shown[top] = None
            if len(shown) > MAX_SHOWN * 10:
                break
        names = list(shown)
        more = len(names) - MAX_SHOWN
        return [quoted(name).strip("'") for name in names[:MAX_SHOWN]] + (
            [f"and {more} or more others"] if more > 0 else []
        )


def _ways(name: str) -> Iterator[str]:
    """Yield a, a.b, a.b.c for a.b.c."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)
    yield name


def lay_out(value: object) -> Contents:
    """Flatten a value."""
    return _Layout().of(value)


class _Layout:
    def __init__(self) -> None:
        self.contents = Contents()
        self.values = 0
        self.homes = 0

    def of(self, value: object) -> Contents:
        self.walk(value, "", self.new_home(), 0)
        return self.contents

    def new_home(self) -> int:
        self.homes += 1
        return self.homes

    def walk(self, value: object, name: str, home: int, depth: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise CheckpointError(f"holds more than {MAX_VALUES} values")
        if isinstance(value, TensorRef):
            self.tensor(value, name, home)
        elif depth >= MAX_DEPTH:
            return
        elif isinstance(value, dict):
            home = self.new_home()
            for key, child in value.items():
                self.child(child, name, key, home, depth)
        elif isinstance(value, list | tuple):
            self.row(value, name, depth)
        elif isinstance(value, PersistentObject):
            self.module(value.class_name, value.state, name, self.new_home(), depth)
        elif isinstance(value, Opaque):
            self.opaque(value, name, depth)
        elif value is not None:
            self.note(name, type(value).__name__)

    def tensor(self, tensor: TensorRef, name: str, home: int) -> None:
        known = self.contents.tensors
        if name in known and known[name].tensor is not tensor:
            self.contents.twice.add(name)
        known[name] = Entry(tensor, home)
        if len(known) > MAX_TENSORS:
            raise CheckpointError(f"holds more than {MAX_TENSORS} tensors")

    def row(self, values: Sequence[object], name: str, depth: int) -> None:
        if len(self.contents.rows) < MAX_NOTED:
            self.contents.rows.add(name)
        self.note(name, type(values).__name__)
        home = self.new_home()
        for index, child in enumerate(values):
            if not isinstance(child, _PLAIN):  # such as losses
                self.child(child, name, index, home, depth)

    def note(self, name: str, kind: str) -> None:
        if len(self.contents.others) < MAX_NOTED:
            self.contents.others[name] = kind

    def child(self, value: object, name: str, key: object, home: int, depth: int) -> None:
        inner = _within(name, key)
        if inner is not None:
            self.walk(value, inner, home, depth + 1)

    def opaque(self, value: Opaque, name: str, depth: int) -> None:
        if isinstance(value.state, dict) and "_modules" in value.state:
            self.module(value.name, value.state, name, self.new_home(), depth)
            return
        if len(self.contents.unknown) < MAX_NOTED:
            self.contents.unknown.add(value.name[:MAX_NAME])
        self.note(name, value.name[:MAX_NAME])
        for inner in (value.entries, value.state):
            if isinstance(inner, dict) and inner:
                self.walk(inner, name, 0, depth + 1)

    def module(
        self, class_name: str, state: Mapping[str, object], name: str, home: int, depth: int
    ) -> None:
        """Flatten a module; its submodules share its home."""
        if depth >= MAX_DEPTH:
            return
        if len(self.contents.modules) >= MAX_NOTED:
            raise CheckpointError(f"holds more than {MAX_NOTED} modules")
        self.contents.modules.append(Module(name, class_name, state))
        for group in ("_parameters", "_buffers"):
            for key, tensor in _entries(state.get(group)):
                if tensor is not None:
                    self.child(tensor, name, key, home, depth)
        for key, child in _entries(state.get("_modules")):
            inner = _within(name, key)
            if inner is None or child is None:
                continue
            if isinstance(child, PersistentObject):
                self.module(child.class_name, child.state, inner, home, depth + 1)
            elif isinstance(child, Opaque) and isinstance(child.state, dict):
                self.module(child.name, child.state, inner, home, depth + 1)
            else:
                self.walk(child, inner, home, depth + 1)


def _within(name: str, key: object) -> str | None:
    """Name a child without wrappers; None for keys that cannot lead to tensors."""
    if isinstance(key, str) and len(key) <= MAX_NAME:
        parts = [part for part in key.split(".") if part not in WRAPPERS]
    elif isinstance(key, int) and abs(key) < MAX_INDEX:
        parts = [str(int(key))]
    else:
        return None
    inner = ".".join([name, *parts] if name else parts)
    return inner if len(inner) <= MAX_NAME else None


def _entries(value: object) -> list[tuple[object, object]]:
    return list(value.items()) if isinstance(value, dict) else []
