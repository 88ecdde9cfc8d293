"""Frozen feature networks from TorchScript files, with a fast gradient to the image.

On CPUs torch's gradient of strided depthwise convolutions is slow and cannot be replaced in
TorchScript. So graphs without control flow, nearly all, are translated to `torch.fx`, and their
convolutions get a gradient that skips the frozen weights.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.bundle.weights import file_sha256
from inpaint_model.networks.ops import channels_last


class FrozenConvolution(torch.autograd.Function):
    """`conv2d` without a gradient of the weight."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 (accepts arbitrary attributes)
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        """Convolve x [N, I, H, W] with a weight [O, I / groups, k, k]."""
        ctx.save_for_backward(weight)
        ctx.geometry, ctx.shape = (stride, padding, dilation, groups), x.shape
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 (as above)
        *gradients: Tensor,
    ) -> tuple[Tensor | None, ...]:
        """Return the gradient of x only."""
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        depthwise = groups == ctx.shape[1] == len(weight)
        fits = all(p < k for p, k in zip(padding, weight.shape[2:], strict=True))
        if depthwise and fits and stride != [1, 1] and dilation == [1, 1]:
            result = _strided_depthwise_gradient(gradient, weight, stride, padding, ctx.shape)
        else:
            # Only shape and layout matter.
            x = torch.empty(
                ctx.shape,
                dtype=gradient.dtype,
                device=gradient.device,
                memory_format=torch.channels_last,
            )
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


def frozen_conv2d(x: Tensor, weight: Tensor, *geometry: object) -> Tensor:
    """Apply `FrozenConvolution` to x of any dtype, as a function for graphs."""
    result: Tensor = FrozenConvolution.apply(x.to(weight.dtype), weight, *geometry)  # type: ignore[no-untyped-call]
    return result


def _strided_depthwise_gradient(
    gradient: Tensor, weight: Tensor, stride: list[int], padding: list[int], shape: torch.Size
) -> Tensor:
    """Insert zeros between the gradient's samples, then convolve with the rotated weight.

    The padding must be smaller than the kernel.
    """
    N, C, H, W = shape
    (height, width), (down, right), (top, left) = weight.shape[2:], stride, padding
    spread = gradient.new_zeros((N, H + 2 * top - height + 1, W + 2 * left - width + 1, C))
    spread = spread.permute(0, 3, 1, 2)  # channels last
    spread[:, :, ::down, ::right] = gradient
    padding = [height - 1 - top, width - 1 - left]
    return F.conv2d(spread, weight.flip(2, 3), padding=padding, groups=C)


def load_feature_network(path: Path, dtype: torch.dtype = torch.float32) -> FeatureNetwork:
    """Load a TorchScript file.

    A graph that cannot be translated runs in TorchScript, and must itself convert images to a
    `dtype` other than float32.

    Raises:
        ValueError: the file is not TorchScript.
    """
    script = load_torchscript(path)
    for parameter in script.parameters():
        parameter.requires_grad_(False)
    script.to(dtype)  # the graph contains the dtype as a constant
    return FeatureNetwork(_translated(script) or script, file_sha256(path))


class FeatureNetwork(nn.Module):
    """Images -> maps, in the network's precision, always in evaluation mode.

    Weights come from the network's file and are not in state dictionaries.
    """

    def __init__(self, network: nn.Module, sha256: str = "") -> None:
        """Wrap a network; `sha256` identifies it to the heads trained with it."""
        super().__init__()
        self.network, self.sha256 = channels_last(network), sha256
        self.register_load_state_dict_pre_hook(_with_own_weights)  # type: ignore[no-untyped-call]
        self.eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return maps [N, C, h, w], fine to coarse, of images [N, 3, H, W] in -1..1."""
        maps = self.network(images.contiguous(memory_format=torch.channels_last))
        return [maps] if isinstance(maps, Tensor) else list(maps)

    def train(self, mode: bool = True) -> FeatureNetwork:
        """Stay in evaluation mode."""
        return super().train(False)

    def state_dict(  # type: ignore[override]
        self, *args: object, destination: dict[str, Any] | None = None, **kwargs: object
    ) -> dict[str, Any]:
        """Return an empty state."""
        return destination or {}


def _with_own_weights(
    module: FeatureNetwork, state: dict[str, Any], prefix: str, *_: object
) -> None:
    """Add the weights that `state_dict` omits to a state being loaded."""
    for name, value in module.network.state_dict().items():
        state[f"{prefix}network.{name}"] = value


def _translated(script: torch.jit.ScriptModule) -> fx.GraphModule | None:
    """Translate to a graph of operations that return one tensor, or return None."""
    with warnings.catch_warnings():  # TorchScript is deprecated, but the published files use it
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
        arguments: list[Any] = [values.get(value.debugName()) for value in node.inputs()]
        kind = node.kind()
        if kind == "prim::Constant":
            result = node.output().toIValue()
            if isinstance(result, Tensor):
                name = f"constant{len(values)}"
                root.register_buffer(name, result.detach().clone(), persistent=False)
                result = graph.get_attr(name)
        elif kind in ("prim::ListConstruct", "prim::TupleConstruct"):
            result = list(arguments)
        elif kind == "aten::append":
            arguments[0].append(arguments[1])
            result = arguments[0]
        elif kind.startswith("aten::"):
            schema = torch._C.parse_schema(node.schema())
            if [str(x.type) for x in schema.returns] != ["Tensor"]:
                return None
            overloads = getattr(torch.ops.aten, kind.removeprefix("aten::"))
            operation = getattr(overloads, schema.overload_name or "default")
            named = {a.name: v for a, v in zip(schema.arguments, arguments, strict=True)}
            options = {a.name: named.pop(a.name) for a in schema.arguments if a.kwarg_only}
            if operation is torch.ops.aten.conv2d.default:
                operation = frozen_conv2d
            result = graph.call_function(operation, tuple(named.values()), options)
        else:
            return None
        for output in node.outputs():
            values[output.debugName()] = result
    graph.output(values[next(iter(source.outputs())).debugName()])
    return fx.GraphModule(root, graph)
