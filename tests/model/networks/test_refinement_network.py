"""The refinement network."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from example_tensors import box_hole, noise
from inpaint_model.networks.refinement_network import (
    RefinementConfig,
    RefinementNetwork,
    strength,
)

SMALL = RefinementConfig(widths=(8, 8), blocks=(1, 1))
EVERYWHERE = torch.ones(1, 1, 1, 1)


def drawing_network() -> RefinementNetwork:
    torch.manual_seed(0)
    network = RefinementNetwork(SMALL).eval()
    torch.nn.init.normal_(network.head.weight)
    return network


def test_a_new_network_changes_nothing() -> None:
    fill, hole = noise(0), box_hole()
    assert torch.equal(
        RefinementNetwork(SMALL)(fill, noise(1) * (1 - hole), hole, EVERYWHERE), fill
    )


@torch.no_grad()
def test_only_the_hole_changes() -> None:
    fill, hole = noise(0), box_hole()
    refined = drawing_network()(fill, noise(1) * (1 - hole), hole, EVERYWHERE)
    outside = (hole == 0).expand_as(fill)
    assert torch.equal(refined[outside], fill[outside])
    assert float((refined - fill)[~outside].abs().mean()) > 0.01


@torch.no_grad()
def test_what_the_fill_shows_outside_the_hole_does_not_matter_but_for_its_colors() -> None:
    hole = box_hole(inner=32)  # of whole cells
    erased = noise(1) * (1 - hole)
    fill = noise(0)
    detail = noise(2) * (1 - hole)
    detail -= F.interpolate(F.avg_pool2d(detail, 8), scale_factor=8.0) * (1 - hole)
    network = drawing_network()
    changes = [network(x, erased, hole, EVERYWHERE) - x for x in (fill, fill + detail)]
    torch.testing.assert_close(changes[0], changes[1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_only_the_places_change() -> None:
    disc = RefinementConfig(widths=(8, 8), blocks=(1, 1), places=((0.25, 0.5, 0.2),))
    torch.manual_seed(0)
    network = RefinementNetwork(disc).eval()
    torch.nn.init.normal_(network.head.weight)
    fill, hole, where = noise(0), torch.ones(1, 1, 64, 64), strength(disc.places, 64)
    changed = (network(fill, torch.zeros_like(fill), hole, where) - fill).abs().amax(dim=1)[0]
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    distance = torch.hypot(x - 16, y - 32) / 64
    assert float(changed[distance > 0.2].max()) == 0
    assert float((changed[distance < 0.19] > 0).float().mean()) == 1
    assert torch.equal(where[0, 0][distance < 0.1], torch.ones(int((distance < 0.1).sum())))
    assert torch.equal(strength((), 64), torch.ones(1, 1, 64, 64))


@pytest.mark.parametrize(("widths", "blocks"), [((8, 8), (1,)), ((), ()), ((8, 0), (1, 1))])
def test_levels_must_fit(widths: tuple[int, ...], blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must name as many levels"):
        RefinementConfig(widths, blocks)
