"""Our encoder against pSp's `GradualStyleEncoder`, with the same random weights."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.networks.config import EncoderConfig
from inpaint_model.networks.encoder import Encoder
from published_modules import checkout, published
from torch import Tensor, nn

TOLERANCE = 1e-4
STYLES = 18  # pSp's encoder always predicts these


class EqualLinear(nn.Module):
    """The linear layer of equalized learning rate, by its definition."""

    def __init__(self, in_features: int, out_features: int, lr_mul: float = 1) -> None:
        super().__init__()
        assert lr_mul == 1
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T / math.sqrt(x.shape[1]) + self.bias


def randomize(network: nn.Module) -> None:
    """Draw all weights, so that no layer is close to doing nothing."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0.1, 0.5)
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            nn.init.normal_(bias, std=0.3)


@torch.no_grad()
def measure_statistics(body: nn.Module, images: Tensor) -> None:
    """Set the statistics of batch norms, without which features grow and amplify rounding."""
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    body.train()
    body(images)
    body.eval()


def renamed(theirs: dict[str, Tensor], units: tuple[int, ...]) -> dict[str, Tensor]:
    """Return pSp's weights under our names."""
    ours = {}
    places = [f"body.groups.{g}.{u}" for g, count in enumerate(units) for u in range(count)]
    tops = {
        "input_layer": "body.stem",
        "latlayer1": "lateral2",
        "latlayer2": "lateral1",
        **{f"styles.{i}.convs": f"trunks.{i}" for i in range(STYLES)},
        **{f"styles.{i}.linear": f"to_tokens.{i}" for i in range(STYLES)},
        **{f"body.{n}.shortcut_layer": f"{place}.shortcut" for n, place in enumerate(places)},
        **{f"body.{n}.res_layer": f"{place}.residual" for n, place in enumerate(places)},
    }
    for name, value in theirs.items():
        top = next(top for top in tops if name.startswith(f"{top}."))
        own = tops[top] + name.removeprefix(top)
        gate = own.replace(".fc1.", ".squeeze.").replace(".fc2.", ".excite.")
        if gate != own:  # theirs are convolutions of one pixel, without biases
            value = value[:, :, 0, 0]
            ours[gate.replace(".weight", ".bias")] = torch.zeros(len(value))
        ours[gate] = value
    return ours


@pytest.mark.slow
def test_all_styles_and_the_features_agree() -> None:
    folder = checkout("PSP_CHECKOUT", "eladrich/pixel2style2pixel")
    stand_ins = {"models.stylegan2.model.EqualLinear": EqualLinear}
    module = published(folder, "models.encoders.psp_encoders", stand_ins)
    config = EncoderConfig()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = module.GradualStyleEncoder(50, "ir_se", SimpleNamespace(input_nc=4)).eval()
        randomize(theirs)
        body = nn.Sequential(theirs.input_layer, theirs.body)
        measure_statistics(body, torch.randn(2, 4, 256, 256))
    with torch.device("meta"):
        ours = Encoder(config, 256, STYLES, 512, tokens_per_style=1).eval()
    ours.load_state_dict(renamed(theirs.state_dict(), config.units), assign=True)
    image = torch.randn(2, 4, 256, 256, generator=torch.Generator().manual_seed(1))
    features: list[Tensor] = []
    theirs.body[6].register_forward_hook(lambda *call: features.append(call[2]))
    with torch.no_grad():
        styles, found = theirs(image), ours(image)
    for name, have, want in (
        ("styles", found.tokens, styles),
        ("features at a quarter", found.features, features[0]),
    ):
        assert have.shape == want.shape
        scale = want.std().item()
        difference = (have - want).abs().max().item()
        print(f"{name}: largest difference {difference:.1e}, deviation {scale:.2f}")
        assert scale > 0.1
        assert difference <= TOLERANCE * max(scale, 1.0)
    assert F.mse_loss(styles[:, 0], styles[:, 1]) > 0.01
