"""The pixels that a fill leaves in GIMP, at every precision, read outside GIMP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_daemon import color_of
from gimp_host import Profile
from numpy.typing import NDArray
from xcf import Xcf, read_xcf

pytestmark = pytest.mark.hosts

WIDTH, HEIGHT = 150, 110
SAMPLES = {"u8": "<u1", "u16": "<u2", "u32": "<u4", "half": "<f2", "float": "<f4", "double": "<f8"}
LEVEL = 1 / 255  # of a selection with 8 bits
ONE = {"u8": 255, "u16": 65535, "u32": 2**32 - 1}


def test_every_precision_and_mode(user: Profile) -> None:
    # "Perceptual" is sRGB's curve again, stored by another name: one of each kind will do.
    skip = [f"{mode}-{depth}-perceptual" for mode in ("rgb", "gray") for depth in SAMPLES]
    skip = [key for key in skip if key not in ("rgb-u8-perceptual", "rgb-float-perceptual")]
    encodings = user.console("precisions", skip=skip, timeout_s=600).value
    assert len(encodings) == 26
    for key, encoding in encodings.items():
        check(user.out / key, str(encoding))


def check(path: Path, encoding: str) -> None:
    before, after = (read_xcf(path.parent / f"{path.name}-{w}.xcf") for w in ("before", "after"))
    mode, depth, _ = path.name.split("-", 2)
    mask = raw(path, "mask", "<f8", 1)[..., 0]
    # What was there is there, to the last bit.
    np.testing.assert_array_equal(
        after.layer("Background").pixels, before.layer("Background").pixels, err_msg=path.name
    )
    check_layers(after, mask, depth, gray=mode == "gray")
    check_composite(path, encoding, mask, depth)


def check_layers(image: Xcf, mask: NDArray[np.float64], depth: str, gray: bool) -> None:
    group, first, second, _ = image.layers
    assert group.is_group
    assert [layer.path for layer in (first, second)] == [(0, 0), (0, 1)]
    assert [layer.visible for layer in image.layers] == [True, True, False, True]
    for layer, seed in ((first, 7), (second, 8)):
        color = np.array(color_of(seed))[[1] if gray else slice(None)]
        height, width, _ = layer.pixels.shape
        selected = mask[layer.y : layer.y + height, layer.x : layer.x + width]
        one = ONE.get(depth, 1)
        alpha = layer.pixels[..., -1].astype(float) / one
        # The selection is read with 8 bits. How GIMP rounds a value in the middle between two
        # levels differs between its conversions, of which each process chooses the fastest.
        assert np.abs(alpha - selected).max() < LEVEL / 2 + max(tolerance(depth), LEVEL / 100)
        np.testing.assert_allclose(alpha, np.rint(alpha / LEVEL) * LEVEL, atol=tolerance(depth))
        beyond = mask.copy()
        beyond[layer.y : layer.y + height, layer.x : layer.x + width] = 0
        assert beyond.max() < 0.51 * LEVEL  # all of the selection is in it
        inside = layer.pixels[alpha > 0][:, :-1].astype(float) / one
        np.testing.assert_allclose(
            inside, np.broadcast_to(color, inside.shape), atol=max(tolerance(depth), 2e-6)
        )


def check_composite(path: Path, encoding: str, mask: NDArray[np.float64], depth: str) -> None:
    """Outside the selection the image appears exactly as before."""
    channels = encoding.split(maxsplit=1)[0].count("A") + (3 if "G" in encoding else 1)
    dtype = SAMPLES[depth]
    before, control, after = (
        raw(path, which, dtype, channels) for which in ("before", "control", "after")
    )
    outside = mask < 0.49 * LEVEL  # rounds to 0
    # GIMP composites in 32-bit floats as soon as there is more than one layer. Where that shows
    # (32-bit integers, doubles, gray floats) an empty layer does the same to the same pixels.
    same = (
        after == before
        if depth in ("u8", "u16", "half")
        else (after == before) | (after == control)
    )
    assert same[outside].all(), path.name
    assert not np.array_equal(after[mask > 0.5], before[mask > 0.5])


def tolerance(depth: str) -> float:
    return {"u8": 0.51 / 255, "u16": 0.51 / 65535, "half": 6e-4}.get(depth, 1e-6)


def raw(path: Path, which: str, dtype: str, channels: int) -> NDArray[Any]:
    data = (path.parent / f"{path.name}-{which}.raw").read_bytes()
    return np.frombuffer(data, dtype).reshape(HEIGHT, WIDTH, channels)
