"""Training on several CPU threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import torch
from inpaint_model.networks.encoder import Body
from inpaint_model.networks.ops import channels_last
from inpaint_model.networks.presets import preset

torch.set_num_threads(2)
sizes = preset("compact-64").encoder
body = channels_last(Body(4, sizes.widths, sizes.units, sizes.norm))
images = torch.randn(53, 4, 64, 64).contiguous(memory_format=torch.channels_last)
for _ in range(4):
    body(images)[-1].square().mean().backward()
"""


@pytest.mark.slow
def test_odd_batches_do_not_crash() -> None:
    """Strided pointwise convolutions of torch 2.13 crash here, so the encoder has its own."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, timeout=300)
    assert run.returncode == 0, run.stderr
