"""The detail network: shapes, and that it adds detail only."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.networks.detail_network import DetailConfig, DetailNetwork, without_means
from torch import Tensor


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(config: DetailConfig | None = None) -> DetailNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DetailNetwork(config)


def test_a_new_network_enlarges() -> None:
    fill = rand(2, 3, 16, 24)
    found = network()(fill, rand(2, 3, 32, 48), torch.ones(2, 1, 32, 48))
    assert torch.equal(found, F.interpolate(fill, scale_factor=2.0, mode="bicubic"))


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(
    widths=st.lists(st.sampled_from([4, 8]), min_size=1, max_size=4),
    blocks=st.integers(1, 2),
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
)
def test_any_multiple_of_its_step(widths: list[int], blocks: int, rows: int, columns: int) -> None:
    made = network(DetailConfig(tuple(widths), blocks))
    torch.nn.init.normal_(made.head.weight)
    H, W = rows * made.multiple, columns * made.multiple
    found = made(
        rand(1, 3, H, W), rand(1, 3, 2 * H, 2 * W, seed=1), torch.zeros(1, 1, 2 * H, 2 * W)
    )
    assert found.shape == (1, 3, 2 * H, 2 * W)
    assert bool(found.isfinite().all())


def test_what_the_document_shows_in_the_hole_does_not_count() -> None:
    made = network()
    torch.nn.init.normal_(made.head.weight)
    hole = torch.zeros(1, 1, 32, 32)
    hole[:, :, 8:20, 10:30] = 1
    known, fill = rand(1, 3, 32, 32), rand(1, 3, 16, 16, seed=1)
    other = torch.where(hole > 0, rand(1, 3, 32, 32, seed=2), known)
    assert torch.equal(made(fill, known, hole), made(fill, other, hole))
    assert not torch.equal(made(fill, known, hole), made(fill, known + 1, hole))


def test_even_colors_and_slopes_are_not_detail() -> None:
    x = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64)
    assert float(without_means(torch.ones(1, 3, 64, 64)).abs().max()) < 1e-6
    assert float(without_means(x)[..., 8:-8].abs().max()) < 1e-6
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(32, 32)[None, None]
    assert torch.allclose(without_means(checks), checks)
