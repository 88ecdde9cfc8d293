"""The images, both branches and the reconstruction losses of an inpainter training step.

With the image's own code all pixels are compared, with another code only the known ones.
"""

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
    """The images of a step in this process, and their codes."""

    same: Tensor  # generated images [B, 3, R, R]
    new: Tensor  # `same` with a share replaced by real images
    hole: Tensor  # [B, 1, R, R]
    w_same: Tensor  # the codes of `same` [B, num_ws, w_dim]
    w_new: Tensor  # other codes
    real: Tensor  # int64 [K]: indices of the real images in `new`


class Fills(NamedTuple):
    """Outputs and composites of both branches [B, 3, R, R], and codes of the new one."""

    out_same: Tensor
    out_new: Tensor
    composite_same: Tensor
    composite_new: Tensor
    encoding_new: Encoding
    ws_new: Tensor  # W_out [B, num_ws, w_dim]


def trained_parameters(model: InpaintingModel) -> list[torch.nn.Parameter]:
    """Return all parameters except the generator's."""
    return [p for name, p in model.named_parameters() if not name.startswith("generator.")]


def composite(output: Tensor, image: Tensor, hole: Tensor) -> Tensor:
    """Return `output` in the hole, `image` elsewhere."""
    return torch.where(hole > 0, output, image)


def fill_both(model: InpaintingModel, batch: Batch, shift: Tensor | None = None) -> Fills:
    """Fill with both branches in one batch, and encode the images that they share once.

    `shift` [B, 1, w_dim], added to the new branch's W_out, teaches the skip encoder not to cancel
    edits.
    """
    B, real = len(batch.same), batch.real
    first = torch.arange(B, device=real.device)
    second = first.index_copy(0, real, torch.arange(B, B + len(real), device=real.device))
    encoding = model.encode(
        torch.cat([batch.same, batch.new[real]]), torch.cat([batch.hole, batch.hole[real]])
    )
    index = torch.cat([first, second])
    encoding = encoding.map(lambda part: part[index])
    ws = model.mix(encoding, torch.cat([batch.w_same, batch.w_new]))
    if shift is not None:
        ws = torch.cat([ws[:B], ws[B:] + shift])
    out_same, out_new = model.render(encoding, ws).split(B)
    return Fills(
        out_same,
        out_new,
        composite(out_same, batch.same, batch.hole),
        composite(out_new, batch.new, batch.hole),
        encoding.map(lambda part: part[B:]),
        ws[B:],
    )


def reconstruction(
    batch: Batch,
    fills: Fills,
    perceptual: PerceptualLoss,
    weight: float,
    windows: Sequence[Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor]:
    """Return L_rg (every pixel) and L_rr (known pixels): MSE plus weighted perceptual distance."""
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
    """Return L_rr of the images that the new branch's codes generate without the skip encoder.

    Not in the paper. The skip encoder restores known pixels whatever the codes, so with L_rr alone
    the fill follows the sampled code rather than the image: the same mouth in every face.
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
    """Return the squared error of the new branch's composites at `side` px.

    Not in the paper, where the adversarial loss alone slowly matches the light and color of the
    surroundings. These predict the hole well in cells of R / `side` px; details still come from the
    code.
    """
    fill, image = (F.adaptive_avg_pool2d(x, side) for x in (fills.composite_new, batch.new))
    return F.mse_loss(fill, image)


def whole_loss(
    batch: Batch, fills: Fills, perceptual: PerceptualLoss, window: Tensor | None = None
) -> Tensor:
    """Return the perceptual distance of the new branch's composites from the original images.

    Not in the paper. The adversarial loss is slow to correct hair that changes color at the border
    or eyes of different size. This loss pulls fills toward the erased content. It lowers diversity:
    watch that. `window` [B, 2] lies on the holes, so that small ones count as much as large ones.
    """
    return perceptual(fills.composite_new, batch.new, window)


@torch.no_grad()
def grid_of(model: InpaintingModel, batch: Batch) -> Image.Image:
    """Draw rows of: image, erased, fill with its own code, three others, last output."""
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
