"""The walk through the training images."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inpaint_model.data.sampler import (
    Sampler,
    derived_seed,
    weights_from_csv,
    weights_from_patterns,
)


def test_each_epoch_holds_every_image_once_in_a_new_order() -> None:
    sampler = Sampler(50, seed=1)
    first, second = (sampler.draw(start, 50)[0] for start in (0, 50))
    assert first.sort().values.tolist() == list(range(50))
    assert second.sort().values.tolist() == list(range(50))
    assert not torch.equal(first, second)
    assert not torch.equal(first, Sampler(50, seed=2).draw(0, 50)[0])


@pytest.mark.slow
@given(count=st.integers(1, 40), seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 33)))
def test_how_the_walk_is_cut_into_batches_does_not_matter(
    count: int, seed: int, cuts: list[int]
) -> None:
    whole_indices, whole_mirrored = Sampler(count, seed).draw(0, sum(cuts) + 1)
    at = 0
    for size in cuts:
        # a new sampler each time: what a resumed run does
        indices, mirrored = Sampler(count, seed).draw(at, size)
        assert torch.equal(indices, whole_indices[at : at + size])
        assert torch.equal(mirrored, whole_mirrored[at : at + size])
        at += size


@pytest.mark.slow
def test_weights_are_met_in_each_epoch_up_to_rounding() -> None:
    weights = torch.tensor([0.0, 1.0, 2.0, 0.5, 3.5])
    sampler = Sampler(5, seed=0, weights=weights)
    expected = weights / weights.sum() * 5
    for epoch in range(20):
        times = torch.bincount(sampler.draw(5 * epoch, 5)[0], minlength=5)
        assert ((times - expected).abs() < 1).all()
    times = torch.bincount(sampler.draw(0, 5 * 4000)[0], minlength=5) / 4000
    assert times.tolist() == pytest.approx(expected.tolist(), abs=0.03)


@pytest.mark.slow
def test_half_of_the_draws_are_mirrored_independently_of_the_image() -> None:
    indices, mirrored = Sampler(4, seed=0).draw(0, 8000)
    for image in range(4):
        assert mirrored[indices == image].float().mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("weights", [torch.zeros(3), torch.tensor([1.0, -1.0, 1.0]), torch.ones(2)])
def test_useless_weights_are_refused(weights: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"image"):
        Sampler(3, 0, weights)


def test_seeds_of_neighbors_differ() -> None:
    seeds = {derived_seed(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_weights_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "manifest.csv"
    table.write_text("file,crop_px,license\na.png,300,MIT\nb.png,>=128,MIT\nc.png,256,MIT\n")
    names = ["c.png", "a.png", "b.png"]
    assert weights_from_csv(table, names, "crop_px").tolist() == [256, 300, 128]
    assert weights_from_csv(table, names, "crop_px", 256).tolist() == [1, 1, 0]
    assert weights_from_csv(table, names, "crop_px", 300, 0.25).tolist() == [0.25, 1, 0.25]
    for column, wanted, message in [
        ("crop", names, "needs a header"),
        ("crop_px", ["d.png"], r"does not list d\.png"),
        ("license", names, "could not convert"),
    ]:
        with pytest.raises(ValueError, match=message):
            weights_from_csv(table, wanted, column)


def test_a_later_table_overrides_an_earlier_one(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("file,crop_px\na.png,100\nb.png,100\n")
    second.write_text("file,crop_px\nb.png,300\nc.png,x\n")
    assert weights_from_csv([first, second], ["a.png", "b.png"], "crop_px").tolist() == [100, 300]
    with pytest.raises(ValueError, match=r"second\.csv, column 'crop_px': could not convert"):
        weights_from_csv([first, second], ["c.png"], "crop_px")


NAMES = ("train/fk_1.webp", "train/fk_2.webp", "train/fo9_1.webp", "train/vv_fk_1.webp")


@pytest.mark.parametrize(
    ("rows", "weights"),
    [
        ([], [1, 1, 1, 1]),
        ([("train/fk_*", "3")], [3, 3, 1, 1]),
        ([("*fk_*", "0.5"), ("train/f*", "2")], [2, 2, 2, 0.5]),
        ([("train/f*", "2"), ("train/fk_2.webp", "0")], [2, 0, 2, 1]),
        ([("train/f[ok]?_*", "7")], [1, 1, 7, 1]),
        ([("*", "4")], [4, 4, 4, 4]),
    ],
)
def test_the_last_pattern_that_matches_gives_the_weight(
    tmp_path: Path, rows: list[tuple[str, str]], weights: list[float]
) -> None:
    table = tmp_path / "weights.csv"
    # Every name once, so that a table always has a row.
    lines = [f"{name},1,\n" for name in NAMES] + [f"{pattern},{n},x\n" for pattern, n in rows]
    table.write_text("file,weight,source\n" + "".join(lines))
    assert weights_from_patterns(table, NAMES).tolist() == weights


@given(
    names=st.lists(
        st.text('ab[]!*?/.," -', min_size=1, max_size=5), min_size=1, max_size=6, unique=True
    ),
    data=st.data(),
)
def test_names_that_look_like_patterns_name_themselves(
    names: list[str], data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.integers(0, 9), min_size=len(names), max_size=len(names)))
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
        csv.writer(file).writerows([("file", "weight"), *zip(names, values, strict=True)])
        file.flush()
        assert weights_from_patterns(file.name, names).tolist() == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,weight\ntrain/fk_*,3\ntrain/fx_*,3\n", r"'train/fx_\*' matches no image"),
        ("file,weight\nTRAIN/fk_*,3\n", "matches no image"),
        ("file,weight\ntrain/fk_*,often\n", r"'train/fk_\*' has the weight 'often'"),
        ("file,weight\ntrain/fk_*,-1\n", "has the weight '-1'"),
        ("file,weight\ntrain/fk_*,inf\n", "has the weight 'inf'"),
        ("file,weight\ntrain/fk_*\n", "has the weight ''"),
        ("file,times\ntrain/fk_*,3\n", "needs a header with the columns 'file' and 'weight'"),
        ("", "needs a header"),
    ],
)
def test_mistakes_in_a_table_of_patterns_are_named(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "weights.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        weights_from_patterns(table, NAMES)
