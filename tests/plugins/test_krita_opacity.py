"""How transparent pixels are, in every kind of document."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_krita.host.color import Space
from inpaint_krita.host.opacity import transparency

LETTERS = {"U8": "B", "U16": "H", "F16": "e", "F32": "f"}
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5}


@pytest.mark.parametrize("depth", LETTERS)
@pytest.mark.parametrize("model", CHANNELS)
@settings(deadline=None)  # the first call imports modules
@given(alphas=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.996, 1.0]), min_size=1, max_size=12))
def test_what_lets_something_through_is_transparent(
    model: str, depth: str, alphas: list[float]
) -> None:
    top = {"U8": 255, "U16": 65535}.get(depth)
    samples: list[float] = []
    for alpha in alphas:
        samples += [0] * (CHANNELS[model] - 1) + [alpha if top is None else int(alpha * top)]
    data = struct.pack(f"<{len(samples)}{LETTERS[depth]}", *samples)
    seen = transparency(data, Space(model, depth, "any"))
    assert [value > 0 for value in seen] == [alpha < 1 for alpha in alphas]
    assert list(seen) == pytest.approx([255 * (1 - alpha) for alpha in alphas], abs=1.5)
