"""Train a detail network on degraded images, against projected discriminators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import upload
from inpaint_model.networks.detail_network import DetailConfig, DetailNetwork
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.detail.examples import DetailExamples, DetailInputs
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.optimizers import adam
from inpaint_model.training.progress import Progress, Stats
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
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
    average = frozen_copy(network)
    optimizer = adam(network.parameters(), options.lr, betas=(0.5, 0.99))
    stats = Stats()
    adversary = None
    modules: dict[str, nn.Module] = {"detail": network, "average": average}
    optimizers: dict[str, torch.optim.Optimizer] = {"optimizer": optimizer}
    if P is not None:
        adversary = ProjectedAdversary(
            P.to(device), options.lr_heads, options.augment_p, 0.0, options.seed, stats,
            DistributedContext(),
        )  # fmt: skip
        modules["P"], optimizers["adam_P"] = P, adversary.optimizer
    inputs = DetailInputs(
        images, Sampler(len(images), options.seed, weights), options.crop, options.seed
    )
    numbers = folder.load_state(modules, optimizers)
    cur_nimg, step = (int(numbers["cur_nimg"]), int(numbers["step"])) if numbers else (0, 0)
    if P is not None and not P.calibrated:
        P.calibrate(upload(inputs(0, _CALIBRATION).document, device))
    total = round(options.total_kimg * 1000)
    due = cur_nimg + options.snapshot_kimg * 1000
    progress = Progress(folder, stats, options.total_kimg, cur_nimg)
    over = deadline.passed
    while cur_nimg < total and not over:
        examples = DetailExamples(
            *(upload(x, device) for x in inputs(cur_nimg, options.batch_size))
        )
        loss = _step(
            options, network, adversary, optimizer, examples, Moment(cur_nimg, step), stats
        )
        stats.add("loss", loss)
        cur_nimg, step = cur_nimg + options.batch_size, step + 1
        update_ema(average, network, options.batch_size, cur_nimg, options.ema_kimg, rampup=0.1)
        over = deadline.passed
        if cur_nimg < min(due, total) and not over:
            continue
        due += options.snapshot_kimg * 1000
        record = progress.take(cur_nimg)
        state = {"cur_nimg": cur_nimg, "step": step, "options": asdict(options)}
        folder.save_state(modules, optimizers, state)
        progress.write(record)
        if on_snapshot is not None:
            on_snapshot(average, examples, cur_nimg / 1000)
        progress.restart(cur_nimg)
    return average


def _step(
    options: DetailTraining,
    network: DetailNetwork,
    adversary: ProjectedAdversary | None,
    optimizer: torch.optim.Optimizer,
    examples: DetailExamples,
    now: Moment,
    stats: Stats,
) -> Tensor:
    """Learn from a batch; return the loss."""
    document, hole, fill = examples
    with torch.autocast(document.device.type, torch.bfloat16, enabled=options.bf16):
        detailed = network(fill, document, hole)
    composite = document + hole * (detailed - document)
    # Around the hole it learns to copy, since sharpness is compared there when fills are blended.
    weight = _AROUND + (1 - _AROUND) * hole
    absolute = (weight * (detailed - document).abs()).sum() / (3 * weight.sum())
    loss = options.lambda_pixels * absolute
    stats.add("loss_pixels", absolute.detach())
    if adversary is not None:
        P = adversary.network
        with torch.no_grad():
            wanted = P.features(document)
        found = P.features(composite)
        alike = torch.stack(
            [(a - b).abs().float().mean() for a, b in zip(found, wanted, strict=True)]
        )
        verdict = adversary.loss(composite, adversary.random_inputs(now, len(fill)))
        ramp = min(1.0, now.nimg / (options.ramp_kimg * 1000 + 1))
        loss = loss + options.lambda_features * alike.mean()
        loss = loss + options.lambda_projected * ramp * verdict.loss
        stats.add("loss_features", alike.mean().detach())
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=list(network.parameters()))
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    if adversary is not None:
        adversary.learn(now, document, verdict.numbers)
    learned: Tensor = loss.detach()
    return learned
