"""Frozen feature networks: outputs and gradients equal those of TorchScript and of torch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.training.ema import frozen_copy
from inpaint_model.training.projected.feature_network import (
    FeatureNetwork,
    frozen_conv2d,
    load_feature_network,
)
from shared_files import SHARED
from tiny_feature_networks import save_script, tiny_feature_network
from torch import Tensor, fx, nn

# Making and reading TorchScript is deprecated; the published files stay.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Convolution(NamedTuple):
    """Shapes and geometry of one convolution."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    bias: bool
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Dense, grouped, depthwise and depthwise with several outputs a channel; at least 1 px out.

    More than one channel: of one alone, oneDNN leaves some results of odd geometries unwritten.
    """
    groups, inputs, outputs = draw(st.sampled_from([(1, 3, 4), (2, 4, 6), (4, 4, 4), (3, 3, 6)]))
    kernel = [draw(st.integers(1, 5)) for _ in range(2)]
    stride = [draw(st.integers(1, 3)) for _ in range(2)]
    padding = [draw(st.integers(0, k)) for k in kernel]
    dilation = [draw(st.sampled_from([1, 1, 1, 2])) for _ in range(2)]
    least = [
        max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip(dilation, kernel, padding, strict=True)
    ]
    height, width = (draw(st.integers(n, n + 9)) for n in least)
    return Convolution(
        (draw(st.integers(1, 3)), inputs, height, width),
        (outputs, inputs // groups, kernel[0], kernel[1]),
        draw(st.booleans()),
        stride,
        padding,
        dilation,
        groups,
    )


def error(found: Tensor, wanted: Tensor) -> float:
    """Relative to the largest value."""
    found, wanted = found.detach().double(), wanted.detach()
    return float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-3))


@st.composite
def usual_convolutions(draw: st.DrawFn) -> Convolution:
    """Square ones of the kinds that networks have, on maps of any size.

    Of other kinds torch's own bfloat16 is wrong at times: oneDNN with several outputs a channel on
    a map of one row, say. The result has at least two columns: with AMX, oneDNN leaves values of
    strided results of one column and five or more rows unwritten.
    """
    groups, inputs, outputs = draw(
        st.sampled_from([(1, 3, 4), (1, 8, 8), (2, 4, 6), (4, 4, 4), (8, 8, 8)])
    )
    kernel, stride = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 3))
    padding = draw(st.sampled_from([0, kernel // 2]))
    one_row, two_columns = max(1, kernel - 2 * padding), kernel - 2 * padding + stride
    height = draw(st.integers(one_row, one_row + 12))
    width = draw(st.integers(two_columns, two_columns + 12))
    return Convolution(
        (draw(st.integers(1, 3)), inputs, height, width),
        (outputs, inputs // groups, kernel, kernel),
        draw(st.booleans()),
        [stride] * 2,
        [padding] * 2,
        [1, 1],
        groups,
    )


def assert_torchs(c: Convolution, dtype: torch.dtype, tolerance: float) -> None:
    x = rand(*c.x).to(dtype).to(memory_format=torch.channels_last)
    weight, bias = rand(*c.weight, seed=1).to(dtype), rand(c.weight[0], seed=2).to(dtype)
    x.requires_grad_(True)
    found = frozen_conv2d(x, weight, bias if c.bias else None, *c[3:])
    upstream = rand(*found.shape, seed=3).to(dtype)
    (gradient,) = torch.autograd.grad(found, x, upstream)

    exact = x.detach().double().requires_grad_(True)
    wanted = F.conv2d(exact, weight.double(), bias.double() if c.bias else None, *c[3:])
    (wanted_gradient,) = torch.autograd.grad(wanted, exact, upstream.double())
    assert found.dtype == gradient.dtype == dtype
    assert gradient.shape == x.shape
    assert error(found, wanted) < tolerance
    assert error(gradient, wanted_gradient) < tolerance


@pytest.mark.slow
@given(convolutions())
@settings(deadline=None)
def test_a_frozen_convolution_is_torchs(c: Convolution) -> None:
    assert_torchs(c, torch.float32, 1e-5)


@pytest.mark.slow
@given(usual_convolutions())
@settings(deadline=None)
def test_a_frozen_convolution_in_bfloat16(c: Convolution) -> None:
    assert_torchs(c, torch.bfloat16, 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(7, 8), (8, 5)])
@pytest.mark.parametrize("stride", [[2, 2], [3, 1]])
def test_gradcheck_of_the_strided_depthwise_path(stride: list[int], size: tuple[int, int]) -> None:
    x, weight = rand(2, 3, *size).double().requires_grad_(True), rand(3, 1, 3, 5, seed=1).double()

    def convolved(x: Tensor) -> Tensor:
        return frozen_conv2d(x, weight, None, stride, [1, 2], [1, 1], 3)

    assert torch.autograd.gradcheck(convolved, x)
    assert torch.autograd.gradgradcheck(convolved, x)


class Tower(nn.Module):
    """What small networks are made of: padding on two sides, ReLU6, gates, sums, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 5, stride=2, groups=8, bias=False)
        self.gate = nn.Linear(8, 8)
        self.same = nn.Conv2d(8, 8, 3, padding="same", groups=2)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = F.relu6(self.norm(self.stem(F.pad(images * 127.5, [0, 1, 0, 1]))), inplace=True)
        y = self.depthwise(F.pad(x, [1, 2, 1, 2]))
        y = y * self.gate(y.mean([2, 3])).sigmoid()[:, :, None, None]
        z = F.max_pool2d(y + self.same(y), 2)
        return [x, y, z]


class WeightsTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, stride=2, padding=1, groups=3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(images)
        return x, self.conv(x)


class WithConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)


class OneTensor(WithConvolution):
    def forward(self, images: Tensor) -> Tensor:
        x: Tensor = self.conv(images)
        return x


class AConstantToo(WithConvolution):
    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.conv(images), self.conv.weight]


class ListsAdded(WithConvolution):
    def forward(self, images: Tensor) -> list[Tensor]:
        maps = [self.conv(images)]
        maps = maps + [maps[0].relu()]
        maps += [maps[1].sigmoid()]
        maps.append(maps[2].exp())
        return maps


class TwoResults(WithConvolution):
    def forward(self, images: Tensor) -> list[Tensor]:
        x, _ = self.conv(images).max(dim=1, keepdim=True)
        left, right = x.chunk(2, dim=3)
        return [x, left, right]


class ControlFlow(WithConvolution):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.norm(self.conv(images))
        if bool(x.mean() > -100):
            x = 2 * x
        return [x]


GRAPHS: list[type[nn.Module]] = [Tower, WeightsTwice, OneTensor, AConstantToo]
AS_THEY_ARE: list[type[nn.Module]] = [ListsAdded, TwoResults, ControlFlow]


def made(kind: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = kind()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # as if it had been trained
                assert module.running_mean is not None
                assert module.running_var is not None
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def results(network: nn.Module, images: Tensor) -> tuple[list[Tensor], Tensor]:
    """Maps, and the gradient of a fixed mixture of them."""
    images = images.clone().requires_grad_(True)
    maps = network(images)
    maps = [maps] if isinstance(maps, Tensor) else list(maps)
    reached = [x for x in maps if x.requires_grad and x.grad_fn is not None]
    mixture = sum(
        (x.float() * rand(*x.shape, seed=i)).mean() / x.detach().float().std()
        for i, x in enumerate(reached)
    )
    (gradient,) = torch.autograd.grad(mixture, images)
    return [x.detach() for x in maps], gradient


def assert_parity(path: Path, images: Tensor, tolerance: float = 1e-5) -> FeatureNetwork:
    script = torch.jit.load(str(path)).float().eval()
    wanted, wanted_gradient = results(script, images)
    network = load_feature_network(path)
    for _ in range(2):  # used again after a backward pass it gives the same
        found, gradient = results(network, images)
        assert [x.shape for x in found] == [x.shape for x in wanted]
        assert max(error(x, y) for x, y in zip(found, wanted, strict=True)) < tolerance
        assert error(gradient, wanted_gradient) < tolerance
    return network


class TestFiles:
    @pytest.mark.parametrize("kind", GRAPHS + AS_THEY_ARE)
    @pytest.mark.parametrize("size", [(32, 32), (45, 38)])
    def test_a_network_is_what_its_file_is(
        self, kind: type[nn.Module], size: tuple[int, int], tmp_path: Path
    ) -> None:
        network = assert_parity(save_script(made(kind), tmp_path / "n.pt"), rand(2, 3, *size))
        assert isinstance(network.network, fx.GraphModule) == (kind in GRAPHS)
        assert not any(p.requires_grad for p in network.parameters())

    @pytest.mark.parametrize("kind", [Tower, ControlFlow])
    def test_frozen_and_traced_files(self, kind: type[nn.Module], tmp_path: Path) -> None:
        network, path = made(kind).eval(), tmp_path / "n.pt"
        torch.jit.freeze(torch.jit.script(network)).save(str(path))
        assert_parity(path, rand(2, 3, 33, 32))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ControlFlow, "forward", lambda self, x: [self.norm(self.conv(x))])
            torch.jit.trace(network, rand(1, 3, 32, 32), strict=False).save(str(path))
        assert_parity(path, rand(2, 3, 33, 32))

    def test_in_bfloat16_it_is_as_exact_as_bfloat16_is(self, tmp_path: Path) -> None:
        path = save_script(made(Tower), tmp_path / "n.pt")
        images = rand(4, 3, 64, 64).clamp(-1, 1)
        exact, exact_gradient = results(load_feature_network(path), images)
        found, gradient = results(load_feature_network(path, torch.bfloat16), images)
        script = torch.jit.load(str(path)).to(torch.bfloat16).eval()
        usual, usual_gradient = results(script, images.bfloat16())
        assert {x.dtype for x in found} == {torch.bfloat16}
        assert gradient.dtype == torch.float32  # that of the images

        def lost(x: Tensor, y: Tensor) -> float:
            return float((x.float() - y).norm() / y.norm())

        assert max(lost(x, y) for x, y in zip(found, exact, strict=True)) < 0.02
        assert max(lost(x, y) for x, y in zip(usual, exact, strict=True)) < 0.02
        assert lost(gradient, exact_gradient) < 1.2 * lost(usual_gradient, exact_gradient)

    def test_it_stays_in_evaluation_mode(self, tmp_path: Path) -> None:
        """Even if a parent sets training mode: statistics are fixed, not those of the batch."""
        network = load_feature_network(save_script(made(ControlFlow), tmp_path / "n.pt"))
        images = rand(2, 3, 32, 32)
        before = network(images)[0]
        parent = nn.ModuleList([network]).train()
        assert torch.equal(network(images)[0], before)
        assert not any(module.training for module in parent[0].modules())

    @pytest.mark.parametrize("kind", [Tower, ControlFlow])
    def test_its_weights_belong_to_no_state(self, kind: type[nn.Module], tmp_path: Path) -> None:
        network = load_feature_network(save_script(made(kind), tmp_path / "n.pt"))
        images = rand(1, 3, 32, 32)
        before = network(images)[0]
        assert network.state_dict() == {}
        parent = nn.ModuleDict({"kept": nn.Linear(2, 2), "networks": nn.ModuleList([network])})
        state = nn.ModuleDict({"parent": parent}).state_dict()
        assert list(state) == ["parent.kept.weight", "parent.kept.bias"]
        state = parent.state_dict(prefix="", keep_vars=True)
        assert list(state) == ["kept.weight", "kept.bias"]
        parent.load_state_dict(state, strict=True)
        with pytest.raises(RuntimeError, match=r"kept\.bias"):
            parent.load_state_dict({"kept.weight": torch.zeros(2, 2)})
        assert torch.equal(network(images)[0], before)

    @pytest.mark.parametrize("kind", [Tower, ControlFlow])
    def test_copies_work_by_themselves(self, kind: type[nn.Module], tmp_path: Path) -> None:
        network = load_feature_network(save_script(made(kind), tmp_path / "n.pt"))
        images = rand(2, 3, 32, 32)
        wanted, wanted_gradient = results(network, images)
        copies = [copy.deepcopy(network), frozen_copy(network), network.to("cpu")]
        for other in copies:
            found, gradient = results(other, images)
            assert all(torch.equal(x, y) for x, y in zip(found, wanted, strict=True))
            assert torch.equal(gradient, wanted_gradient)
            assert other.sha256 == network.sha256
            other.load_state_dict({})
        ours, theirs = (next(iter(x.network.state_dict().values())) for x in copies[:2])
        assert ours.data_ptr() != theirs.data_ptr()

    def test_maps_are_channels_last(self, tmp_path: Path) -> None:
        """For every layout of the images, since other layouts need copies."""
        network = load_feature_network(tiny_feature_network(tmp_path / "n.pt"))
        images = rand(2, 3, 64, 64).requires_grad_(True)
        for x in network(images)[:2]:
            assert x.is_contiguous(memory_format=torch.channels_last)

    def test_files_of_another_kind_are_one_sentence(self, tmp_path: Path) -> None:
        torch.save({"weight": torch.zeros(2)}, tmp_path / "weights.pt")
        (tmp_path / "text.pt").write_text("no network")
        (tmp_path / "empty.pt").write_bytes(b"")
        whole = tiny_feature_network(tmp_path / "whole.pt").read_bytes()
        (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
        for name in ("weights.pt", "text.pt", "empty.pt", "cut.pt"):
            with pytest.raises(ValueError, match=r"\.pt is not a TorchScript file") as caught:
                load_feature_network(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)
            assert "\n" not in str(caught.value)
        with pytest.raises(ValueError, match="nowhere"):
            load_feature_network(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.shared("nets")
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("imagenet_efficientnet_lite0_fp16.pt", 64),
        ("face_mobilenet_fp16.pt", 64),
        ("person_segmentation_fp16.pt", 256),
    ],
)
def test_published_networks(name: str, size: int) -> None:
    images = rand(2, 3, size, size).clamp(-1, 1)
    network = assert_parity(SHARED / "nets" / name, images, tolerance=1e-3)
    assert isinstance(network.network, fx.GraphModule)
