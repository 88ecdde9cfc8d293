"""The walk through the training pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inpaint_model.sampler import Sampler, derived_seed, weights_from_csv


def test_each_epoch_holds_every_picture_once_in_a_new_order() -> None:
    sampler = Sampler(50, seed=1)
    first, second = (sampler.draw(start, 50)[0] for start in (0, 50))
    assert first.sort().values.tolist() == list(range(50))
    assert second.sort().values.tolist() == list(range(50))
    assert not torch.equal(first, second)
    assert not torch.equal(first, Sampler(50, seed=2).draw(0, 50)[0])


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


def test_weights_are_met_in_each_epoch_up_to_rounding() -> None:
    weights = torch.tensor([0.0, 1.0, 2.0, 0.5, 3.5])
    sampler = Sampler(5, seed=0, weights=weights)
    expected = weights / weights.sum() * 5
    for epoch in range(20):
        times = torch.bincount(sampler.draw(5 * epoch, 5)[0], minlength=5)
        assert ((times - expected).abs() < 1).all()
    times = torch.bincount(sampler.draw(0, 5 * 4000)[0], minlength=5) / 4000
    assert times.tolist() == pytest.approx(expected.tolist(), abs=0.03)


def test_half_of_the_draws_are_mirrored_independently_of_the_picture() -> None:
    indices, mirrored = Sampler(4, seed=0).draw(0, 8000)
    for picture in range(4):
        assert mirrored[indices == picture].float().mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("weights", [torch.zeros(3), torch.tensor([1.0, -1.0, 1.0]), torch.ones(2)])
def test_useless_weights_are_refused(weights: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"picture"):
        Sampler(3, 0, weights)


def test_seeds_of_neighbours_differ() -> None:
    seeds = {derived_seed(a, b) for a in range(30) for b in range(30)}
    assert len(seeds) == 900
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_weights_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "manifest.csv"
    table.write_text("file,crop_px,licence\na.png,300,MIT\nb.png,>=128,MIT\nc.png,256,MIT\n")
    names = ["c.png", "a.png", "b.png"]
    assert weights_from_csv(table, names, "crop_px").tolist() == [256, 300, 128]
    assert weights_from_csv(table, names, "crop_px", 256).tolist() == [1, 1, 0]
    assert weights_from_csv(table, names, "crop_px", 300, 0.25).tolist() == [0.25, 1, 0.25]
    for column, wanted, message in [
        ("crop", names, "needs a header"),
        ("crop_px", ["d.png"], r"does not list d\.png"),
        ("licence", names, "could not convert"),
    ]:
        with pytest.raises(ValueError, match=message):
            weights_from_csv(table, wanted, column)
