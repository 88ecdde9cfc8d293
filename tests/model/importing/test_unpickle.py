"""The describing reader against the readers it stands in for, on files that mean no harm."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import write_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.importing.inert import Opaque
from inpaint_model.importing.tensors import STORAGE_DTYPES, TensorRef
from inpaint_model.importing.torch_files import read_legacy, read_zip
from inpaint_model.importing.unpickle import read_pickle

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=64),  # as long as the bytes of a number
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(-(2**62), 2**62), inner)
        | st.dictionaries(st.text(), inner).map(OrderedDict)
    ),
    max_leaves=30,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(PLAIN, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_are_read_as_pickle_reads_them(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    stream = io.BytesIO(data + b"rest")
    assert read_pickle(stream) == value
    assert stream.read() == b"rest"


def test_shared_and_recursive_values_stay_shared() -> None:
    inner: list[object] = [1]
    pair: Any = read_pickle(io.BytesIO(pickle.dumps([inner, inner], 4)))
    first, second = pair
    assert first is second
    inner.append(inner)
    read: Any = read_pickle(io.BytesIO(pickle.dumps(inner, 4)))
    assert read[1] is read


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u2", "?"])
def test_numpy_numbers_become_plain_ones(protocol: int, kind: str) -> None:
    number = np.dtype(kind).type(1)
    assert read_pickle(io.BytesIO(pickle.dumps(number, protocol))) == number.item()


@pytest.mark.parametrize(
    "number", [np.complex64(1), np.array([1.0], object), np.array([1], np.float32)]
)
def test_other_numpy_values_are_described(number: object) -> None:
    assert isinstance(read_pickle(io.BytesIO(pickle.dumps(number, 4))), Opaque)


def tensors(value: object) -> dict[str, torch.Tensor]:
    assert isinstance(value, dict)
    assert all(isinstance(tensor, TensorRef) for tensor in value.values())
    return {name: tensor.load() for name, tensor in value.items()}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_tensors_are_read_as_torch_reads_them(tmp_path: Path, legacy: bool) -> None:
    source = torch.Generator().manual_seed(0)
    base = torch.randint(0, 2, (4, 6), generator=source)
    value = {str(dtype): base.to(dtype) for dtype in STORAGE_DTYPES.values()}
    value |= {
        "transposed": base.float().T,
        "strided": base.float()[1:, ::2],
        "shared": base.float()[2],
        "scalar": torch.tensor(3.0),
        "parameter": torch.nn.Parameter(base.float()),
    }
    path = write_torch(tmp_path / "x.pt", value, legacy=legacy)
    with path.open("rb") as stream:
        read = (read_legacy if legacy else read_zip)(stream, path.stat().st_size)
        loaded = tensors(read)
    assert set(loaded) == set(value)
    for name, tensor in torch.load(path, weights_only=True).items():
        assert torch.equal(loaded[name], tensor.detach())
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].is_contiguous()
