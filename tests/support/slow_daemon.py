"""The real daemon with a slow model, so that tests can interfere during a request.

    python tests/support/slow_daemon.py SECONDS [arguments of inpaint-server]

Every rendering takes SECONDS longer. Some seeds cause failures, by their value modulo 1000:
    666  an unexpected error                 667  the device runs out of memory
    668  out of memory for more than one at a time        669  the device is lost
    670  a real failure of the GPU
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from inpaint_model import Inpainter
from inpaint_server.cli import main
from inpaint_server.models.registry import BundleLoader


class Slow(BundleLoader):
    delay_s = 0.0

    def load(self, source: str) -> Inpainter:
        inpainter = super().load(source)
        render, sample = inpainter.render, inpainter.sample
        accidents: dict[bytes, int] = {}  # codes -> kind of failure

        def noting_sample(encoding: Any, seeds: Sequence[int], truncation_psi: float = 1.0) -> Any:
            codes = sample(encoding, seeds, truncation_psi)
            accidents.update(
                (code.tobytes(), seed % 1000) for code, seed in zip(codes, seeds, strict=True)
            )
            return codes

        def slow_render(encoding: Any, ws_out: Any) -> Any:
            time.sleep(self.delay_s * len(ws_out))
            happening = {accidents.get(np.ascontiguousarray(code).tobytes()) for code in ws_out}
            if 666 in happening:
                raise ZeroDivisionError("a planted bug")
            if 667 in happening or (668 in happening and len(ws_out) > 1):
                raise torch.OutOfMemoryError("planted")
            if 669 in happening:
                raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with")
            if 670 in happening:
                index = torch.tensor([5], device=self.device)
                torch.zeros(1, device=self.device)[index].cpu()
            return render(encoding, ws_out)

        inpainter.sample, inpainter.render = noting_sample, slow_render  # type: ignore[method-assign]
        return inpainter


if __name__ == "__main__":
    Slow.delay_s = float(sys.argv[1])
    sys.exit(main(sys.argv[2:], Slow))
