"""An ONNX network, written byte by byte to avoid a dependency on the onnx package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

FLOAT = 1  # TensorProto.DataType
INTS = 7  # AttributeProto.AttributeType
SIDE, CELL, CHANNELS = 112, 14, 16


def tiny_recognition(path: Path, seed: int = 0) -> Path:
    """Write a network with the interface of face recognition; return `path`.

    Images [1, 3, 112, 112] -> [1, 1024]: 16 random patterns, compared with each of 8 x 8 cells. The
    patterns sum to zero, so the brightness of an image does not matter.
    """
    weight = np.random.default_rng(seed).standard_normal((CHANNELS, 3, CELL, CELL))
    weight -= weight.mean(axis=(2, 3), keepdims=True)
    cells = SIDE // CELL
    graph = _message(
        (
            1,
            _node("Conv", ["image", "weight"], "maps", kernel_shape=[CELL] * 2, strides=[CELL] * 2),
        ),
        (1, _node("Flatten", ["maps"], "embedding")),
        (2, b"tiny"),
        (5, _tensor("weight", weight.astype("<f4"))),
        (11, _value("image", (1, 3, SIDE, SIDE))),
        (12, _value("embedding", (1, CHANNELS * cells**2))),
    )
    operators = _message((2, 13))  # version of the operator set
    path.write_bytes(_message((1, 7), (7, graph), (8, operators)))
    return path


def _node(kind: str, inputs: Iterable[str], output: str, **attributes: list[int]) -> bytes:
    return _message(
        *((1, name.encode()) for name in inputs),
        (2, output.encode()),
        (4, kind.encode()),
        *((5, _attribute(name, values)) for name, values in attributes.items()),
    )


def _attribute(name: str, values: list[int]) -> bytes:
    return _message((1, name.encode()), *((8, value) for value in values), (20, INTS))


def _tensor(name: str, values: np.ndarray) -> bytes:
    sizes = ((1, size) for size in values.shape)
    return _message(*sizes, (2, FLOAT), (8, name.encode()), (9, values.tobytes()))


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    sizes = _message(*((1, _message((1, size))) for size in shape))
    return _message((1, name.encode()), (2, _message((1, _message((1, FLOAT), (2, sizes))))))


def _message(*fields: tuple[int, int | bytes]) -> bytes:
    """Encode a protobuf message: numbers as varints, everything else length-prefixed."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts += [_varint(number << 3), _varint(value)]
        else:
            parts += [_varint(number << 3 | 2), _varint(len(value)), value]
    return b"".join(parts)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])
