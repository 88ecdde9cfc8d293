"""Random inputs (functions of seed and images seen) and phases of a generator training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import upload
from inpaint_model.networks.generator import Generator, NoiseMode
from inpaint_model.training import losses
from inpaint_model.training.adversaries import Adversary
from inpaint_model.training.autoencoding import VariationalEncoder, autoencoding_loss, reconstruct
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.perceptual_loss import PerceptualLoss
from inpaint_model.training.phases import Tensors
from inpaint_model.training.randomness import generator_for, sharded_noise
from inpaint_model.training.settings import GeneratorTraining

# (Generator, styles, layer noise, dtype of the convolutions) -> images.
Synthesis = Callable[[Generator, Tensor, Sequence[Tensor], torch.dtype], Tensor]


def mixed_styles(
    G: Generator, z: Tensor, first: Tensor | None, labels: Tensor | None = None
) -> Tensor:
    """Map latents z [N, 2, z_dim] to styles [N, num_ws, w_dim].

    `first`, bool [N, num_ws], selects the styles of the first latent (None = all), which updates
    the average w. Both latents share the label [N, c_dim].
    """
    if first is None:
        w = G.mapping.map(z[:, 0], labels)
        G.mapping.track_w_avg(w)
        return w[:, None].repeat(1, G.config.num_ws, 1)
    c = None if labels is None else labels.repeat_interleave(2, 0)
    w, w_other = G.mapping.map(z.flatten(0, 1), c).unflatten(0, (-1, 2)).unbind(1)
    G.mapping.track_w_avg(w)
    return torch.where(first[:, :, None], w[:, None], w_other[:, None])


def synthesize(G: Generator, ws: Tensor, noise: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Generate images [N, 3, R, R] from styles [N, num_ws, w_dim].

    Layer noise is [N, 1, R, R] or [R, R]; without any, layers use their constant noise.
    """
    layers = iter(noise)
    mode: NoiseMode = "random" if noise else "const"
    images: Tensor = G.synthesis(ws, mode, lambda N, resolution: next(layers), dtype)
    return images


def layer_noise(G: Generator, draws: Tensors) -> list[Tensor]:
    """Return each layer's noise, drawn (`noise 0`, ...) or constant; empty if none is drawn."""
    constant = G.synthesis.constant_noise
    if f"noise {len(constant) - 1}" not in draws:
        return []
    return [draws.get(f"noise {i}", own) for i, own in enumerate(constant)]


def generate(
    G: Generator,
    draws: Tensors,
    dtype: torch.dtype,
    synthesis: Synthesis = synthesize,
    share: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return images of the first `share` latents of `GeneratorDraws.fakes`, and their styles."""
    ws = mixed_styles(G, draws["z"], draws.get("first"), draws.get("labels"))[:share]
    return synthesis(G, ws, layer_noise(G, draws), dtype), ws


@dataclass(frozen=True)
class GeneratorDraws:
    """Makes the random inputs of the step after any number of images, `nimg`."""

    options: GeneratorTraining
    G: Generator  # only its sizes are used
    images: ImageSet
    sampler: Sampler
    mixing: float  # share of images with styles from two latents
    perceptual: PerceptualLoss | None
    world: DistributedContext
    device: torch.device

    def real(self, nimg: int) -> tuple[Tensor, Tensor | None]:
        """Return real images [N, 3, R, R], and their labels [N, c_dim], if any."""
        drawn = self.sampler.draw(nimg, self.options.batch_size)
        index, mirrored = (self.world.shard(x) for x in drawn)
        mirror = mirrored if self.options.mirror else None
        images = self.images.batch(index, mirror, self.device)
        images = images.contiguous(memory_format=torch.channels_last)
        if not self.G.config.c_dim:
            return images, None
        return images, upload(self.images.labels(index), self.device)

    def fakes(self, nimg: int, purpose: str, share: int | None = None) -> dict[str, Tensor]:
        """Return the inputs of `generate`, of which `share` images get noise (None = all).

        Each `purpose` has separate random numbers.
        """
        options, world, config = self.options, self.world, self.G.config
        local = world.share_of(options.batch_size)
        rng = generator_for(options.seed, nimg, purpose)
        z = world.shard(torch.randn(options.batch_size, 2, config.z_dim, generator=rng))
        crossover = torch.randint(1, config.num_ws, (local, 1), generator=rng)
        unmixed = torch.rand(local, 1, generator=rng) >= self.mixing
        first = (torch.arange(config.num_ws)[None] < crossover) | unmixed
        draws = {"z": upload(z, self.device)}
        if self.mixing:
            draws["first"] = upload(first, self.device)
        if config.c_dim:  # labels have the distribution of the real images
            rng = generator_for(options.seed, nimg, purpose + " labels")
            index = world.shard(self.sampler.independent(options.batch_size, rng))
            draws["labels"] = upload(self.images.labels(index), self.device)
        if options.random_noise:
            rng = generator_for(options.seed, nimg, purpose + " noise", self.device)
            noise = sharded_noise(rng, world.rank, world.size, self.device)
            draws |= {
                f"noise {i}": noise(share or local, len(own))
                for i, own in enumerate(self.G.synthesis.constant_noise)
                if len(own) >= options.random_noise_side
            }
        return draws

    def codes(self, nimg: int) -> dict[str, Tensor]:
        """Return the random inputs of reconstruction."""
        config = self.G.config
        rng = generator_for(self.options.seed, nimg, "code")
        draw = torch.randn(self.options.batch_size, config.z_dim, generator=rng)
        draws = {"draw": self.world.shard(draw)}
        window = self.perceptual.window(config.resolution, rng) if self.perceptual else None
        if window is not None:
            draws["window"] = window
        return {name: upload(x, self.device) for name, x in draws.items()}

    def path_lengths(self, nimg: int, share: int) -> dict[str, Tensor]:
        """Return the inputs of `path_length_step` for `share` images."""
        purpose, R = f"PL image {self.world.rank}", self.G.config.resolution
        rng = generator_for(self.options.seed, nimg, purpose, self.device)
        noise = torch.randn(share, 3, R, R, generator=rng, device=self.device)
        return {**self.fakes(nimg, "PL", share), "noise image": noise}


@dataclass(frozen=True)
class GeneratorPhases:
    """The losses of a step. Each phase leaves gradients and returns its metrics."""

    options: GeneratorTraining
    G: Generator
    adversaries: Sequence[Adversary]
    E: VariationalEncoder | None
    perceptual: PerceptualLoss | None
    synthesis: Synthesis  # possibly compiled
    pl_weight: float
    world: DistributedContext

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the convolutions."""
        return torch.bfloat16 if self.options.bf16 else torch.float32

    def generator_step(
        self, inputs: Tensors, adversarial: bool, train_G: bool
    ) -> dict[str, Tensor]:
        """Leave the gradient of reconstruction, and of `adversarial` losses if `train_G`.

        `inputs` are the random ones of `GeneratorDraws` and the adversaries, and `real` images.
        """
        metrics = self._adversarial_loss(inputs, train_G) if adversarial else {}
        if self.E is not None:
            metrics |= self._reconstruct(self.E, inputs)
        return metrics

    def path_length_step(self, inputs: Tensors) -> dict[str, Tensor]:
        """Leave the gradient of path-length regularization; `pl_mean` is the running mean.

        CUDA graphs cannot record this, since it averages over processes.
        """
        share = len(inputs["noise image"])
        fake, ws = generate(self.G, inputs, self.dtype, share=share)
        lengths = losses.path_lengths(fake, ws, inputs["noise image"])
        mean = self.world.mean(lengths.detach().mean())
        running = inputs["pl_mean"].lerp(mean, self.options.pl_decay)
        penalty = losses.path_length_penalty(lengths, running)
        (penalty * (self.pl_weight * self.options.pl_interval)).backward()
        return {"path_length": mean, "pl_mean": running}

    def _adversarial_loss(self, inputs: Tensors, train_G: bool) -> dict[str, Tensor]:
        with torch.set_grad_enabled(train_G):
            synthesis = self.synthesis if train_G else synthesize
            fake, _ = generate(self.G, inputs, self.dtype, synthesis)
        verdicts = [adversary.loss(fake, inputs) for adversary in self.adversaries]
        loss = torch.stack([verdict.loss for verdict in verdicts]).sum()
        if train_G:
            loss.backward(inputs=[p for p in self.G.parameters() if p.requires_grad])
        metrics = {"loss_g": loss.detach()}
        for adversary, verdict in zip(self.adversaries, verdicts, strict=True):
            metrics |= {f"{adversary.name} {n}": x for n, x in verdict.numbers.items()}
        return metrics

    def _reconstruct(self, E: VariationalEncoder, inputs: Tensors) -> dict[str, Tensor]:
        result = reconstruct(
            E,
            self.G,
            inputs["real"],
            inputs["draw"],
            self.perceptual,
            inputs.get("window"),
            self.dtype,
            inputs.get("real labels"),
        )
        loss = autoencoding_loss(result, self.options.kl_weight)
        (loss * self.options.vae_weight).backward()
        return {"distance": result.distance.detach(), "nats": result.rate.detach()}
