"""Draw what a detail network makes of its examples."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from PIL import Image

from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.networks.detail_network import DetailNetwork
from inpaint_model.training.detail.examples import DetailExamples

_ROWS = 8


@torch.no_grad()
def sheet_of(network: DetailNetwork, examples: DetailExamples) -> Image.Image:
    """Draw rows of: document with the hole, enlarged fill, with detail, document."""
    document, hole, fill = (x[:_ROWS].float() for x in examples)
    enlarged = F.interpolate(fill, scale_factor=2.0, mode="bicubic")
    detailed = network(fill, document, hole)
    columns = [document * (1 - hole)]
    columns += [document + hole * (shown - document) for shown in (enlarged, detailed)]
    columns.append(document)
    rows = torch.stack(columns, dim=1).flatten(0, 1).clamp(-1, 1)
    return contact_sheet(to_uint8(rows), columns=len(columns))
