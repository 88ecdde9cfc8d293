"""Count how often a model runs its generator."""

from __future__ import annotations

from inpaint_model.networks.inpainting_model import InpaintingModel


class GeneratorRuns:
    """The number of runs, complete or only of the first layers, since this was made."""

    def __init__(self, model: InpaintingModel) -> None:
        self.count = 0
        model.generator.synthesis.block(4).conv1.register_forward_hook(self._counted)

    def _counted(self, *_: object) -> None:
        self.count += 1
