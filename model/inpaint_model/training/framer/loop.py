"""Train a framer on generated scenes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.framing.network import Framer, FramerConfig, confidence_logit
from inpaint_model.training.adversaries import Moment
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.framer.scenes import Images, Scenes, draw_scenes
from inpaint_model.training.optimizers import adam
from inpaint_model.training.part_training import PartTraining
from inpaint_model.training.progress import Stats
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import FramerTraining

FRAMER = FramerConfig()  # of the command
IMAGE_PX = 128  # side of the aligned images
_WARM_UP = 5000  # scenes
_VOTING = 0.25  # distance from the center at which cells should vote, in frame sides


class Losses:
    """The losses of a batch; center (in sides), side and angle are weighted by desired votes."""

    def __init__(self, framer: Framer, scenes: Scenes) -> None:
        weight, cells = framer.votes(scenes.views)
        shows = scenes.present
        share = weight[shows]
        side = 2.0 ** scenes.log_side[shows, None]
        away = (framer.cells - scenes.center[shows, None]).norm(dim=-1)
        wanted = (-0.5 * (away / (_VOTING * side)).square()).softmax(dim=1)
        direction = torch.stack([scenes.angle.cos(), scenes.angle.sin()], dim=1)[shows, None]
        moved = (cells.center[shows] - scenes.center[shows, None]).norm(dim=-1) / (2 * side)
        resized = (cells.log_side[shows] - scenes.log_side[shows, None]).abs()
        turned = (cells.direction[shows] - direction).norm(dim=-1)
        self.voting = -(wanted * share.clamp(min=1e-9).log()).sum(1).mean()
        self.center = (wanted * moved.clamp(max=2)).sum(1).mean()
        self.side = (wanted * resized).sum(1).mean()
        self.angle = (wanted * turned).sum(1).mean()
        self.presence = F.binary_cross_entropy_with_logits(confidence_logit(cells), shows.float())

    @property
    def total(self) -> Tensor:
        """The weighted sum."""
        where = self.voting + 4 * self.center + 1.5 * self.side + 2 * self.angle
        total: Tensor = where + self.presence
        return total


def train_framer(
    options: FramerTraining,
    config: FramerConfig,
    images: Images,
    folder: RunFolder,
    on_snapshot: Callable[[Framer, float], None] | None = None,
    deadline: Deadline | None = None,
) -> Framer:
    """Train a framer, or continue the training in `folder`; return the averaged framer.

    `on_snapshot` gets it and the kimg seen. `deadline` (by default `options.max_minutes` from now)
    ends the training early and saves its state.
    """
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        framer = Framer(config).train()
    optimizer = adam(framer.parameters(), options.lr, weight_decay=1e-3)
    training = PartTraining(options, folder, "framer", framer, optimizer, Stats())
    total = round(options.total_kimg * 1000)

    def step(now: Moment) -> None:
        generator = generator_for(options.seed, now.nimg, "scenes")
        scenes = draw_scenes(images, options.batch_size, config.view, generator)
        losses = Losses(framer, scenes)
        for group in optimizer.param_groups:
            group["lr"] = options.lr * _schedule(now.nimg, total)
        training.learn(losses.total)
        training.stats.add_all(vars(losses))

    def snapshot(kimg: float) -> None:
        if on_snapshot is not None:
            on_snapshot(training.average, kimg)

    begin = training.restored()
    return training.run(begin, step, snapshot, deadline or Deadline(options.max_minutes))


def _schedule(cur_nimg: int, total: int) -> float:
    """Return the learning rate's factor: a warm-up, then half a cosine."""
    return min(1.0, cur_nimg / _WARM_UP) * 0.5 * (1 + math.cos(math.pi * cur_nimg / total))
