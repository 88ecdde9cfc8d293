"""Train a StyleGAN2 generator from scratch or from any checkpoint.

After Karras et al. 2020 (StyleGAN2 and adaptive discriminator augmentation) and Sauer et al. 2021
(projected discriminators).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import read_scalars
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.adversaries import (
    Adversary,
    Moment,
    ProjectedAdversary,
    StyleGAN2Adversary,
)
from inpaint_model.training.autoencoding import VariationalEncoder, reconstruct, save_encoder
from inpaint_model.training.compiling import compiled
from inpaint_model.training.deadline import Deadline, Snapshots
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.ema import EMA_RAMPUP, frozen_copy, update_ema
from inpaint_model.training.generator_phases import (
    GeneratorDraws,
    GeneratorPhases,
    Synthesis,
    generate,
    layer_noise,
    synthesize,
)
from inpaint_model.training.optimizers import lazy_adam
from inpaint_model.training.perceptual_loss import PerceptualLoss
from inpaint_model.training.phases import Graphs, Phase, Tensors
from inpaint_model.training.progress import Progress, Stats
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.files import save_projected
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining

CALIBRATION = 64  # images for measuring the ranges of feature maps


@dataclass
class GeneratorState:
    """The complete state of a training."""

    G: Generator
    G_ema: Generator  # the result
    optimizer: torch.optim.Optimizer  # the generator's
    E: VariationalEncoder | None
    encoder_optimizer: torch.optim.Optimizer | None
    pl_mean: Tensor  # running mean of path lengths, a scalar
    start_nimg: int  # images seen before this training
    cur_nimg: int
    step: int = 0
    adversaries: list[Adversary] = field(default_factory=list)

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        networks = {adversary.name: adversary.network for adversary in self.adversaries}
        encoder = {} if self.E is None else {"E": self.E}
        return {"G": self.G, "G_ema": self.G_ema, **encoder, **networks}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Return the optimizers by name."""
        others = {f"opt_{adversary.name}": adversary.optimizer for adversary in self.adversaries}
        encoder = {} if self.encoder_optimizer is None else {"opt_E": self.encoder_optimizer}
        return {"opt_G": self.optimizer, **encoder, **others}

    def numbers(self) -> dict[str, Any]:
        """Return the state other than tensors."""
        return {
            "start_nimg": self.start_nimg,
            "cur_nimg": self.cur_nimg,
            "step": self.step,
            "pl_mean": read_scalars(self.pl_mean)[0],
            "adversaries": {a.name: a.numbers() for a in self.adversaries},
        }

    def resume(self, run: RunFolder) -> bool:
        """Load the saved state; return False if there is none."""
        numbers = run.load_state(self.modules(), self.optimizers())
        if numbers is None:
            return False
        self.start_nimg = numbers.get("start_nimg", self.start_nimg)  # added in November 2026
        self.cur_nimg, self.step = numbers["cur_nimg"], numbers["step"]
        self.pl_mean.fill_(numbers["pl_mean"])
        for adversary in self.adversaries:
            adversary.restore(numbers["adversaries"][adversary.name])
        return True


def train_generator(
    options: GeneratorTraining,
    G: Generator,
    D: Discriminator | None,
    images: ImageSet,
    run: RunFolder,
    *,
    P: ProjectedDiscriminator | None = None,
    E: VariationalEncoder | None = None,
    perceptual: PerceptualLoss | None = None,
    weights: Tensor | None = None,
    card: Card | None = None,
    device: torch.device | None = None,
    world: DistributedContext | None = None,
    start_nimg: int = 0,
    pretrained: bool = False,
    deadline: Deadline | None = None,
) -> Generator:
    """Train in place until `options.total_kimg`; return the averaged generator.

    Resumes from the state in `run`, if there is one, and saves it when `deadline` (by default
    `options.max_minutes` from now) ends the training early. `D` is optional with `P`, whose heads
    are calibrated if necessary. `weights` are sampling weights [M]; None = equal.

    The networks have already seen `start_nimg` images, unless the training resumes. If they are
    `pretrained`, even on an unknown number of images, the average has its full half-life at once.

    Raises:
        ValueError: options, networks and images do not fit together.
        TrainingDivergedError: a loss is NaN or infinite.
    """
    _check(options, G, D, P, E, images)
    deadline = deadline or Deadline(options.max_minutes)
    card = card or Card(name=run.path.name)
    device, world = device or torch.device("cpu"), world or DistributedContext()
    local, stats = world.share_of(options.batch_size), Stats()
    images = images.on(device)
    typical = torch.arange(min(len(images), CALIBRATION))

    pl_weight = options.path_length_weight(projected=P is not None)
    state = _initial_state(options, G, E, pl_weight, device, start_nimg)
    if perceptual is not None and E is not None:
        perceptual.calibrate(images.batch(typical, None, device))

    draws = GeneratorDraws(
        options,
        G,
        images,
        Sampler(len(images), options.seed, weights),
        options.mixing(projected=P is not None),
        perceptual,
        world,
        device,
    )
    graphs = Graphs(device) if options.cuda_graphs else None
    state.adversaries = _adversaries(options, draws, D, P, stats, graphs)
    synthesis = _synthesis(options, draws)
    phases = GeneratorPhases(
        options, G, state.adversaries, E, perceptual, synthesis, pl_weight, world
    )
    of_G, of_E = list(G.parameters()), list(E.parameters()) if E is not None else []
    judged = [p for adversary in state.adversaries for p in adversary.trained_in_loss]
    recordable = all(adversary.recordable for adversary in state.adversaries)
    generator_phase = Phase(
        phases.generator_step, [*of_G, *of_E, *judged], graphs if recordable else None
    )
    path_length_phase = Phase(phases.path_length_step, of_G)

    if not state.resume(run) and P is not None and not P.calibrated:
        P.calibrate(images.batch(typical, None, device))
    progress = Progress(run, stats, options.total_kimg, state.cur_nimg)
    snapshots = Snapshots(options.snapshot_kimg, options.snapshot_minutes, state.cur_nimg)

    while state.cur_nimg < options.total_kimg * 1000 and world.agree(not deadline.passed):
        now = Moment(state.cur_nimg, state.step)
        adversarial_nimg = now.nimg - state.start_nimg - options.reconstruction_only_kimg * 1000
        train_G = adversarial_nimg >= options.d_warmup_kimg * 1000
        active = state.adversaries if adversarial_nimg >= 0 else []
        real, labels = draws.real(now.nimg)

        for adversary in active:
            adversary.prepare(now, real, labels)
        inputs = _main_inputs(
            draws, now, active, reconstructed=None if E is None else (real, labels)
        )
        metrics = generator_phase(inputs, bool(active), train_G)
        if state.encoder_optimizer is not None:
            world.step(state.encoder_optimizer, of_E)
        if train_G or E is not None:
            world.step(state.optimizer, of_G)
        stats.add_all({n: metrics[n] for n in ("loss_g", "distance", "nats") if n in metrics})
        for adversary in active:
            adversary.learn(now, real, _metrics_of(adversary, metrics))

        if train_G and pl_weight and now.step % options.pl_interval == 0:
            random_inputs = draws.path_lengths(now.nimg, max(local // options.pl_batch_shrink, 1))
            metrics = path_length_phase({**random_inputs, "pl_mean": state.pl_mean})
            world.step(state.optimizer, of_G)
            state.pl_mean = metrics["pl_mean"]
            stats.add("path_length", metrics["path_length"])

        if train_G or E is not None:
            rampup = None if pretrained else EMA_RAMPUP
            update_ema(
                state.G_ema, G, options.batch_size, now.nimg, options.ema_kimg, rampup=rampup
            )
        state.cur_nimg, state.step = now.nimg + options.batch_size, now.step + 1

        if progress.due(state.cur_nimg, state.step, options.tick_kimg):
            record = progress.take(state.cur_nimg)
            if world.is_main:
                progress.write(record)
            if snapshots.due(state.cur_nimg) and world.is_main:
                _save(state, run, card, images, D, P, device)
            progress.restart(state.cur_nimg)

    stats.take(run.state_path, state.cur_nimg)  # check the last steps
    if world.is_main:
        _save(state, run, card, images, D, P, device)
    return state.G_ema


def _check(
    options: GeneratorTraining,
    G: Generator,
    D: Discriminator | None,
    P: ProjectedDiscriminator | None,
    E: VariationalEncoder | None,
    images: ImageSet,
) -> None:
    if options.vae_weight and E is None:
        raise ValueError("vae_weight needs an encoder")
    if options.reconstruction_only_kimg and not options.vae_weight:
        raise ValueError("reconstruction_only_kimg needs vae_weight: set it too, for example to 2")
    if D is None and P is None:
        raise ValueError("no discriminator: give a StyleGAN2 or a projected discriminator")
    if options.random_noise and options.random_noise_side > G.config.resolution:
        raise ValueError(
            f"random_noise_side is {options.random_noise_side}, but the largest layer has "
            f"{G.config.resolution} px: give at most that, or turn random noise off"
        )
    c_dim = G.config.c_dim
    if c_dim and images.class_count != c_dim:
        raise ValueError(
            f"the generator has {c_dim} classes and the images {images.class_count or 'none'}: "
            "give images with labels of the same number of classes"
        )
    if c_dim and D is None:
        raise ValueError(
            "projected discriminators ignore labels: add a StyleGAN2 discriminator "
            "(--with-discriminator)"
        )
    if D is not None and D.config.c_dim != c_dim:
        raise ValueError(
            f"the discriminator has {D.config.c_dim or 'no'} classes and the generator "
            f"{c_dim or 'none'}: give the generator's own discriminator"
        )


def _initial_state(
    options: GeneratorTraining,
    G: Generator,
    E: VariationalEncoder | None,
    pl_weight: float,
    device: torch.device,
    start_nimg: int,
) -> GeneratorState:
    """Move the networks to the device and make their optimizers."""
    channels_last(G.to(device)).train().requires_grad_(True)
    if options.last_noise_strength is not None:
        strength = G.synthesis.block(G.config.resolution).conv1.noise_strength
        strength.requires_grad_(False).fill_(options.last_noise_strength)
    G_ema = frozen_copy(G)
    opt_G = lazy_adam(G.parameters(), options.lr, options.pl_interval if pl_weight else None)
    opt_E = None
    if E is not None:
        channels_last(E.to(device)).train()
        opt_E = lazy_adam(E.parameters(), options.lr, None)
    pl_mean = torch.zeros((), device=device)
    return GeneratorState(G, G_ema, opt_G, E, opt_E, pl_mean, start_nimg, cur_nimg=start_nimg)


def _adversaries(
    options: GeneratorTraining,
    draws: GeneratorDraws,
    D: Discriminator | None,
    P: ProjectedDiscriminator | None,
    stats: Stats,
    graphs: Graphs | None,
) -> list[Adversary]:
    adversaries: list[Adversary] = []
    if D is not None:
        channels_last(D.to(draws.device)).train()
        dtype = torch.bfloat16 if options.bf16 else torch.float32

        def draw(now: Moment) -> tuple[Tensor, Tensor | None]:
            inputs = draws.fakes(now.nimg, "D")
            return generate(draws.G, inputs, dtype)[0], inputs.get("labels")

        adversaries.append(StyleGAN2Adversary(D, options, draw, dtype, stats, draws.world))
    if P is not None:
        channels_last(P.to(draws.device)).train()
        heads = ProjectedAdversary(
            P,
            options.lr_heads,
            options.heads_augment_p,
            options.heads_blur_kimg,
            options.seed,
            stats,
            draws.world,
            graphs,
        )
        adversaries.append(heads)
    return adversaries


def _synthesis(options: GeneratorTraining, draws: GeneratorDraws) -> Synthesis:
    if not options.compile:
        return synthesize
    G, inputs = draws.G, draws.fakes(0, "G")
    ws = torch.zeros(len(inputs["z"]), G.config.num_ws, G.config.w_dim, device=draws.device)
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    fast: Synthesis = compiled(synthesize, G, ws, layer_noise(G, inputs), dtype)
    G.zero_grad(set_to_none=True)
    return fast


def _main_inputs(
    draws: GeneratorDraws,
    now: Moment,
    active: Sequence[Adversary],
    reconstructed: tuple[Tensor, Tensor | None] | None,
) -> dict[str, Tensor]:
    """Return the main phase's inputs; `reconstructed` are images and labels."""
    inputs: dict[str, Tensor] = draws.fakes(now.nimg, "G") if active else {}
    for adversary in active:
        inputs |= adversary.random_inputs(now, len(inputs["z"]))
    if reconstructed is not None:
        real, labels = reconstructed
        inputs |= {"real": real, **draws.codes(now.nimg)}
        inputs |= {} if labels is None else {"real labels": labels}
    return inputs


def _metrics_of(adversary: Adversary, metrics: Tensors) -> dict[str, Tensor]:
    prefix = f"{adversary.name} "
    return {n.removeprefix(prefix): x for n, x in metrics.items() if n.startswith(prefix)}


def _save(
    state: GeneratorState,
    run: RunFolder,
    card: Card,
    images: ImageSet,
    D: Discriminator | None,
    P: ProjectedDiscriminator | None,
    device: torch.device,
) -> None:
    run.save_state(state.modules(), state.optimizers(), state.numbers())
    number = f"{state.cur_nimg // 1000:06d}"
    if state.E is not None:
        some = torch.arange(min(len(images), 24))
        labels = images.labels(some).to(device) if state.G.config.c_dim else None
        shown = images.batch(some, None, device)
        sheet = _reconstructions(state.E, state.G_ema, shown, labels)
        sheet.save(run.path / f"reconstructions{number}.png")
        save_encoder(state.E, run.path)
    _samples(state.G_ema, device).save(run.path / f"fakes{number}.png")
    card = replace(card, trained_kimg=state.cur_nimg / 1000)
    save_bundle(
        run.bundle_path,
        state.G_ema,
        card,
        discriminator=D,
        write_extra=partial(save_projected, P) if P is not None else None,
    )


@torch.no_grad()
def _samples(G: Generator, device: torch.device) -> Image.Image:
    """Draw the same 48 latents each time."""
    z = torch.randn(48, G.config.z_dim, generator=torch.Generator().manual_seed(0)).to(device)
    c = None
    if count := G.config.c_dim:  # one class per column, unless there are more classes
        number = torch.arange(48) if count > 8 else torch.arange(48) % 8
        c = torch.eye(count, device=device)[(number % count).to(device)]
    ws = G.mapping(z, c, truncation_psi=0.8)
    images = torch.cat([G.synthesis(part) for part in ws.split(16)])
    return contact_sheet(to_uint8(images), columns=8)


@torch.no_grad()
def _reconstructions(
    E: VariationalEncoder, G: Generator, images: Tensor, labels: Tensor | None
) -> Image.Image:
    rng = torch.Generator().manual_seed(0)
    draw = torch.randn(len(images), G.config.z_dim, generator=rng).to(images.device)
    reconstructed = reconstruct(E, G, images, draw, c=labels).images
    pairs = torch.stack([images, reconstructed], dim=1).flatten(0, 1)
    return contact_sheet(to_uint8(pairs), columns=8)
