"""Train a detail network on degraded images, against projected discriminators."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import upload
from inpaint_model.networks.detail_network import DetailConfig, DetailNetwork
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.detail.examples import DetailExamples, DetailInputs
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.optimizers import adam
from inpaint_model.training.part_training import PartTraining
from inpaint_model.training.progress import Stats
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator, map_difference
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import DetailTraining

_AROUND = 0.1  # weight of known pixels in the reconstruction loss
_CALIBRATION = 32  # images, to measure the ranges of the discriminator's maps

Snapshot = Callable[[DetailNetwork, DetailExamples, float], None]


def train_detail(
    options: DetailTraining,
    config: DetailConfig,
    images: ImageSet,
    folder: RunFolder,
    *,
    start: DetailNetwork | None = None,
    P: ProjectedDiscriminator | None = None,
    weights: Tensor | None = None,
    device: torch.device | None = None,
    on_snapshot: Snapshot | None = None,
    deadline: Deadline | None = None,
) -> DetailNetwork:
    """Train a network, or continue the training in `folder`; return the averaged network.

    `start` is a network of the same `config` to start from; by default its weights are random.
    Without a discriminator `P` for images of `options.crop` px, it learns only to reconstruct, and
    stays soft. `weights` are sampling weights [M] of the images. `on_snapshot` gets the averaged
    network, the last examples and the kimg seen. `deadline` (by default `options.max_minutes` from
    now) ends the training early and saves its state.
    """
    deadline = deadline or Deadline(options.max_minutes)
    device = device or torch.device("cpu")
    with torch.random.fork_rng():
        torch.manual_seed(options.seed)
        network = channels_last(DetailNetwork(config)).to(device).train()
    if start is not None:
        network.load_state_dict(start.state_dict())
    stats = Stats()
    adversaries = {}
    if P is not None:
        adversaries["P"] = ProjectedAdversary(
            P.to(device), options.lr_heads, options.augment_p, 0.0, options.seed, stats,
            DistributedContext(),
        )  # fmt: skip
    optimizer = adam(network.parameters(), options.lr, betas=(0.5, 0.99))
    training = PartTraining(options, folder, "detail", network, optimizer, stats, adversaries)
    inputs = DetailInputs(
        images, Sampler(len(images), options.seed, weights), options.crop, options.seed
    )
    begin = training.restored()
    if P is not None and not P.calibrated:
        P.calibrate(upload(inputs(0, _CALIBRATION).document, device))
    examples: DetailExamples | None = None

    def step(now: Moment) -> None:
        nonlocal examples
        examples = DetailExamples(
            *(upload(x, device) for x in inputs(now.nimg, options.batch_size))
        )
        _step(options, training, examples, now)

    def snapshot(kimg: float) -> None:
        if on_snapshot is not None and examples is not None:
            on_snapshot(training.average, examples, kimg)

    return training.run(begin, step, snapshot, deadline)


def _step(
    options: DetailTraining,
    training: PartTraining[DetailNetwork],
    examples: DetailExamples,
    now: Moment,
) -> None:
    """Learn from a batch."""
    stats = training.stats
    document, hole, fill = examples
    with torch.autocast(document.device.type, torch.bfloat16, enabled=options.bf16):
        detailed = training.network(fill, document, hole)
    composite = document + hole * (detailed - document)
    # Around the hole it learns to copy, since sharpness is compared there when fills are blended.
    weight = _AROUND + (1 - _AROUND) * hole
    absolute = (weight * (detailed - document).abs()).sum() / (3 * weight.sum())
    loss = options.lambda_pixels * absolute
    stats.add("loss_pixels", absolute)
    verdicts = {}
    for name, adversary in training.adversaries.items():
        alike = map_difference(adversary.network, composite, document)
        verdict = adversary.loss(composite, adversary.random_inputs(now, len(fill)))
        ramp = min(1.0, now.nimg / (options.ramp_kimg * 1000 + 1))
        loss = loss + options.lambda_features * alike
        loss = loss + options.lambda_projected * ramp * verdict.loss
        stats.add("loss_features", alike)
        verdicts[name] = verdict
    training.learn(loss)
    for name, verdict in verdicts.items():
        training.adversaries[name].learn(now, document, verdict.numbers)
    stats.add("loss", loss)
