"""Train a StyleGAN2 generator: from scratch, or on from any checkpoint.

Recipes: Karras et al. 2020 (StyleGAN2) and 2020 (adaptive discriminator augmentation), and Sauer et
al. 2021 (projected discriminators, `adversaries.py`).
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from torch import Tensor, nn

from inpaint_model.bundle import Card, save_bundle
from inpaint_model.data import PictureSet
from inpaint_model.discriminator import Discriminator
from inpaint_model.generator import Generator, NoiseSource
from inpaint_model.grids import contact_sheet, to_uint8
from inpaint_model.ops import channels_last
from inpaint_model.perceptual import PerceptualLoss
from inpaint_model.projected.discriminator import ProjectedDiscriminator
from inpaint_model.readback import read_scalars
from inpaint_model.sampler import Sampler
from inpaint_model.training import losses
from inpaint_model.training.adversaries import (
    Adversary,
    Moment,
    ProjectedAdversary,
    StyleGAN2Adversary,
)
from inpaint_model.training.autoencoding import (
    Reconstruction,
    VariationalEncoder,
    autoencoding_loss,
    reconstruct,
    save_encoder,
)
from inpaint_model.training.compiling import compiled
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.distributed import World
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.optimizers import lazy_adam
from inpaint_model.training.progress import Stats, progress_line
from inpaint_model.training.randomness import generator_for, sharded_noise
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining


def mixed_styles(
    G: Generator, z: Tensor, z_other: Tensor, mixing_prob: float, rng: torch.Generator
) -> Tensor:
    """Styles of z, those after a random crossover from z_other: [N, num_ws, w_dim]."""
    w, w_other = G.mapping.map(z), G.mapping.map(z_other)
    G.mapping.track_w_avg(w)
    N, num_ws = z.shape[0], G.config.num_ws
    crossover = torch.randint(1, num_ws, (N, 1), generator=rng)
    unmixed = torch.rand(N, 1, generator=rng) >= mixing_prob
    first = (torch.arange(num_ws)[None] < crossover) | unmixed  # [N, num_ws]
    return torch.where(first.to(w.device)[:, :, None], w[:, None], w_other[:, None])


def train_generator(
    options: GeneratorTraining,
    G: Generator,
    D: Discriminator | None,
    pictures: PictureSet,
    run: RunFolder,
    *,
    P: ProjectedDiscriminator | None = None,
    E: VariationalEncoder | None = None,
    perceptual: PerceptualLoss | None = None,
    weights: Tensor | None = None,
    card: Card | None = None,
    device: torch.device | None = None,
    world: World | None = None,
    start_nimg: int = 0,
    deadline: Deadline | None = None,
) -> Generator:
    """Train in place until `options.total_kimg`; returns the averaged generator.

    D, P: the adversaries, either or both; None leaves one out. Heads in P that have not been
    calibrated are. E, perceptual: the encoder for `options.autoencoder_weight`, and what
    reconstructions are compared by besides their pixels. weights: how often each picture is drawn,
    [M], None = equally. start_nimg: images that the given networks have seen already (for a run
    that starts from a bundle). deadline: ends the training early, with its state saved; by default
    `options.max_minutes` from now. Continues from `run` when it holds a state.
    TrainingDivergedError on NaN.
    """
    deadline = deadline or Deadline(options.max_minutes)
    card = card or Card(name=run.path.name)
    device, world = device or torch.device("cpu"), world or World()
    batch, local = options.batch_size, options.batch_size // world.size
    if local * world.size != batch:
        raise ValueError(f"batch {batch} does not divide among {world.size} processes")
    if options.autoencoder_weight and E is None:
        raise ValueError("autoencoder_weight needs an encoder")
    if options.warm_start_kimg and not options.autoencoder_weight:
        raise ValueError(
            "a warm start learns by reconstruction: give autoencoder_weight too, 2 say"
        )
    if D is None and P is None:
        raise ValueError("a generator needs an adversary: a StyleGAN2 discriminator, or heads")
    # Path lengths and mixed styles belong to StyleGAN2's recipe; projected GANs do without.
    pl_weight = options.pl_weight if options.pl_weight is not None else 0.0 if P else 2.0
    mixing = options.style_mixing_prob
    mixing = mixing if mixing is not None else 0.0 if P else 0.9
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    pictures = pictures.on(device)
    sampler = Sampler(len(pictures), options.seed, weights)

    # Networks, optimisers, and whatever the folder already holds.
    channels_last(G.to(device)).train().requires_grad_(True)
    G_ema = frozen_copy(G)
    G_parameters = list(G.parameters())
    opt_G = lazy_adam(G_parameters, options.lr, options.pl_interval if pl_weight else None)
    modules: dict[str, nn.Module] = {"G": G, "G_ema": G_ema}
    optimizers: dict[str, torch.optim.Optimizer] = {"opt_G": opt_G}
    if E is not None:
        channels_last(E.to(device)).train()
        opt_E = lazy_adam(E.parameters(), options.lr, None)
        modules["E"], optimizers["opt_E"] = E, opt_E
        if perceptual is not None:
            perceptual.calibrate(pictures.batch(torch.arange(min(len(pictures), 64)), None, device))
    cur_nimg, step, pl_mean = start_nimg, 0, torch.zeros((), device=device)
    stats = Stats()

    def latents(purpose: str) -> tuple[Tensor, Tensor, torch.Generator]:
        rng = generator_for(options.seed, cur_nimg, purpose)
        z = torch.randn(batch, 2, G.config.z_dim, generator=rng)
        z = world.shard(z).to(device)
        return z[:, 0], z[:, 1], rng

    def noise_source(purpose: str) -> NoiseSource:
        rng = generator_for(options.seed, cur_nimg, purpose + " noise", device)
        return sharded_noise(rng, world.rank, world.size, device)

    synthesis = G.synthesis
    if options.compile and not options.random_noise:
        example = torch.zeros(local, G.config.num_ws, G.config.w_dim, device=device)
        synthesis = compiled(G.synthesis, example, "const", None, dtype)
        G.zero_grad(set_to_none=True)

    def generate(purpose: str, share: int | None = None) -> tuple[Tensor, Tensor]:
        z, z_other, rng = latents(purpose)
        ws = mixed_styles(G, z, z_other, mixing, rng)[:share]
        if not options.random_noise:
            forward = synthesis if purpose == "G" and torch.is_grad_enabled() else G.synthesis
            return forward(ws, "const", None, dtype), ws
        return G.synthesis(ws, "random", noise_source(purpose), dtype), ws

    adversaries: list[Adversary] = []
    if D is not None:
        channels_last(D.to(device)).train()
        adversaries.append(
            StyleGAN2Adversary(D, options, lambda: generate("D")[0], dtype, stats, world)
        )
    if P is not None:
        P.to(device).train()
        adversaries.append(
            ProjectedAdversary(
                P,
                options.lr_heads,
                options.heads_augment_p,
                options.heads_blur_kimg,
                options.seed,
                stats,
                world,
            )
        )
    for adversary in adversaries:
        modules[adversary.name] = adversary.network
        optimizers[f"opt_{adversary.name}"] = adversary.optimizer
    numbers = run.load_state(modules, optimizers)
    if numbers is not None:
        cur_nimg, step = numbers["cur_nimg"], numbers["step"]
        pl_mean.fill_(numbers["pl_mean"])
        for adversary in adversaries:
            adversary.restore(numbers["adversaries"][adversary.name])
    elif P is not None and not P.calibrated:
        P.calibrate(pictures.batch(torch.arange(min(len(pictures), 64)), None, device))
    grid_z = torch.randn(48, G.config.z_dim, generator=torch.Generator().manual_seed(0))

    def real_batch() -> Tensor:
        index, mirrored = (world.shard(x) for x in sampler.draw(cur_nimg, batch))
        images = pictures.batch(index, mirrored if options.mirror else None, device)
        return images.contiguous(memory_format=torch.channels_last)

    def give_back(real: Tensor) -> Reconstruction:
        assert E is not None
        rng = generator_for(options.seed, cur_nimg, "code")
        draw = world.shard(torch.randn(batch, G.config.z_dim, generator=rng)).to(device)
        return reconstruct(E, G, real, draw, rng, perceptual, dtype)

    def save() -> None:
        if not world.is_main:
            return
        run.save_state(
            modules,
            optimizers,
            {
                "cur_nimg": cur_nimg,
                "step": step,
                "pl_mean": read_scalars(pl_mean)[0],
                "adversaries": {a.name: a.numbers() for a in adversaries},
            },
        )
        with torch.no_grad():
            ws = G_ema.mapping(grid_z.to(device), truncation_psi=0.8)
            images = torch.cat([G_ema.synthesis(part) for part in ws.split(16)])
            shown = pictures.batch(torch.arange(min(len(pictures), 24)), None, device)
            if E is not None:
                draw = torch.randn(
                    len(shown), G.config.z_dim, generator=torch.Generator().manual_seed(0)
                ).to(device)
                given_back = reconstruct(E, G_ema, shown, draw, torch.Generator()).images
                pairs = torch.stack([shown, given_back], dim=1).flatten(0, 1)
                sheet = contact_sheet(to_uint8(pairs), columns=8)
                sheet.save(run.path / f"reconstructions{cur_nimg // 1000:06d}.png")
                save_encoder(E, run.path)
        grid = contact_sheet(to_uint8(images), columns=8)
        grid.save(run.path / f"fakes{cur_nimg // 1000:06d}.png")
        trained = replace(card, trained_kimg=cur_nimg / 1000)
        save_bundle(run.bundle_path, G_ema, trained, discriminator=D, projected=P)

    tick_nimg, snapshot_nimg = cur_nimg, cur_nimg
    tick_time = time.perf_counter()
    while cur_nimg < options.total_kimg * 1000 and world.agree(not deadline.passed):
        played = cur_nimg - start_nimg - options.warm_start_kimg * 1000
        plays, learns = played >= 0, played >= options.discriminator_kimg * 1000
        now = Moment(cur_nimg, step)
        real = real_batch()
        if plays:
            for adversary in adversaries:
                adversary.prepare(now, real)

        # Generator: please the adversaries, give pictures back.
        opt_G.zero_grad(set_to_none=True)
        if plays:
            with torch.set_grad_enabled(learns):
                fake, _ = generate("G")
            verdicts = [adversary.loss(now, fake) for adversary in adversaries]
            g_loss = torch.stack(verdicts).sum()
            if learns:
                g_loss.backward(inputs=G_parameters)
            stats.add("loss_g", g_loss)
        if E is not None:
            opt_E.zero_grad(set_to_none=True)
            result = give_back(real)
            loss = autoencoding_loss(result, options.price_of_nat)
            (loss * options.autoencoder_weight).backward()
            world.average_gradients(E.parameters())
            opt_E.step()
            stats.add("distance", result.distance)
            stats.add("nats", result.rate)
        if learns or E is not None:
            world.average_gradients(G_parameters)
            opt_G.step()
        if plays:
            for adversary in adversaries:
                adversary.learn(now, real)

        # Lazy path-length regularisation.
        if learns and pl_weight and step % options.pl_interval == 0:
            opt_G.zero_grad(set_to_none=True)
            fake, ws = generate("PL", max(local // options.pl_batch_shrink, 1))
            rng = generator_for(options.seed, cur_nimg, f"PL picture {world.rank}", device)
            noise = torch.randn(fake.shape, generator=rng, device=device)
            lengths = losses.path_lengths(fake, ws, noise)
            mean = world.mean(lengths.detach().mean())
            pl_mean = pl_mean.lerp(mean, options.pl_decay)
            pl = losses.path_length_penalty(lengths, pl_mean)
            (pl * (pl_weight * options.pl_interval)).backward()
            world.average_gradients(G_parameters)
            opt_G.step()
            stats.add("path_length", mean)

        # Averages.
        if learns or E is not None:
            update_ema(G_ema, G, batch, cur_nimg, options.ema_kimg)
        cur_nimg, step = cur_nimg + batch, step + 1

        # Report.
        if cur_nimg - tick_nimg < options.tick_kimg * 1000 and step > 1:
            continue
        means = stats.take(run.state_path, cur_nimg)
        seconds = time.perf_counter() - tick_time
        rate = (cur_nimg - tick_nimg) / seconds
        tick_nimg, tick_time = cur_nimg, time.perf_counter()
        if world.is_main:
            record = {"kimg": cur_nimg / 1000, "images_per_s": rate, **means}
            run.log("stats", record)
            print(progress_line(record, options.total_kimg), flush=True)
        if cur_nimg - snapshot_nimg >= options.snapshot_kimg * 1000:
            snapshot_nimg = cur_nimg
            save()
            tick_time = time.perf_counter()
    stats.take(run.state_path, cur_nimg)  # of the steps since the last line of progress
    save()
    return G_ema
