"""Train encoder, mixer and skip encoder around a frozen generator (section 3.2 of the paper).

Pictures are generated, so no picture set is needed. Every step uses both branches: with the code
that made the picture every pixel can be right and is penalized; with another code only the known
pixels are. Composites of both are judged by the generator's discriminator, which is trained along
(the paper's choice), by projected discriminators, or by both kinds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from inpaint_model.bundle import Card, generator_sha256, save_bundle
from inpaint_model.data import PictureSet
from inpaint_model.direction_store import add_directions, directions_of
from inpaint_model.discriminator import Discriminator
from inpaint_model.networks import Encoding, InpaintingModel
from inpaint_model.ops import channels_last
from inpaint_model.perceptual import PerceptualLoss
from inpaint_model.projected.discriminator import ProjectedDiscriminator
from inpaint_model.sampler import Sampler
from inpaint_model.staging import upload
from inpaint_model.training import losses
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.deadline import Deadline, Snapshots
from inpaint_model.training.diagnostics import measure_dependence, warnings_of
from inpaint_model.training.distributed import World
from inpaint_model.training.edit_loss import SHARE, edit_loss, moves
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.inpainter_step import (
    Batch,
    coarse_loss,
    codes_loss,
    fill_both,
    grid_of,
    reconstruction,
    trained_parameters,
)
from inpaint_model.training.inputs import InpainterDraws, InpainterInputs, ahead
from inpaint_model.training.optimizers import adam, lazy_adam
from inpaint_model.training.phases import Graphs, Phase, Tensors
from inpaint_model.training.progress import Stats, progress_line
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import InpainterTraining


def train_inpainter(
    options: InpainterTraining,
    model: InpaintingModel,
    D: Discriminator | None,
    perceptual: PerceptualLoss,
    run: RunFolder,
    *,
    P: ProjectedDiscriminator | None = None,
    pictures: PictureSet | None = None,
    weights: Tensor | None = None,
    card: Card | None = None,
    device: torch.device | None = None,
    world: World | None = None,
    start_nimg: int = 0,
    directions_from: Sequence[Path] = (),
    deadline: Deadline | None = None,
) -> InpaintingModel:
    """Train in place until `options.total_kimg`; returns the averaged model.

    D: judges the composites if `options.lambda_adversarial` is not 0; P: if `lambda_projected` is
    not. pictures: real ones for `options.real_fraction`. directions_from: bundles whose directions
    the new one takes over, if they are around the same generator. deadline: ends the training
    early, with its state saved; by default `options.max_minutes` from now. Continues from `run`
    when it holds a state. TrainingDivergedError on NaN.
    """
    deadline = deadline or Deadline(options.max_minutes)
    device, world, card = device or torch.device("cpu"), world or World(), card or Card("inpainter")
    batch, local = options.batch_size, options.batch_size // world.size
    if local * world.size != batch:
        raise ValueError(f"batch {batch} does not divide among {world.size} processes")
    if options.real_fraction and pictures is None:
        raise ValueError("real_fraction needs real pictures: give --data")
    for name in ("lambda_codes", "lambda_edit"):
        if getattr(options, name) and model.skip is None:
            raise ValueError(
                f"{name} is about the skip encoder, which this arch does not have: leave it 0"
            )
    if options.lambda_adversarial and D is None:
        raise ValueError("lambda_adversarial needs a discriminator: give one, or leave it 0")
    if bool(options.lambda_projected) != (P is not None):
        raise ValueError(
            "lambda_projected and projected discriminators (--feature-networks) belong together"
        )
    D = D if options.lambda_adversarial else None
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    sampler = None
    if pictures is not None:
        pictures = pictures.on(device)
        sampler = Sampler(len(pictures), options.seed, weights)

    # Networks, optimisers, and whatever the folder already holds.
    own_sha256 = generator_sha256(model.generator.state_dict())
    channels_last(model.to(device)).train()
    generator = model.generator.eval().requires_grad_(False)
    config = generator.config
    model.precision = dtype
    parameters = trained_parameters(model)
    for parameter in parameters:
        parameter.requires_grad_(True)
    model_ema = frozen_copy(model)
    opt = adam(parameters, options.lr)
    modules: dict[str, nn.Module] = {"model": model, "ema": model_ema}
    optimizers: dict[str, torch.optim.Optimizer] = {"adam": opt}
    stats = Stats()
    graphs = Graphs(device) if options.cuda_graphs else None
    if D is not None:
        channels_last(D.to(device)).train().requires_grad_(True)
        adam_D = lazy_adam(D.parameters(), options.lr_discriminator, options.r1_interval)
        modules["D"], optimizers["adam_D"] = D, adam_D
    heads = None
    if P is not None:
        channels_last(P.to(device)).train()
        heads = ProjectedAdversary(
            P, options.lr_heads, options.heads_augment_p, 0.0, options.seed, stats, world, graphs
        )
        modules["P"], optimizers["adam_P"] = P, heads.optimizer
    carried = directions_of(directions_from, own_sha256)
    cur_nimg, step = start_nimg, 0
    numbers = run.load_state(modules, optimizers)
    if numbers is not None:
        cur_nimg, step = numbers["cur_nimg"], numbers["step"]

    inputs = InpainterInputs(options, config, world, sampler)

    def picture_inputs(draws: InpainterDraws) -> dict[str, Tensor]:
        """What `batch_of` makes a step's pictures of, on the device."""
        names = ("z", "mixed_from", "labels", "hole", "real")
        given = {name: upload(getattr(draws, name), device) for name in names}
        if pictures is not None:
            given["photographs"] = pictures.batch(draws.picture, draws.mirrored, device)
        return given

    @torch.no_grad()
    def batch_of(given: Tensors) -> Batch:
        """Generate the pictures that a step sees."""
        c = given["labels"].repeat_interleave(3, 0) if config.c_dim else None
        ws = generator.mapping(given["z"].flatten(0, 1), c)
        w_same, w_new, w_other = ws.unflatten(0, (-1, 3)).unbind(1)
        later = torch.arange(config.num_ws, device=device) >= given["mixed_from"]
        w_new = torch.where(later[:, :, None], w_other, w_new)
        same = new = generator.synthesis(w_same, dtype=dtype).float()
        if pictures is not None:
            new = same.index_copy(0, given["real"], given["photographs"])
        return Batch(same, new, given["hole"], w_same, w_new, given["real"])

    def fixed_batch(number: int) -> Batch:
        """The same pictures at every time, other ones than those of the steps."""
        seed = options.seed + number
        return batch_of(picture_inputs(replace(inputs, options=replace(options, seed=seed))(0)))

    def loss_inputs(ramp: float, now: Moment) -> dict[str, Tensor]:
        """What else a step takes: random choices, and how much the adversaries count."""
        given: dict[str, Tensor] = {}
        if options.edit_std:
            rng = generator_for(options.seed, cur_nimg, "edits")
            shift = torch.randn(batch, 1, config.w_dim, generator=rng) * options.edit_std
            given["shift"] = world.shard(shift)
        rng = generator_for(options.seed, cur_nimg, "window")
        windows = ["window of same", "window of new"]
        for name in windows + ["window of codes"] * bool(options.lambda_codes):
            window = perceptual.window(config.resolution, rng)
            if window is not None:
                given[name] = window
        if options.lambda_edit:
            rng = generator_for(options.seed, cur_nimg, "moves")
            given["moves"] = world.shard(torch.rand(edited * world.size, 3, generator=rng))
        if heads is not None:
            given |= heads.chance(now, 2 * local)
        given["ramp"] = torch.tensor(ramp)
        return {name: upload(x, device) for name, x in given.items()}

    def fill(given: Tensors, judged: bool) -> dict[str, Tensor]:
        """The gradient of encoder, mixer and skip encoder. judged: by D, if there is one."""
        data = batch_of(given)
        shift = given["shift"] * model.mixer.w_std if "shift" in given else None
        fills = fill_both(model, data, shift)
        windows = given.get("window of same"), given.get("window of new")
        same, new = reconstruction(data, fills, perceptual, options.perceptual_weight, windows)
        said = {"loss_same": same, "loss_new": new}
        loss = options.lambda_same * same + options.lambda_new * new
        if options.lambda_coarse:
            said["loss_coarse"] = coarse_loss(data, fills)
            loss = loss + options.lambda_coarse * said["loss_coarse"]
        if options.lambda_codes:
            window, weight = given.get("window of codes"), options.perceptual_weight
            said["loss_codes"] = codes_loss(model, data, fills, perceptual, weight, window)
            loss = loss + options.lambda_codes * said["loss_codes"]
        if options.lambda_edit:
            move = moves(data.w_same[:edited], data.w_new[:edited], given["moves"])
            encoding = Encoding(*(part[:edited] for part in fills.encoding_new))
            kept = edit_loss(model, encoding, fills.ws_new[:edited], move, data.hole[:edited])
            loss = loss + options.lambda_edit * kept
            said["loss_edit"] = kept
        # Composites of both branches. The losses are sums over the two, hence twice the means.
        both = torch.cat([fills.composite_same, fills.composite_new])
        if judged and D is not None:
            D.requires_grad_(False)
            adversarial = 2 * losses.g_nonsaturating(D(both.to(dtype)))
            loss = loss + options.lambda_adversarial * given["ramp"] * adversarial
            said["loss_adversarial"] = adversarial
        if heads is not None:
            # Judged even while it does not count, since heads learn from what they judge.
            verdict = heads.loss(both, given)
            loss = loss + options.lambda_projected * given["ramp"] * (2 * verdict.loss)
            said |= {"loss_projected": 2 * verdict.loss, **verdict.numbers}
        loss.backward(inputs=parameters)
        return {name: x.detach() for name, x in {**said, "both": both, "new": data.new}.items()}

    def tell_apart(given: Tensors) -> dict[str, Tensor]:
        """The gradient of D. Whole pictures are its real class, composites its fakes."""
        assert D is not None
        D.requires_grad_(True)
        fake_logits, real_logits = D(given["both"].to(dtype)), D(given["new"].to(dtype))
        loss = losses.d_logistic_real(real_logits) + losses.d_logistic_fake(fake_logits)
        (2 * loss).backward()
        return {
            "loss_D": 2 * loss.detach(),
            "sign_real": real_logits.detach().sign().mean(),
            "sign_fake": fake_logits.detach().sign().mean(),
        }

    def smooth(given: Tensors) -> dict[str, Tensor]:
        """The gradient of D's R1 penalty."""
        assert D is not None
        D.requires_grad_(True)  # here too: a replay of another phase leaves it as it is
        real = given["new"].detach().requires_grad_(True)
        penalty = losses.r1_penalty(D(real), real)
        (penalty * (options.r1_gamma / 2 * options.r1_interval)).backward()
        return {"r1": penalty.detach()}

    edited = max(local // SHARE, 1)  # pictures in which edits are looked at
    filling = Phase(fill, [*parameters, *(heads.learns_in_loss if heads else ())], graphs)
    of_D = list(D.parameters()) if D is not None else []
    telling, smoothing = Phase(tell_apart, of_D, graphs), Phase(smooth, of_D, graphs)

    def save() -> None:
        if not world.is_main:
            return
        run.save_state(modules, optimizers, {"cur_nimg": cur_nimg, "step": step})
        grid_of(model_ema, fixed_batch(1)).save(run.path / f"fills{cur_nimg // 1000:06d}.png")
        trained = replace(card, trained_kimg=cur_nimg / 1000)
        kept = carried | directions_of([run.bundle_path], own_sha256)  # found there meanwhile
        save_bundle(run.bundle_path, model_ema, trained, discriminator=D, projected=P)
        if kept:
            add_directions(run.bundle_path, list(kept.values()))

    # One fixed measure of the perceptual layers, from generated pictures.
    typical = fixed_batch(2).same
    if P is not None and not P.calibrated:
        P.calibrate(typical, world.mean)
    run.log("stats", {"perceptual_mean_squares": perceptual.calibrate(typical)})

    tick_nimg = cur_nimg
    snapshots = Snapshots(options.snapshot_kimg, options.snapshot_minutes, cur_nimg)
    tick_time = time.perf_counter()
    stop = math.ceil(options.total_kimg * 1000)
    drawn = ahead(inputs, cur_nimg, stop, batch, options.input_threads, device)
    while cur_nimg < stop and world.agree(not deadline.passed):
        warmup = (cur_nimg - start_nimg) / 1000 - options.discriminator_kimg
        ramp = min(max(warmup / max(options.ramp_kimg, 1e-9), 0.0), 1.0)
        now = Moment(cur_nimg, step)

        # Encoder, mixer, skip encoder.
        said = filling({**picture_inputs(next(drawn)), **loss_inputs(ramp, now)}, ramp > 0)
        world.average_gradients(parameters)
        opt.step()
        both, new = said.pop("both"), said.pop("new")
        for name, value in said.items():
            if name.startswith("loss") and name != "loss_heads":
                stats.add(name, value)

        # Discriminators: whole pictures are their real class now (generated ones, and the share of
        # photographs), composites their fakes.
        if heads is not None:
            heads.learn(now, new, said)
        if D is not None:
            said = telling({"both": both, "new": new})
            world.average_gradients(of_D)
            adam_D.step()
            if step % options.r1_interval == 0:
                said |= smoothing({"new": new})
                world.average_gradients(of_D)
                adam_D.step()
            for name, value in said.items():
                stats.add(name, value)

        update_ema(model_ema, model, batch, cur_nimg - start_nimg, options.ema_kimg)
        cur_nimg, step = cur_nimg + batch, step + 1

        # Report.
        if cur_nimg - tick_nimg < options.tick_kimg * 1000 and step > 1:
            continue
        means = stats.take(run.state_path, cur_nimg)
        rate = (cur_nimg - tick_nimg) / (time.perf_counter() - tick_time)
        dependence = measure_dependence(model_ema, fixed_batch(1))
        if world.is_main:
            record = {"kimg": cur_nimg / 1000, "images_per_s": rate} | means | dependence
            run.log("stats", record)
            print(progress_line(record, options.total_kimg), flush=True)
            for warning in warnings_of(dependence):
                print(f"   warning: {warning}", flush=True)
        if snapshots.due(cur_nimg):
            save()
        tick_nimg, tick_time = cur_nimg, time.perf_counter()
    stats.take(run.state_path, cur_nimg)  # of the steps since the last line of progress
    save()
    return model_ema
