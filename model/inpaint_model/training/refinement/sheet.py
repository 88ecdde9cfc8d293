"""Draw what a refinement network makes of its examples."""

from __future__ import annotations

import torch
from PIL import Image

from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.networks.color_shift import color_shift
from inpaint_model.networks.refinement_network import RefinementNetwork
from inpaint_model.training.refinement.examples import RefinementExamples

_ROWS = 8


@torch.no_grad()
def sheet_of(network: RefinementNetwork, examples: RefinementExamples) -> Image.Image:
    """Draw rows of: erased image, fill, refined fill, image; colors of fills are matched."""
    image, hole, fill, where, _ = (x[:_ROWS] for x in examples)
    erased = image * (1 - hole)
    shift = color_shift(fill, erased, hole)
    columns = [erased]
    columns += [erased + hole * (x + shift) for x in (fill, network(fill, erased, hole, where))]
    columns.append(image)
    rows = torch.stack(columns, dim=1).flatten(0, 1).clamp(-1, 1)
    return contact_sheet(to_uint8(rows), columns=len(columns))
