"""The parts of one step: the images it sees, both branches, their reconstruction losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.training.perceptual_loss import PerceptualLoss


class Batch(NamedTuple):
    """One step's B images of this process, and what made them."""

    same: Tensor  # generated images [B, 3, R, R]
    new: Tensor  # the same, a share of them replaced by real ones
    hole: Tensor  # [B, 1, R, R]
    w_same: Tensor  # the codes of `same` [B, num_ws, w_dim]
    w_new: Tensor  # other codes
    real: Tensor  # int64 [K]: where `new` holds a real image


class Fills(NamedTuple):
    """Raw outputs and composites of both branches, [B, 3, R, R] each, and what made the new one."""

    out_same: Tensor
    out_new: Tensor
    composite_same: Tensor
    composite_new: Tensor
    encoding_new: Encoding
    ws_new: Tensor  # W_out [B, num_ws, w_dim]


def trained_parameters(model: InpaintingModel) -> list[torch.nn.Parameter]:
    """Return the parameters of everything but the generator."""
    return [p for name, p in model.named_parameters() if not name.startswith("generator.")]


def composite(output: Tensor, image: Tensor, hole: Tensor) -> Tensor:
    """Return I_f = M I + (1 - M) I_o: the image's own pixels wherever they are known."""
    return torch.where(hole > 0, output, image)


def fill_both(model: InpaintingModel, batch: Batch, shift: Tensor | None = None) -> Fills:
    """One encoder pass, then both branches as one batch through mixer and generator.

    Images that both branches share are encoded once. shift [B, num_ws, w_dim] is added to the new
    branch's W_out (training against cancelled edits).
    """
    B, real = len(batch.same), batch.real
    first = torch.arange(B, device=real.device)
    second = first.index_copy(0, real, torch.arange(B, B + len(real), device=real.device))
    encoding = model.encode(
        torch.cat([batch.same, batch.new[real]]), torch.cat([batch.hole, batch.hole[real]])
    )
    index = torch.cat([first, second])
    encoding = type(encoding)(*(part[index] for part in encoding))
    ws = model.mix(encoding, torch.cat([batch.w_same, batch.w_new]))
    if shift is not None:
        ws = torch.cat([ws[:B], ws[B:] + shift])
    out_same, out_new = model.render(encoding, ws).split(B)
    return Fills(
        out_same,
        out_new,
        composite(out_same, batch.same, batch.hole),
        composite(out_new, batch.new, batch.hole),
        Encoding(*(part[B:] for part in encoding)),
        ws[B:],
    )


def reconstruction(
    batch: Batch,
    fills: Fills,
    perceptual: PerceptualLoss,
    weight: float,
    windows: Sequence[Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor]:
    """L_rg (every pixel) and L_rr (known pixels): mean squared error and perceptual distance.

    windows: those of the perceptual loss for the two.
    """
    same = F.mse_loss(fills.out_same, batch.same)
    if weight:
        same = same + weight * perceptual(fills.out_same, batch.same, windows[0])
    return same, _of_known_pixels(fills.out_new, batch, perceptual, weight, windows[1])


def codes_loss(
    model: InpaintingModel,
    batch: Batch,
    fills: Fills,
    perceptual: PerceptualLoss,
    weight: float,
    window: Tensor | None = None,
) -> Tensor:
    """L_rr once more, on what the new branch's codes generate without the skip encoder.

    Not the paper's. The skip encoder restores known pixels whatever the codes say, so L_rr alone
    hardly asks the codes to agree with the image, and the fill, which only they decide, follows
    the sampled code: the same mouth in every face.
    """
    bare = model.generator.synthesis(fills.ws_new, dtype=model.precision).float()
    return _of_known_pixels(bare, batch, perceptual, weight, window)


def _of_known_pixels(
    output: Tensor,
    batch: Batch,
    perceptual: PerceptualLoss,
    weight: float,
    window: Tensor | None,
) -> Tensor:
    known = 1 - batch.hole
    seen, wanted = output * known, batch.new * known
    loss = F.mse_loss(seen, wanted)
    return loss + weight * perceptual(seen, wanted, window) if weight else loss


def coarse_loss(batch: Batch, fills: Fills, side: int = 8) -> Tensor:
    """Squared error of the new branch's composites against the whole images, at `side` px.

    Not the paper's: its adversarial loss alone sees to it that a fill has the light and color of
    its surroundings, which takes long. In cells of R / 8 px the surroundings say much about the
    hole, and details remain the code's.
    """
    fill, image = (F.adaptive_avg_pool2d(x, side) for x in (fills.composite_new, batch.new))
    return F.mse_loss(fill, image)


def whole_loss(
    batch: Batch, fills: Fills, perceptual: PerceptualLoss, window: Tensor | None = None
) -> Tensor:
    """Perceptual distance of the new branch's composites from the whole images.

    Not the paper's. An adversarial loss is content with any face in the hole; hair that changes
    its color at the border, or an eye of another size, it corrects slowly. What was erased is one
    answer that fits, so a fill is drawn toward it by features, and diversity falls: watch it.

    Args:
        batch: the step's images.
        fills: what was made of them.
        perceptual: what compares.
        window: the place of its window.
    """
    return perceptual(fills.composite_new, batch.new, window)


@torch.no_grad()
def grid_of(model: InpaintingModel, batch: Batch) -> Image.Image:
    """Return a row each: image, erased, fill with its own code, three with others, output."""
    B = min(len(batch.same), 8)
    image, hole = batch.same[:B], batch.hole[:B]
    encoding = model.encode(image, hole)
    columns = [image, image * (1 - hole)]
    for shift in range(4):
        w = batch.w_same[:B] if shift == 0 else batch.w_new.roll(shift - 1, 0)[:B]
        output = model.render(encoding, model.mix(encoding, w))
        columns.append(composite(output, image, hole))
    columns.append(output)
    rows = torch.stack(columns, dim=1).flatten(0, 1)
    return contact_sheet(to_uint8(rows), columns=len(columns))
