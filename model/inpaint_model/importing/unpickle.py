"""A pickle reader that never executes anything.

It applies the operations that `pickletools` decodes to inert values; `inert.construct` replaces all
calls. Dictionaries keep only keys that are strings or 64-bit integers, so that no file can make
hashing or comparing expensive.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO

from inpaint_model.importing.errors import CheckpointError, quoted
from inpaint_model.importing.inert import MAX_BITS, Global, Opaque, build, construct

MAX_OPERATIONS = 1_000_000  # a 1024 px checkpoint with optimizers has less than a tenth
MAX_NAME = 256  # bytes of the name of a class
TENSORFLOW = "dnnlib.tflib"
TRUNCATED = "is truncated: its end is missing; download or copy it again"

PersistentLoad = Callable[[object], object]


def read_pickle(stream: IO[bytes], persistent_load: PersistentLoad | None = None) -> object:
    """Return the value of one pickle, and leave the stream behind it.

    `persistent_load` converts a persistent id (torch's name of a storage) to a value.
    """
    machine = _Machine(persistent_load)
    try:
        for _ in range(MAX_OPERATIONS):
            name, argument = _read_operation(stream)
            if name == "STOP":
                return machine.result()
            machine.execute(name, argument)
    except CheckpointError:
        raise
    except MemoryError:
        raise CheckpointError("declares more data than fits in memory") from None
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        if not stream.read(1):
            raise CheckpointError(TRUNCATED) from None
        raise CheckpointError(f"is not a complete pickle ({quoted(str(error), 60)})") from None
    raise CheckpointError(f"holds a pickle of more than {MAX_OPERATIONS} operations")


def _read_operation(stream: IO[bytes]) -> tuple[str, object]:
    """Return the next operation. An unsupported one is refused before its argument is decoded."""
    code = stream.read(1)
    if code not in _OPCODES:
        raise ValueError("it stops in the middle" if not code else "unknown operation")
    opcode = _OPCODES[code]
    if opcode.name not in _KNOWN:
        raise CheckpointError(f"uses the pickle operation {opcode.name}, which no checkpoint needs")
    if opcode.name == "GLOBAL":  # pickletools, unlike pickle, would interpret escapes
        return opcode.name, (_read_line(stream), _read_line(stream))
    return opcode.name, opcode.arg.reader(stream) if opcode.arg else None


def _read_line(stream: IO[bytes]) -> str:
    line = stream.readline(MAX_NAME)
    if not line.endswith(b"\n"):
        raise ValueError("a name without an end")
    return line[:-1].decode("utf-8")


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, persistent_load: PersistentLoad | None) -> None:
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self.persistent_load = persistent_load

    def execute(self, name: str, argument: object) -> None:
        if name in _LITERALS:
            self.push(argument)
        elif name in _CONSTANTS:
            self.push(_CONSTANTS[name]())
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)

    def result(self) -> object:
        if len(self.stack) != 1 or self.marks:
            raise CheckpointError("is not a complete pickle (values are left over)")
        return self.stack[0]

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError("a value is missing")
        return self.stack.pop()

    def pop_to_mark(self) -> list[object]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def top(self) -> object:
        if self.marks and len(self.stack) <= self.marks[-1]:
            raise IndexError("a value is missing")
        return self.stack[-1]

    # One method per operation, in the order of pickletools.

    def mark(self, _: object) -> None:
        self.marks.append(len(self.stack))

    def drop(self, _: object) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    def pop_mark(self, _: object) -> None:
        self.pop_to_mark()

    def duplicate(self, _: object) -> None:
        self.push(self.top())

    def put(self, index: object) -> None:
        assert isinstance(index, int)  # pickletools decodes it as one
        self.memo[index] = self.top()

    def memoize(self, _: object) -> None:
        self.memo[len(self.memo)] = self.top()

    def get(self, index: object) -> None:
        assert isinstance(index, int)
        self.push(self.memo[index])

    def tuple_of(self, length: int) -> None:
        values = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(values)))

    def tuple_to_mark(self, _: object) -> None:
        self.push(tuple(self.pop_to_mark()))

    def append(self, _: object) -> None:
        self.extend([self.pop()])

    def appends(self, _: object) -> None:
        self.extend(self.pop_to_mark())

    def extend(self, values: list[object]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Opaque):  # their items are not used
            raise CheckpointError(f"appends to {quoted(target)}, which no checkpoint needs")

    def set_item(self, _: object) -> None:
        value, key = self.pop(), self.pop()
        self.update([key, value])

    def set_items(self, _: object) -> None:
        self.update(self.pop_to_mark())

    def update(self, pairs: list[object]) -> None:
        target = self.top()
        entries = target.entries if isinstance(target, Opaque) else target
        if not isinstance(entries, dict) or len(pairs) % 2:
            raise CheckpointError(f"sets items of {quoted(target)}, which no checkpoint needs")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if isinstance(key, str) or (isinstance(key, int) and key.bit_length() < MAX_BITS):
                entries[key] = value

    def add_items(self, _: object) -> None:
        self.pop_to_mark()  # items of sets are not used, so they are not hashed
        if not isinstance(self.top(), set | Opaque):
            raise CheckpointError("adds to a value that is not a set")

    def name_global(self, argument: object) -> None:
        assert isinstance(argument, tuple)  # read by _read_operation
        self.push_global(*argument)

    def name_stack_global(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise CheckpointError("names a class with something that is not a string")
        self.push_global(module, name)

    def push_global(self, module: str, name: str) -> None:
        named = Global(module, name)
        if module.startswith(TENSORFLOW):
            raise CheckpointError(
                "was written by the TensorFlow version of StyleGAN2, which is not supported; "
                "convert it with stylegan2-ada-pytorch first (its legacy.py)"
            )
        self.push(named)

    def reduce(self, _: object) -> None:
        arguments, target = self.pop(), self.pop()
        self.push(construct(target, arguments))

    def reduce_with_names(self, _: object) -> None:
        self.pop()  # keyword arguments, which nothing on the list takes
        self.reduce(None)

    def frozen_set(self, _: object) -> None:
        self.pop_to_mark()  # not used, like items of sets
        self.push(set())

    def list_to_mark(self, _: object) -> None:
        self.push(self.pop_to_mark())

    def dict_to_mark(self, _: object) -> None:
        pairs = self.pop_to_mark()
        self.push({})
        self.update(pairs)

    def build(self, _: object) -> None:
        state = self.pop()
        build(self.top(), state)

    def persistent(self, _: object) -> None:
        identifier = self.pop()
        if self.persistent_load is None:
            raise CheckpointError("refers to data outside itself")
        self.push(self.persistent_load(identifier))


_LITERALS = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
        *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINSTRING", "BINSTRING"),
        *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
_CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_OPERATIONS: dict[str, Callable[[_Machine, object], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.memoize,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "TUPLE": _Machine.tuple_to_mark,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.add_items,
    "GLOBAL": _Machine.name_global,
    "STACK_GLOBAL": _Machine.name_stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "NEWOBJ_EX": _Machine.reduce_with_names,
    "FROZENSET": _Machine.frozen_set,
    "LIST": _Machine.list_to_mark,
    "DICT": _Machine.dict_to_mark,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
_KNOWN = _LITERALS | set(_CONSTANTS) | set(_OPERATIONS) | {"PROTO", "FRAME", "STOP"}
_OPCODES = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
