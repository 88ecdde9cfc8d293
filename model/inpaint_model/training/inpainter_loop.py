"""Train encoder, mixer and skip encoder around a frozen generator (section 3.2 of the paper).

Images are generated, so no image set is needed. The composites of both branches are judged by the
generator's discriminator, which is trained too (as in the paper), by projected ones, or by both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from inpaint_model.bundle.direction_store import Found, add_directions, directions_of
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.weights import generator_sha256
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.kept_features import FACE_FEATURES
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import upload
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline, Snapshots
from inpaint_model.training.diagnostics import measure_dependence, warnings_of
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.edit_loss import SHARE
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.inpainter_phases import InpainterPhases, images_of
from inpaint_model.training.inpainter_step import Batch, grid_of, trained_parameters
from inpaint_model.training.inputs import InpainterDraws, InpainterInputs, ahead
from inpaint_model.training.optimizers import adam, lazy_adam
from inpaint_model.training.perceptual_loss import PerceptualLoss
from inpaint_model.training.phases import Graphs, Phase
from inpaint_model.training.progress import Progress, Stats
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.files import save_projected
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import InpainterTraining


@dataclass
class InpainterState:
    """The complete state of a training."""

    model: InpaintingModel
    ema: InpaintingModel  # the result
    optimizer: torch.optim.Optimizer
    D: Discriminator | None
    D_optimizer: torch.optim.Optimizer | None
    heads: ProjectedAdversary | None
    start_nimg: int  # images seen before this training
    cur_nimg: int
    step: int = 0

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        D = {} if self.D is None else {"D": self.D}
        P = {} if self.heads is None else {"P": self.heads.network}
        return {"model": self.model, "ema": self.ema, **D, **P}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimizers by name."""
        D = {} if self.D_optimizer is None else {"adam_D": self.D_optimizer}
        P = {} if self.heads is None else {"adam_P": self.heads.optimizer}
        return {"adam": self.optimizer, **D, **P}

    def resume(self, run: RunFolder) -> None:
        """Load the saved state, if there is one."""
        numbers = run.load_state(self.modules(), self.optimizers())
        if numbers is not None:
            self.start_nimg = numbers.get("start_nimg", self.start_nimg)  # added in November 2026
            self.cur_nimg, self.step = numbers["cur_nimg"], numbers["step"]

    def save(self, run: RunFolder) -> None:
        """Save the state."""
        numbers = {
            "start_nimg": self.start_nimg,
            "cur_nimg": self.cur_nimg,
            "step": self.step,
        }
        run.save_state(self.modules(), self.optimizers(), numbers)


class Directions(NamedTuple):
    """The directions copied to the bundle; others may be added to it during the training."""

    generator_sha256: str
    carried: dict[str, Found]  # by name

    @classmethod
    def of(cls, generator: Generator, bundles: Sequence[Path]) -> Directions:
        """Collect the directions of bundles that have this generator."""
        sha256 = generator_sha256(generator.state_dict())
        return cls(sha256, directions_of(bundles, sha256))


def train_inpainter(
    options: InpainterTraining,
    model: InpaintingModel,
    D: Discriminator | None,
    perceptual: PerceptualLoss,
    run: RunFolder,
    *,
    P: ProjectedDiscriminator | None = None,
    images: ImageSet | None = None,
    weights: Tensor | None = None,
    card: Card | None = None,
    device: torch.device | None = None,
    world: DistributedContext | None = None,
    start_nimg: int = 0,
    directions_from: Sequence[Path] = (),
    deadline: Deadline | None = None,
) -> InpaintingModel:
    """Train in place until `options.total_kimg`; return the averaged model.

    Resumes from the state in `run`, if there is one, and saves it when `deadline` (by default
    `options.max_minutes` from now) ends the training early. The generator does not change;
    `perceptual` is calibrated. `weights` are sampling weights [M] of the real images; None = equal.
    The networks have already seen `start_nimg` images, unless the training resumes.

    Raises:
        ValueError: options, networks and images do not fit together.
        TrainingDivergedError: a loss is NaN or infinite.
    """
    _check(options, model, D, P, images)
    deadline = deadline or Deadline(options.max_minutes)
    device, world, card = (
        device or torch.device("cpu"),
        world or DistributedContext(),
        card or Card("inpainter"),
    )
    batch, local, stats = options.batch_size, world.share_of(options.batch_size), Stats()
    directions = Directions.of(model.generator, directions_from)
    graphs = Graphs(device) if options.cuda_graphs else None

    state = _initial_state(options, model, D, device, start_nimg)
    if P is not None:
        state.heads = _heads(options, P, stats, world, device, graphs)
    D, heads = state.D, state.heads
    state.resume(run)

    sampler = None
    if images is not None:
        sampler, images = Sampler(len(images), options.seed, weights), images.on(device)
    features = FACE_FEATURES if card.alignment == "ffhq" else ()
    inputs = InpainterInputs(options, model.generator.config, world, sampler, features)
    edited = max(local // SHARE, 1)  # images for the edit loss
    phases = InpainterPhases(options, model, D, heads, perceptual, edited)
    trained, of_D = trained_parameters(model), list(D.parameters()) if D is not None else []
    generator_phase = Phase(
        phases.generator_step, [*trained, *(heads.trained_in_loss if heads else ())], graphs
    )
    discriminator_phase, r1_phase = (
        Phase(phases.discriminator_step, of_D, graphs),
        Phase(phases.r1_step, of_D, graphs),
    )

    _calibrate(run, perceptual, P, _fixed_batch(inputs, model, images, device, 2).same, world)
    shown = _fixed_batch(inputs, model, images, device, 1)

    # Until then the model rests: the reconstruction losses alone would blur a finished one.
    alone = options.d_warmup_kimg * 1000 if heads or state.D_optimizer else 0.0
    progress = Progress(run, stats, options.total_kimg, state.cur_nimg)
    snapshots = Snapshots(options.snapshot_kimg, options.snapshot_minutes, state.cur_nimg)
    stop = math.ceil(options.total_kimg * 1000)
    drawn = ahead(inputs, state.cur_nimg, stop, batch, options.input_threads, device)
    while state.cur_nimg < stop and world.agree(not deadline.passed):
        now = Moment(state.cur_nimg, state.step)
        seen = now.nimg - state.start_nimg
        ramp = _ramp(options, seen)

        given = _on_device(next(drawn), images, device)
        given |= _choices(inputs, perceptual, now, ramp, edited, device)
        if heads is not None:
            given |= heads.random_inputs(now, 2 * local)
        metrics = generator_phase(given, ramp > 0)
        if seen >= alone:
            world.step(state.optimizer, trained)
        both, new = metrics.pop("both"), metrics.pop("new")
        stats.add_all(
            {n: x for n, x in metrics.items() if n.startswith("loss") and n != "loss_heads"}
        )

        # The discriminators' real class is the original images, and their fakes are composites.
        if heads is not None:
            heads.learn(now, new, metrics)
        if state.D_optimizer is not None:
            c: dict[str, Tensor] = {n: x for n, x in given.items() if "labels" in n}
            metrics = discriminator_phase({"both": both, "new": new, **c})
            world.step(state.D_optimizer, of_D)
            if now.step % options.r1_interval == 0:
                metrics |= r1_phase({"new": new, **c})
                world.step(state.D_optimizer, of_D)
            stats.add_all(metrics)

        update_ema(state.ema, model, batch, seen, options.ema_kimg)
        state.cur_nimg, state.step = now.nimg + batch, now.step + 1

        if progress.due(state.cur_nimg, state.step, options.tick_kimg):
            record = progress.take(state.cur_nimg)
            dependence = measure_dependence(state.ema, shown)
            if world.is_main:
                progress.write(record | dependence, warnings_of(dependence))
            if snapshots.due(state.cur_nimg) and world.is_main:
                _save(state, run, card, shown, directions)
            progress.restart(state.cur_nimg)

    stats.take(run.state_path, state.cur_nimg)  # check the last steps
    if world.is_main:
        _save(state, run, card, shown, directions)
    return state.ema


def _check(
    options: InpainterTraining,
    model: InpaintingModel,
    D: Discriminator | None,
    P: ProjectedDiscriminator | None,
    images: ImageSet | None,
) -> None:
    for name in ("real_fraction", "kept_fraction"):
        if getattr(options, name) > 1:
            raise ValueError(f"{name} is {getattr(options, name):g}; give a share from 0 to 1")
    if options.real_fraction and images is None:
        raise ValueError("real_fraction needs real images: give --data")
    for name in ("lambda_codes", "lambda_edit"):
        if getattr(options, name) and not model.config.abilities.corrected:
            raise ValueError(
                f"{name} needs a skip encoder or the like, which this architecture does not have: "
                "set it to 0"
            )
    if options.lambda_adversarial and D is None:
        raise ValueError("lambda_adversarial needs a discriminator: give one, or set it to 0")
    c_dim = 0 if D is None or not options.lambda_adversarial else D.config.c_dim
    if c_dim != 0 and options.real_fraction and images and images.class_count != c_dim:
        raise ValueError(
            f"the discriminator has {c_dim} classes and the real images "
            f"{images.class_count or 'none'}: give images with labels of the same number of "
            "classes (dataset.json), or set real_fraction to 0"
        )
    if bool(options.lambda_projected) != (P is not None):
        raise ValueError(
            "lambda_projected and projected discriminators (--feature-networks) need each other: "
            "give both or neither"
        )


def _initial_state(
    options: InpainterTraining,
    model: InpaintingModel,
    D: Discriminator | None,
    device: torch.device,
    start_nimg: int,
) -> InpainterState:
    """Move the networks to the device and make their optimizers, without D if it has no weight."""
    channels_last(model.to(device)).train()
    model.generator.eval().requires_grad_(False)
    model.precision = torch.bfloat16 if options.bf16 else torch.float32
    parameters = trained_parameters(model)
    for parameter in parameters:
        parameter.requires_grad_(True)
    ema, optimizer = frozen_copy(model), adam(parameters, options.lr)
    if D is None or not options.lambda_adversarial:
        return InpainterState(model, ema, optimizer, None, None, None, start_nimg, start_nimg)
    channels_last(D.to(device)).train().requires_grad_(True)
    D_optimizer = lazy_adam(D.parameters(), options.lr_discriminator, options.r1_interval)
    return InpainterState(model, ema, optimizer, D, D_optimizer, None, start_nimg, start_nimg)


def _heads(
    options: InpainterTraining,
    P: ProjectedDiscriminator,
    stats: Stats,
    world: DistributedContext,
    device: torch.device,
    graphs: Graphs | None,
) -> ProjectedAdversary:
    channels_last(P.to(device)).train()
    return ProjectedAdversary(
        P, options.lr_heads, options.heads_augment_p, 0.0, options.seed, stats, world, graphs
    )


def _calibrate(
    run: RunFolder,
    perceptual: PerceptualLoss,
    P: ProjectedDiscriminator | None,
    typical: Tensor,
    world: DistributedContext,
) -> None:
    """Measure the ranges of features, unless P already has them."""
    if P is not None and not P.calibrated:
        P.calibrate(typical, world.mean)
    run.log("stats", {"perceptual_mean_squares": perceptual.calibrate(typical)})


def _ramp(options: InpainterTraining, seen: int) -> float:
    """Return the factor, 0..1, of the adversarial weight after `seen` images."""
    risen = seen / 1000 - options.d_warmup_kimg
    return min(max(risen / max(options.ramp_kimg, 1e-9), 0.0), 1.0)


def _on_device(
    draws: InpainterDraws, images: ImageSet | None, device: torch.device
) -> dict[str, Tensor]:
    """Return the inputs of `images_of`."""
    names = ("z", "mixed_from", "hole", "real")
    given = {name: upload(getattr(draws, name), device) for name in names}
    if images is not None:
        given["photographs"] = images.batch(draws.image, draws.mirrored, device)
    if c_dim := draws.labels.shape[1]:
        labels = new_labels = draws.labels
        if images is not None and images.class_count == c_dim:
            new_labels = labels.index_copy(0, draws.real, images.labels(draws.image))
        given["labels"], given["new labels"] = upload(labels, device), upload(new_labels, device)
    return given


def _choices(
    inputs: InpainterInputs,
    perceptual: PerceptualLoss,
    now: Moment,
    ramp: float,
    edited: int,
    device: torch.device,
) -> dict[str, Tensor]:
    """Return a step's other inputs."""
    options, config, world = inputs.options, inputs.config, inputs.world
    given = {"ramp": torch.tensor(ramp)}
    if options.edit_std:
        rng = generator_for(options.seed, now.nimg, "edits")
        shift = torch.randn(options.batch_size, 1, config.w_dim, generator=rng) * options.edit_std
        given["shift"] = world.shard(shift)
    rng = generator_for(options.seed, now.nimg, "window")
    windows = ["window of same", "window of new"]
    for name in windows + ["window of codes"] * bool(options.lambda_codes):
        window = perceptual.window(config.resolution, rng)
        if window is not None:
            given[name] = window
    if options.lambda_whole:
        rng = generator_for(options.seed, now.nimg, "places in holes")
        given["places in holes"] = world.shard(torch.rand(options.batch_size, generator=rng))
    if options.lambda_edit:
        rng = generator_for(options.seed, now.nimg, "moves")
        given["moves"] = world.shard(torch.rand(edited * world.size, 3, generator=rng))
    return {name: upload(x, device) for name, x in given.items()}


def _fixed_batch(
    inputs: InpainterInputs,
    model: InpaintingModel,
    images: ImageSet | None,
    device: torch.device,
    number: int,
) -> Batch:
    """Return the same batch each time, which no step uses."""
    seed = inputs.options.seed + number
    draws = replace(inputs, options=replace(inputs.options, seed=seed))(0)
    return images_of(model, _on_device(draws, images, device), model.precision)


def _save(
    state: InpainterState, run: RunFolder, card: Card, shown: Batch, directions: Directions
) -> None:
    state.save(run)
    grid_of(state.ema, shown).save(run.path / f"fills{state.cur_nimg // 1000:06d}.png")
    kept = directions.carried | directions_of([run.bundle_path], directions.generator_sha256)
    card = replace(card, trained_kimg=state.cur_nimg / 1000)
    save_bundle(
        run.bundle_path,
        state.ema,
        card,
        discriminator=state.D,
        write_extra=None if state.heads is None else partial(save_projected, state.heads.network),
    )
    if kept and state.ema.config.abilities.editable:
        add_directions(run.bundle_path, list(kept.values()))
