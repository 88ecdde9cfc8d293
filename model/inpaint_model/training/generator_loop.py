"""Train a StyleGAN2 generator: from scratch, or on from any checkpoint.

Recipes: Karras et al. 2020 (StyleGAN2) and 2020 (adaptive discriminator augmentation), and Sauer et
al. 2021 (projected discriminators, `adversaries.py`).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
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
from inpaint_model.staging import upload
from inpaint_model.training import losses
from inpaint_model.training.adversaries import (
    Adversary,
    Moment,
    ProjectedAdversary,
    StyleGAN2Adversary,
)
from inpaint_model.training.autoencoding import (
    VariationalEncoder,
    autoencoding_loss,
    reconstruct,
    save_encoder,
)
from inpaint_model.training.compiling import compiled
from inpaint_model.training.deadline import Deadline, Snapshots
from inpaint_model.training.distributed import World
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.optimizers import lazy_adam
from inpaint_model.training.phases import Graphs, Phase, Tensors
from inpaint_model.training.progress import Stats, progress_line
from inpaint_model.training.randomness import generator_for, sharded_noise
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining


def mixed_styles(G: Generator, z: Tensor, first: Tensor | None) -> Tensor:
    """Styles [N, num_ws, w_dim] of the latents z [N, 2, z_dim]: of the first where `first` says so.

    first: bool [N, num_ws]; None = everywhere. The mapping's average moves towards the first ones.
    """
    if first is None:
        w = G.mapping.map(z[:, 0])
        G.mapping.track_w_avg(w)
        return w[:, None].repeat(1, G.config.num_ws, 1)
    w, w_other = G.mapping.map(z.flatten(0, 1)).unflatten(0, (-1, 2)).unbind(1)
    G.mapping.track_w_avg(w)
    return torch.where(first[:, :, None], w[:, None], w_other[:, None])


def given_noise(draws: Tensors) -> NoiseSource:
    """The noise that `noise 0`, `noise 1`, ... hold, layer by layer."""
    layers = itertools.count()
    return lambda N, resolution: draws[f"noise {next(layers)}"]


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

    def random_inputs(purpose: str, share: int | None = None) -> dict[str, Tensor]:
        """What `generate` makes pictures of: latents, where styles change, the layers' noise."""
        rng = generator_for(options.seed, cur_nimg, purpose)
        z = world.shard(torch.randn(batch, 2, G.config.z_dim, generator=rng))
        crossover = torch.randint(1, G.config.num_ws, (local, 1), generator=rng)
        unmixed = torch.rand(local, 1, generator=rng) >= mixing
        first = (torch.arange(G.config.num_ws)[None] < crossover) | unmixed
        inputs = {"z": upload(z, device)}
        if mixing:
            inputs["first"] = upload(first, device)
        if options.random_noise:
            rng = generator_for(options.seed, cur_nimg, purpose + " noise", device)
            noise = sharded_noise(rng, world.rank, world.size, device)
            sides = G.synthesis.noise_sides
            inputs |= {f"noise {i}": noise(share or local, R) for i, R in enumerate(sides)}
        return inputs

    graphs = Graphs(device) if options.cuda_graphs else None
    synthesis = G.synthesis
    if options.compile and not options.random_noise:
        example = torch.zeros(local, G.config.num_ws, G.config.w_dim, device=device)
        synthesis = compiled(G.synthesis, example, "const", None, dtype)
        G.zero_grad(set_to_none=True)

    def generate(
        inputs: Tensors, forward: Callable[..., Tensor] = G.synthesis, share: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Pictures [N, 3, R, R] and their styles; share: of how many of the latents, None = all."""
        ws = mixed_styles(G, inputs["z"], inputs.get("first"))[:share]
        if not options.random_noise:
            return forward(ws, "const", None, dtype), ws
        return G.synthesis(ws, "random", given_noise(inputs), dtype), ws

    adversaries: list[Adversary] = []
    if D is not None:
        channels_last(D.to(device)).train()
        adversaries.append(
            StyleGAN2Adversary(
                D, options, lambda: generate(random_inputs("D"))[0], dtype, stats, world
            )
        )
    if P is not None:
        channels_last(P.to(device)).train()
        adversaries.append(
            ProjectedAdversary(
                P,
                options.lr_heads,
                options.heads_augment_p,
                options.heads_blur_kimg,
                options.seed,
                stats,
                world,
                graphs,
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

    def code_inputs() -> dict[str, Tensor]:
        """What giving back real pictures takes besides them."""
        rng = generator_for(options.seed, cur_nimg, "code")
        inputs = {"draw": world.shard(torch.randn(batch, G.config.z_dim, generator=rng))}
        window = None if perceptual is None else perceptual.window(G.config.resolution, rng)
        if window is not None:
            inputs["window"] = window
        return {name: upload(x, device) for name, x in inputs.items()}

    def please(inputs: Tensors, plays: bool, learns: bool) -> dict[str, Tensor]:
        """The generator's gradient: please the adversaries, give pictures back."""
        said: dict[str, Tensor] = {}
        if plays:
            with torch.set_grad_enabled(learns):
                fake, _ = generate(inputs, synthesis if learns else G.synthesis)
            verdicts = [adversary.loss(fake, inputs) for adversary in adversaries]
            g_loss = torch.stack([verdict.loss for verdict in verdicts]).sum()
            if learns:
                g_loss.backward(inputs=G_parameters)
            said = {"loss_g": g_loss.detach()}
            for adversary, verdict in zip(adversaries, verdicts, strict=True):
                said |= {f"{adversary.name} {n}": x for n, x in verdict.numbers.items()}
        if E is not None:
            window = inputs.get("window")
            result = reconstruct(E, G, inputs["real"], inputs["draw"], perceptual, window, dtype)
            loss = autoencoding_loss(result, options.price_of_nat)
            (loss * options.autoencoder_weight).backward()
            said |= {"distance": result.distance.detach(), "nats": result.rate.detach()}
        return said

    def even_out(inputs: Tensors) -> dict[str, Tensor]:
        """Path-length regularization's gradient. Not recorded: processes exchange a mean in it."""
        fake, ws = generate(inputs, share=share)
        lengths = losses.path_lengths(fake, ws, inputs["noise picture"])
        mean = world.mean(lengths.detach().mean())
        running = pl_mean.lerp(mean, options.pl_decay)
        pl = losses.path_length_penalty(lengths, running)
        (pl * (pl_weight * options.pl_interval)).backward()
        return {"path_length": mean, "running": running}

    share = max(local // options.pl_batch_shrink, 1)
    trained = [*G_parameters, *(E.parameters() if E is not None else ())]
    judged = [p for adversary in adversaries for p in adversary.learns_in_loss]
    recordable = all(adversary.recordable for adversary in adversaries)
    pleasing = Phase(please, [*trained, *judged], graphs if recordable else None)
    evening = Phase(even_out, G_parameters)

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
                given_back = reconstruct(E, G_ema, shown, draw).images
                pairs = torch.stack([shown, given_back], dim=1).flatten(0, 1)
                sheet = contact_sheet(to_uint8(pairs), columns=8)
                sheet.save(run.path / f"reconstructions{cur_nimg // 1000:06d}.png")
                save_encoder(E, run.path)
        grid = contact_sheet(to_uint8(images), columns=8)
        grid.save(run.path / f"fakes{cur_nimg // 1000:06d}.png")
        trained = replace(card, trained_kimg=cur_nimg / 1000)
        save_bundle(run.bundle_path, G_ema, trained, discriminator=D, projected=P)

    tick_nimg = cur_nimg
    snapshots = Snapshots(options.snapshot_kimg, options.snapshot_minutes, cur_nimg)
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
        inputs: dict[str, Tensor] = {}
        if plays:
            inputs = random_inputs("G")
            for adversary in adversaries:
                inputs |= adversary.chance(now, local)
        if E is not None:
            inputs |= {"real": real, **code_inputs()}
        said = pleasing(inputs, plays, learns)
        if E is not None:
            world.average_gradients(E.parameters())
            opt_E.step()
        if learns or E is not None:
            world.average_gradients(G_parameters)
            opt_G.step()
        for name in ("loss_g", "distance", "nats"):
            if name in said:
                stats.add(name, said[name])
        if plays:
            for adversary in adversaries:
                prefix = f"{adversary.name} "
                own = {n.removeprefix(prefix): x for n, x in said.items() if n.startswith(prefix)}
                adversary.learn(now, real, own)

        # Lazy path-length regularization.
        if learns and pl_weight and step % options.pl_interval == 0:
            rng = generator_for(options.seed, cur_nimg, f"PL picture {world.rank}", device)
            R = G.config.resolution
            noise = torch.randn(share, 3, R, R, generator=rng, device=device)
            said = evening({**random_inputs("PL", share), "noise picture": noise})
            world.average_gradients(G_parameters)
            opt_G.step()
            pl_mean = said["running"]
            stats.add("path_length", said["path_length"])

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
        if snapshots.due(cur_nimg):
            save()
            tick_time = time.perf_counter()
    stats.take(run.state_path, cur_nimg)  # of the steps since the last line of progress
    save()
    return G_ema
