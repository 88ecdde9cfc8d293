"""Train a refinement network against projected discriminators, one of them for close-ups."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.networks.color_shift import color_shift
from inpaint_model.networks.ops import channels_last
from inpaint_model.networks.refinement_network import (
    RefinementConfig,
    RefinementNetwork,
)
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.optimizers import adam
from inpaint_model.training.part_training import PartTraining
from inpaint_model.training.progress import Stats
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator, map_difference
from inpaint_model.training.refinement.examples import RefinementExamples, RefinementInputs
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import RefinementTraining

_BLOCK = 16  # side of the blocks whose colors should not change, px
_CALIBRATION = 32  # images, to measure the ranges of the discriminators' maps

Snapshot = Callable[[RefinementNetwork, RefinementExamples, float], None]


class Judges(NamedTuple):
    """Discriminators for images of `RefinementTraining.crop` px."""

    whole: ProjectedDiscriminator  # of examples
    close: ProjectedDiscriminator  # of close-ups


def train_refinement(
    options: RefinementTraining,
    config: RefinementConfig,
    inputs: RefinementInputs,
    folder: RunFolder,
    *,
    start: RefinementNetwork | None = None,
    judges: Judges | None = None,
    on_snapshot: Snapshot | None = None,
    deadline: Deadline | None = None,
) -> RefinementNetwork:
    """Train a network, or continue the training in `folder`; return the averaged network.

    `start` is a network of the same `config` to start from; by default its weights are random.
    Without `judges`, it learns only to reconstruct, and fills stay soft. `on_snapshot` gets the
    averaged network, the last examples and the kimg seen. `deadline` (by default
    `options.max_minutes` from now) ends the training early and saves its state.
    """
    device = inputs.device
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = channels_last(RefinementNetwork(config)).to(device).train()
    if start is not None:
        network.load_state_dict(start.state_dict())
    stats = Stats()
    adversaries = {}
    for name, P in zip(_VIEWS, judges or (), strict=False):
        adversaries[name] = ProjectedAdversary(
            P.to(device), options.lr_heads, options.augment_p, 0.0, options.seed, stats,
            DistributedContext(),
        )  # fmt: skip
    optimizer = adam(network.parameters(), options.lr, betas=(0.5, 0.99))
    training = PartTraining(options, folder, "refinement", network, optimizer, stats, adversaries)
    begin = training.restored()
    if judges is not None and not judges.whole.calibrated:
        shown = inputs(0, _CALIBRATION)
        for name, adversary in adversaries.items():
            adversary.network.calibrate(_VIEWS[name](shown, shown.image))
    examples: RefinementExamples | None = None

    def step(now: Moment) -> None:
        nonlocal examples
        examples = inputs(now.nimg, options.batch_size)
        _step(options, training, examples, now)

    def snapshot(kimg: float) -> None:
        if on_snapshot is not None and examples is not None:
            on_snapshot(training.average, examples, kimg)

    return training.run(begin, step, snapshot, deadline or Deadline(options.max_minutes))


# What the discriminators see, by their names in the state file.
_VIEWS: dict[str, Callable[[RefinementExamples, Tensor], Tensor]] = {
    "P": lambda _, images: images,
    "P_close": lambda examples, images: examples.close(images),
}


def _step(
    options: RefinementTraining,
    training: PartTraining[RefinementNetwork],
    examples: RefinementExamples,
    now: Moment,
) -> None:
    """Learn from a batch."""
    stats = training.stats
    image, hole, fill, where, _ = examples
    with torch.autocast(image.device.type, torch.bfloat16, enabled=options.bf16):
        refined = training.network(fill, image * (1 - hole), hole, where)
    matched = refined + color_shift(fill, image * (1 - hole), hole)
    composite = image + hole * (matched - image)
    pixels = (composite - image).abs().sum() / (3 * hole.sum()).clamp(min=1)
    # What an artist chose, colors and expression, must stay.
    moved = F.avg_pool2d(hole * (refined - fill), _BLOCK).abs().mean()
    colors = moved / F.avg_pool2d(hole, _BLOCK).mean().clamp(min=1e-3)
    loss = options.lambda_pixels * pixels + options.lambda_colors * colors
    stats.add_all({"loss_pixels": pixels, "loss_colors": colors})
    ramp = min(1.0, now.nimg / (options.ramp_kimg * 1000 + 1))
    views = {name: _VIEWS[name] for name in training.adversaries}
    verdicts = {}
    for name, view in views.items():
        adversary = training.adversaries[name]
        made = view(examples, composite)
        alike = map_difference(adversary.network, made, view(examples, image))
        verdicts[name] = adversary.loss(made, adversary.random_inputs(now, len(fill)))
        loss = loss + options.lambda_features / len(views) * alike
        loss = loss + options.lambda_projected * ramp * verdicts[name].loss
        stats.add("loss_features", alike)
    training.learn(loss)
    for name, verdict in verdicts.items():
        training.adversaries[name].learn(now, views[name](examples, image), verdict.numbers)
    stats.add("loss", loss)
