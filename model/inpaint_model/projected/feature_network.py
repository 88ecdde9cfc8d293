"""Frozen feature networks from TorchScript files, with a fast gradient to the picture.

TorchScript runs a file's graph as a unit, and its gradient is torch's own. On processors that one
is slow in one place: a strided depthwise convolution, of which small networks have several. So a
graph without control flow, which every feed-forward network is, is translated to `torch.fx`, and
its convolutions are given a gradient that computes nothing for the frozen weights.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from inpaint_model.bundle import file_sha256
from inpaint_model.ops import channels_last
from inpaint_model.torchscript import load_torchscript


class FrozenConvolution(torch.autograd.Function):
    """`conv2d` whose weight takes no gradient."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        """x [N, I, H, W], weight [O, I / groups, k, k] -> [N, O, h, w]."""
        ctx.save_for_backward(weight)
        ctx.geometry, ctx.shape = (stride, padding, dilation, groups), x.shape
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient with respect to x alone."""
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        if groups == ctx.shape[1] == len(weight) and stride != [1, 1] and dilation == [1, 1]:
            result = _strided_depthwise_gradient(gradient, weight, stride, padding, ctx.shape)
        else:
            x = gradient.new_empty(1).expand(ctx.shape)  # only its shape is read
            result = torch.ops.aten.convolution_backward(
                gradient,
                x,
                weight,
                None,
                stride,
                padding,
                dilation,
                False,
                [0, 0],
                groups,
                [True, False, False],
            )[0]
        return result, None, None, None, None, None, None


def frozen_conv2d(x: Tensor, weight: Tensor, *geometry: Any) -> Tensor:
    """`FrozenConvolution` as a function, which a graph can name."""
    result: Tensor = FrozenConvolution.apply(x, weight, *geometry)
    return result


def _strided_depthwise_gradient(
    gradient: Tensor, weight: Tensor, stride: list[int], padding: list[int], shape: torch.Size
) -> Tensor:
    """Zeros between the gradient's samples, then a convolution with the weight turned round.

    Equal to torch's gradient, and five to nine times faster on a processor in bfloat16.
    """
    N, C, H, W = shape
    k, (down, right), (top, left) = weight.shape[-1], stride, padding
    # Where a full convolution of the padded picture has its samples.
    spread = gradient.new_zeros((N, H + 2 * top - k + 1, W + 2 * left - k + 1, C))
    spread = spread.permute(0, 3, 1, 2)  # channels last
    spread[:, :, ::down, ::right] = gradient
    return F.conv2d(spread, weight.flip(2, 3), padding=(k - 1 - top, k - 1 - left), groups=C)


def load_feature_network(path: Path, dtype: torch.dtype = torch.float32) -> FeatureNetwork:
    """The network of a TorchScript file: pictures [N, 3, H, W] in -1..1 -> list of feature maps.

    dtype: what it computes in. Its weights are buffers that no state dictionary holds, since they
    come from the file. A graph with control flow runs as it is, by TorchScript, with weights that
    take no gradient. ValueError for a file of another kind.
    """
    script = load_torchscript(path)
    for parameter in script.parameters():
        parameter.requires_grad_(False)
    script.to(dtype)  # before its graph is read, where the precision is a constant
    return FeatureNetwork(_translated(script) or script, file_sha256(path))


class FeatureNetwork(nn.Module):
    """Pictures in, a list of maps out, in the network's own precision."""

    def __init__(self, network: nn.Module, sha256: str = "") -> None:
        """sha256: of the file, by which trained heads know the network they belong to."""
        super().__init__()
        self.network, self.sha256 = channels_last(network), sha256

    def forward(self, images: Tensor) -> list[Tensor]:
        """[N, 3, H, W] in -1..1 -> maps [N, C, h, w], from fine to coarse."""
        maps = self.network(images.contiguous(memory_format=torch.channels_last))
        return [maps] if isinstance(maps, Tensor) else list(maps)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Nothing: the weights come from the network's file."""
        return kwargs.get("destination") or {}


def _translated(script: torch.jit.ScriptModule) -> fx.GraphModule | None:
    """The same network as a graph of aten operations; None if it has more than those."""
    with warnings.catch_warnings():  # deprecated for new networks; the published files stay
        warnings.simplefilter("ignore", DeprecationWarning)
        frozen = torch.jit.freeze(script)
    source = frozen.inlined_graph
    root, graph = nn.Module(), fx.Graph()
    values: dict[str, Any] = {}
    inputs = list(source.inputs())
    if len(inputs) != 2:
        return None
    values[inputs[1].debugName()] = graph.placeholder("images")
    for node in source.nodes():
        arguments = [values.get(value.debugName()) for value in node.inputs()]
        kind = node.kind()
        if kind == "prim::Constant":
            result = node.output().toIValue()
            if isinstance(result, Tensor):
                name = f"constant{len(values)}"
                root.register_buffer(name, result.detach().clone(), persistent=False)
                result = graph.get_attr(name)
        elif kind == "prim::ListConstruct":
            result = list(arguments)
        elif kind == "aten::append":
            arguments[0].append(arguments[1])
            result = arguments[0]
        elif kind == "aten::conv2d":
            result = graph.call_function(frozen_conv2d, tuple(arguments))
        elif kind.startswith("aten::"):
            schema = torch._C.parse_schema(node.schema())
            overloads = getattr(torch.ops.aten, kind.removeprefix("aten::"))
            operation = getattr(overloads, schema.overload_name or "default")
            named = {a.name: v for a, v in zip(schema.arguments, arguments, strict=True)}
            options = {a.name: named.pop(a.name) for a in schema.arguments if a.kwarg_only}
            result = graph.call_function(operation, tuple(named.values()), options)
        else:
            return None
        for output in node.outputs():
            values[output.debugName()] = result
    graph.output(values[next(iter(source.outputs())).debugName()])
    return fx.GraphModule(root, graph)
